"""Group-by, sums by group and as-of lookup on numpy columns.

Knows nothing of tasks or recordings.
"""

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

type Ints = npt.NDArray[np.int64]
type Whole = npt.NDArray[np.signedinteger[Any]]  # of 32 bits, where these are enough
type Any1d = npt.NDArray[Any]

MOST: Final = (1 << 63) - 1
_LOW: Final = (1 << 32) - 1
_BLOCK: Final = 1 << 18  # rows that are added up at a time


def group(*columns: Any1d) -> tuple[list[Ints], Ints]:
    """The distinct rows of some columns (non-negative), sorted; and for each row which one it is."""
    widths = [int(column.max()) + 1 if len(column) else 1 for column in columns]
    key: Ints = columns[0].astype(np.int64)  # a copy
    size = widths[0]
    tables: list[tuple[Ints, Any1d, int]] = []  # how to take a key apart again
    for column, most in zip(columns[1:], widths[1:], strict=True):
        numbers, width = column, most
        distinct, values = np.empty(0, np.int64), np.empty(0, np.int64)
        if size * width >= 1 << 62:  # too wide for one word: number what there is so far
            distinct, which = distinct_of(key)
            key = which.astype(np.int64)
            size = len(distinct)
        if size * width >= 1 << 62:  # still: number this one's values, too
            values, numbers = distinct_of(column)
            width = len(values)
        tables.append((distinct, values, width))
        key *= width
        key += numbers
        size *= width
    keys, inverse = distinct_of(key)
    parts: list[Ints] = []
    for distinct, values, width in reversed(tables):
        parts.append(values[keys % width] if len(values) else keys % width)
        keys = keys // width
        if len(distinct):
            keys = distinct[keys]
    return [keys, *reversed(parts)], inverse.astype(np.int64, copy=False)


def order_of(key: Any1d) -> Ints:
    """The rows in ascending order of ``key`` (whole numbers); those that are alike in theirs."""
    n = len(key)
    if n < 2 or bool((key[1:] >= key[:-1]).all()):
        return np.arange(n)
    low, bits = int(key.min()), n.bit_length()
    if (int(key.max()) - low).bit_length() + bits >= 63:
        return np.argsort(key, kind="stable")
    packed = key.astype(np.int64)  # to sort values takes a fraction of what sorting rows does
    packed -= low
    packed <<= bits
    for begin in range(0, n, _BLOCK):
        packed[begin : begin + _BLOCK] |= np.arange(begin, min(begin + _BLOCK, n))
    packed.sort()
    packed &= (1 << bits) - 1
    return packed


def distinct_of(key: Any1d) -> tuple[Ints, Whole]:
    """The distinct values of ``key`` (whole numbers), ascending; and for each row which one it is."""
    n = len(key)
    if not n:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    low = int(key.min())
    width = int(key.max()) - low + 1
    if width <= 4 * n + 1024:  # so few that there is room for all: no sorting
        there = np.zeros(width, np.bool_)
        at = key.astype(np.int64) - low
        there[at] = True
        return np.flatnonzero(there) + low, narrow(np.cumsum(there) - 1)[at]
    order = order_of(key)
    new = np.ones(n, np.bool_)
    ordered = key[order]
    new[1:] = ordered[1:] != ordered[:-1]
    number = narrow(np.cumsum(new) - 1)
    inverse = np.empty_like(number)
    inverse[order] = number
    return ordered[new].astype(np.int64), inverse


def sums(inverse: Any1d, values: Any1d, size: int) -> Ints:
    """The sum of ``values`` (whole numbers) for each group, in integers: exact below 2**63, ``MOST`` from there on."""
    found = np.zeros(size, np.int64)
    most = max(int(values.max(initial=0)), -int(values.min(initial=0)))
    if len(values) * most <= MOST:
        for begin in range(0, len(values), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            np.add.at(found, inverse[part].astype(np.intp), values[part].astype(np.int64))
        return found
    which, values = inverse.astype(np.intp), values.astype(np.int64)
    low = np.zeros(size, np.int64)
    np.add.at(found, which, values >> 32)
    np.add.at(low, which, values & _LOW)
    found += low >> 32
    over, under = found > MOST >> 32, found < -(1 << 31)
    found = found << 32 | low & _LOW
    found[over], found[under] = MOST, -MOST - 1
    return found


def sums_if_known(inverse: Any1d, values: Any1d, size: int) -> Ints:
    """The same of values that may be below 0, which is not known: then neither is the sum, which is -1."""
    found = sums(inverse, known(values), size)
    found[inverse[values < 0]] = -1
    return found


def known(values: Any1d) -> Ints:
    """These values; 0 in place of what is not known."""
    return np.maximum(values, 0).astype(np.int64)


def exact_sum(values: Any1d) -> int:
    """The sum of whole numbers, exactly."""
    values = values.astype(np.int64)
    return (int((values >> 32).sum()) << 32) + int((values & _LOW).sum())


def counts(inverse: Any1d, size: int) -> Ints:
    """How many rows each group has."""
    return np.bincount(inverse, minlength=size).astype(np.int64)


class Ordered:
    """Rows (who, when) in order, to be searched by both as ``np.searchsorted`` searches one column.

    Each row is one word, its ``when`` counted from the earliest; where that would be wider than a word, as with a
    million tasks over some hours in ns, by its rank among all of them.
    """

    def __init__(self, who: Any1d, when: Any1d) -> None:
        """``who``: ids below 2**31."""
        self._low = int(when.min()) if len(when) else 0
        self._size = int(when.max()) - self._low + 2 if len(when) else 1
        self._keys_count = int(who.max()) + 1 if len(who) else 0
        self._moments: Any1d | None = None
        if self._keys_count * self._size >= 1 << 62:
            self._moments = np.unique(when)
            self._size = len(self._moments) + 1
        key = self._key_of(who, when, "left")
        self.order: Ints = order_of(key)  # of the rows as they were given
        self._key = key[self.order]

    def before(self, who: Any1d, when: Any1d, side: Literal["left", "right"] = "left") -> Ints:
        """How many rows are before (who, when); with ``side`` "right": before it, or at it."""
        return np.searchsorted(self._key, self._key_of(who, when, side)).astype(np.int64)

    def _key_of(self, who: Any1d, when: Any1d, side: Literal["left", "right"]) -> Ints:
        if self._moments is not None:
            rank = np.searchsorted(self._moments, when, side)
        else:
            within = np.clip(when.astype(np.int64), self._low - 1, self._low + self._size - 1) - self._low
            rank = np.clip(within + (side == "right"), 0, self._size - 1)
        key: Ints = np.minimum(who.astype(np.int64), self._keys_count) * self._size + rank
        return key


class Cycles:
    """Cycle detection (Brent's algorithm) for many walkers at once."""

    def __init__(self) -> None:
        self._steps = 0
        self._was: Any1d = np.zeros(0, np.int64)

    def closed(self, at: Any1d, to: Any1d) -> npt.NDArray[np.bool_]:
        """Which walkers, now ``at`` and going ``to``, return to where they were at the last power of two of steps.  To
        be called at each step."""
        if self._steps & (self._steps - 1) == 0:
            self._was = at
        self._steps += 1
        closed: npt.NDArray[np.bool_] = to == self._was
        return closed

    def keep(self, rows: Ints) -> Ints:
        """Continue with these walkers only."""
        self._was = self._was[rows]
        return rows


class LastBefore:
    """As-of lookup: for (who, when), the last row of that ``who`` at or before ``when``."""

    def __init__(self, who: Any1d, when: Any1d, count: int = 0) -> None:
        """``count``: ``who`` is below; those that have one row only, as most have, are found without a search then."""
        self._last: Any1d | None = None
        self._several = self._some = np.empty(0, np.int64)
        if count:
            self._last, self._when = last_rows(who, count), when
            self._several = first_rows(who, count) != self._last
            self._some = np.flatnonzero(self._several[who]) if self._several.any() else self._some
            who, when = who[self._some], when[self._some]
        self._rows = Ordered(who, when)
        self._ordered_who, self._ordered_when = who[self._rows.order], when[self._rows.order]

    def __call__(self, who: Any1d, when: Any1d) -> Ints:
        """Row numbers; -1 where there is none."""
        if self._last is None:
            return self._search(who, when)
        found = self._last[who].astype(np.int64)
        if len(self._when):
            found[self._when[found] > when] = -1
        if len(self._some):
            several = np.flatnonzero(self._several[who])
            row = self._search(who[several], when[several])
            found[several] = np.where(row >= 0, self._some[row], -1)
        return found

    def _search(self, who: Any1d, when: Any1d) -> Ints:
        if not len(self._ordered_when):
            return np.full(len(who), -1, np.int64)
        found = self._rows.before(who, when, "right") - 1
        good = (found >= 0) & (self._ordered_who[found] == who)
        return np.where(good, self._rows.order[found], -1)

    def until(self, who: Any1d, when: Any1d) -> Ints:
        """When the next row of that ``who`` after ``when`` is; MOST: there is none.  Of one made with ``count``."""
        assert self._last is not None
        found = np.full(len(who), MOST)
        last = self._last[who]
        later = np.flatnonzero(last >= 0)
        later = later[self._when[last[later]] > when[later]]
        found[later] = self._when[last[later]]
        if len(self._some):
            several = later[self._several[who[later]]]
            found[several] = self._ordered_when[self._rows.before(who[several], when[several], "right")]
        return found


class FirstAfter:
    """Lookup of the first row of a ``who`` after one moment and before another."""

    def __init__(self, who: Any1d, when: Ints) -> None:
        self._rows = Ordered(who, when)
        self._who, self._when = who[self._rows.order], when[self._rows.order]

    def __call__(self, who: Any1d, after: Ints, before: Any1d | int) -> Ints:
        """Row numbers; -1 where there is none."""
        if not len(self._when):
            return np.full(len(who), -1, np.int64)
        found = np.minimum(self._rows.before(who, after, "right"), len(self._when) - 1)
        good = (self._who[found] == who) & (self._when[found] > after) & (self._when[found] < before)
        return np.where(good, self._rows.order[found], -1)


def first_rows(ids: Any1d, size: int) -> Whole:
    """By id (below ``size``) its first row; -1: it has none."""
    rows = numbers(len(ids))
    found = np.full(size, -1, rows.dtype)
    found[ids[::-1]] = rows[::-1]
    return found


def last_rows(ids: Any1d, size: int) -> Whole:
    """By id (below ``size``) its last row; -1: it has none."""
    rows = numbers(len(ids))
    found = np.full(size, -1, rows.dtype)
    found[ids] = rows
    return found


def numbers(size: int) -> Whole:
    """0, 1, 2 … below ``size``."""
    return np.arange(size, dtype=np.int32) if size < 1 << 31 else np.arange(size, dtype=np.int64)


def find(column: Any1d, values: Any1d) -> Ints:
    """The rows of these values in an ascending column; -1: it is not there."""
    if not len(column):
        return np.full(len(values), -1, np.int64)
    at = np.minimum(np.searchsorted(column, values), len(column) - 1)
    return np.where(column[at] == values, at, -1)


def take(column: npt.NDArray[np.integer], rows: Whole) -> Ints:
    """``column[rows]``, whatever where a row is -1."""
    return column[np.maximum(rows, 0)].astype(np.int64) if len(column) else np.zeros(len(rows), np.int64)


def compact(column: Any1d) -> Any1d:
    """The column, read-only; where all rows are alike, one that takes the memory of one."""
    if len(column) > 1 and bool((column == column[0]).all()):
        return np.broadcast_to(column[:1].copy(), len(column))
    column.setflags(write=False)
    return column


def narrow(column: Any1d) -> Any1d:
    """Whole numbers in 32 bits, where they fit."""
    return column.astype(np.int32) if int(column.max(initial=0)) < 1 << 31 else column
