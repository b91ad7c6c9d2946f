"""Tasks that could have run and were made to wait far longer than their like.

Looks for: a task whose times ready, on average, are TIMES those of the median of its peers (tasks of the same kind, at
least PEERS), and at least the recording's ``slow_poll_ms`` in all.  What it was a victim of blocking polls for is
``blocking``'s, and left out.

Evidence: how long it was certainly ready, and its peers' median.

Cannot see: starvation for a lock or a semaphore, where a task is not ready but passed over; what all suffer alike.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from ..model import tables as t
from ..model.columns import counts, sums
from ..model.polls import slow_polls
from ..model.trace import Trace
from .finding import Finding, ms, who

NAME = "starvation"
ABOUT = "tasks that were ready far longer than their like before they ran"
TIMES: Final = 10
PEERS: Final = 4


def find(trace: Trace) -> Iterator[Finding]:
    tasks = trace.task_table
    n = len(tasks)
    task, excess = _delays(trace)
    total, times = sums(task - 1, excess, n), np.maximum(counts(task - 1, n), 1)
    mean = total / times
    suspects = np.flatnonzero((total >= max(trace.meta.slow_poll_ns, 1)) & (tasks.function >= 0))
    for function in np.unique(tasks.function[suspects]).tolist():
        kind = np.flatnonzero((tasks.function == function) & (tasks.polls > 0))
        if len(kind) <= PEERS:
            continue
        median = float(np.median(mean[kind]))
        for row in suspects[tasks.function[suspects] == function].tolist():
            if mean[row] < TIMES * max(median, 1):
                continue
            made = trace.functions[function]
            text = f"{who(trace, row + 1)} was ready for {ms(int(mean[row]))} on average before it ran"
            yield Finding(
                check=NAME,
                severity="warning",
                text=f"{text}, where the median of the {len(kind):,} tasks of {made.name} is {ms(int(median))}",
                place=f"{made.file}:{made.line}",
                task=row + 1,
                tasks=(row + 1,),
                evidence=(f"ready for {ms(int(total[row]))} in all, {int(times[row]):,} times",),
                gain_ns=int(total[row]),
                weight_ns=int(total[row]),
            )


def _delays(trace: Trace) -> tuple[t.Ints, t.Ints]:
    """(task, ns): each time a task was ready, without what blocking polls on its thread took of that."""
    awaits, tasks, polls = trace.awaits, trace.task_table, trace.polls
    rows, new = np.flatnonzero(awaits.ready_ns >= 0), np.flatnonzero((tasks.delay_ns >= 0) & (tasks.polls > 0))
    task = np.concatenate([awaits.task[rows].astype(np.int64), new + 1])
    start = np.concatenate([awaits.end_ns[rows] - awaits.ready_ns[rows], tasks.created_ns[new]])
    length = np.concatenate([awaits.ready_ns[rows], tasks.delay_ns[new]])
    thread = np.full(len(tasks) + 1, -1, np.int64)
    thread[polls.task] = polls.thread
    slow = np.sort(slow_polls(trace, trace.meta.slow_poll_ns))
    for number in np.unique(polls.thread[slow]).tolist():
        own = slow[polls.thread[slow] == number]
        own = own[np.argsort(polls.start_ns[own])]
        edges = np.stack([polls.start_ns[own], polls.end_ns[own]], axis=1).ravel()
        passed = np.cumsum(np.stack([np.zeros(len(own)), polls.end_ns[own] - polls.start_ns[own]], axis=1).ravel())
        mine = thread[task] == number
        blocked = np.interp(start[mine] + length[mine], edges, passed) - np.interp(start[mine], edges, passed)
        length[mine] -= np.minimum(length[mine], blocked.astype(np.int64))
    return task, length
