"""What tasks waited for, summed up: how long they could have run, who woke them, what they hold.

Knows how to add up the awaits' columns; a sum that is not known exactly has bounds.
"""

from collections import defaultdict

import numpy as np

from . import tables as t
from .columns import counts, group, sums
from .trace import Hold, Trace, Wakes


def ready(trace: Trace) -> tuple[t.Ints, t.Ints]:
    """Of each task's wait, by row, how long it could have run for sure, and at most.

    At most is all but what it certainly could not: so whatever isn't known counts whole.
    """
    tasks, awaits = trace.task_table, trace.awaits
    n, wait = len(tasks), awaits.end_ns - awaits.start_ns
    at = awaits.task - 1
    least = sums(at, np.maximum(awaits.ready_ns, 0), n) + np.maximum(tasks.delay_ns, 0)
    resting = sums(at, np.where(awaits.ready_most_ns >= 0, wait - awaits.ready_most_ns, 0), n)
    return least, tasks.end_ns - tasks.created_ns - tasks.run_ns - resting


def wakes(trace: Trace) -> dict[int, tuple[Wakes, ...]]:
    """Who woke each task how often."""
    awaits = trace.awaits
    known = np.flatnonzero(awaits.woken_by)
    (task, by, waker), which = group(awaits.task[known], awaits.woken_by[known], awaits.waker[known])
    count = counts(which, len(task))
    found: dict[int, list[Wakes]] = defaultdict(list)
    order = np.lexsort((waker, by, -count, task))
    columns = (column[order].tolist() for column in (task, by, waker, count))
    for number, how, who, times in zip(*columns, strict=True):
        found[number].append(Wakes(woken_by=t.WAKERS[how], waker=who or None, count=times))
    return {number: tuple(rows) for number, rows in found.items()}


def held(trace: Trace) -> dict[int, tuple[Hold, ...]]:
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
