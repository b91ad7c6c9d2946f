"""Hint: many short tasks of one kind in one process, each of which costs more to create than it runs.

Looks for: at least TASKS tasks of one kind, at least half of which ran for LONGEST_NS at most, and none suspended.

Evidence: how many there were, how long they ran, how long they were ready before that.

Cannot see: their purpose: separate tasks may isolate failures or cancellations.  So it is a hint.
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
        return  # without sorting anything
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(count)
    for row in candidates:
        # The median: on a busy machine some of them take long for reasons that are not theirs.
        of_kind = rows[order[ends[row] - count[row] : ends[row]]]
        usual = int(np.median(tasks.run_ns[of_kind]))
        if usual > LONGEST_NS:
            continue
        made = trace.functions[function[row]]
        one = int(of_kind[0]) + 1
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
