"""What tasks waited for, summed up: how long they could have run, who woke them, what they hold.

Knows how to add up the awaits' columns; a sum that is not known exactly has bounds.
"""

from collections import defaultdict

import numpy as np

from .. import tables as t
from ..data import TraceData, cached_on_trace
from ..entities import Frozen, Hold, WakeCount
from ..grouping import counts, group, sums
from . import unfinished
from .distribution import Distribution, spread


class ReadyDelay(Frozen):
    """For how long, for sure, a task could have run and did not, once."""

    task: int
    name: str
    place: str | None  # "file:line" of the await point; None: before its first poll
    start_ns: int
    ready_ns: int
    at_least: bool  # and how much longer is not known


class ReadyFigures(Frozen):
    """Such delays at an await point, or before the first polls of tasks that do the same."""

    place: str  # "file:line" of the await point, or of the function
    function: str
    first: bool  # before first polls
    ready: Distribution  # for sure
    most_ns: int  # in all at most


class Holder(Frozen):
    """A task that holds a resource at the end of the recording."""

    task: int
    name: str
    ended: bool  # the task is over: nobody gives it back any more
    since_ns: int
    place: str | None  # "file:line" where it was taken
    resource: str  # which: "Lock 3"


class ResourceFigures(Frozen):
    """Locks, queues … of one type that were made at one place, and what they cost."""

    name: str  # "Lock 3 (made at app.py:12)"; of several "Lock ×7 (made at app.py:12)"
    number: int  # how many
    kind: str  # their type
    made_at: str | None  # "file:line"
    wait: Distribution  # of the awaits for it
    taken: int  # how often
    longest_hold_ns: int
    held_at_least: int  # so many of its holds went on when the recording was not known any further
    holders: tuple[Holder, ...]  # who holds one now, oldest first
    queue: tuple[int, ...]  # the tasks that wait for one now, oldest first


@cached_on_trace
def ready(trace: TraceData) -> tuple[t.Ints, t.Ints]:
    """``bounds``, within what can be."""
    tasks = trace.task_table
    least, most = bounds(trace)
    most = np.clip(most, 0, tasks.end_ns - tasks.created_ns - tasks.run_ns)
    return np.clip(least, 0, most), most


def bounds(trace: TraceData) -> tuple[t.Ints, t.Ints]:
    """Of each task's wait, by row, how long it could have run for sure, and at most.

    At most is all but what it certainly could not: so whatever isn't known counts whole.
    """
    tasks, awaits = trace.task_table, trace.awaits
    n, wait = len(tasks), awaits.end_ns - awaits.start_ns
    at = awaits.task - 1
    least = sums(at, np.maximum(awaits.ready_ns, 0), n) + np.maximum(tasks.delay_ns, 0)
    resting = sums(at, np.where(awaits.ready_most_ns >= 0, wait - awaits.ready_most_ns, 0), n)
    return least, tasks.end_ns - tasks.created_ns - tasks.run_ns - resting


@cached_on_trace
def wakes(trace: TraceData) -> dict[int, tuple[WakeCount, ...]]:
    """Who woke each task how often."""
    awaits = trace.awaits
    known = np.flatnonzero(awaits.woken_by)
    (task, by, waker), which = group(awaits.task[known], awaits.woken_by[known], awaits.waker[known])
    count = counts(which, len(task))
    found: dict[int, list[WakeCount]] = defaultdict(list)
    order = np.lexsort((waker, by, -count, task))
    columns = (column[order].tolist() for column in (task, by, waker, count))
    for number, how, who, times in zip(*columns, strict=True):
        found[number].append(WakeCount(woken_by=t.WAKERS[how], waker=who or None, count=times))
    return {number: tuple(rows) for number, rows in found.items()}


@cached_on_trace
def held(trace: TraceData) -> dict[int, tuple[Hold, ...]]:
    """What each task holds at the end."""
    holds = trace.holds
    found: dict[int, list[Hold]] = defaultdict(list)
    for row in np.flatnonzero(~holds.ended).tolist():
        found[int(holds.task[row])].append(
            Hold(
                resource=trace.resource(int(holds.resource[row])) or "?",
                since_ns=int(holds.start_ns[row]),
                place=trace.place(int(holds.location[row])),
            )
        )
    return {number: tuple(rows) for number, rows in found.items()}


# --- figures ---------------------------------------------------------------------------------------------------------


def worst_ready(trace: TraceData) -> ReadyDelay | None:
    """The longest time for which a task could have run for sure; None: there is none."""
    awaits, tasks = trace.awaits, trace.task_table
    lengths = np.concatenate([awaits.ready_ns, tasks.delay_ns])
    row = int(np.argmax(lengths)) if len(lengths) else -1
    if row < 0 or lengths[row] <= 0:
        return None
    length = int(lengths[row])
    if first := row >= len(awaits):
        task, start = row - len(awaits) + 1, int(tasks.created_ns[row - len(awaits)])
    else:
        task, start = int(awaits.task[row]), int(awaits.end_ns[row]) - length
    place = None if first else trace.place(int(awaits.location[row]))
    going = bool(_unborn(trace)[task - 1] if first else unfinished.awaits(trace)[row])
    name = tasks.name[task - 1]
    return ReadyDelay(task=task, name=name, place=place, start_ns=start, ready_ns=length, at_least=going)


def _unborn(trace: TraceData) -> t.Bools:
    """By task, whether its first poll was still to come."""
    unborn: t.Bools = unfinished.tasks(trace) & (trace.task_table.polls == 0)
    return unborn


def top_ready(trace: TraceData, top: int) -> tuple[ReadyFigures, ...]:
    """Where tasks could have run for longest."""
    awaits, tasks = trace.awaits, trace.task_table
    rows, new = np.flatnonzero(awaits.ready_ns > 0), np.flatnonzero((tasks.delay_ns > 0) & (tasks.function >= 0))
    ready = np.concatenate([awaits.ready_ns[rows], tasks.delay_ns[new]])
    wait = awaits.end_ns[rows] - awaits.start_ns[rows]
    most = np.where(awaits.ready_most_ns[rows] < 0, wait, awaits.ready_most_ns[rows])
    most = np.concatenate([most, tasks.delay_ns[new]])
    going = np.concatenate([unfinished.awaits(trace)[rows], _unborn(trace)[new]])
    first = np.repeat([0, 1], [len(rows), len(new)])
    (starting, where), which = group(first, np.concatenate([awaits.location[rows], tasks.function[new]]))
    total, at_most = sums(which, ready, len(where)), sums(which, most, len(where))
    found = []
    for row in np.argsort(-total, kind="stable")[:top].tolist():
        at = int(where[row])
        function = trace.functions[at if starting[row] else trace.locations.function[at]]
        found.append(
            ReadyFigures(
                place=f"{function.file}:{function.line}" if starting[row] else trace.place(at) or "?",
                function=function.name,
                first=bool(starting[row]),
                ready=spread(ready[which == row], going[which == row]),
                most_ns=int(at_most[row]),
            )
        )
    return tuple(found)


def ready_places(trace: TraceData) -> int:
    """How many rows ``top_ready`` has in all."""
    awaits, tasks = trace.awaits, trace.task_table
    new = tasks.function[(tasks.delay_ns > 0) & (tasks.function >= 0)]
    return len(np.unique(awaits.location[awaits.ready_ns > 0])) + len(np.unique(new))


def resources_used(trace: TraceData) -> int:
    """How many rows ``resource_figures`` has in all."""
    _, which = _alike(trace)
    used = np.concatenate([trace.awaits.resource[trace.awaits.resource >= 0], trace.holds.resource])
    return len(np.unique(which[used]))


def resource_figures(trace: TraceData, top: int) -> tuple[ResourceFigures, ...]:
    """The resources that were waited for longest, then those that were held longest; those made at one place as one."""
    awaits, holds, table = trace.awaits, trace.holds, trace.resources
    first, which = _alike(trace)
    n = len(first)
    rows = np.flatnonzero(awaits.resource >= 0)
    wait, waited = (awaits.end_ns - awaits.start_ns)[rows], which[awaits.resource[rows]]
    held = which[holds.resource]
    total, waits, taken, members = sums(waited, wait, n), counts(waited, n), counts(held, n), counts(which, n)
    longest = np.zeros(n, np.int64)
    np.maximum.at(longest, held, holds.end_ns - holds.start_ns)
    going, holding = unfinished.awaits(trace)[rows], sums(held, unfinished.holds(trace), n)
    open_waits = rows[~awaits.ended[rows]]
    open_waits = open_waits[np.argsort(awaits.start_ns[open_waits], kind="stable")]
    open_holds = np.flatnonzero(~holds.ended)
    order = [row for row in np.lexsort((-longest, -total)).tolist() if waits[row] or taken[row]]
    return tuple(
        ResourceFigures(
            name=trace.resource(int(first[row]), of=int(members[row])) or "?",
            number=int(members[row]),
            kind=table.kind[int(first[row])],
            made_at=trace.place(int(table.location[first[row]])),
            wait=spread(wait[waited == row], going[waited == row]),
            taken=int(taken[row]),
            longest_hold_ns=int(longest[row]),
            held_at_least=int(holding[row]),
            holders=tuple(_holder(trace, hold) for hold in open_holds[held[open_holds] == row].tolist()),
            queue=tuple(awaits.task[open_waits[which[awaits.resource[open_waits]] == row]].tolist()),
        )
        for row in order[:top]
    )


def _alike(trace: TraceData) -> tuple[t.Ints, t.Ints]:
    """The first resource of each kind and place, and for each resource which of these it is like.

    One of which it isn't known where it was made is like no other.
    """
    table, found = trace.resources, dict[tuple[str, int, int], int]()
    first, which = [], []
    for row, (kind, location) in enumerate(zip(table.kind, table.location.tolist(), strict=True)):
        key = (kind, location, row if location < 0 else -1)
        if key not in found:
            found[key] = len(found)
            first.append(row)
        which.append(found[key])
    return np.array(first, np.int64), np.array(which, np.int64)


def _holder(trace: TraceData, row: int) -> Holder:
    holds, tasks = trace.holds, trace.task_table
    task = int(holds.task[row])
    return Holder(
        task=task,
        name=tasks.name[task - 1] if task else "?",
        ended=bool(task and (tasks.ended[task - 1] or tasks.closed[task - 1])),
        since_ns=int(holds.start_ns[row]),
        place=trace.place(int(holds.location[row])),
        resource=trace.resource(int(holds.resource[row]), made=False) or "?",
    )
