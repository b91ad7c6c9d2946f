"""Functions and await points as they become known, and how long was waited at each.

Knows: how a code id and an offset become a line.  Percentiles are of logarithmic buckets: at most 1/16 octave too much.
"""

import numpy as np

from ...recording.reader import Recording
from .. import tables as t
from ..grouping import Any1d, Ints
from ..kernels.locations import NOWHERE
from ..paths import Paths, stdlib_folders
from .growing import Bools, GrowingTable, add

_STEPS = 16  # buckets an octave
_BUCKETS = _STEPS * 48  # up to three days


class Functions:
    """The functions of a recording by code id; 0 is none."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.functions = [t.Function("?", "?", 0, user=False)]
        self.user: Bools = np.zeros(1, np.bool_)
        self._done = 0

    def update(self) -> None:
        """Take in the codes that came since the last time."""
        recording = self._recording
        codes = recording.codes
        if len(codes) == self._done and len(self.functions) > recording.highest_code:
            return
        declared = recording.first("stdlib")
        files = set() if declared else {code.file for code in codes.values()}
        folders = stdlib_folders(declared, recording.first("base_prefix"), files)
        paths = Paths(recording.first("cwd"), folders, recording.meta.get("site", ()))
        self.functions += [self.functions[0]] * (recording.highest_code + 1 - len(self.functions))
        fresh = list(codes)[self._done if declared else 0 :]
        for number in fresh:
            code = codes[number]
            self.functions[number] = t.Function(code.name, paths.shown(code.file), code.line, paths.user(code.file))
        self.user = np.array([function.user for function in self.functions], np.bool_)
        self._done = len(codes)

    def line(self, code: int, off: int) -> int:
        """0: not known."""
        known = self._recording.codes.get(code)
        return int(known.lines(np.array([off]))[0]) if known else 0


class Points:
    """Await points, numbered from 0 as they are met, and the sums of the waits that ended there."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._of_place: dict[int, int] = {}  # (code, offset) in one word -> point
        self._of_line: dict[tuple[int, int], int] = {}
        self.lines: list[tuple[int, int]] = []  # by point: (code, line)
        self.sums = GrowingTable(count=np.int64, wait=np.int64, most=np.int64)
        self._spread = np.zeros(0, np.int32)

    def find(self, code: Ints, off: Ints) -> Ints:
        """The points at these places."""
        places, which = np.unique(code << 32 | off, return_inverse=True)
        numbers = [self._find(place) for place in places.tolist()]
        size = len(self.lines)
        self.sums.reach(size)
        if len(self._spread) < size * _BUCKETS:
            self._spread = np.pad(self._spread, (0, (2 * size + 16) * _BUCKETS - len(self._spread)))
        return np.array(numbers, np.int64)[which] if numbers else np.zeros(0, np.int64)

    def _find(self, place: int) -> int:
        found = self._of_place.get(place)
        if found is None:
            code, off = place >> 32, place & NOWHERE
            line = code, self._functions.line(code, off)
            found = self._of_line.setdefault(line, len(self.lines))
            if found == len(self.lines):
                self.lines.append(line)
            self._of_place[place] = found
        return found

    def waited(self, point: Ints, ns: Ints) -> None:
        """Waits that ended."""
        add(self.sums["count"], point)
        add(self.sums["wait"], point, ns)
        np.maximum.at(self.sums["most"], point, ns)
        add(self._spread, point * _BUCKETS + _bucket(ns))

    def totals(self, point: Ints, ns: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """(count, wait, longest, 95 % are at most so long) by point, with the waits that go on: where, and for how
        long by now."""
        size = len(self.lines)
        count, wait, most = (self.sums[name][:size].copy() for name in ("count", "wait", "most"))
        spread = self._spread[: size * _BUCKETS].copy()
        add(count, point)
        add(wait, point, ns)
        np.maximum.at(most, point, ns)
        add(spread, point * _BUCKETS + _bucket(ns))
        rank = np.cumsum(spread.reshape(size, _BUCKETS), axis=1)
        at = (rank < np.ceil(count * 0.95)[:, None]).sum(axis=1)
        return count, wait, most, np.minimum(np.exp2((at + 1) / _STEPS).astype(np.int64), most)

    def reset(self) -> None:
        """Count anew."""
        for column in self.sums.values():
            column[:] = 0
        self._spread[:] = 0

    def function(self, point: int) -> t.Function:
        code = self.lines[point][0]
        functions = self._functions.functions
        return functions[code if code < len(functions) else 0]

    def place(self, point: int) -> str:
        """ "file:line", as a Trace says it."""
        return f"{self.function(point).file}:{self.lines[point][1] or '?'}"


def _bucket(ns: Any1d) -> Ints:
    found: Ints = np.minimum(np.log2(np.maximum(ns, 1)) * _STEPS, _BUCKETS - 1).astype(np.int64)
    return found
