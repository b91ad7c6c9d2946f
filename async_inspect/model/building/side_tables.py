"""Tables beside tasks, polls and awaits: edges, holds, the watchdog's stacks, calls, inspection points, runtime
warnings.

Each is built by a function of what is known by then.  A new one is a function and its line in
``SIDE_TABLES``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ... import events as ev
from ...recording.reader import Recording
from .. import tables as t
from ..grouping import Any1d, Ints, narrow
from .locations import Sites
from .resources import find_holds
from .scan import Columns, RecordColumns
from .tasks import Moments, TaskIds

_RUNTIME_WARNINGS = {
    ev.NEVER_AWAITED: t.NEVER_AWAITED, ev.NEVER_RETRIEVED: t.NEVER_RETRIEVED, ev.DESTROYED: t.DESTROYED,
}  # fmt: skip


@dataclass
class Known:
    """What is known of a recording when these tables are built."""

    recording: Recording
    records: RecordColumns
    task_ids: TaskIds
    moments: Moments
    sites: Sites
    awaits: t.Awaits
    resources: t.Resources
    functions: int  # how many
    of_callouts: Ints  # the location of each

    def rows(self, name: str) -> Columns:
        """The records of a kind, as ``RecordColumns`` has them."""
        return self.records.columns(name)

    def tasks(self, ids: Any1d) -> t.Small:
        """Of the recording's ids of tasks the ids of ours; 0: there is none."""
        task_of = self.task_ids.task_of
        return task_of[np.where(ids < len(task_of), ids, 0)].astype(np.int32)


def _edges(known: Known) -> t.Edges:
    """Edges between tasks: direct awaits, and those by way of something that gathers tasks."""
    rows, awaits = known.rows("edges"), known.awaits
    direct = np.flatnonzero(awaits.awaited_task)
    task = np.concatenate([awaits.task[direct], known.tasks(rows["coro"])])
    awaited = np.concatenate([awaits.awaited_task[direct], known.tasks(rows["aux"])])
    since = np.concatenate([awaits.start_ns[direct], known.moments.ns(rows["ts"])])
    there = np.flatnonzero((task > 0) & (awaited > 0))
    order = there[np.lexsort((awaited[there], since[there], task[there]))]
    task, awaited, since = task[order], awaited[order], since[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(task) != 0) | (np.diff(awaited) != 0) | (np.diff(since) != 0)
    return t.Edges(task[new], awaited[new], since[new])


def _holds(known: Known) -> t.Holds:
    return find_holds(known.records, known.task_ids, known.moments, known.resources, known.sites)


def _points(known: Known) -> t.Points:
    rows = known.rows("points")
    texts = {slot: (label, message) for slot, label, message in known.recording.points}
    found = [texts.get(slot, ("", "")) for slot in rows["pos"].tolist()]
    return t.Points(
        task=known.tasks(rows["task"]),
        process=np.zeros(len(rows["ts"]), np.int32),
        ts_ns=known.moments.ns(rows["ts"]),
        label=[label for label, _ in found],
        message=[message for _, message in found],
        slot=narrow(rows["pos"]),
    )


def _stacks(known: Known) -> t.Stacks:
    rows = known.rows("stacks")
    return t.Stacks(
        task=known.tasks(rows["coro"]),
        ts_ns=known.moments.ns(rows["ts"]),
        thread=rows["thread"].astype(np.int32),
        site=known.sites.rows(rows["off"]).astype(np.int32),
    )


def _processor(known: Known) -> t.Processor:
    rows, waited = known.rows("on_cpu"), known.rows("no_cpu")
    same = {
        (thread, ts): aux
        for thread, ts, aux in zip(*(waited[n].tolist() for n in ("thread", "ts", "aux")), strict=True)
    }
    waits = [same.get(key, -1) for key in zip(rows["thread"].tolist(), rows["ts"].tolist(), strict=True)]
    no_cpu = np.array(waits, np.int64)
    return t.Processor(
        task=known.tasks(rows["coro"]),
        ts_ns=known.moments.ns(rows["ts"]),
        thread=rows["thread"].astype(np.int32),
        lasted_ns=rows["off"].astype(np.int64) * 1000,
        on_cpu_ns=rows["aux"].astype(np.int64) * 1000,
        no_cpu_ns=np.where(no_cpu < 0, -1, no_cpu * 1000),
    )


def _callouts(known: Known) -> t.Callouts:
    rows, strings = known.rows("callouts"), known.recording.highest_string
    return t.Callouts(
        task=known.tasks(rows["task"]),
        ts_ns=known.moments.ns(rows["ts"]),
        thread=rows["thread"].astype(np.int32),
        name=np.where(rows["aux"] <= strings, rows["aux"].astype(np.int64) - 1, -1).astype(np.int32),
        location=known.of_callouts.astype(np.int32),
    )


def _runtime_warnings(known: Known) -> t.RuntimeWarnings:
    rows = known.rows("runtime_warnings")
    kind = np.array([_RUNTIME_WARNINGS.get(flags, 255) for flags in range(256)], np.uint8)[rows["flags"]]
    there, unawaited = kind < len(t.RUNTIME_WARNINGS), kind == t.NEVER_AWAITED
    aux = rows["aux"].astype(np.int64)
    function = np.where(unawaited & (aux <= known.functions), aux - 1, -1)
    error = np.where((kind == t.NEVER_RETRIEVED) & (aux <= known.recording.highest_string), aux - 1, -1)
    return t.RuntimeWarnings(
        kind=kind[there],
        ts_ns=known.moments.ns(rows["ts"])[there],
        process=np.zeros(int(there.sum()), np.int32),
        task=known.tasks(np.where(unawaited, rows["task"], rows["coro"]))[there],
        function=function.astype(np.int32)[there],
        location=np.where(unawaited, known.sites.shown(rows["off"]), -1).astype(np.int32)[there],
        error=error.astype(np.int32)[there],
    )


# By the names that ``tables.Tables`` has for them.
SIDE_TABLES: Final[dict[str, Callable[[Known], Any]]] = {
    "edges": _edges,
    "holds": _holds,
    "points": _points,
    "stacks": _stacks,
    "processor": _processor,
    "callouts": _callouts,
    "runtime_warnings": _runtime_warnings,
}
