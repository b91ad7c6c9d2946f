"""The event log: all events that exports list, in order of time.

Knows: which record makes which events, and their order at one moment.
"""

import numpy as np
import numpy.typing as npt

from .. import tables as t
from ..grouping import Ints
from .polls import PollSpans
from .scan import RecordColumns
from .tasks import Bools, TaskIds

_ENDS = {t.COMPLETED: t.TASK_COMPLETED, t.FAILED: t.TASK_FAILED, t.CANCELLED: t.TASK_CANCELLED}
# At one record: what ends comes before what begins.
_RANK = {
    t.TASK_SPAWNED: 0, t.POLL_ENDED: 1, t.AWAIT_STARTED: 2, t.TASK_COMPLETED: 3, t.TASK_FAILED: 3, t.TASK_CANCELLED: 3,
    t.STATE_CHANGED: 3, t.AWAIT_ENDED: 4, t.POLL_STARTED: 5, t.INSPECTION_POINT: 6,
}  # fmt: skip


def event_log(
    records: RecordColumns,
    task_ids: TaskIds,
    poll_spans: PollSpans,
    await_polls: Ints,
    tasks: t.Tasks,
    awaits: t.Awaits,
    points: t.Points,
    closings: tuple[Bools, Ints],
) -> t.Events:
    """All events in order.  ``await_polls``: the poll each await follows.  ``closings``: which tasks were closed, and
    the slot of each task's end."""
    parts: list[tuple[int, npt.NDArray[np.int32], Ints, Ints, Ints]] = []  # kind, task, ts, pos, row

    def add(kind: int, task: npt.NDArray[np.int32], ts: Ints, pos: Ints, row: Ints) -> None:
        parts.append((kind, task, ts, pos, row))

    ids = np.arange(1, len(tasks) + 1, dtype=np.int32)
    spawns = records.columns("spawns")
    first = np.full(len(tasks), -1, np.int64)
    polls = poll_spans.polls
    first[polls.task[::-1] - 1] = poll_spans.open_pos[::-1]
    spawned = task_ids.spawn >= 0
    first[spawned] = spawns["pos"][task_ids.spawn[spawned]]
    first[task_ids.before] = -1
    add(t.TASK_SPAWNED, ids, tasks.created_ns, first, np.arange(len(tasks)))

    rows = np.arange(len(polls))
    add(t.POLL_STARTED, polls.task, polls.start_ns, poll_spans.open_pos, rows)
    over = np.flatnonzero(polls.ended)
    add(t.POLL_ENDED, polls.task[over], polls.end_ns[over], poll_spans.close_pos[over], over)

    add(t.AWAIT_STARTED, awaits.task, awaits.start_ns, poll_spans.close_pos[await_polls], np.arange(len(awaits)))
    over = np.flatnonzero(awaits.ended)
    next_open = poll_spans.open_pos[poll_spans.following[await_polls[over]]]
    add(t.AWAIT_ENDED, awaits.task[over], awaits.end_ns[over], next_open, over)

    closed, end_pos = closings
    for state, kind in _ENDS.items():
        over = np.flatnonzero((tasks.state == state) & (end_pos >= 0))
        add(kind, ids[over], tasks.end_ns[over], end_pos[over], over)
    over = np.flatnonzero(closed)
    add(t.STATE_CHANGED, ids[over], tasks.end_ns[over], end_pos[over], over)
    add(t.INSPECTION_POINT, points.task, points.ts_ns, records.columns("points")["pos"], np.arange(len(points)))

    kinds = np.repeat(np.array([part[0] for part in parts], np.uint8), [len(part[1]) for part in parts])
    who = np.concatenate([part[1] for part in parts])
    ts, pos, row = (np.concatenate(column) for column in zip(*(part[2:] for part in parts), strict=True))
    rank = np.array([_RANK[kind] for kind in range(len(t.EVENT_KINDS))])[kinds]
    key = (pos + 1) * 8 + rank
    order = np.argsort(key, kind="stable")
    if (np.diff(ts[order]) < 0).any():  # threads: the file's order isn't quite time's
        order = np.lexsort((key, ts))
    return t.Events(kind=kinds[order], task=who[order].astype(np.int32), ts_ns=ts[order], row=row[order])
