"""Functions and await points, and sums of the waits at each.

Knows: how a code id and an offset become a line.  Percentiles are of logarithmic buckets: at most 1/16 octave too much.
"""

from collections.abc import Sequence

import numpy as np

from ... import events as ev
from ...recording.reader import Recording
from ...support.settings import Rule
from .. import tables as t
from ..building.wrappers import wraps
from ..grouping import Any1d, Ints
from ..kernels import words
from ..kernels.locations import NOWHERE, UNKNOWN, folders_are_declared, functions
from ..reasons import covering, of_frames
from .growing import GrowingTable, add

_STEPS = 16  # buckets an octave
_BUCKETS = _STEPS * 48  # up to three days
_REASONS = 10_000  # of so many chains, until they are asked anew


class Functions:
    """The functions of a recording by code id; 0 is none.  By code, too: whether it is the ``user``'s, says better what
    it waits for than what it awaits (``covering``), is an async ``generator``, or only ``wraps`` what its task is
    about."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.functions = [UNKNOWN]
        self.user = self.covering = self.generator = self.wraps = np.zeros(1, np.bool_)
        self._done = 0
        self._reasons: dict[tuple[int, ...], str] = {}

    def update(self) -> None:
        """Add the code objects that were defined since the last time."""
        recording = self._recording
        codes = recording.codes
        if len(codes) == self._done and len(self.functions) > recording.highest_code:
            return
        self.functions += [UNKNOWN] * (recording.highest_code + 1 - len(self.functions))
        fresh = [*codes][self._done if folders_are_declared(recording) else 0 :]
        self._done = len(codes)
        for number, function in functions(recording, recording.first("cwd"), fresh).items():
            self.functions[number] = function
        self.user = np.array([function.user for function in self.functions], np.bool_)
        self.covering = covering(self.functions)
        self.wraps = np.array([*map(wraps, self.functions)], np.bool_)
        kinds = (codes[number].kind if number in codes else 0 for number in range(len(self.functions)))
        self.generator = np.array([kind == ev.CODE_ASYNC_GENERATOR for kind in kinds], np.bool_)

    def known(self, code: Any1d) -> Ints:
        """These codes; 0 in place of unknown ones."""
        return np.where(code < len(self.functions), code, 0).astype(np.int64)

    def reason(self, codes: tuple[int, ...], rules: Sequence[Rule]) -> str:
        """What frames of these codes say, as ``reasons.of_frames``, found once."""
        if codes not in self._reasons:
            if len(self._reasons) >= _REASONS:
                self._reasons.clear()
            functions = (self.functions[code] for code in self.known(np.array(codes)).tolist())
            self._reasons[codes] = of_frames(functions, rules)
        return self._reasons[codes]

    def line(self, code: int, off: int) -> int:
        """0: not known."""
        known = self._recording.codes.get(code)
        return int(known.lines(np.array([off]))[0]) if known else 0


class Points:
    """Await points, numbered from 0 in order of first use, and the sums of the waits that ended there."""

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
        """Add waits that ended."""
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
        return self._functions.functions[int(self._functions.known(np.array(self.lines[point][0])))]

    def place(self, point: int) -> str:
        """ "file:line", as a Trace says it."""
        return words.place(self.function(point), self.lines[point][1])


def _bucket(ns: Any1d) -> Ints:
    found: Ints = np.minimum(np.log2(np.maximum(ns, 1)) * _STEPS, _BUCKETS - 1).astype(np.int64)
    return found
