"""Hint: many short tasks of one kind in one process, of which each costs more to make than it does.

Looks for: TASKS and more tasks of one kind of which half and more ran for LONGEST_NS at most, and none suspended.

Evidence: how many there were, how long they ran, how long they lay ready before.

Cannot see: what they are for: a task of its own may be what keeps a failure or a cancellation apart.  So it is a hint.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from ..model.finding import Finding
from ..model.grouping import counts, group, sums
from ..model.text import ms
from ..model.trace import Trace

NAME = "batching"
ABOUT = "many short tasks of one kind that never had to wait"
TASKS: Final = 1_000
LONGEST_NS: Final = 50_000


def find(trace: Trace) -> Iterator[Finding]:
    tasks = trace.task_table
    rows = np.flatnonzero((tasks.function >= 0) & ~tasks.driven & tasks.ended)
    (_, function), which = group(tasks.process[rows], tasks.function[rows])
    size = len(function)
    count, run = counts(which, size), sums(which, tasks.run_ns[rows], size)
    polls, idle = sums(which, tasks.polls[rows], size), sums(which, np.maximum(tasks.delay_ns[rows], 0), size)
    candidates = np.flatnonzero((count >= TASKS) & (polls <= count)).tolist()
    if not candidates:
        return  # and nothing is sorted
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(count)
    for row in candidates:
        # The median: what a busy machine does to some of them says nothing of what they do.
        mine = rows[order[ends[row] - count[row] : ends[row]]]
        usual = int(np.median(tasks.run_ns[mine]))
        if usual > LONGEST_NS:
            continue
        made = trace.functions[function[row]]
        one = int(mine[0]) + 1
        text = f"{int(count[row]):,} tasks of {made.name} ran {ms(usual)} each (median) and never waited"
        yield Finding(
            check=NAME,
            severity="hint",
            text=f"{text}: one task that does many, or a plain call, may be cheaper",
            place=trace.place(int(tasks.location[one - 1])) or f"{made.file}:{made.line}",
            task=one,
            tasks=(one,),
            evidence=(f"{ms(int(run[row]))} of run in all, {ms(int(idle[row]))} ready before it",),
            weight_ns=int(run[row]),
        )
