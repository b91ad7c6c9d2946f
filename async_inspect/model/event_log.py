"""The event log: all events that exports list, in order of time, made of the other tables.

Knows: which row makes which events, and their order at one moment.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from . import tables as t
from .grouping import Any1d, Ints, LastBefore

_ENDS: Final = {t.COMPLETED: t.TASK_COMPLETED, t.FAILED: t.TASK_FAILED, t.CANCELLED: t.TASK_CANCELLED}
# At one record: what ends comes before what begins.
_RANK: Final = {
    t.TASK_SPAWNED: 0, t.POLL_ENDED: 1, t.AWAIT_STARTED: 2, t.TASK_COMPLETED: 3, t.TASK_FAILED: 3, t.TASK_CANCELLED: 3,
    t.STATE_CHANGED: 3, t.AWAIT_ENDED: 4, t.POLL_STARTED: 5, t.INSPECTION_POINT: 6,
}  # fmt: skip


class _Some(NamedTuple):
    """Events of one kind."""

    kind: int
    row: Any1d  # of the table that they are about
    task: Any1d
    ts_ns: Ints
    slot: Any1d


def event_log(tables: t.Tables) -> t.Events:
    """All events in order."""
    parts = list(_events(tables))
    kind = np.repeat(np.array([part.kind for part in parts], np.uint8), [len(part.row) for part in parts])
    task, ts = (np.concatenate(column) for column in ([part.task for part in parts], [part.ts_ns for part in parts]))
    key = np.concatenate([part.slot + np.int64(1) << 3 | _RANK[part.kind] for part in parts])
    order = np.argsort(key, kind="stable")
    if (np.diff(ts[order]) < 0).any():  # threads: the file's order isn't quite time's; nor that of several processes
        order = np.lexsort((key, ts))
    row = np.concatenate([part.row for part in parts])
    columns = (kind[order], task[order].astype(np.int32, copy=False), ts[order], row[order])
    for column in columns:
        column.setflags(write=False)
    return t.Events(*columns)


def event_counts(tables: t.Tables) -> Ints:
    """How many events of each kind there are."""
    tasks, polls, awaits = tables.task_table, tables.polls, tables.awaits
    found = np.zeros(len(t.EVENT_KINDS), np.int64)
    for kind, rows in _ending(tasks):
        found[kind] = len(rows)
    found[t.TASK_SPAWNED], found[t.INSPECTION_POINT] = len(tasks), len(tables.points)
    found[[t.POLL_STARTED, t.POLL_ENDED]] = len(polls), np.count_nonzero(polls.ended)
    found[[t.AWAIT_STARTED, t.AWAIT_ENDED]] = len(awaits), np.count_nonzero(awaits.ended)
    return found


def events_of_tasks(tables: t.Tables) -> Ints:
    """How many events each task has, by its id; those of none are 0's."""
    tasks, size = tables.task_table, len(tables.task_table) + 1
    found = np.ones(size, np.int64)
    found[0] = 0
    for _, rows in _ending(tasks):
        found[rows + 1] += 1
    for table in (tables.polls, tables.awaits):
        found += np.bincount(table.task, minlength=size) + np.bincount(table.task[table.ended], minlength=size)
    return found + np.bincount(tables.points.task, minlength=size)


def _events(tables: t.Tables) -> Iterator[_Some]:
    tasks, polls, awaits, points = tables.task_table, tables.polls, tables.awaits, tables.points
    ids = np.arange(1, len(tasks) + 1, dtype=np.int32)
    yield _Some(t.TASK_SPAWNED, ids - 1, ids, tasks.created_ns, tasks.slot)
    yield _Some(t.POLL_STARTED, np.arange(len(polls)), polls.task, polls.start_ns, polls.slot)
    over = np.flatnonzero(polls.ended)
    yield _Some(t.POLL_ENDED, over, polls.task[over], polls.end_ns[over], polls.end_slot[over])
    yield _Some(t.AWAIT_STARTED, np.arange(len(awaits)), awaits.task, awaits.start_ns, awaits.slot)
    over = np.flatnonzero(awaits.ended)
    yield _Some(t.AWAIT_ENDED, over, awaits.task[over], awaits.end_ns[over], _resumed(tables, over))
    for kind, over in _ending(tasks):
        yield _Some(kind, over, ids[over], tasks.end_ns[over], tasks.end_slot[over])
    yield _Some(t.INSPECTION_POINT, np.arange(len(points)), points.task, points.ts_ns, points.slot)


def _ending(tasks: t.Tasks) -> Iterator[tuple[int, Ints]]:
    """The kinds of events that are about a task's end, and of which tasks (by row) there are any."""
    for state, kind in _ENDS.items():
        yield kind, np.flatnonzero((tasks.state == state) & (tasks.end_slot >= 0))
    yield t.STATE_CHANGED, np.flatnonzero(tasks.closed & ~tasks.driven)


def _resumed(tables: t.Tables, rows: Ints) -> Ints:
    """The slots at which these awaits ended: of the first poll of the same task that begins after it."""
    polls, awaits = tables.polls, tables.awaits
    last = LastBefore(polls.task, polls.slot)(awaits.task[rows], awaits.slot[rows])
    following = np.where(last >= 0, last + 1, np.searchsorted(polls.task, awaits.task[rows]))
    return np.append(polls.slot, -1)[np.minimum(following, len(polls))]
