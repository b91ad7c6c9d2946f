"""Less of a trace: some of its tasks, or fewer frames; a whole trace again, of which all that must hold holds.

Knows how rows refer to one another, and so what goes with what.  What is wanted is said in ``filters.py``.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from .. import tables as t
from ..data import TraceData
from ..filters import Filter
from ..grouping import counts, group, sums

NOT_SHOWN = "a task that is filtered out"


def filtered[D: TraceData](trace: D, wanted: Filter) -> D:
    """What is wanted of a trace, but for the window of time; it says what it was asked for."""
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
    return select(trace, keep, points=trace.points.task > 0) if chosen else trace


def since[D: TraceData](trace: D, ns: int) -> D:
    """Without what was over by ``ns``, of a trace whose earlier times are all ``ns``."""
    table, polls, entries = trace.task_table, trace.polls, trace.entries
    over = (table.end_ns <= ns) & (table.ended | table.closed)
    table = replace(
        table,
        created_ns=np.minimum(np.maximum(table.created_ns, ns), table.end_ns),
        before=table.before | (table.created_ns <= ns),
    )
    holds, selects, stacks, callouts = trace.holds, trace.selects, trace.stacks, trace.callouts
    trace = replace(
        trace,
        task_table=table,
        holds=_rows(holds, (holds.end_ns > ns) | ~holds.ended, None),
        selects=_rows(selects, selects.end_ns > ns, None),
        stacks=_rows(stacks, stacks.ts_ns > ns, None),
        callouts=_rows(callouts, callouts.ts_ns > ns, None),
        runtime_warnings=_rows(trace.runtime_warnings, trace.runtime_warnings.ts_ns > ns, None),
    )
    return select(
        trace,
        ~over,
        polls=(polls.end_ns > ns) | ~polls.ended,
        entries=entries.end_ns > ns,
        points=trace.points.ts_ns > ns,
    )


def select[D: TraceData](
    trace: D,
    tasks: t.Bools,
    *,
    polls: t.Bools | None = None,
    entries: t.Bools | None = None,
    points: t.Bools | None = None,
) -> D:
    """Only these tasks, by row, and of what is theirs only these polls, entries and points (by default all).

    Awaits are only ever left out with their task: how many there were at each line is settled when a trace is built.
    """
    number = np.concatenate([[0], np.where(tasks, np.cumsum(tasks), 0)]).astype(np.int32)  # new id, by old id

    def keep(who: t.Small, some: t.Bools | None, nobody: bool = False) -> t.Bools:
        kept = (number[who] > 0) | ((who == 0) if nobody else False)
        return kept if some is None else kept & some

    kept_polls = keep(trace.polls.task, polls)
    kept_awaits = keep(trace.awaits.task, None)
    kept_points = keep(trace.points.task, points, nobody=True)
    some_polls = _rows(trace.polls, kept_polls, number)
    some_awaits = _rows(trace.awaits, kept_awaits, number)
    strings = trace.strings
    hidden = (some_awaits.awaited_task > 0) & (number[some_awaits.awaited_task] == 0)
    if hidden.any():
        strings = (*strings, NOT_SHOWN)
    some_awaits = replace(
        some_awaits,
        awaited=np.where(hidden, len(strings) - 1, some_awaits.awaited).astype(np.int32),
        awaited_task=number[some_awaits.awaited_task],
        waker=number[some_awaits.waker],
    )
    calls, kept_entries = _calls(trace, keep(trace.entries.task, entries), kept_polls, number)
    return _summed(
        replace(
            trace,
            strings=strings,
            task_table=_tasks(trace, tasks, some_polls, number),
            polls=some_polls,
            awaits=some_awaits,
            calls=calls,
            entries=kept_entries,
            node_sums=_rows(trace.node_sums, keep(trace.node_sums.task, None), number),
            line_sums=_rows(trace.line_sums, keep(trace.line_sums.task, None), number),
            points=_rows(trace.points, kept_points, number),
            edges=_edges(trace.edges, number),
            holds=_holds(trace.holds, number),
            stacks=_rows(trace.stacks, keep(trace.stacks.task, None), number),
            callouts=_rows(trace.callouts, keep(trace.callouts.task, None), number),
            runtime_warnings=_rows(
                trace.runtime_warnings, keep(trace.runtime_warnings.task, None, nobody=True), number
            ),
            events=_events(trace, tasks, kept_polls, kept_awaits, kept_points, number),
        )
    )


def nothing[D: TraceData](trace: D) -> D:
    """A trace with the same tables and no rows."""
    empty: dict[str, Any] = {}
    for name in trace.__dataclass_fields__:
        table = getattr(trace, name)
        if isinstance(table, t.Table):
            columns = {column: getattr(table, column) for column in table.__dataclass_fields__}
            cut = {column: {} if isinstance(values, dict) else values[:0] for column, values in columns.items()}
            empty[name] = replace(table, **cut)
    return replace(trace, functions=(), strings=(), **empty)


def _rows[T: t.Table](table: T, kept: t.Bools, number: t.Small | None) -> T:
    """Some rows of a table; its tasks by their new numbers."""
    at = np.flatnonzero(kept)
    columns = {}
    for name in table.__dataclass_fields__:
        column = getattr(table, name)
        columns[name] = [column[row] for row in at.tolist()] if isinstance(column, list) else column[at]
    if number is not None:
        columns["task"] = number[columns["task"]]
    return replace(table, **columns)


def _edges(edges: t.Edges, number: t.Small) -> t.Edges:
    some = _rows(edges, (number[edges.task] > 0) & (number[edges.awaited] > 0), number)
    return replace(some, awaited=number[some.awaited])


def _holds(holds: t.Holds, number: t.Small) -> t.Holds:
    some = _rows(holds, (number[holds.task] > 0) | (holds.task == 0), number)
    return replace(some, given_by=number[some.given_by])


def _tasks(trace: TraceData, kept: t.Bools, polls: t.Polls, number: t.Small) -> t.Tasks:
    table = trace.task_table

    def of_kept[T](told: dict[int, T]) -> dict[int, T]:
        return {int(number[row + 1]) - 1: value for row, value in told.items() if kept[row]}

    nothing = np.empty(len(table), np.bool_)
    some = _rows(replace(table, error=nothing, tags=nothing, inherited=nothing), kept, None)  # type: ignore[arg-type]
    return replace(
        some,
        error=of_kept(table.error),
        tags=of_kept(table.tags),
        inherited=of_kept(table.inherited),
        parent=number[some.parent],
        polls=counts(polls.task, len(some) + 1)[1:].astype(np.int64),
    )


def _calls(trace: TraceData, kept: t.Bools, polls: t.Bools, number: t.Small) -> tuple[t.Calls, t.Entries]:
    """The calls that have an entry left, and these."""
    calls, entries = trace.calls, trace.entries
    all_first = np.full(len(calls), -1, np.int64)
    all_first[entries.call[::-1]] = np.arange(len(entries))[::-1]
    at = np.flatnonzero(kept)
    first = np.full(len(calls), -1, np.int64)
    first[entries.call[at][::-1]] = at[::-1]
    left = first >= 0
    new_call = np.concatenate([np.where(left, np.cumsum(left) - 1, -1), [-1]]).astype(np.int32)
    before = np.concatenate([[0], np.cumsum(polls)])  # polls left before each
    some = _rows(entries, kept, number)
    some = replace(
        some,
        call=new_call[some.call],
        first_poll=before[some.first_poll],
        last_poll=before[some.last_poll + 1] - 1,
    )
    first, fresh = first[left], (first != all_first)[left]
    awaiter = new_call[calls.awaiter[left]]
    chosen = _rows(calls, left, number)
    run = _run(trace, kept)[left]
    last = np.full(len(calls), -1, np.int64)
    last[entries.call] = np.arange(len(entries))
    last_kept = np.full(len(calls), -1, np.int64)
    last_kept[entries.call[at]] = at
    cut = (last != last_kept)[left]  # its end is not among what is left
    return replace(
        chosen,
        node=entries.node[first],
        task=number[entries.task[first]],
        start_ns=np.where(fresh, entries.start_ns[first], chosen.start_ns),
        end_ns=np.where(cut, entries.end_ns[last_kept[left]], chosen.end_ns),
        awaiter=np.where(fresh, -1, awaiter).astype(np.int32),  # whose awaiter it then was isn't known
        segments=sums(some.call, some.last_poll - some.first_poll + 1, len(chosen)),
        run_ns=np.where(fresh | (run < chosen.run_ns), run, chosen.run_ns),
    ), some


def _run(trace: TraceData, kept: t.Bools) -> t.Ints:
    """How long each call ran in these entries."""
    polls, entries = trace.polls, trace.entries
    if not len(polls):
        return np.zeros(len(trace.calls), np.int64)
    total = np.concatenate([[0], np.cumsum(polls.end_ns - polls.start_ns)])
    first, last = entries.first_poll, np.maximum(entries.last_poll, 0)
    run = total[last + 1] - total[first] - (entries.start_ns - polls.start_ns[first])
    run -= np.maximum(0, polls.end_ns[last] - entries.end_ns)
    return sums(entries.call, np.where(kept & (entries.last_poll >= first), run, 0), len(trace.calls))


def _events(
    trace: TraceData, tasks: t.Bools, polls: t.Bools, awaits: t.Bools, points: t.Bools, number: t.Small
) -> t.Events:
    events = trace.events
    subjects = {t.POLL_STARTED: polls, t.POLL_ENDED: polls, t.AWAIT_STARTED: awaits, t.AWAIT_ENDED: awaits}
    subjects[t.INSPECTION_POINT] = points
    row = np.empty(len(events), np.int64)
    kept = np.zeros(len(events), np.bool_)
    for kind in range(len(t.EVENT_KINDS)):
        left = subjects.get(kind, tasks)
        at = np.flatnonzero(events.kind == kind)
        row[at] = (np.cumsum(left) - 1)[events.row[at]]
        kept[at] = left[events.row[at]]
    return _rows(replace(events, row=row), kept, number)


def _summed[D: TraceData](trace: D) -> D:
    """With the calls and segments of ``node_sums`` counted again; its times stay."""
    table, calls, entries = trace.node_sums, trace.calls, trace.entries
    distinct, which = group(
        np.concatenate([table.task, calls.task, entries.task]),
        np.concatenate([table.node, calls.node, entries.node]) + 1,
    )
    size, a, b = len(distinct[0]), len(table), len(table) + len(calls)
    return replace(
        trace,
        node_sums=t.NodeSums(
            task=distinct[0].astype(np.int32),
            node=(distinct[1] - 1).astype(np.int32),
            calls=counts(which[a:b], size),
            segments=sums(which[b:], entries.last_poll - entries.first_poll + 1, size),
            self_ns=sums(which[:a], table.self_ns, size),
            wait_ns=sums(which[:a], table.wait_ns, size),
        ),
    )


# --- fewer frames ----------------------------------------------------------------------------------------------------


def fold[D: TraceData](trace: D, passes: t.Bools) -> D:
    """Without frames of functions that don't pass (by row of functions), but for roots; tasks that have none go."""
    nodes, entries, table = trace.nodes, trace.entries, trace.task_table
    seen = np.concatenate([passes, [True]])  # the last: -1, what isn't known
    kept_tasks = np.zeros(len(table) + 1, np.bool_)
    passing = entries.task[(entries.node >= 0) & seen[nodes.function[entries.node]]]
    kept_tasks[passing] = True
    kept_tasks = kept_tasks[1:] | (seen[table.function] & (table.function >= 0))
    shown, to = _merged(nodes, (nodes.parent < 0) | seen[nodes.function])

    calls = trace.calls
    keep_call = (calls.node < 0) | shown[calls.node]
    keep_entry = ((entries.node < 0) | shown[entries.node]) & keep_call[entries.call]
    outer = _outer(calls.awaiter, keep_call)
    chains, stack = _stacks(trace, passes)
    lines = _rows(trace.line_sums, (trace.line_sums.node < 0) | shown[trace.line_sums.node], None)
    (task, node, location), which = group(lines.task, to[lines.node] + 1, lines.location)
    folded = replace(
        trace,
        nodes=replace(nodes, parent=np.where(nodes.parent >= 0, to[nodes.parent], -1).astype(np.int32)),
        chains=chains,
        awaits=replace(trace.awaits, node=to[trace.awaits.node], leaf_node=to[trace.awaits.leaf_node], stack=stack),
        calls=replace(calls, node=to[calls.node], awaiter=outer[calls.awaiter]),
        entries=replace(entries, node=to[entries.node]),
        node_sums=replace(trace.node_sums, node=to[trace.node_sums.node]),
        line_sums=t.LineSums(
            task=task.astype(np.int32),
            node=(node - 1).astype(np.int32),
            location=location.astype(np.int32),
            count=sums(which, lines.count, len(task)),
            wait_ns=sums(which, lines.wait_ns, len(task)),
        ),
    )
    return select(folded, kept_tasks, entries=keep_entry)


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
