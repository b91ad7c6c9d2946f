"""The blocks of report.html about waiting: ready times, wake-ups, edges between tasks, holders of resources.

Knows: which columns the page needs for that, and how bounds are encoded in them; "not known" is -1, never 0.  Knows
nothing of how anything looks.
"""

from collections.abc import Iterator

import numpy as np

from ...model import tables as t
from ...model.grouping import counts, group, sums
from ...model.trace import Trace
from .pack import numbers


def ready(trace: Trace) -> Iterator[bytes]:
    """By task: for how long it was certainly ready, and how much more at most."""
    least, most = trace.ready
    yield numbers("tasks.ready_ns", least)
    yield numbers("tasks.more_ns", most - least)


def ready_of_awaits(trace: Trace, rows: t.Ints) -> Iterator[bytes]:
    """The same by await: -1 where nothing is certain, and where the only upper bound is the whole wait.

    The certain part is sent as the difference to what follows from the waker and the timer.
    """
    awaits = trace.awaits
    least, most = awaits.ready_ns[rows], awaits.ready_most_ns[rows]
    start, end, due, by = awaits.start_ns[rows], awaits.end_ns[rows], awaits.due_ns[rows], awaits.woken_by[rows]
    timed = (due >= 0) & np.isin(by, (0, t.BY_TIMER))
    expected = np.where(timed, end - np.clip(due, start, end), np.where(by == t.BY_ITSELF, end - start, 0))
    yield numbers("awaits.ready_off_ns", np.where(least < 0, -1, least) - expected)
    yield numbers("awaits.more_ns", np.where((least < 0) | (most < 0), -1, most - least))


def wakeups(trace: Trace, rows: t.Ints) -> Iterator[bytes]:
    """By await: what woke it, the cancel scope that ended it, the resource that it waited for, its timer's delay."""
    awaits = trace.awaits
    due = awaits.due_ns[rows]
    yield numbers("awaits.woken_by", awaits.woken_by[rows])
    yield numbers("awaits.waker", awaits.waker[rows])
    yield numbers("awaits.resource", awaits.resource[rows])
    yield numbers("awaits.scope", trace.scopes[1][rows])
    yield numbers("awaits.due_in_ns", np.where(due < 0, -1, np.maximum(due - awaits.start_ns[rows], 0)))


def resources(trace: Trace) -> list[str]:
    """The names of the resources."""
    return [trace.resource(row, made=False) or "?" for row in range(len(trace.resources))]


def queues(trace: Trace) -> Iterator[bytes]:
    """Where resources were made, and who waited for which, how often and how long in all."""
    awaits = trace.awaits
    yield numbers("resources.location", trace.resources.location)
    rows = np.flatnonzero(awaits.resource >= 0)
    (task, resource), which = group(awaits.task[rows], awaits.resource[rows])
    yield numbers("queues.task", task, delta=True)
    yield numbers("queues.resource", resource)
    yield numbers("queues.count", counts(which, len(task)))
    yield numbers("queues.wait_ns", sums(which, (awaits.end_ns - awaits.start_ns)[rows], len(task)))


def holds(trace: Trace) -> Iterator[bytes]:
    """Who held which resource, how often and how long in all; and what was held at the recording's end, since when."""
    table = trace.holds
    (task, resource), which = group(table.task, table.resource)
    yield numbers("holds.task", task, delta=True)
    yield numbers("holds.resource", resource)
    yield numbers("holds.count", counts(which, len(task)))
    yield numbers("holds.held_ns", sums(which, table.end_ns - table.start_ns, len(task)))
    rows = np.flatnonzero(~table.ended)
    for name in ("task", "resource", "start_ns", "location"):
        yield numbers(f"held.{name}", getattr(table, name)[rows])


def edges(trace: Trace) -> Iterator[bytes]:
    """Edges (task, awaited task); how often the task awaited it directly, and how long in all: 0 times where it did so
    only by way of something that gathers tasks."""
    awaits, table, size = trace.awaits, trace.edges, len(trace.task_table) + 1
    rows = np.flatnonzero(awaits.awaited_task > 0)
    pairs = table.task.astype(np.int64) * size + table.awaited
    direct = awaits.task[rows].astype(np.int64) * size + awaits.awaited_task[rows]
    which = np.searchsorted(pairs, direct)
    yield numbers("edges.task", table.task, delta=True)
    yield numbers("edges.awaited", table.awaited, delta=True)
    yield numbers("edges.count", counts(which, len(table)))
    yield numbers("edges.wait_ns", sums(which, (awaits.end_ns - awaits.start_ns)[rows], len(table)))
