"""What the live state is made of: what is kept of a task, and a chunk's suspensions, polls and wakes.

Knows their columns, and how to find in them what belongs together.  Keeps nothing from one chunk to the next but the
polls worth remembering.
"""

import heapq
from typing import NamedTuple

import numpy as np

from ..building.scan import Columns
from ..grouping import Any1d, Ints

LONGEST = 20
LAST_POLLS = 1 << 16

# What is known of a task, in ``flags``.
SPAWNED, OWNED, BEFORE, GONE, RUNNING, OUTER, WAITING, YIELDS, OF_TASK, RAN, ODD = (1 << n for n in range(11))


class LongPoll(NamedTuple):
    """One of the longest polls; ``since`` and ``until`` are the await points it ran between (-1: none)."""

    ns: int
    row: int
    start: int
    since: int
    until: int
    pos: int  # the slot that ended it


class Suspensions(NamedTuple):
    """Suspensions, ordered by slot."""

    pos: Ints
    leaf: Ints
    code: Ints  # the leaf's
    off: Ints
    aux: Ints
    flags: Ints  # YIELDS, OF_TASK
    point: Ints
    due: Ints  # -1: no timer


class Polls:
    """Polls of a chunk, ordered by (row, start); ``pos`` is -1 for those that began before it."""

    def __init__(
        self, row: Ints, pos: Ints, start: Ints, end_pos: Ints, end: Ints, done: Any1d, suspensions: Ints
    ) -> None:
        self.row, self.pos, self.start, self.end_pos, self.end, self.done = row, pos, start, end_pos, end, done
        at = np.minimum(np.searchsorted(suspensions, end_pos), len(suspensions) - 1)
        found = done & (suspensions[at] == end_pos) if len(suspensions) else np.zeros(len(row), np.bool_)
        self.suspension = np.where(found, at, -1)  # that ended it, -1


class Wakeups:
    """The chunk's wakes of tasks."""

    def __init__(self, row: Ints, wakes: Columns, since: Ints) -> None:
        self._row, self._since = row, since
        self._order = np.lexsort((wakes["pos"], row))
        self._pos: Ints = wakes["pos"][self._order]
        self._sorted = row[self._order]

    def rows(self) -> Ints:
        """Who was woken."""
        return np.unique(self._row[self._row > 0])

    def first(self, row: Ints, after: Ints, before: Ints) -> Ints:
        """Of each row since when it could run by its first wake between two slots; 0: there is none."""
        if not len(self._pos):
            return np.zeros(len(row), np.int64)
        size = int(self._pos.max()) + 2
        key = self._sorted * size + self._pos
        at = np.searchsorted(key, row * size + np.minimum(after, size - 1), side="right")
        inside = at < len(key)
        at = np.minimum(at, len(key) - 1)
        inside &= (self._sorted[at] == row) & (self._pos[at] < before)
        return np.where(inside, self._since[self._order[at]], 0)


def ready_ns(start: Ints, end: Ints, flags: Ints, task_flags: Ints, since: Ints) -> Ints:
    """How much of a wait a task could certainly have run."""
    since = np.where(since > 0, since, end)
    least = np.where(flags & YIELDS > 0, end - start, end - np.clip(since, start, end))
    return np.where(task_flags & OWNED > 0, least, 0)


class RecentPolls:
    """The longest polls, and the last ones of all."""

    def __init__(self) -> None:
        self.longest: list[LongPoll] = []
        self._last = np.zeros((LAST_POLLS, 2), np.int64)  # (row, ns), a ring
        self._count = 0

    def last(self, row: int) -> Ints:
        """How long this task's polls took."""
        ns: Ints = self._last[self._last[:, 0] == row, 1]
        return ns

    def add(self, polls: Polls, came: Any1d, asleep: Suspensions) -> None:
        """Those of a chunk that are over.  ``came``: the await point that each came from."""
        done = np.flatnonzero(polls.done)
        ns = (polls.end - polls.start)[done]
        newest = done[-LAST_POLLS:]
        at = (self._count + np.arange(len(newest))) % LAST_POLLS
        self._last[at, 0], self._last[at, 1] = polls.row[newest], ns[-LAST_POLLS:]
        self._count += len(newest)
        bound = self.longest[-1].ns if len(self.longest) == LONGEST else 0
        long = np.flatnonzero(ns > bound)
        for row in done[long[np.argsort(-ns[long], kind="stable")[:LONGEST]]].tolist():
            slept = int(polls.suspension[row])
            until = int(asleep.point[slept]) if slept >= 0 else -1
            start, end = int(polls.start[row]), int(polls.end[row])
            found = LongPoll(end - start, int(polls.row[row]), start, int(came[row]), until, int(polls.end_pos[row]))
            self.longest.append(found)
        self.longest = heapq.nsmallest(LONGEST, self.longest, key=lambda poll: (-poll.ns, poll.pos))

    def amend(self, pos: Ints, point: Ints) -> None:
        """These suspensions are at other await points than was known."""
        known = dict(zip(pos.tolist(), point.tolist(), strict=True))
        self.longest = [poll._replace(until=known.get(poll.pos, poll.until)) for poll in self.longest]
