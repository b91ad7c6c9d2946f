"""The suspensions of tasks: when, where, for what, and what woke them.

Most suspensions stand where another stood before: their chains are climbed once (``places.py``), and all else is looked
at some at a time, so that a million of them take little more memory than their table.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Any1d, Ints, Whole, compact, narrow, take
from ..kernels.wakes import due_times
from .chains import Chained
from .ends import Ends
from .places import Places, Standing
from .polls import PollSpans
from .scan import RecordColumns
from .tasks import Bools
from .wakes import Suspended, Waking, Woken

_BLOCK: Final = 1 << 17  # suspensions that are looked at at a time


class Suspensions:
    """Those that are shown, in order of (task, start)."""

    def __init__(self, records: RecordColumns, poll_spans: PollSpans, ends: Ends, since: int) -> None:
        self._spans = poll_spans
        polls = np.flatnonzero(poll_spans.suspension >= 0)
        if since:  # those that were over by then are not there
            polls = polls[_times(poll_spans, polls, ends)[1] > since]
        self.polls = narrow(polls)
        self.rows = poll_spans.suspension[self.polls]  # of ``suspends``
        self.task = poll_spans.polls.task[self.polls]
        self.start_ns, self.end_ns, self.ended = _times(poll_spans, self.polls, ends)
        self.pos = poll_spans.polls.end_slot[self.polls]
        self._records = records

    def __len__(self) -> int:
        return len(self.polls)

    def column(self, name: str) -> Any1d:
        """Of the records."""
        return self._records.columns("suspends")[name][self.rows]

    def places(self, chains: int, detailed: Iterable[Any1d]) -> Places:
        """Where they stand; see there."""
        coro, off, below, flags = map(self.column, ("coro", "off", "below", "flags"))
        wait = self.end_ns - self.start_ns
        return Places(Standing(self.task, self.pos, coro, off, below, flags, wait), chains, detailed)

    def until(self, part: slice, slots: int) -> Ints:
        """The slots at which their tasks run again; ``slots``: never."""
        following = self._spans.following(self.polls[part])
        return np.where(following >= 0, take(self._spans.polls.slot, following), slots)


def _times(poll_spans: PollSpans, polls: Whole, ends: Ends) -> tuple[Ints, Ints, Bools]:
    """Start and end of each suspension: the next poll's beginning ends it, else the task's end does."""
    table = poll_spans.polls
    start, end, ended = table.end_ns[polls], np.empty(len(polls), np.int64), np.empty(len(polls), np.bool_)
    for begin in range(0, len(polls), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        following = poll_spans.following(polls[part])
        ended[part] = over = following >= 0
        end[part] = np.where(over, take(table.start_ns, following), ends.end_ns[table.task[polls[part]] - 1])
        np.maximum(end[part], start[part], out=end[part])
    return start, end, ended


def find_awaits(
    waking: Waking,
    suspensions: Suspensions,
    stands: tuple[Whole, Chained],
    scopes_of: Callable[[Woken], dict[str, t.Small]],
) -> t.Awaits:
    """The table.  ``stands``: of each its place, and of places the chains.  ``scopes_of``: the columns about scopes."""
    place, chained = stands
    awaited, awaited_task, yields = _awaited(suspensions, waking.task_ids.task_of)
    due = compact(_dues(waking, suspensions))
    woken = _woken(waking, suspensions, due, yields)
    scopes = scopes_of(woken)
    return t.Awaits(
        task=suspensions.task,
        start_ns=suspensions.start_ns,
        end_ns=suspensions.end_ns,
        ended=compact(suspensions.ended),
        node=chained.node[place],
        location=chained.location[place],
        leaf_node=chained.leaf_node[place],
        leaf_location=chained.leaf_location[place],
        chain=chained.chain[place],
        stack=chained.stack[place],
        awaited=awaited,
        awaited_task=awaited_task,
        resource=compact(chained.resource[place]),
        due_ns=due,
        woken_by=compact(woken.by),
        waker=compact(woken.waker),
        scope=compact(scopes["scope"]),
        scope_location=compact(scopes["scope_location"]),
        ready_ns=woken.ready_ns,
        ready_most_ns=woken.ready_most_ns,
        slot=suspensions.pos,
    )


def _dues(waking: Waking, suspensions: Suspensions) -> Ints:
    """When the timer that each waits for is due; -1: it waits for none."""
    records, moments = waking.records, waking.moments
    suspends, timers = records.columns("suspends"), records.columns("timers")
    if not len(timers["burst"]):
        return np.full(len(suspensions), -1, np.int64)
    due = due_times(timers, suspends["pos"], suspends["coro"], moments.base)[suspensions.rows]
    return np.where(due < 0, -1, moments.ns(due))


def _woken(waking: Waking, suspensions: Suspensions, due: Ints, yields: Bools) -> Woken:
    """What woke each, and how long it was ready.  ``due``, ``yields``: of each."""
    n, driven = len(suspensions), waking.task_ids.driven
    by, waker = np.empty(n, np.uint8), np.empty(n, np.int32)
    ready, most = np.empty(n, np.int64), np.empty(n, np.int64)
    scope = site = np.broadcast_to(np.zeros(1, np.int64), n)
    if waking.cancels:
        scope, site = np.empty(n, np.int64), np.empty(n, np.int64)
    for begin in range(0, n, _BLOCK):
        part = slice(begin, begin + _BLOCK)
        task = suspensions.task[part]
        some = waking.of(
            Suspended(
                pos=suspensions.pos[part],
                until=suspensions.until(part, waking.moments.slots),
                task=task,
                start_ns=suspensions.start_ns[part],
                end_ns=suspensions.end_ns[part],
                due_ns=due[part],
                owned=~driven[task - 1],
                yields=yields[part],
            )
        )
        by[part], waker[part], ready[part], most[part] = some.by, some.waker, some.ready_ns, some.ready_most_ns
        if waking.cancels:
            scope[part], site[part] = some.scope, some.scope_site
    return Woken(by, waker, ready, ready if (ready == most).all() else most, scope, site)


def _awaited(suspensions: Suspensions, task_of: Whole) -> tuple[t.Small, t.Small, Bools]:
    """The type of what each awaits, as ``tables.Awaits`` has it, and the task; and whether it only yields."""
    of_task, aux = suspensions.column("flags") & ev.AWAITS_TASK > 0, suspensions.column("aux")
    task = task_of[np.where(of_task & (aux < len(task_of)), aux, 0)]
    type_ = np.where(of_task, np.int32(-1), aux.astype(np.int32) - np.int32(1))
    return compact(type_), compact(np.where(of_task, task, 0).astype(np.int32)), ~of_task & (aux == 0)
