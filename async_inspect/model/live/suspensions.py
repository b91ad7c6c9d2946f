"""Parts of the live state: the flags of a task; a chunk's suspensions, polls and wakes; the polls to show.

Knows their columns.  Keeps nothing from one chunk to the next but the longest and the latest polls.
"""

import heapq
from typing import NamedTuple

import numpy as np

from ..building.scan import Columns
from ..grouping import Any1d, FirstAfter, Ints
from ..kernels import wakes as kernel
from .growing import Bools

LONGEST = 20
LAST_POLLS = 1 << 16

# What is known of a task, in ``flags``.
SPAWNED, OWNED, BEFORE, NO_TASK, RUNNING, OUTER, WAITING, YIELDS, OF_TASK, RAN, ODD = (1 << n for n in range(11))


class LongPoll(NamedTuple):
    """One of the longest polls; ``since`` and ``until`` are the await points it ran between (-1: none)."""

    ns: int
    task: int  # its id in the recording
    start: int
    since: int
    until: int  # -2: it runs still
    pos: int  # the slot that ended it


class Suspensions(NamedTuple):
    """Suspensions, ordered by slot."""

    pos: Ints
    leaf: Ints  # its id in the recording; where the chain is defined, its root's
    chain: Ints  # 0: it is not
    code: Ints  # the leaf's
    off: Ints
    aux: Ints
    flags: Ints  # YIELDS, OF_TASK
    point: Ints
    due: Ints  # -1: no timer
    resource: Ints  # 0: none
    row: Ints  # of the task


class Polls(NamedTuple):
    """Polls of a chunk, ordered by (row, start)."""

    row: Ints
    pos: Ints  # -1: it began before the chunk
    start: Ints
    outer: Bools
    thread: Ints
    done: Bools
    end: Ints
    end_pos: Ints
    suspension: Ints  # the row of that which ended it, -1


class Wakeups:
    """The chunk's wakes of tasks."""

    def __init__(self, row: Ints, wakes: Columns, since: Ints) -> None:
        """``since``: since when each made its task ready."""
        self._row, self._since = row, since
        self._first = FirstAfter(row, wakes["pos"])

    def rows(self) -> Ints:
        """The rows that were woken."""
        return np.unique(self._row[self._row > 0])

    def first(self, row: Ints, after: Ints, before: Any1d | int) -> Ints:
        """Of each row since when it could run by its first wake between two slots; 0: there is none."""
        at = self._first(row, after, before)
        return np.append(self._since, 0)[at]


def ready_ns(start: Ints, end: Ints, flags: Ints, task_flags: Ints, since: Ints) -> Ints:
    """For how long of a wait a task was certainly ready.  ``since``: 0: it was not woken, as far as is known."""
    since = np.where(since > 0, since, -1)
    return np.maximum(kernel.ready_ns(start, end, since, flags & YIELDS > 0, task_flags & OWNED > 0), 0)


class RecentPolls:
    """The longest polls, and the last ones of all."""

    def __init__(self) -> None:
        self.longest: list[LongPoll] = []
        self._last = np.zeros((LAST_POLLS, 2), np.int64)  # (id of the task, ns), a ring
        self._count = 0

    def last(self, task: int) -> Ints:
        """How long this task's polls took."""
        ns: Ints = self._last[self._last[:, 0] == task, 1]
        return ns

    def add(self, polls: Polls, ids: Ints, came: Any1d, suspensions: Suspensions) -> None:
        """Those of a chunk that are over.  ``ids``: of their tasks.  ``came``: the await point that each came from."""
        done = np.flatnonzero(polls.done)
        ns = (polls.end - polls.start)[done]
        newest = done[-LAST_POLLS:]
        at = (self._count + np.arange(len(newest))) % LAST_POLLS
        self._last[at, 0], self._last[at, 1] = ids[newest], ns[-LAST_POLLS:]
        self._count += len(newest)
        bound = self.longest[-1].ns if len(self.longest) == LONGEST else 0
        long = np.flatnonzero(ns > bound)
        for row in done[long[np.argsort(-ns[long], kind="stable")[:LONGEST]]].tolist():
            slept = int(polls.suspension[row])
            until = int(suspensions.point[slept]) if slept >= 0 else -1
            start, end = int(polls.start[row]), int(polls.end[row])
            found = LongPoll(end - start, int(ids[row]), start, int(came[row]), until, int(polls.end_pos[row]))
            self.longest.append(found)
        self.longest = heapq.nsmallest(LONGEST, self.longest, key=lambda poll: (-poll.ns, poll.pos))

    def amend(self, pos: Ints, point: Ints) -> None:
        """Correct the await points of these suspensions."""
        known = dict(zip(pos.tolist(), point.tolist(), strict=True))
        self.longest = [poll._replace(until=known.get(poll.pos, poll.until)) for poll in self.longest]
