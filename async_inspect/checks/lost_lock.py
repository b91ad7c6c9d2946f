"""Locks that can never be released: the task that took one has ended.

Looks for: a Lock that a task took and never gave back, though it has ended.

Evidence: the hold, the task's end, and which tasks wait for the lock, or waited for it after that end.  It is a hint if
none did for LEAST_NS, since another task may be meant to release the lock; and where the recording is broken off, since
it is not known what came later.

Cannot see: other locks than asyncio's and trio's.  Semaphores are not looked at: they are meant to be taken in one
place and released in another.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from ..model.figures.moment import LOCKS
from ..model.finding import Finding
from ..model.grouping import exact_sum
from ..model.text import ms, several, who
from ..model.trace import Trace

NAME = "lost lock"
ABOUT = "locks that are held by a task that has ended"
LEAST_NS: Final = 1_000_000


def find(trace: Trace) -> Iterator[Finding]:
    holds, tasks, awaits = trace.holds, trace.task_table, trace.awaits
    is_lock = np.array([kind.partition(" ")[0] in LOCKS for kind in trace.resources.kind], np.bool_)
    rows = np.flatnonzero(~holds.ended & (holds.task > 0))
    rows = rows[is_lock[holds.resource[rows]] & tasks.ended[holds.task[rows] - 1]]
    for row in rows.tolist():
        task, resource = int(holds.task[row]), int(holds.resource[row])
        end = int(tasks.end_ns[task - 1])
        after = np.flatnonzero((awaits.resource == resource) & (awaits.end_ns > end) & (awaits.task != task))
        waited = np.unique(awaits.task[after]).tolist()
        cost = exact_sum(awaits.end_ns[after] - np.maximum(awaits.start_ns[after], end))
        place = trace.place(int(holds.location[row]))
        name = trace.resource(resource)
        later = trace.processes[trace.resources.process[resource]].broken_off
        what = f"{name} is still held by {who(trace, task)}, which took it at {place} and ended at {ms(end)}"
        yield Finding(
            check=NAME,
            severity="error" if cost >= LEAST_NS and not later else "hint",
            text=f"{what}; {several(trace, waited)} waited for it in vain" if waited else f"{what}; nobody waited",
            place=place,
            task=task,
            tasks=(task, *waited),
            evidence=tuple(
                f"{who(trace, int(awaits.task[at]))} waits at {trace.place(int(awaits.location[at]))},"
                f" from {ms(int(awaits.start_ns[at]))} on"
                for at in after[:5].tolist()
            ),
            weight_ns=cost,
        )
