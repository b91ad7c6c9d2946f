"""What report.html knows of waiting: how long tasks were ready, who woke them, who awaited whom, who held what.

Knows: which columns the page needs for that, and how bounds and what isn't known are said in them: -1 is "not known",
and never 0.  Knows nothing of how anything looks.
"""

from collections.abc import Iterator

import numpy as np

from ...model import tables as t
from ...model.grouping import counts, group, sums
from ...model.trace import Trace
from .pack import numbers


def ready(trace: Trace) -> Iterator[bytes]:
    """Of each task's wait, how long it could have run for sure, and how much more at most."""
    least, most = trace.ready
    yield numbers("tasks.ready_ns", least)
    yield numbers("tasks.more_ns", most - least)


def ready_of_awaits(trace: Trace, rows: t.Ints) -> Iterator[bytes]:
    """The same of these awaits: -1 where nothing is known for sure, and where there is no bound but the whole wait.

    For sure is said as the difference to what follows from who woke it and from when its timer was due.
    """
    awaits = trace.awaits
    least, most = awaits.ready_ns[rows], awaits.ready_most_ns[rows]
    start, end, due, by = awaits.start_ns[rows], awaits.end_ns[rows], awaits.due_ns[rows], awaits.woken_by[rows]
    timed = (due >= 0) & np.isin(by, (0, t.BY_TIMER))
    expected = np.where(timed, end - np.clip(due, start, end), np.where(by == t.BY_ITSELF, end - start, 0))
    yield numbers("awaits.ready_off_ns", np.where(least < 0, -1, least) - expected)
    yield numbers("awaits.more_ns", np.where((least < 0) | (most < 0), -1, most - least))


def wakes(trace: Trace, rows: t.Ints) -> Iterator[bytes]:
    """Of these awaits: who woke them, for which cancel scope, which resource they waited for, and after how long their
    timer was due."""
    awaits = trace.awaits
    due = awaits.due_ns[rows]
    yield numbers("awaits.woken_by", awaits.woken_by[rows])
    yield numbers("awaits.waker", awaits.waker[rows])
    yield numbers("awaits.resource", awaits.resource[rows])
    yield numbers("awaits.scope", trace.scopes[1][rows])
    yield numbers("awaits.due_in_ns", np.where(due < 0, -1, np.maximum(due - awaits.start_ns[rows], 0)))


def resources(trace: Trace) -> list[str]:
    """What can be waited for and held, by name."""
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
    """Who awaited which task; how often it awaited it itself, and how long in all: 0 times where something that gathers
    tasks did."""
    awaits, table, size = trace.awaits, trace.edges, len(trace.task_table) + 1
    rows = np.flatnonzero(awaits.awaited_task > 0)
    pairs = table.task.astype(np.int64) * size + table.awaited
    direct = awaits.task[rows].astype(np.int64) * size + awaits.awaited_task[rows]
    which = np.searchsorted(pairs, direct)
    yield numbers("edges.task", table.task, delta=True)
    yield numbers("edges.awaited", table.awaited, delta=True)
    yield numbers("edges.count", counts(which, len(table)))
    yield numbers("edges.wait_ns", sums(which, (awaits.end_ns - awaits.start_ns)[rows], len(table)))
