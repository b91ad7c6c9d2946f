"""Several traces as one: the processes of a run side by side.

Knows how values of each meaning (``meanings.py``) change where rows of other traces come before.  Equal functions,
types, lines and nodes become one; everything else is concatenated, process after process, unless its table is keyed
(``tables.Table``).  Times are of one clock, CLOCK_MONOTONIC, which all processes of a machine share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...recording.ending import most_open
from .. import tables as t
from ..data import TraceData
from ..entities import Metadata, Process, Violation
from ..grouping import Ints, group, sums_if_known
from ..meanings import Bound, Meaning, Moment, Number, Row, Value, columns


def merge[D: TraceData](traces: Sequence[D], clock_ns: int | None = None) -> D:
    """These traces as one, whose tasks are numbered consecutively.  A single one is unchanged.

    ``clock_ns``: CLOCK_MONOTONIC at what is to be time 0; by default the beginning of the first.
    """
    if clock_ns is None:
        clock_ns = min(trace.meta.clock_ns for trace in traces)
    if len(traces) == 1 and traces[0].meta.clock_ns == clock_ns:
        return traces[0]
    common = _Common(traces)
    parts = list(_placed(traces, common, clock_ns))
    tables: dict[str, Any] = {
        name: common.tables[name] if name in common.tables else _one([part.table(name) for part in parts])
        for name in traces[0].tables
    }
    return replace(
        traces[0],
        meta=_metadata(traces, clock_ns),
        processes=tuple(process for part in parts for process in part.processes()),
        violations=_violations(traces),
        left_out=tuple(one for trace in traces for one in trace.left_out),
        functions=common.functions,
        strings=common.strings,
        **tables,
    )


# --- shared tables ---------------------------------------------------------------------------------------------------


class _Common:
    """The tables that are shared; and by trace and table, the new row of each old one (the last: that of -1)."""

    def __init__(self, traces: Sequence[TraceData]) -> None:
        functions: dict[t.Function, int] = {}
        strings: dict[str, int] = {}
        function_of = [_numbered(trace.functions, functions) for trace in traces]
        string_of = [_numbered(trace.strings, strings) for trace in traces]
        self.functions, self.strings = tuple(functions), tuple(strings)
        edges = np.cumsum([len(trace.locations) for trace in traces])[:-1]
        of = np.concatenate([to[trace.locations.function] for to, trace in zip(function_of, traces, strict=True)])
        line = np.concatenate([trace.locations.line for trace in traces])
        (function, number), which = group(of, line)
        locations = t.Locations(function.astype(np.int32), number.astype(np.int32))
        location_of = [np.append(part, -1) for part in np.split(which, edges)]
        nodes, node_of = _nodes(traces, function_of)
        self.tables: dict[str, t.Table] = {"locations": locations, "nodes": nodes}
        self.rows = [
            dict(zip(("functions", "strings", "locations", "nodes"), to, strict=True))
            for to in zip(function_of, string_of, location_of, node_of, strict=True)
        ]


def _numbered[T](things: Iterable[T], known: dict[T, int]) -> Ints:
    return np.array([*(known.setdefault(thing, len(known)) for thing in things), -1], np.int64)


def _nodes(traces: Sequence[TraceData], functions: list[Ints]) -> tuple[t.Nodes, list[Ints]]:
    known: dict[tuple[int, int], int] = {}
    found = []
    for trace, to in zip(traces, functions, strict=True):
        own_nodes: list[int] = []
        for parent, function in zip(trace.nodes.parent.tolist(), to[trace.nodes.function].tolist(), strict=True):
            key = own_nodes[parent] if parent >= 0 else -1, function
            own_nodes.append(known.setdefault(key, len(known)))
        found.append(np.array([*own_nodes, -1], np.int64))
    rows = np.array([*known], np.int32).reshape(-1, 2)
    return t.Nodes(parent=rows[:, 0].copy(), function=rows[:, 1].copy()), found


# --- where each has gone ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """A trace, its rows in the shared tables, and how many rows of all other tables come before its own."""

    trace: TraceData
    rows: dict[str, Ints]
    before: dict[str, int]
    later: int  # ns

    def table(self, name: str) -> t.Table:
        """One of its tables with the values of the merged trace."""
        table = self.trace.tables[name]
        changed: dict[str, Any] = {}
        for column in columns(type(table)):
            values = getattr(table, column.name)
            if len(values) and not isinstance(column.means, Value):
                changed[column.name] = self._in_merged(name, column.means, values).astype(values.dtype)
        return replace(table, **changed)

    def _in_merged(self, name: str, means: Meaning, values: Any) -> Any:
        least = 0  # below, it says that there is none
        match means:
            case Row(of) if of in self.rows:
                return self.rows[of][values]
            case Moment():
                by: Any = self.later
            case Row(of, least) | Number(of, least):
                by = self.before[of or name]
            case Bound(of):
                by, least = self.before[of], -1
            case Value():
                return values
        return _shifted(values, by, least)

    def processes(self) -> Iterable[Process]:
        """Its processes."""
        for one in self.trace.processes:
            known = {name: getattr(one, name) for name in ("start_ns", "end_ns", "ended_ns")}
            times = {name: int(_shifted(ns, self.later)) for name, ns in known.items() if ns is not None}
            yield one.model_copy(update={**times, "thread": one.thread + self.before["thread"]})


def _placed(traces: Sequence[TraceData], common: _Common, clock_ns: int) -> Iterable[_Part]:
    before = dict.fromkeys(_sizes(traces[0]), 0)
    for trace, rows in zip(traces, common.rows, strict=True):
        yield _Part(trace, rows, dict(before), trace.meta.clock_ns - clock_ns)
        for of, size in _sizes(trace).items():
            before[of] += size


def _shifted(column: Any, by: Any, least: int = 0) -> Any:
    """``column`` + ``by`` where it is at least ``least``: lower values mean "none"."""
    return np.where(column >= least, column + by, column)


def _sizes(trace: TraceData) -> dict[str, int]:
    """By table its length, and by kind of number the highest: what the next trace's values are shifted by."""
    sizes = {"processes": len(trace.processes)}
    for name, table in trace.tables.items():
        sizes[name] = len(table)
        for column in columns(type(table)):
            if isinstance(column.means, Number):
                most = int(getattr(table, column.name).max(initial=0)) + 1 - column.means.first
                sizes[column.means.of] = max(sizes.get(column.means.of, 0), most)
    return sizes


# --- the tables ------------------------------------------------------------------------------------------------------


def _one(tables: Sequence[t.Table]) -> t.Table:
    """The merged table: by key, or just concatenated, as its type declares."""
    kind, columns_of = type(tables[0]), _after_another(tables)
    if kind.key:
        keys, which = group(*(columns_of[name] + 1 for name in kind.key))
        whole = {name: key - 1 for name, key in zip(kind.key, keys, strict=True)}
        added = columns_of.keys() - whole.keys()
        whole |= {name: sums_if_known(which, columns_of[name], len(keys[0])) for name in added}
        columns_of = {name: whole[name].astype(column.dtype) for name, column in columns_of.items()}
    return replace(tables[0], **columns_of)


def _after_another(tables: Sequence[t.Table]) -> dict[str, Any]:
    """By column the rows of all."""
    found: dict[str, Any] = {}
    for name, *_ in columns(type(tables[0])):
        values = [getattr(table, name) for table in tables]
        if isinstance(values[0], list):
            found[name] = [one for some in values for one in some]
        elif isinstance(values[0], dict):  # by row
            found[name], first = {}, 0
            for table, some in zip(tables, values, strict=True):
                found[name] |= {first + row: one for row, one in some.items()}
                first += len(table)
        else:
            found[name] = np.concatenate(values)
    return found


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
            "core": _distinct(meta.core for meta in all_),
            "python": _distinct(meta.python for meta in all_),
            "detail": _distinct(meta.detail for meta in all_),
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


def _distinct(words: Iterable[str]) -> str:
    """The distinct words of comma-separated texts."""
    return ", ".join(dict.fromkeys(one for several in words for one in several.split(", ")))
