"""Since when a task that was woken could have run.

Knows the records WAKE, SOON and SELECT, as ``model/building/wakes.py`` does, which says what they mean.  Of callbacks
it remembers the newest ``REMEMBERED``: what one leads to comes soon after it.
"""

import numpy as np

from ... import events as ev
from ..building.scan import Columns
from ..grouping import Any1d, Ints
from ..kernels.wakes import moment
from .growing import LatestAt

REMEMBERED = 1 << 18
CALLED = np.iinfo(np.int64).max  # the moment of the wake itself


class Wakes:
    """What woke whom, chunk by chunk."""

    def __init__(self) -> None:
        self._ids = np.zeros(REMEMBERED, np.uint32)  # of callbacks, at id % REMEMBERED
        self._since = np.full(REMEMBERED, CALLED)
        self._asked: dict[int, int] = {}  # by thread: when its selector answered last

    def feed(self, found: dict[str, Columns]) -> Ints:
        """Since when each of the chunk's wakes made its task ready."""
        selects = found["selects"]
        answers = LatestAt(selects["thread"], selects["pos"])
        soons, wakes = found["soons"], found["wakes"]
        since = self._told(soons, answers, selects["ts"])
        ids = soons["coro"]
        late = np.flatnonzero(soons["flags"] == ev.BY_CALLBACK)
        cause, since[late] = soons["aux"][late], CALLED
        at = ids % REMEMBERED
        self._ids[at], self._since[at] = ids, since
        self._follow(ids[late], cause)
        since = self._told(wakes, answers, selects["ts"])
        late = np.flatnonzero(wakes["flags"] == ev.BY_CALLBACK)
        since[late] = self._of(wakes["aux"][late])
        for thread in np.unique(selects["thread"]).tolist():
            self._asked[thread] = int(selects["ts"][selects["thread"] == thread][-1])
        return np.minimum(since, wakes["ts"])

    def _told(self, rows: Columns, answers: LatestAt, answered: Ints) -> Ints:
        """By what these records say themselves."""
        flags, ts = rows["flags"], rows["ts"]
        since = np.full(len(ts), CALLED)
        at_once = (flags == ev.BY_THREAD) | (flags == ev.BY_SIGNAL)
        since[at_once] = ts[at_once]
        due = moment(rows["aux"], rows["off"])
        timed = (flags == ev.BY_TIMER) & (due > 0)
        since[timed] = due[timed]
        io = np.flatnonzero(flags == ev.BY_IO)
        if len(io):
            thread = rows["thread"][io]
            row = answers(thread, rows["pos"][io])
            before = np.array([self._asked.get(number, CALLED) for number in thread.tolist()], np.int64)
            since[io] = np.where(row >= 0, answered[row], before) if len(answered) else before
        return since

    def _follow(self, ids: Any1d, cause: Any1d) -> None:
        """Callbacks that began with other ones: these may be of the same chunk, and have begun with others."""
        if not len(ids):
            return
        order = np.argsort(ids, kind="stable")
        ids, cause = ids[order], cause[order]
        cause = np.where(cause < ids, cause, 0)
        while True:
            at = np.minimum(np.searchsorted(ids, cause), len(ids) - 1)
            further = np.where(ids[at] == cause, cause[at], cause)
            if (further == cause).all():
                break
            cause = further
        self._since[ids % REMEMBERED] = self._of(cause)

    def _of(self, callback: Any1d) -> Ints:
        at = callback % REMEMBERED
        return np.where(self._ids[at] == callback, self._since[at], CALLED)
