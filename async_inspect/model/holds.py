"""What must hold of every trace, checked on its columns.

For tests, and for who doubts a number: ``violations`` of a sound trace is empty, whatever the program did.
"""

import numpy as np

from . import tables as t
from .trace import Trace


def violations(trace: Trace) -> list[str]:
    """A line for each rule that is broken, with the first row that breaks it."""
    parts = (_processes, _tasks, _bursts, _calls, _sums, _events, _wakes, _resources)
    return [line for part in parts for line in part(trace)]


def _first(rule: str, broken: t.Bools) -> list[str]:
    rows = np.flatnonzero(broken)
    return [f"{rule}: row {rows[0]}, {len(rows)} in all"] if len(rows) else []


def _processes(trace: Trace) -> list[str]:
    tasks, meta, all_ = trace.task_table, trace.meta, trace.processes
    of_task, parent = tasks.process, tasks.process[tasks.parent - 1]
    begin, end = (np.array([getattr(one, name) for one in all_]) for name in ("start_ns", "end_ns"))
    first = np.array([one.thread for one in all_])
    of_poll = of_task[trace.polls.task - 1]
    own = np.searchsorted(first, trace.polls.thread, side="right") - 1
    return [
        *_first("tasks are in order of their processes", np.diff(of_task) < 0),
        *_first("a parent is in its child's process", (tasks.parent > 0) & (of_task != parent)),
        *_first("a task's process was there before it", tasks.created_ns < begin[of_task]),
        *_first("a task is over when its process is", tasks.end_ns > end[of_task]),
        *_first("a poll runs on a thread of its process", own != of_poll),
        *_first("it is all over with the last process", np.array([end.max() != meta.duration_ns])),
        *_first("all records are some process's", np.array([sum(one.records for one in all_) != meta.records])),
    ]


def _tasks(trace: Trace) -> list[str]:
    tasks, polls = trace.task_table, trace.polls
    run = np.bincount(polls.task, weights=polls.end_ns - polls.start_ns, minlength=len(tasks) + 1)[1:]
    return [
        *_first("a task runs as long as its polls", tasks.run_ns != run),
        *_first("a task's run is no longer than its life", tasks.run_ns > tasks.end_ns - tasks.created_ns),
        *_first("a task's own frames run inside its polls", tasks.self_ns > tasks.run_ns),
        *_first("a task has a parent that is older", tasks.parent > np.arange(len(tasks))),
    ]


def _bursts(trace: Trace) -> list[str]:
    polls, awaits = trace.polls, trace.awaits
    same = polls.task[1:] == polls.task[:-1]
    return [
        *_first("polls of a task follow one another", same & (polls.start_ns[1:] < polls.end_ns[:-1])),
        *_first("a poll ends after it began", polls.end_ns < polls.start_ns),
        *_first("an await ends after it began", awaits.end_ns < awaits.start_ns),
        *_first(
            "a task awaits no more often than it is polled, once more if it is older than all that is shown",
            np.bincount(awaits.task, minlength=len(trace.task_table) + 1)[1:]
            > trace.task_table.polls + trace.task_table.before,
        ),
    ]


def _calls(trace: Trace) -> list[str]:
    calls, entries = trace.calls, trace.entries
    child = np.flatnonzero((calls.awaiter >= 0) & (calls.outcome != t.VANISHED))
    awaiter = calls.awaiter[child]
    # An async generator may be awaited by one after the other: there it is each entry that lies inside.
    once = np.bincount(entries.call, minlength=len(calls))[child] == 1
    # Its entry, not its life: one that was left between two items lives on when its awaiter has ended.
    entry = np.zeros(len(calls), np.int64)
    entry[entries.call] = np.arange(len(entries))
    start, end = entries.start_ns[entry[child]], entries.end_ns[entry[child]]
    outside = (start < calls.start_ns[awaiter]) | (end > calls.end_ns[awaiter])
    longer = calls.run_ns[child] > calls.run_ns[awaiter]
    return [
        *_first("a child's run segments lie inside its awaiter's", once & (outside | longer)),
        *_first("a call runs no longer than it lives", calls.run_ns > calls.end_ns - calls.start_ns),
    ]


def _sums(trace: Trace) -> list[str]:
    nodes, lines, awaits = trace.node_sums, trace.line_sums, trace.awaits
    waited = int((awaits.end_ns - awaits.start_ns).sum())
    roots = lines.node[lines.node >= 0]
    at_root = trace.nodes.parent[roots] < 0 if len(roots) else np.zeros(0, np.bool_)
    by_root = int(lines.wait_ns[lines.node >= 0][at_root].sum())
    return [
        *_first("self times add up to the tasks'", np.array([nodes.self_ns.sum() != trace.task_table.self_ns.sum()])),
        *_first("all waits are at some node", np.array([nodes.wait_ns.sum() != waited])),
        *_first("all waits pass one root's await lines", np.array([by_root != waited])),
        *_first("all calls are at some node", np.array([nodes.calls.sum() != len(trace.calls)])),
    ]


def _events(trace: Trace) -> list[str]:
    events = trace.events
    count = np.bincount(events.kind, minlength=len(t.EVENT_KINDS))
    return [
        *_first("events are in order", np.diff(events.ts_ns) < 0),
        *_first("each task is spawned once", np.array([count[t.TASK_SPAWNED] != len(trace.task_table)])),
        *_first("each poll starts once", np.array([count[t.POLL_STARTED] != len(trace.polls)])),
        *_first("each await starts once", np.array([count[t.AWAIT_STARTED] != len(trace.awaits)])),
    ]


def _wakes(trace: Trace) -> list[str]:
    tasks, awaits = trace.task_table, trace.awaits
    wait, known = awaits.end_ns - awaits.start_ns, awaits.ready_ns >= 0
    exact, by_task = awaits.ready_most_ns >= 0, awaits.woken_by == t.BY_TASK
    least, most = trace.ready
    pairs = {*zip(trace.edges.task.tolist(), trace.edges.awaited.tolist(), strict=True)}
    direct = np.flatnonzero(awaits.awaited_task)
    awaited = zip(awaits.task[direct].tolist(), awaits.awaited_task[direct].tolist(), strict=True)
    filtered = bool(trace.meta.filters)
    return [
        *_first("ready is a part of an await", (awaits.ready_ns > wait) | (awaits.ready_most_ns > wait)),
        *_first("ready is at most no less than at least", exact & (awaits.ready_ns > awaits.ready_most_ns)),
        *_first("what is known at most is known at least", exact & ~known),
        *_first("who was woken was ready", (awaits.woken_by > 0) & ~known),
        *_first("a task that woke another is known", by_task & (awaits.waker == 0) & (not filtered)),
        *_first("nothing but tasks has a number", ~by_task & (awaits.waker > 0)),
        *_first("a task's ready is a part of its wait", most > tasks.end_ns - tasks.created_ns - tasks.run_ns),
        *_first("a task's ready has bounds", (least < 0) | (least > most)),
        *_first("who awaits a task has an edge to it", np.array([pair not in pairs for pair in awaited], np.bool_)),
    ]


def _resources(trace: Trace) -> list[str]:
    holds, selects = trace.holds, trace.selects
    end = np.array([process.end_ns for process in trace.processes])[trace.resources.process[holds.resource]]
    return [
        *_first("a hold ends after it began", (holds.start_ns < 0) | (holds.end_ns < holds.start_ns)),
        *_first("a hold is over when the recording is", holds.end_ns > end),
        *_first("what is held to the end is not over before", ~holds.ended & (holds.end_ns != end)),
        *_first("what is held is known", (holds.resource < 0) | (holds.resource >= len(trace.resources))),
        *_first("what is waited for is known", trace.awaits.resource >= len(trace.resources)),
        *_first("a selector answers after it was asked", selects.end_ns < selects.start_ns),
    ]
