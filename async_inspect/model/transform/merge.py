"""Several traces as one: the processes of a run side by side.

Knows what each column of the tables holds (``means``), and so how it is said where rows of other traces come before it.
Functions, types, lines and nodes that are the same are one; all else is put one process after the other, but events
are in order of time.  Times are of one clock, CLOCK_MONOTONIC, which all processes of a machine share.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from ...recording.ending import most_open
from .. import tables as t
from ..data import TraceData
from ..entities import Metadata, Process, Violation
from ..grouping import Ints, group, sums

# By table and column what it holds: VALUE (the same anywhere), TIME, or the thing whose row, id or number it is.
VALUE, TIME = "", "time"
_ALWAYS: Final = {
    **dict.fromkeys(("task", "awaited_task", "waker", "given_by"), "task"),
    **dict.fromkeys(("created_ns", "start_ns", "end_ns", "ts_ns", "since_ns", "due_ns"), TIME),
    **dict.fromkeys(("location", "leaf_location", "scope_location"), "location"),
    **dict.fromkeys(("node", "leaf_node"), "node"),
    **dict.fromkeys(("chain", "stack"), "chain"),
    **dict.fromkeys(("first_poll", "last_poll"), "poll"),
    **{name: name for name in ("process", "function", "thread", "coro", "call", "resource", "number", "site")},
}
_SOMETIMES: Final = {
    t.Tasks: {"parent": "task"},
    t.Awaits: {"awaited": "string", "scope": "string"},
    t.Edges: {"awaited": "task"},
    t.Callouts: {"name": "string"},
    t.Calls: {"awaiter": "call", "error": "string"},
    t.RuntimeWarnings: {"error": "string"},
}
_VALUES: Final = {
    "line", "name", "driven", "state", "ended", "closed", "before", "delay_ns", "created_seen", "polls", "run_ns",
    "self_ns", "error", "woken_by", "ready_ns", "ready_most_ns", "kind", "idle", "outcome", "segments", "calls",
    "wait_ns", "count", "label", "message", "tags", "inexact", "inherited",
}  # fmt: skip
_SUBJECTS: Final = {
    **dict.fromkeys((t.POLL_STARTED, t.POLL_ENDED), "poll"),
    **dict.fromkeys((t.AWAIT_STARTED, t.AWAIT_ENDED), "await"),
    t.INSPECTION_POINT: "point",
}  # of events, by kind; of all others it is the task's row
# The tables that are put one after the other as they are, by the names that a Trace has for them.
_IN_TURN: Final = (
    "task_table", "polls", "awaits", "calls", "entries", "points", "edges", "resources", "holds", "selects", "stacks",
    "callouts", "runtime_warnings",
)  # fmt: skip

type To = Callable[[Any], Any]  # a column as the merged trace has it


def means(table: type[t.Table], column: str) -> str:
    """What a column holds.  KeyError: nobody said so."""
    found = _SOMETIMES.get(table, {}).get(column) or _ALWAYS.get(column)
    if found is None and column not in _VALUES:
        raise KeyError(f"{table.__name__}.{column}")
    return found or VALUE


def merge[D: TraceData](traces: Sequence[D], clock_ns: int | None = None) -> D:
    """These as one, whose tasks count on from one to the next.  One alone is as it was.

    ``clock_ns``: CLOCK_MONOTONIC at what is to be time 0; by default the beginning of the first.
    """
    if clock_ns is None:
        clock_ns = min(trace.meta.clock_ns for trace in traces)
    if len(traces) == 1 and traces[0].meta.clock_ns == clock_ns:
        return traces[0]
    common = _Common(traces)
    parts = list(_placed(traces, common, clock_ns))
    return replace(
        traces[0],
        meta=_metadata(traces, clock_ns),
        processes=tuple(process for part in parts for process in part.processes()),
        violations=_violations(traces),
        left_out=tuple(one for trace in traces for one in trace.left_out),
        functions=common.functions,
        strings=common.strings,
        locations=common.locations,
        nodes=common.nodes,
        node_sums=_node_sums(parts),
        line_sums=_line_sums(parts),
        chains=_chains(parts, "chain"),
        sites=_chains(parts, "site"),
        events=_events(parts),
        **{name: _table([part.table(name) for part in parts]) for name in _IN_TURN},
    )


# --- what is the same ------------------------------------------------------------------------------------------------


class _Common:
    """What there is once, and by trace where its own rows have gone (the last: -1)."""

    def __init__(self, traces: Sequence[TraceData]) -> None:
        functions: dict[t.Function, int] = {}
        strings: dict[str, int] = {}
        self.function_of = [_numbered(trace.functions, functions) for trace in traces]
        self.string_of = [_numbered(trace.strings, strings) for trace in traces]
        self.functions, self.strings = tuple(functions), tuple(strings)
        edges = np.cumsum([len(trace.locations) for trace in traces])[:-1]
        of = np.concatenate([to[trace.locations.function] for to, trace in zip(self.function_of, traces, strict=True)])
        line = np.concatenate([trace.locations.line for trace in traces])
        (function, number), which = group(of, line)
        self.locations = t.Locations(function.astype(np.int32), number.astype(np.int32))
        self.location_of = [np.append(part, -1) for part in np.split(which, edges)]
        self.nodes, self.node_of = _nodes(traces, self.function_of)


def _numbered[T](things: Iterable[T], known: dict[T, int]) -> Ints:
    return np.array([*(known.setdefault(thing, len(known)) for thing in things), -1], np.int64)


def _nodes(traces: Sequence[TraceData], functions: list[Ints]) -> tuple[t.Nodes, list[Ints]]:
    known: dict[tuple[int, int], int] = {}
    found = []
    for trace, to in zip(traces, functions, strict=True):
        mine: list[int] = []
        for parent, function in zip(trace.nodes.parent.tolist(), to[trace.nodes.function].tolist(), strict=True):
            key = mine[parent] if parent >= 0 else -1, function
            mine.append(known.setdefault(key, len(known)))
        found.append(np.array([*mine, -1], np.int64))
    rows = np.array([*known], np.int32).reshape(-1, 2)
    return t.Nodes(parent=rows[:, 0].copy(), function=rows[:, 1].copy()), found


# --- where each has gone ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """A trace, by kind of thing how many come before its own, and how the merged one says these."""

    trace: TraceData
    before: dict[str, int]
    to: dict[str, To]

    def table(self, name: str) -> Any:
        """One of its tables."""
        table = getattr(self.trace, name)
        columns = {}
        for column in table.__dataclass_fields__:
            values = getattr(table, column)
            kind = means(type(table), column)
            columns[column] = self.to[kind](values).astype(values.dtype) if kind and len(values) else values
        return replace(table, **columns)

    def processes(self) -> Iterable[Process]:
        """Its processes."""
        later = self.to[TIME]
        for one in self.trace.processes:
            times = {"start_ns": int(later(one.start_ns)), "end_ns": int(later(one.end_ns))}
            if one.ended_ns is not None:
                times["ended_ns"] = int(later(one.ended_ns))
            yield one.model_copy(update={**times, "thread": int(self.to["thread"](one.thread))})


def _placed(traces: Sequence[TraceData], common: _Common, clock_ns: int) -> Iterable[_Part]:
    before = dict.fromkeys(_sizes(traces[0]), 0)
    for at, trace in enumerate(traces):
        to: dict[str, To] = {kind: _later(by, int(kind in _FROM_ONE)) for kind, by in before.items()}
        to["function"] = common.function_of[at].__getitem__
        to["string"] = common.string_of[at].__getitem__
        to["location"] = common.location_of[at].__getitem__
        to["node"] = common.node_of[at].__getitem__
        to["poll"] = _later(before["poll"], -1)  # of an entry in none the last is that before the first
        to[TIME] = _later(trace.meta.clock_ns - clock_ns)
        yield _Part(trace, dict(before), to)
        for kind, size in _sizes(trace).items():
            before[kind] += size


_FROM_ONE: Final = ("task", "coro", "number")  # numbers of which 0 is none


def _later(by: int, least: int = 0) -> To:
    """So much more, from the least on that isn't "none"."""
    return lambda column: np.where(column >= least, column + by, column)


def _sizes(trace: TraceData) -> dict[str, int]:
    """How many there are of what is counted on."""
    threads = (trace.polls.thread, trace.selects.thread, trace.stacks.thread, trace.callouts.thread)
    return {
        "process": len(trace.processes),
        "task": len(trace.task_table),
        "poll": len(trace.polls),
        "await": len(trace.awaits),
        "call": len(trace.calls),
        "point": len(trace.points),
        "chain": len(trace.chains),
        "site": len(trace.sites),
        "resource": len(trace.resources),
        "thread": 1 + _highest(*threads),
        "coro": _highest(trace.task_table.coro, trace.calls.coro),
        "number": _highest(trace.resources.number),
    }


def _highest(*columns: Any) -> int:
    return max((int(column.max()) for column in columns if len(column)), default=0)


# --- the tables ------------------------------------------------------------------------------------------------------


def _table[T: t.Table](tables: Sequence[T]) -> T:
    """These one after the other."""
    columns: dict[str, Any] = {}
    for name in tables[0].__dataclass_fields__:
        values = [getattr(table, name) for table in tables]
        if isinstance(values[0], list):
            columns[name] = [one for some in values for one in some]
        elif isinstance(values[0], dict):  # by row
            columns[name], first = {}, 0
            for table, some in zip(tables, values, strict=True):
                columns[name] |= {first + row: one for row, one in some.items()}
                first += len(table)
        else:
            columns[name] = np.concatenate(values)
    return replace(tables[0], **columns)


def _chains(parts: Sequence[_Part], kind: str) -> t.Chains:
    """The chains of awaits, or those of sites."""
    tables = [(part.trace.chains if kind == "chain" else part.trace.sites) for part in parts]
    pairs = list(zip(parts, tables, strict=True))
    return t.Chains(
        inner=np.concatenate([part.to[kind](table.inner) for part, table in pairs]).astype(np.int32),
        location=np.concatenate([part.to["location"](table.location) for part, table in pairs]).astype(np.int32),
    )


def _node_sums(parts: Sequence[_Part]) -> t.NodeSums:
    table = _table([part.table("node_sums") for part in parts])
    (task, node), which = group(table.task, table.node + 1)
    rest = {name: sums(which, getattr(table, name), len(task)) for name in ("calls", "segments", "self_ns", "wait_ns")}
    return t.NodeSums(task=task.astype(np.int32), node=(node - 1).astype(np.int32), **rest)


def _line_sums(parts: Sequence[_Part]) -> t.LineSums:
    table = _table([part.table("line_sums") for part in parts])
    (task, node, location), which = group(table.task, table.node + 1, table.location)
    return t.LineSums(
        task=task.astype(np.int32),
        node=(node - 1).astype(np.int32),
        location=location.astype(np.int32),
        count=sums(which, table.count, len(task)),
        wait_ns=sums(which, table.wait_ns, len(task)),
    )


def _events(parts: Sequence[_Part]) -> t.Events:
    tables = []
    for part in parts:
        events = part.trace.events
        first = np.array([part.before[_SUBJECTS.get(kind, "task")] for kind in range(len(t.EVENT_KINDS))], np.int64)
        task, ts = part.to["task"](events.task), part.to[TIME](events.ts_ns)
        tables.append(replace(events, task=task.astype(np.int32), ts_ns=ts, row=events.row + first[events.kind]))
    table = _table(tables)
    order = np.argsort(table.ts_ns, kind="stable")
    return t.Events(table.kind[order], table.task[order], table.ts_ns[order], table.row[order])


# --- what is said of all ---------------------------------------------------------------------------------------------


def _metadata(traces: Sequence[TraceData], clock_ns: int) -> Metadata:
    first, all_ = traces[0].meta, [trace.meta for trace in traces]
    return first.model_copy(
        update={
            "clock_ns": clock_ns,
            "started_unix_ns": first.started_unix_ns - first.clock_ns + clock_ns,
            "duration_ns": max(meta.clock_ns + meta.duration_ns for meta in all_) - clock_ns,
            "finished": all(meta.finished for meta in all_),
            "records": sum(meta.records for meta in all_),
            "ending": most_open([meta.ending for meta in all_]),
            "lost": sum(meta.lost for meta in all_),
            "missing": sum(meta.missing for meta in all_),
            "damaged": sum(meta.damaged for meta in all_),
            "callbacks": sum(meta.callbacks for meta in all_),
            "cost_ns": _cost(all_),
            "core": _said(meta.core for meta in all_),
            "python": _said(meta.python for meta in all_),
            "sources": tuple(dict.fromkeys(source for meta in all_ for source in meta.sources)),
            "slow_poll_ns": min(meta.slow_poll_ns for meta in all_),
        }
    )


def _violations(traces: Sequence[TraceData]) -> tuple[Violation, ...]:
    """Each rule once, with its first example."""
    found: dict[str, Violation] = {}
    for trace in traces:
        for one in trace.violations:
            rows = found[one.rule].rows if one.rule in found else 0
            where = f"process {trace.processes[0].pid}: {one.example}" if len(traces) > 1 else one.example
            kept = found[one.rule].example if one.rule in found else where
            found[one.rule] = Violation(rule=one.rule, rows=rows + one.rows, example=kept)
    return tuple(found.values())


def _cost(all_: Sequence[Metadata]) -> int | None:
    """The tracer's cost, projected from where it was timed, as within each process."""
    timed = [meta for meta in all_ if meta.cost_ns is not None and meta.callbacks]
    callbacks = sum(meta.callbacks for meta in timed)
    cost = sum(meta.cost_ns or 0 for meta in timed)
    return cost * sum(meta.callbacks for meta in all_) // callbacks if callbacks else None


def _said(words: Iterable[str]) -> str:
    """Each word once."""
    return ", ".join(dict.fromkeys(one for several in words for one in several.split(", ")))
