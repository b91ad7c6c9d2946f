"""Parts of a trace: some of its tasks, or fewer frames; a consistent trace again.

Which rows go with which follows from the meanings of columns (``meanings.py``); here is how calls of which only some
entries are kept, and sums, are computed again.  The options are in ``filters.py``.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .. import tables as t
from ..data import TraceData
from ..filters import Filter
from ..grouping import counts, group, narrow, sums, sums_if_known
from ..meanings import Bound, Meaning, Moment, Row, columns

NOT_SHOWN = "a task that is filtered out"


def filtered[D: TraceData](trace: D, wanted: Filter) -> D:
    """The trace filtered, except by the window of time; the filter is noted in its metadata."""
    trace = replace(trace, meta=trace.meta.model_copy(update={"filters": (*trace.meta.filters, wanted)}))
    if wanted.include or wanted.exclude:
        passes = np.array([wanted.passes_function(function) for function in trace.functions], np.bool_)
        trace = fold(trace, passes)
    table = trace.task_table
    lifetime = table.end_ns - table.created_ns
    keep = lifetime >= round(wanted.min_duration_ms * 1e6)
    if wanted.state:
        keep &= np.isin(table.state, wanted.state_codes)
    if wanted.task:
        keep &= np.fromiter(
            (
                wanted.passes_name(name, table.tags.get(row, ()), table.inherited.get(row, frozenset()))
                for row, name in enumerate(table.name)
            ),
            np.bool_,
            len(table),
        )
    chosen = bool(wanted.task or wanted.state or wanted.min_duration_ms)
    return select(trace, keep, {"points": trace.points.task > 0}) if chosen else trace


def since[D: TraceData](trace: D, ns: int) -> D:
    """Without what had ended by ``ns``, of a trace whose earlier times are all ``ns``."""
    table = trace.task_table
    over = (table.end_ns <= ns) & (table.ended | table.closed)
    tasks = replace(
        table,
        created_ns=np.minimum(np.maximum(table.created_ns, ns), table.end_ns),
        before=table.before | (table.created_ns <= ns),
    )
    # A call is there as long as an entry of it is.
    others = {name: other for name, other in trace.tables.items() if name not in ("task_table", "calls")}
    kept = {name: _lasts_beyond(other, ns) for name, other in others.items()}
    return select(
        replace(trace, task_table=tasks), ~over, {name: rows for name, rows in kept.items() if rows is not None}
    )


def _lasts_beyond(table: t.Table, ns: int) -> t.Bools | None:
    """By row, whether it had not ended by ``ns``; None: rows of this table have no end."""
    for name, means, _ in columns(type(table)):
        if isinstance(means, Moment) and means.role in ("end", "at"):
            later: t.Bools = getattr(table, name) > ns
            ended = getattr(table, "ended", None)
            return later if ended is None else later | ~ended
    return None


def select[D: TraceData](trace: D, tasks: t.Bools, rows: Mapping[str, t.Bools] | None = None) -> D:
    """Only these tasks, by row, and the rows that belong to them; of the tables in ``rows`` only those rows.

    Awaits are only ever left out with their task: how many there were at each line is settled when a trace is built.
    """
    kept = _Kept(trace, {**(rows or {}), "task_table": tasks})
    kept.rows["calls"] = _with_entries(trace, kept)
    tables: dict[str, Any] = {name: kept.table(name) for name in trace.tables}
    strings, some, awaits = trace.strings, tables["task_table"], tables["awaits"]
    hidden = (trace.awaits.awaited_task[kept.mask("awaits")] > 0) & (awaits.awaited_task == 0)
    if hidden.any():
        strings = (*strings, NOT_SHOWN)
    tables |= {
        "task_table": replace(some, polls=counts(tables["polls"].task, len(some) + 1)[1:].astype(np.int64)),
        "awaits": replace(awaits, awaited=np.where(hidden, len(strings) - 1, awaits.awaited).astype(np.int32)),
        "calls": _calls(trace, kept, tables["calls"], tables["entries"]),
    }
    return _summed(replace(trace, strings=strings, **tables))


def nothing[D: TraceData](trace: D) -> D:
    """A trace with the same tables and no rows."""
    empty: dict[str, Any] = {name: _rows(table, np.zeros(len(table), np.bool_)) for name, table in trace.tables.items()}
    return replace(trace, functions=(), strings=(), **empty)


class _Kept:
    """Which rows of each table are kept, and their new numbers."""

    def __init__(self, trace: TraceData, rows: dict[str, t.Bools]) -> None:
        """``rows``: of these tables only these, and of these only those whose owners are left."""
        self.trace = trace
        self.rows = rows
        self._masks: dict[str, t.Bools] = {}
        self._new: dict[str, t.Ints] = {}

    def mask(self, name: str) -> t.Bools:
        """By row, whether it is kept."""
        if name not in self._masks:
            table = self.trace.tables[name]
            kept = self.rows.get(name, np.ones(len(table), np.bool_))
            for column, means, _ in columns(type(table)):
                if isinstance(means, Row) and means.owner:
                    owners = np.append(self.mask(means.of), means.owner == "perhaps")  # the last: of nobody
                    kept = kept & owners[getattr(table, column) - means.first]
            self._masks[name] = kept
        return self._masks[name]

    def table(self, name: str) -> t.Table:
        """The rows kept of a table, with new row numbers in its columns."""
        table = self.trace.tables[name]
        kept = self.mask(name)
        if not kept.all():
            table = _rows(table, kept)
        changed = {}
        for column, means, _ in columns(type(table)):
            values = self._renumbered(name, table, column, means)
            if values is not None:
                changed[column] = values.astype(getattr(table, column).dtype)
        return replace(table, **changed)

    def _renumbered(self, name: str, table: t.Table, column: str, means: Meaning) -> Any:
        """A column with new row numbers; None: unchanged."""
        match means:
            case Row(of, first) if self._cut(of or name):
                return self.to(of or name)[getattr(table, column) - first] + first
            case Bound(of, last) if self._cut(of):
                before = np.concatenate([[0], np.cumsum(self.mask(of))])  # how many are left before each
                return before[getattr(table, column) + int(last)] - int(last)
        return None

    def _cut(self, name: str) -> bool:
        return name in self.trace.tables and not self.mask(name).all()

    def to(self, name: str) -> t.Ints:
        """The new row by row; the last: none."""
        if name not in self._new:
            kept = self.mask(name)
            self._new[name] = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
        return self._new[name]


def _rows[T: t.Table](table: T, kept: t.Bools) -> T:
    """Some rows of a table."""
    at = np.flatnonzero(kept)
    found: dict[str, Any] = {}
    for name, *_ in columns(type(table)):
        column = getattr(table, name)
        if isinstance(column, dict):  # by row
            rows = {row: new for new, row in enumerate(at.tolist())} if column else {}
            found[name] = {rows[row]: value for row, value in column.items() if row in rows}
        else:
            found[name] = [column[row] for row in at.tolist()] if isinstance(column, list) else column[at]
    return replace(table, **found)


def _with_entries(trace: TraceData, kept: _Kept) -> t.Bools:
    """The calls that have an entry left."""
    found = np.zeros(len(trace.calls), np.bool_)
    found[trace.entries.call[kept.mask("entries")]] = True
    return found


def _calls(trace: TraceData, kept: _Kept, some: t.Calls, some_entries: t.Entries) -> t.Calls:
    """These calls, from their first entry that is left to their last."""
    calls, entries, left = trace.calls, trace.entries, kept.mask("calls")
    rows, at = np.arange(len(entries)), np.flatnonzero(kept.mask("entries"))

    def ends(of: t.Ints) -> tuple[t.Ints, t.Ints]:
        """The first and the last of these entries, by call that is left."""
        first, last = np.full(len(calls), -1, np.int64), np.full(len(calls), -1, np.int64)
        first[entries.call[of][::-1]] = of[::-1]
        last[entries.call[of]] = of
        return first[left], last[left]

    (all_first, all_last), (first, last) = ends(rows), ends(at)
    cut_begin, cut_end = first != all_first, last != all_last  # its begin, its end is not among what is left
    run = _run(trace, kept.mask("entries"))[left]
    return replace(
        some,
        node=entries.node[first],
        task=(kept.to("task_table")[entries.task[first] - 1] + 1).astype(np.int32),
        start_ns=np.where(cut_begin, entries.start_ns[first], some.start_ns),
        end_ns=np.where(cut_end, entries.end_ns[last], some.end_ns),
        awaiter=np.where(cut_begin, -1, some.awaiter).astype(np.int32),  # whose awaiter it then was isn't known
        segments=narrow(sums(some_entries.call, some_entries.last_poll - some_entries.first_poll + 1, len(some))),
        run_ns=np.where(cut_begin | (run < some.run_ns), run, some.run_ns),
    )


def _run(trace: TraceData, kept: t.Bools) -> t.Ints:
    """How long each call ran in these entries."""
    polls, entries = trace.polls, trace.entries
    if not len(polls):
        return np.zeros(len(trace.calls), np.int64)
    total = np.concatenate([[0], np.cumsum(polls.end_ns - polls.start_ns)])
    first, last = entries.first_poll, np.maximum(entries.last_poll, 0)
    begin = np.append(polls.start_ns, 0)[first]  # the last: of entries in which nothing ran, after all polls
    run = total[last + 1] - total[first] - (entries.start_ns - begin)
    run -= np.maximum(0, polls.end_ns[last] - entries.end_ns)
    return sums(entries.call, np.where(kept & (entries.last_poll >= first), run, 0), len(trace.calls))


def _summed[D: TraceData](trace: D) -> D:
    """With the calls and segments of ``node_sums`` counted again, where they are known; its times stay."""
    table, calls, entries = trace.node_sums, trace.calls, trace.entries
    distinct, which = group(
        np.concatenate([table.task, calls.task, entries.task]),
        np.concatenate([table.node, calls.node, entries.node]) + 1,
    )
    size, a, b = len(distinct[0]), len(table), len(table) + len(calls)
    heard = np.ones(size, np.bool_)
    heard[which[:a][table.calls < 0]] = False
    segments = sums(which[b:], entries.last_poll - entries.first_poll + 1, size)
    return replace(
        trace,
        node_sums=t.NodeSums(
            task=distinct[0].astype(np.int32),
            node=(distinct[1] - 1).astype(np.int32),
            calls=np.where(heard, counts(which[a:b], size), -1),
            segments=np.where(heard, segments, -1),
            self_ns=sums_if_known(which[:a], table.self_ns, size),
            wait_ns=sums(which[:a], table.wait_ns, size),
        ),
    )


# --- fewer frames ----------------------------------------------------------------------------------------------------


def fold[D: TraceData](trace: D, passes: t.Bools) -> D:
    """Without frames of functions that don't pass (by row of functions), but for roots; tasks that have none go."""
    nodes, entries, table, node_sums = trace.nodes, trace.entries, trace.task_table, trace.node_sums
    seen = np.concatenate([passes, [True]])  # the last: -1, what isn't known
    kept_tasks = np.zeros(len(table) + 1, np.bool_)
    made = np.zeros(len(nodes) + 1, np.bool_)  # what isn't divided is nobody's frame, and goes with its root's
    made[trace.not_divided] = True
    made[-1] = False
    for of in (entries, node_sums):  # calls; and the frames of chains, where calls weren't heard
        kept_tasks[of.task[(of.node >= 0) & seen[nodes.function[of.node]] & ~made[of.node]]] = True
    kept_tasks = kept_tasks[1:] | (seen[table.function] & (table.function >= 0))
    shown, to = _merged(nodes, (nodes.parent < 0) | seen[nodes.function] | made[:-1])
    folded_away = np.append(~shown, False)[node_sums.node]

    calls = trace.calls
    keep_call = (calls.node < 0) | shown[calls.node]
    keep_entry = ((entries.node < 0) | shown[entries.node]) & keep_call[entries.call]
    outer = _outer(calls.awaiter, keep_call)
    chains, stack = _stacks(trace, passes)
    lines = _rows(trace.line_sums, (trace.line_sums.node < 0) | shown[trace.line_sums.node])
    (task, node, location), which = group(lines.task, to[lines.node] + 1, lines.location)
    folded = replace(
        trace,
        nodes=replace(nodes, parent=np.where(nodes.parent >= 0, to[nodes.parent], -1).astype(np.int32)),
        chains=chains,
        awaits=replace(trace.awaits, node=to[trace.awaits.node], leaf_node=to[trace.awaits.leaf_node], stack=stack),
        calls=replace(calls, node=to[calls.node], awaiter=outer[calls.awaiter]),
        entries=replace(entries, node=to[entries.node]),
        node_sums=replace(
            node_sums, node=to[node_sums.node], calls=np.where(folded_away, 0, node_sums.calls)
        ),  # whose calls aren't counted with those of their awaiters
        line_sums=t.LineSums(
            task=task.astype(np.int32),
            node=(node - 1).astype(np.int32),
            location=location.astype(np.int32),
            count=sums(which, lines.count, len(task)),
            wait_ns=sums(which, lines.wait_ns, len(task)),
        ),
    )
    return select(folded, kept_tasks, {"entries": keep_entry})


def _merged(nodes: t.Nodes, shown: t.Bools) -> tuple[t.Bools, t.Small]:
    """Which nodes are shown, and the node that stands for each: its own, its awaiter's, or an equal one's."""
    to: list[int] = []
    found: dict[tuple[int, int], int] = {}
    rows = zip(nodes.parent.tolist(), nodes.function.tolist(), shown.tolist(), strict=True)
    for node, (parent, function, own) in enumerate(rows):
        above = to[parent] if parent >= 0 else -1
        to.append(found.setdefault((above, function), node) if own else above)
    return shown, np.array([*to, -1], np.int32)


def _stacks(trace: TraceData, passes: t.Bools) -> tuple[t.Chains, t.Small]:
    """The awaits' stacks without frames of functions that don't pass, but for roots; as more chains."""
    inner, location = trace.chains.inner.tolist(), trace.chains.location.tolist()
    seen = passes[trace.locations.function].tolist()
    found: dict[tuple[int, int], int] = {}
    distinct, which = np.unique(trace.awaits.stack, return_inverse=True)
    new = []
    for top in distinct.tolist():
        frames, at = [location[top]], inner[top]
        while at >= 0:
            frames += [location[at]] if seen[location[at]] else []
            at = inner[at]
        row = -1
        for place in reversed(frames):
            row = found.setdefault((row, place), len(inner) + len(found))
        new.append(row)
    more = np.array([*found], np.int32).reshape(-1, 2)
    chains = t.Chains(np.append(trace.chains.inner, more[:, 0]), np.append(trace.chains.location, more[:, 1]))
    return chains, np.array(new, np.int32)[which]


def _outer(awaiter: t.Small, kept: t.Bools) -> t.Small:
    """For each call the innermost kept one at or above it, -1; the last row is that of -1."""
    outer = np.concatenate([np.where(kept, np.arange(len(kept)), awaiter), [-1]]).astype(np.int32)
    known = np.concatenate([kept, [True]])
    for _ in range(len(kept)):
        if known[outer].all():
            break
        outer = np.where(known[outer], outer, outer[outer])
    return outer
