"""Where code is: functions, lines, and the stacks in which something was made, taken or dropped.

Knows: how code ids and offsets become rows of ``Locations``, and which frame of a stack a person wants to see.
"""

from typing import Final

import numpy as np

from ... import events as ev
from ...recording.reader import Recording
from .. import tables as t
from ..grouping import Any1d, Ints, group
from ..paths import Paths, stdlib_folders

NOWHERE: Final = 0xFFFFFFFF  # an offset that no code has


class Places:
    """The functions of a recording, and its (code, offset) pairs as locations, each once."""

    def __init__(self, recording: Recording, cwd: str) -> None:
        codes, meta = recording.codes, recording.meta
        files = {code.file for code in codes.values()}
        folders = stdlib_folders(recording.first("stdlib"), recording.first("base_prefix"), files)
        paths = Paths(cwd, folders, meta.get("site", ()))
        shown = {file: (paths.shown(file), paths.user(file)) for file in files}
        unknown = t.Function("?", "?", 0, user=False)
        self.codes = codes
        self.functions = [unknown] * recording.highest_code
        for number, code in codes.items():
            file, user = shown[code.file]
            user = user and not code.name.startswith(ev.GENERATED)
            self.functions[number - 1] = t.Function(code.name, file, code.line, user, code.await_lines)
        self.locations = t.Locations(np.zeros(0, np.int32), np.zeros(0, np.int32))
        self.user_locations = np.zeros(0, np.bool_)

    def locate(self, *pairs: tuple[Ints, Ints]) -> list[Ints]:
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
            self.functions.append(t.Function("?", "?", 0, user=False))
            codes = np.where(codes == 0, len(self.functions), codes)
        (functions, lines), again = group(codes - 1, lines)
        self.locations = t.Locations(functions.astype(np.int32), lines.astype(np.int32))
        self.user_locations = np.array([f.user for f in self.functions], np.bool_)[functions]
        return np.split(again[which], np.cumsum([len(c) for c, _ in pairs])[:-1])


class Sites:
    """The stacks of a recording, a row for each frame, by id; a stack is its outermost frame's row."""

    def __init__(self, recording: Recording, places: Places) -> None:
        ids = sorted(recording.sites)
        row_of = {number: row for row, number in enumerate(ids)}
        self._ids = np.array(ids, np.int64)
        self.inner: list[int] = []  # by row: that of the next frame inward, -1
        self.function: list[int] = []  # by row, -1
        self._best: list[int] = []  # by row: that of the frame to show, -1
        self.locations = np.full(len(ids), -1, np.int64)  # by row; who locates code and off puts them here
        self.code, self.off = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
        ranks = [0 if f.user else 1 if not f.file.startswith("<stdlib>") else 2 for f in places.functions]
        rank: list[int] = []
        for row, number in enumerate(ids):  # inner frames have smaller ids
            inside, code, off = recording.sites[number]
            inner = row_of.get(inside, -1) if inside < number else -1
            known = 0 < code <= len(ranks)
            self.code[row], self.off[row] = code, off
            self.inner.append(inner)
            self.function.append(code - 1 if known else -1)
            best, here = row if known else -1, ranks[code - 1] if known else 3
            if inner >= 0 and rank[inner] <= here:
                best, here = self._best[inner], rank[inner]
            self._best.append(best)
            rank.append(here)

    def rows(self, ids: Any1d) -> Ints:
        """Of these sites the rows; -1 where there is no such."""
        if not len(self._ids):
            return np.full(len(ids), -1, np.int64)
        at = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        return np.where(self._ids[at] == ids, at, -1)

    def shown(self, ids: Any1d) -> t.Small:
        """Of these sites the location of the frame that a person wants to see: the innermost of the user's, else
        outside of the standard library, else innermost; -1: there is none."""
        best = np.array([*self._best, -1], np.int64)[self.rows(ids)]
        return np.where(best >= 0, np.append(self.locations, -1)[best], -1).astype(np.int32)

    def chain(self, site: int) -> list[int]:
        """The functions of a site's frames, outermost first."""
        (row,) = self.rows(np.array([site])).tolist()
        found = []
        while row >= 0:
            found.append(self.function[row])
            row = self.inner[row]
        return found
