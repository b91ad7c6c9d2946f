"""Where code is: functions, lines, and the stacks in which something was made, taken or dropped.

Knows: how code ids and offsets become rows of ``Locations``, and which frame of a stack to show.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ...recording.reader import Recording
from .. import tables as t
from ..grouping import Any1d, Ints, Whole, find, group
from ..kernels.locations import UNKNOWN, functions, rank


class Places:
    """The functions of a recording, and its (code, offset) pairs as locations, each once."""

    def __init__(self, recording: Recording, cwd: str) -> None:
        self.codes = recording.codes
        self.functions = [UNKNOWN] * recording.highest_code
        for number, function in functions(recording, cwd, recording.codes).items():
            self.functions[number - 1] = function
        self.locations = t.Locations(np.zeros(0, np.int32), np.zeros(0, np.int32))
        self.user_locations = np.zeros(0, np.bool_)

    def locate(self, *pairs: tuple[Whole, Whole]) -> list[Ints]:
        """For lists of (code ids, offsets) the locations of each; fills ``locations`` and ``user_locations``.

        Where the code isn't known the location is that of no function: line 0 of the last, nameless one.
        """
        code = np.concatenate([c for c, _ in pairs])
        off = np.concatenate([o for _, o in pairs])
        code = np.where(code <= len(self.functions), code, 0)
        (codes, offs), which = group(code, off)
        lines = np.zeros(len(codes), np.int64)
        edges = np.flatnonzero(np.diff(codes, prepend=-1, append=-1))
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            known = self.codes.get(int(codes[begin]))
            if known is not None:
                lines[begin:end] = known.lines(offs[begin:end])
        if len(codes) and codes[0] == 0:
            self.functions.append(UNKNOWN)
            codes = np.where(codes == 0, len(self.functions), codes)
        (functions, lines), again = group(codes - 1, lines)
        self.locations = t.Locations(functions.astype(np.int32), lines.astype(np.int32))
        self.user_locations = np.array([f.user for f in self.functions], np.bool_)[functions]
        return np.split(again[which], np.cumsum([len(c) for c, _ in pairs])[:-1])


class Sites:
    """The stacks of a recording, a row for each frame, by id; a stack is its outermost frame's row."""

    def __init__(self, known: Mapping[int, tuple[int, int, int]], functions: Sequence[t.Function]) -> None:
        """``known``: by id (the next site inward, code id, offset), as a recording has them."""
        ids = sorted(known)
        row_of = {number: row for row, number in enumerate(ids)}
        self._ids = np.array(ids, np.int64)
        self.inner: list[int] = []  # by row: that of the next frame inward, -1
        self.function: list[int] = []  # by row, -1
        self._best: list[int] = []  # by row: that of the frame to show, -1
        self.locations = np.full(len(ids), -1, np.int64)  # by row; who locates code and off puts them here
        self.code, self.off = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
        by_code = [rank(function) for function in functions]
        ranks: list[int] = []  # by row: that of the frame to show
        for row, number in enumerate(ids):  # inner frames have smaller ids
            inside, code, off = known[number]
            inner = row_of.get(inside, -1) if inside < number else -1
            there = 0 < code <= len(by_code)
            self.code[row], self.off[row] = code, off
            self.inner.append(inner)
            self.function.append(code - 1 if there else -1)
            best, here = row if there else -1, by_code[code - 1] if there else 3
            if inner >= 0 and ranks[inner] <= here:
                best, here = self._best[inner], ranks[inner]
            self._best.append(best)
            ranks.append(here)

    def rows(self, ids: Any1d) -> Ints:
        """The rows of these sites; -1: there is no such site."""
        return find(self._ids, ids)

    def best(self, ids: Any1d) -> Ints:
        """By site the row of the frame to show: the innermost of the user's, else the innermost outside of the standard
        library, else the innermost; -1: there is none."""
        best: Ints = np.array([*self._best, -1], np.int64)[self.rows(ids)]
        return best

    def shown(self, ids: Any1d) -> t.Small:
        """The locations of these frames; -1: there is none."""
        best = self.best(ids)
        return np.where(best >= 0, np.append(self.locations, -1)[best], -1).astype(np.int32)

    def chain(self, site: int) -> list[int]:
        """The functions of a site's frames, outermost first."""
        (row,) = self.rows(np.array([site])).tolist()
        found = []
        while row >= 0:
            found.append(self.function[row])
            row = self.inner[row]
        return found
