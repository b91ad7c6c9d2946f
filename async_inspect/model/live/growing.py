"""Columns that grow, and looking up in them what held at a slot.

Knows nothing of tasks or recordings.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..grouping import Any1d, Ints, Ordered

type Bools = npt.NDArray[np.bool_]


class GrowingTable(dict[str, npt.NDArray[Any]]):
    """Columns of one length, by name.  Rows that nobody wrote are 0."""

    def __init__(self, **types: Any) -> None:
        super().__init__({name: np.zeros(1024, type_) for name, type_ in types.items()})
        self.size = 0

    def reach(self, size: int) -> None:
        """Have at least so many rows."""
        self.size = max(self.size, size)
        for name, column in self.items():
            if len(column) < size:
                self[name] = np.concatenate([column, np.zeros(max(size, 2 * len(column)) - len(column), column.dtype)])


class LatestAt:
    """Rows (who, when), to be asked for someone's last row at or before a moment.

    As ``grouping.LastBefore``, at a cost that doesn't depend on how many ids there are.
    """

    def __init__(self, who: Any1d, when: Ints) -> None:
        self._rows = Ordered(who, when)
        self._who = who[self._rows.order]

    def __call__(self, who: Any1d, when: Ints) -> Ints:
        """Row numbers; -1 where there is none."""
        if not len(self._who):
            return np.full(len(who), -1, np.int64)
        found = self._rows.before(who, when, "right") - 1
        good = (found >= 0) & (self._who[np.maximum(found, 0)] == who)
        return np.where(good, self._rows.order[np.maximum(found, 0)], -1)


def add(column: npt.NDArray[Any], rows: Any1d, values: Any1d | int = 1) -> None:
    """Add to rows of a column, some of them several times; integers, exactly."""
    np.add.at(column, rows, values)
