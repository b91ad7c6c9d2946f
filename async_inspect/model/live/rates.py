"""The last minutes in slices of half a second: polls, how long tasks ran, ready delays, how many tasks there were.

Knows moments and lengths only; a slice is kept until ``SLICES`` newer ones have come.
"""

import numpy as np
import numpy.typing as npt

from ..grouping import Ints
from .growing import add

SLICE_NS = 500_000_000
SLICES = 600


class Rates:
    """Sums by slice.  Moments are nanoseconds since the recording began."""

    def __init__(self) -> None:
        self.newest = 0  # the slice that is being filled
        self._polls, self._ran = np.zeros(SLICES, np.int64), np.zeros(SLICES, np.int64)
        self._ready, self._readied = np.zeros(SLICES, np.int64), np.zeros(SLICES, np.int64)
        self._most, self._tasks = np.zeros(SLICES, np.int64), np.zeros(SLICES, np.int64)
        self.tasks = 0  # now

    def advance(self, now: int) -> None:
        """Move on to this time."""
        wanted = now // SLICE_NS
        passed = np.arange(max(self.newest + 1, wanted - SLICES + 1), wanted + 1) % SLICES
        if len(passed):
            for column in (self._polls, self._ran, self._ready, self._readied, self._most):
                column[passed] = 0
            self._tasks[passed] = self.tasks
            self.newest = wanted

    def _at(self, moments: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
        slices = np.minimum(moments // SLICE_NS, self.newest)
        return slices % SLICES, slices > self.newest - SLICES

    def polled(self, moments: Ints) -> None:
        """Count polls that began."""
        at, kept = self._at(moments)
        add(self._polls, at[kept])

    def ran(self, start: Ints, end: Ints) -> None:
        """Add spans in which tasks ran."""
        add_spans(self._ran, start, end, self.newest)

    def waited(self, moments: Ints, ready: Ints) -> None:
        """Tasks began a poll at these moments, having been ready for so long."""
        at, kept = self._at(moments)
        at, ready = at[kept], ready[kept]
        add(self._ready, at, ready)
        add(self._readied, at)
        np.maximum.at(self._most, at, ready)

    def came_and_went(self, created: Ints, ended: Ints) -> None:
        """Tasks that were created and that ended."""
        first = max(self.newest - SLICES + 1, 0)
        step = np.zeros(SLICES, np.int64)
        for moments, by in ((created, 1), (ended, -1)):
            add(step, np.clip(moments // SLICE_NS, first, self.newest) - first, by)
        slices = np.arange(first, self.newest + 1)
        self._tasks[slices % SLICES] += np.cumsum(step)[: len(slices)]
        self.tasks += len(created) - len(ended)

    def last(self, count: int, running: tuple[Ints, Ints]) -> "Slices":
        """The newest slices, the oldest of them first; ``running``: spans that are not over."""
        ran = self._ran.copy()
        add_spans(ran, *running, self.newest)
        slices = np.arange(self.newest - count + 1, self.newest + 1)
        at, there = slices % SLICES, (slices >= 0) & (slices > self.newest - SLICES)
        columns = (self._polls, ran, self._ready, self._readied, self._most, self._tasks)
        return Slices(*(np.where(there, column[at], 0) for column in columns))


class Slices:
    """By slice: how often polls began, how long tasks ran, how long tasks were ready (sum, count, longest), and the
    tasks at its end."""

    def __init__(self, polls: Ints, ran: Ints, ready: Ints, readied: Ints, most: Ints, tasks: Ints) -> None:
        self.polls, self.ran, self.ready, self.readied, self.most, self.tasks = polls, ran, ready, readied, most, tasks


def add_spans(column: Ints, start: Ints, end: Ints, newest: int) -> None:
    """Add to each slice how much of it lies in these spans.

    A ramp that begins in a slice takes the rest of that and all of the later ones; a span is one ramp less another.
    """
    low = max(newest - SLICES + 1, 0)
    base, size = low * SLICE_NS, newest - low + 1
    part, whole = np.zeros(size + 1, np.int64), np.zeros(size + 1, np.int64)
    for moments, sign in ((start, 1), (end, -1)):
        inside = np.clip(moments - base, 0, size * SLICE_NS)
        at = inside // SLICE_NS
        add(part, at, sign * ((at + 1) * SLICE_NS - inside))
        add(whole, np.minimum(at + 1, size), sign)
    total = (part + np.cumsum(whole) * SLICE_NS)[:size]
    column[np.arange(low, newest + 1) % SLICES] += total
