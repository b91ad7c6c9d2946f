"""What must hold of every trace, checked on its columns.

For tests, and for who doubts a number: ``violations`` of a sound trace is empty, whatever the program did.
"""

import numpy as np

from . import tables as t
from .trace import Trace


def violations(trace: Trace) -> list[str]:
    """A line for each rule that is broken, with the first row that breaks it."""
    return [*_tasks(trace), *_bursts(trace), *_calls(trace), *_sums(trace), *_events(trace)]


def _first(rule: str, broken: t.Bools) -> list[str]:
    rows = np.flatnonzero(broken)
    return [f"{rule}: row {rows[0]}, {len(rows)} in all"] if len(rows) else []


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
