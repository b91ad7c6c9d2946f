"""What sources saw beside wakes and resources, as tables: edges, the watchdog's stacks, calls, runtime
warnings.

Knows: EDGE, STACK, CALL and RUNTIME_WARNING.
"""

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Any1d, Ints
from .locations import Sites
from .scan import RecordColumns
from .tasks import Moments, TaskIds

_RUNTIME_WARNINGS = {
    ev.NEVER_AWAITED: t.NEVER_AWAITED, ev.NEVER_RETRIEVED: t.NEVER_RETRIEVED, ev.DESTROYED: t.DESTROYED,
}  # fmt: skip


def find_edges(records: RecordColumns, task_ids: TaskIds, moments: Moments, awaits: t.Awaits) -> t.Edges:
    """Who awaited whom: what suspensions say, and what was seen to gather tasks."""
    rows = records.columns("edges")
    direct = np.flatnonzero(awaits.awaited_task)
    task = np.concatenate([awaits.task[direct], _tasks(rows["coro"], task_ids)])
    awaited = np.concatenate([awaits.awaited_task[direct], _tasks(rows["aux"], task_ids)])
    since = np.concatenate([awaits.start_ns[direct], moments.ns(rows["ts"])])
    known = np.flatnonzero((task > 0) & (awaited > 0))
    order = known[np.lexsort((awaited[known], since[known], task[known]))]
    task, awaited, since = task[order], awaited[order], since[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(task) != 0) | (np.diff(awaited) != 0) | (np.diff(since) != 0)
    return t.Edges(task[new].astype(np.int32), awaited[new].astype(np.int32), since[new])


def find_stacks(records: RecordColumns, task_ids: TaskIds, moments: Moments, sites: Sites) -> t.Stacks:
    rows = records.columns("stacks")
    return t.Stacks(
        task=_tasks(rows["coro"], task_ids).astype(np.int32),
        ts_ns=moments.ns(rows["ts"]),
        thread=rows["thread"].astype(np.int32),
        site=sites.rows(rows["off"]).astype(np.int32),
    )


def find_callouts(
    records: RecordColumns, task_ids: TaskIds, moments: Moments, strings: int, location: Ints
) -> t.Callouts:
    rows = records.columns("callouts")
    return t.Callouts(
        task=_tasks(rows["task"], task_ids).astype(np.int32),
        ts_ns=moments.ns(rows["ts"]),
        thread=rows["thread"].astype(np.int32),
        name=np.where(rows["aux"] <= strings, rows["aux"].astype(np.int64) - 1, -1).astype(np.int32),
        location=location.astype(np.int32),
    )


def find_runtime_warnings(
    records: RecordColumns, task_ids: TaskIds, moments: Moments, functions: int, strings: int, sites: Sites
) -> t.RuntimeWarnings:
    rows = records.columns("runtime_warnings")
    kind = np.array([_RUNTIME_WARNINGS.get(flags, 255) for flags in range(256)], np.uint8)[rows["flags"]]
    known, unawaited = kind < len(t.RUNTIME_WARNINGS), kind == t.NEVER_AWAITED
    aux = rows["aux"].astype(np.int64)
    function = np.where(unawaited & (aux <= functions), aux - 1, -1)
    error = np.where((kind == t.NEVER_RETRIEVED) & (aux <= strings), aux - 1, -1)
    return t.RuntimeWarnings(
        kind=kind[known],
        ts_ns=moments.ns(rows["ts"])[known],
        process=np.zeros(int(known.sum()), np.int32),
        task=_tasks(np.where(unawaited, rows["task"], rows["coro"]), task_ids).astype(np.int32)[known],
        function=function.astype(np.int32)[known],
        location=np.where(unawaited, sites.shown(rows["off"]), -1).astype(np.int32)[known],
        error=error.astype(np.int32)[known],
    )


def _tasks(ids: Any1d, task_ids: TaskIds) -> Ints:
    return task_ids.task_of[np.where(ids < len(task_ids.task_of), ids, 0)]
