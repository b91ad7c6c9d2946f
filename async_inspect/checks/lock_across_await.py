"""Hint: a lock that is held while its holder waits for something slow and other tasks wait for the lock.

Looks for: Locks whose holders, at one place, were suspended for most of the time that they held them, while other tasks
waited for the same lock, for at least COST_NS in all.

Evidence: how long it was held, how long of that its holder waited and where, and how long others waited meanwhile.

Cannot see: whether the lock is meant to protect just that await.  So it is a hint.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from ..model import tables as t
from ..model.figures.moment import LOCKS
from ..model.finding import Finding
from ..model.grouping import Ordered, counts, sums
from ..model.text import many, ms
from ..model.trace import Trace

NAME = "lock across await"
ABOUT = "locks that are held across slow awaits while others wait for them"
COST_NS: Final = 20_000_000
SHARE: Final = 20  # and that part of the recording


def find(trace: Trace) -> Iterator[Finding]:
    holds, awaits = trace.holds, trace.awaits
    is_lock = np.array([kind.partition(" ")[0] in LOCKS for kind in trace.resources.kind] + [False], np.bool_)
    wanted = np.zeros(len(trace.resources) + 1, np.bool_)
    wanted[awaits.resource] = True
    rows = np.flatnonzero((is_lock & wanted)[holds.resource] & (holds.task > 0) & (holds.location >= 0))
    if not len(rows):
        return
    start, end, task = holds.start_ns[rows], holds.end_ns[rows], holds.task[rows].astype(np.int64)
    suspended = Suspended(trace)
    suspended_ns = suspended.until(task, end) - suspended.until(task, start)
    cost = _others_waited(trace, rows)
    location = holds.location[rows]
    size = len(trace.locations)
    total, held, waited = (sums(location, values, size) for values in (cost, end - start, suspended_ns))
    taken, worst = counts(location, size), np.zeros(size, np.int64)
    np.maximum.at(worst, location, suspended_ns)
    many_ns = max(COST_NS, trace.meta.duration_ns // SHARE)
    for at in np.flatnonzero((total >= many_ns) & (waited * 2 >= held)).tolist():
        of_place = np.flatnonzero(location == at)
        one = int(of_place[np.argmax(suspended_ns[of_place])])
        slow = suspended.longest(int(task[one]), int(start[one]), int(end[one]))
        if trace.awaits.resource[slow] >= 0 and is_lock[awaits.resource[slow]]:
            continue  # for another lock: nested locks are no finding
        if trace.awaiting(slow) == "yield":
            continue  # it only let others run: how long these take is not the holder's doing
        where = trace.place(int(awaits.location[slow]))
        locks = np.unique(holds.resource[rows[of_place]])
        name = trace.resource(int(locks[0])) if len(locks) == 1 else f"each of {many(len(locks), 'lock')}"
        text = f"{name}, taken at {trace.place(at)}, is held across the await at {where}"
        yield Finding(
            check=NAME,
            severity="hint",
            text=f"{text}, up to {ms(int(worst[at]))} each time: others waited {ms(int(total[at]))} for it in all",
            place=where,
            task=int(task[one]),
            tasks=tuple(np.unique(task[of_place]).tolist()),
            evidence=(f"taken {many(int(taken[at]), 'time')}: held {ms(int(held[at]))}, {ms(int(waited[at]))} idle",),
            weight_ns=int(total[at]),
        )


class Suspended:
    """How long tasks had been suspended by a given time."""

    def __init__(self, trace: Trace) -> None:
        self._awaits = awaits = trace.awaits
        self._starts = Ordered(awaits.task, awaits.start_ns)
        self._total = np.concatenate([[0], np.cumsum(awaits.end_ns - awaits.start_ns)])
        self._first = np.searchsorted(awaits.task, np.arange(len(trace.task_table) + 2))

    def until(self, task: t.Ints, at: t.Ints) -> t.Ints:
        """By (task, time): ns that the task had been suspended in all by then."""
        row = self._starts.before(task, at)  # the awaits before this began before
        late = np.where(row > self._first[task], np.maximum(self._awaits.end_ns[np.maximum(row - 1, 0)] - at, 0), 0)
        found: t.Ints = self._total[row] - self._total[self._first[task]] - late
        return found

    def longest(self, task: int, start: int, end: int) -> int:
        """The row of its longest await within."""
        ends = self._starts.before(np.array([task, task]), np.array([start, end]))
        first, last = int(ends[0]), int(ends[1])
        length = self._awaits.end_ns[first:last] - self._awaits.start_ns[first:last]
        return first + int(np.argmax(length)) if last > first else first - 1


def _others_waited(trace: Trace, rows: t.Ints) -> t.Ints:
    """By hold, ns that other tasks waited for the same resource while it was held."""
    awaits, holds = trace.awaits, trace.holds
    waits = np.flatnonzero(awaits.resource >= 0)
    resource = awaits.resource[waits].astype(np.int64)

    def passed(times: t.Ints, at: t.Ints, which: t.Ints) -> t.Ints:
        """By row: the sum of ``at`` - time over those ``times`` of the resource that are before ``at``."""
        rows = Ordered(resource, times)
        total = np.concatenate([[0], np.cumsum(times[rows.order])])
        first, last = np.searchsorted(resource[rows.order], which), rows.before(which, at)
        # Both products may overflow int64; their difference is right all the same, as it fits.
        found: t.Ints = at * (last - first) - (total[last] - total[first])
        return found

    which = holds.resource[rows].astype(np.int64)

    def waiting(at: t.Ints) -> t.Ints:
        return passed(awaits.start_ns[waits], at, which) - passed(awaits.end_ns[waits], at, which)

    return waiting(holds.end_ns[rows]) - waiting(holds.start_ns[rows])
