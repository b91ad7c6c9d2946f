"""Columns that grow.  Knows nothing of tasks or recordings."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..grouping import Any1d, Ints

type Bools = npt.NDArray[np.bool_]

_SPARE = 1024


class GrowingTable(dict[str, npt.NDArray[Any]]):
    """Columns of one length, by name.  Rows that nobody wrote are 0."""

    def __init__(self, **types: Any) -> None:
        super().__init__({name: np.zeros(_SPARE, type_) for name, type_ in types.items()})
        self.size = 0

    def reach(self, size: int) -> None:
        """Have at least so many rows."""
        self.size = max(self.size, size)
        for name, column in self.items():
            if len(column) < size:
                self[name] = np.concatenate([column, np.zeros(max(size, 2 * len(column)) - len(column), column.dtype)])

    def keep(self, rows: Ints) -> None:
        """Only these rows, which are 0, 1, 2 … from now on."""
        for name, column in self.items():
            self[name] = np.concatenate([column[rows], np.zeros(_SPARE, column.dtype)])
        self.size = len(rows)


def add(column: npt.NDArray[Any], rows: Any1d, values: Any1d | int = 1) -> None:
    """Add to rows of a column, some of them several times; integers, exactly."""
    np.add.at(column, rows, values)
