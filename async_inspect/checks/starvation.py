"""Tasks that could have run and had to wait far longer than similar tasks at the same time.

Looks for: a task that was ready, on average, for TIMES the median of its peers (tasks of the same kind and process, at
least PEERS that were ready while it lived), and for at least the recording's ``slow_poll_ms`` in all.  Time in which
blocking polls held it up is left out: ``blocking`` reports that.

Evidence: how long it was certainly ready, and its peers' median during its lifetime.

Cannot see: starvation for a lock or a semaphore, where a task is not ready but passed over; what delays all tasks
alike.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ..model import tables as t
from ..model.figures.long_polls import slow_polls
from ..model.finding import Finding
from ..model.grouping import Ordered, counts, group, sums
from ..model.text import ms, who
from ..model.trace import Trace

NAME = "starvation"
ABOUT = "tasks that were ready far longer than their like before they ran"
TIMES: Final = 10
PEERS: Final = 4
MOST_TASKS: Final = 50  # tasks, those that were ready for longest


def find(trace: Trace) -> Iterator[Finding]:
    tasks = trace.task_table
    delays = _delays(trace)
    n = len(tasks)
    total, times = sums(delays.task - 1, delays.ns, n), counts(delays.task - 1, n)
    kinds = group(tasks.process, tasks.function + 1)[1]  # tasks of another process's loop are no peers
    mean = total / np.maximum(times, 1)
    suspects = np.flatnonzero((total >= max(trace.meta.slow_poll_ns, 1)) & (tasks.function >= 0))
    means = _Means(delays, n)
    alike: dict[int, t.Ints] = {}  # the tasks of a kind
    for row in suspects[np.argsort(-total[suspects], kind="stable")][:MOST_TASKS].tolist():
        function, kind = int(tasks.function[row]), int(kinds[row])
        if kind not in alike:
            alike[kind] = np.flatnonzero((kinds == kind) & (times > 0)) + 1
        peer, of_peer = means.within(alike[kind], int(tasks.created_ns[row]), int(tasks.end_ns[row]))
        median = float(np.median(of_peer[peer != row + 1])) if len(peer) > PEERS else np.inf
        if mean[row] < TIMES * max(median, 1):
            continue
        made = trace.functions[function]
        text = f"{who(trace, row + 1)} was ready for {ms(int(mean[row]))} on average before it ran"
        yield Finding(
            check=NAME,
            severity="warning",
            text=f"{text}, where the median of {len(peer) - 1:,} others of its kind was {ms(int(median))} meanwhile",
            place=f"{made.file}:{made.line}",
            task=row + 1,
            tasks=(row + 1,),
            evidence=(f"ready for {ms(int(total[row]))} in all, {int(times[row]):,} times",),
            gain_ns=int(total[row]),
            weight_ns=int(total[row]),
        )


class _Delays(NamedTuple):
    """Each time a task was ready, less the time of blocking polls on its thread."""

    task: t.Ints
    end_ns: t.Ints
    ns: t.Ints


class _Means:
    """How long tasks were ready on average within a window: what a task costs to ask, not how often it was ready."""

    def __init__(self, delays: _Delays, tasks: int) -> None:
        self._rows = Ordered(delays.task, delays.end_ns)
        order = self._rows.order
        end = delays.end_ns[order]
        self._sum = np.concatenate([[0], np.cumsum(delays.ns[order])])
        self._begin = np.searchsorted(delays.task[order], np.arange(tasks + 2))
        edges = np.append(end, 0)
        self._first, self._last = edges[self._begin[:-1]], edges[self._begin[1:] - 1]

    def within(self, tasks: t.Ints, after_ns: int, until_ns: int) -> tuple[t.Ints, npt.NDArray[np.float64]]:
        """Those of these tasks (all of them have some) that were ready at an end in the window, and their means."""
        begin, end = self._begin[tasks], self._begin[tasks + 1]
        for edge, moment, some in (
            (begin, after_ns, np.flatnonzero(self._first[tasks] <= after_ns)),
            (end, until_ns, np.flatnonzero(self._last[tasks] > until_ns)),
        ):
            edge[some] = self._rows.before(tasks[some], np.full(len(some), moment), "right")
        any_ = end > begin
        begin, end = begin[any_], end[any_]
        return tasks[any_], (self._sum[end] - self._sum[begin]) / (end - begin)


def _delays(trace: Trace) -> _Delays:
    awaits, tasks, polls = trace.awaits, trace.task_table, trace.polls
    rows, new = np.flatnonzero(awaits.ready_ns >= 0), np.flatnonzero((tasks.delay_ns >= 0) & (tasks.polls > 0))
    task = np.concatenate([awaits.task[rows].astype(np.int64), new + 1])
    start = np.concatenate([awaits.end_ns[rows] - awaits.ready_ns[rows], tasks.created_ns[new]])
    length = np.concatenate([awaits.ready_ns[rows], tasks.delay_ns[new]])
    end = start + length
    thread = np.full(len(tasks) + 1, -1, np.int64)
    thread[polls.task] = polls.thread
    slow = np.sort(slow_polls(trace, trace.meta.slow_poll_ns))
    for number in np.unique(polls.thread[slow]).tolist():
        of_thread = slow[polls.thread[slow] == number]
        of_thread = of_thread[np.argsort(polls.start_ns[of_thread])]
        on_thread = thread[task] == number
        blocked_ns = _passed(polls, of_thread, end[on_thread]) - _passed(polls, of_thread, start[on_thread])
        length[on_thread] -= np.minimum(length[on_thread], blocked_ns)
    return _Delays(task, end, length)


def _passed(polls: t.Polls, rows: t.Ints, at: t.Ints) -> t.Ints:
    """The total time that these polls (in order of time) had run by each of these moments."""
    start, length = polls.start_ns[rows], polls.end_ns[rows] - polls.start_ns[rows]
    last = np.searchsorted(start, at, side="right") - 1  # the one that had begun last; -1: none
    total = np.cumsum(length) - length
    ran = np.clip(at - start[last], 0, length[last])
    return np.where(last >= 0, total[last] + ran, 0)
