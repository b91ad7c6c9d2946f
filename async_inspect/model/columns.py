"""What numpy has no single word for: grouping by several columns, and looking up what was last.

Knows nothing of tasks or recordings.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

type Ints = npt.NDArray[np.int64]
type Any1d = npt.NDArray[Any]


def group(*columns: Any1d) -> tuple[list[Ints], Ints]:
    """The distinct rows of some columns (non-negative), sorted; and for each row which one it is."""
    widths = [int(column.max()) + 1 if len(column) else 1 for column in columns]
    key = columns[0].astype(np.int64)
    size = widths[0]
    tables: list[tuple[Ints, int]] = []  # how to take a key apart again
    for column, width in zip(columns[1:], widths[1:], strict=True):
        if size * width >= 1 << 62:  # too wide for one word: number what there is so far
            distinct, key = np.unique(key, return_inverse=True)
            size = len(distinct)
        else:
            distinct = np.empty(0, np.int64)
        tables.append((distinct, width))
        key = key * width + column
        size *= width
    keys, inverse = np.unique(key, return_inverse=True)
    parts: list[Ints] = []
    for distinct, width in reversed(tables):
        parts.append(keys % width)
        keys = keys // width
        if len(distinct):
            keys = distinct[keys]
    return [keys, *reversed(parts)], inverse


def sums(inverse: Any1d, values: Any1d, size: int) -> Ints:
    """The sum of ``values`` for each group; exact up to 2**53 (104 days in ns)."""
    return np.bincount(inverse, weights=values, minlength=size).astype(np.int64)


def counts(inverse: Any1d, size: int) -> Ints:
    return np.bincount(inverse, minlength=size).astype(np.int64)


class LastBefore:
    """Rows (who, when), to be asked for someone's last row at or before a moment."""

    def __init__(self, who: Any1d, when: Ints, people: int, moments: int) -> None:
        """``who`` < people, ``when`` < moments."""
        self._moments = moments
        key = who.astype(np.int64) * moments + when
        self._order: Ints = np.argsort(key, kind="stable")
        self._key = key[self._order]
        starts = np.searchsorted(self._key, np.arange(people + 1, dtype=np.int64) * moments)
        self._starts, self._count = starts[:-1], np.diff(starts)

    def __call__(self, who: Any1d, when: Ints) -> Ints:
        """Row numbers; -1 where there is none."""
        if not len(self._key):
            return np.full(len(who), -1, np.int64)
        found = self._starts[who]
        several = self._count[who] > 1  # most have one row only: no search
        if several.any():
            some = np.flatnonzero(several)
            wanted = who[some].astype(np.int64) * self._moments + when[some]
            found[some] = np.maximum(np.searchsorted(self._key, wanted, side="right") - 1, found[some])
        found = np.minimum(found, len(self._key) - 1)
        key = self._key[found]
        base = who.astype(np.int64) * self._moments
        return np.where((key >= base) & (key <= base + when), self._order[found], -1)
