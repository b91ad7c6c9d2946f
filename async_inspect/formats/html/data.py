"""The data of report.html: a Trace as blocks (``pack.py``), which ``assets/report/data.js`` reads.

Knows: which columns the page needs, which of them are complete and which are bounded, and what can be left out because
the page derives it.  Knows nothing of how anything looks.

Tasks, trees and all sums are complete, however large the trace is.  Single polls, awaits and events are included for
the longest-lived tasks whose events together are at most ``max_events``; ``about.left`` counts the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from ..._version import __version__
from ...checks import not_looked_for
from ...model import fields
from ...model import tables as t
from ...model.event_log import events_of_tasks
from ...model.figures.distribution import percentiles
from ...model.figures.stats import stats
from ...model.finding import Survey
from ...model.grouping import counts, group, sums
from ...model.metadata import endings
from ...model.trace import Trace
from ...support.names import cleaned
from ..csv import of_all
from ..shared import timeline
from .machines import ENDS, machines
from .pack import numbers, text
from .waits import edges, holds, queues, ready, ready_of_awaits, resources, wakeups


@dataclass(frozen=True)
class Part:
    """The rows of a table that are in the page: all, or those of some tasks."""

    rows: t.Ints  # of the table
    per_task: t.Ints  # how many, by row of Tasks
    first: t.Ints  # the first of each task, as the page counts them


def blocks(trace: Trace, survey: Survey, max_events: int) -> Iterator[bytes]:
    """All of the data, one block at a time."""
    whole = included(trace, max_events)
    yield text("about", cleaned(about(trace, survey, whole)))
    yield text("words", cleaned(words(trace)))
    yield from _code(trace)
    yield from _tasks(trace)
    yield numbers("tasks.whole", whole)
    polls, awaits = part(trace.polls.task, whole), part(trace.awaits.task, whole)
    yield from _polls(trace, polls)
    yield from _awaits(trace, awaits, polls)
    yield from _events(trace, whole, polls, awaits)
    yield from _sums(trace)
    yield from machines(trace)
    yield from edges(trace)
    yield from queues(trace)
    yield from holds(trace)


def included(trace: Trace, max_events: int) -> t.Bools:
    """The tasks whose polls, awaits and events are included: the longest-lived, as many as the bound allows."""
    table = trace.task_table
    if trace.event_count <= max_events:
        return np.ones(len(table), np.bool_)
    order = np.argsort(table.created_ns - table.end_ns, kind="stable")
    events = events_of_tasks(trace)[1:][order]
    found = np.zeros(len(table), np.bool_)
    found[order[np.cumsum(events) <= max_events]] = True
    return found


def part(task: t.Small, whole: t.Bools) -> Part:
    """The rows of a table (ordered by task) that belong to the tasks included."""
    rows = np.flatnonzero(whole[task - 1]) if len(task) else np.empty(0, np.int64)
    per_task = counts(task[rows] - 1, len(whole))
    return Part(rows, per_task, np.cumsum(per_task) - per_task)


# --- texts and figures -----------------------------------------------------------------------------------------------


def about(trace: Trace, survey: Survey, whole: t.Bools) -> dict[str, object]:
    """The trace as a whole: its origin, its figures, and how much of it is not in the page."""
    meta, table = trace.meta, trace.task_table
    lives = table.end_ns - table.created_ns
    some = percentiles(lives, 50, 95, 99) if len(lives) else [0, 0, 0]
    inside = events_of_tasks(trace)[np.append(True, whole)].sum()
    return {
        "exporter": f"async-inspect {__version__}",
        "program": program(trace),
        "command": " ".join(meta.argv),
        "date": datetime.fromtimestamp(meta.started_unix_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "pid": meta.pid,
        "finished": meta.finished,
        "endings": list(endings(trace)),
        "filter": meta.filter,
        "of_all": of_all(trace),
        "figures": stats(trace, 8).model_dump(mode="json"),
        "lifetimes": dict(zip(("p50_ns", "p95_ns", "p99_ns"), some, strict=True)),
        "left": {"tasks": int((~whole).sum()), "events": trace.event_count - int(inside)},
        "findings": findings(trace, survey),
    }


def program(trace: Trace) -> str:
    """The page's title: the command without the folder of its Python."""
    return trace.processes[0].command


def findings(trace: Trace, survey: Survey) -> list[dict[str, object]]:
    """The findings at the page's top, as dicts: ``severity`` ("error", "warning", "hint"), ``kind``, ``text`` (one
    sentence), ``place`` ("file:line" or None), ``task`` (or None)."""
    rows: list[dict[str, object]] = [
        {
            "severity": one.severity,
            "kind": one.check,
            "text": f"{one.text} … and {one.more:,} more like it" if one.more else one.text,
            "place": one.place,
            "task": one.task,
        }
        for one in survey.findings
    ]
    alone: dict[str, object] = {"severity": "warning", "kind": "not looked for", "place": None, "task": None}
    wrong = [
        alone | {"kind": "not exact", "text": f"{trace.not_exact}: {one.rule}, {one.rows:,} times not: {one.example}"}
        for one in trace.violations
    ]
    blind = not_looked_for(trace)
    hints = [alone | {"severity": "hint", "text": blind.partition(": ")[2]}] if blind else []
    return wrong + rows + [alone | {"text": line} for line in survey.failed] + hints


def words(trace: Trace) -> dict[str, object]:
    """All texts that columns refer to by number."""
    return {
        "states": t.SHOWN_STATES,
        "exported_states": t.STATES,
        "kinds": t.EVENT_KINDS,
        "ends": ENDS,
        "reasons": trace.reasons[0],
        "wakers": t.WAKERS,
        "strings": trace.strings,
        "functions": [(f.name, f.file, f.line, int(f.user)) for f in trace.functions],
        "names": trace.task_table.name,
        "errors": {row + 1: error for row, error in trace.task_table.error.items()},
        "tags": {row + 1: " ".join(tags) for row, tags in trace.task_table.tags.items()},
        "points": list(zip(trace.points.label, trace.points.message, strict=True)),
        "resources": resources(trace),
        "scopes": [one.name for one in trace.scopes[0]],
    }


# --- columns ---------------------------------------------------------------------------------------------------------


def _code(trace: Trace) -> Iterator[bytes]:
    yield numbers("locations.function", trace.locations.function)
    yield numbers("locations.line", trace.locations.line)
    yield numbers("nodes.parent", trace.nodes.parent, delta=True)
    yield numbers("nodes.function", trace.nodes.function)
    yield numbers("chains.inner", trace.chains.inner, delta=True)
    yield numbers("chains.location", trace.chains.location)


_FLAGS: Final = ("driven", "ended", "closed", "before", "created_seen", "inexact")
_OF_TASKS: Final = (*_FLAGS, "created_ns", "run_ns", "polls")  # those of fields that have a line below


def _tasks(trace: Trace) -> Iterator[bytes]:
    table = trace.task_table
    yield numbers("tasks.function", table.function)
    yield numbers("tasks.state", table.state)
    for name in _FLAGS:
        yield numbers(f"tasks.{name}", getattr(table, name))
    yield numbers("tasks.pid", np.array([one.pid for one in trace.processes])[table.process], delta=True)
    yield numbers("tasks.created_ns", table.created_ns, delta=True)
    yield numbers("tasks.life_ns", table.end_ns - table.created_ns)
    yield numbers("tasks.run_ns", table.run_ns)
    yield numbers("tasks.nested_ns", table.run_ns - table.self_ns)
    yield from ready(trace)
    yield numbers("tasks.polls", table.polls)
    yield numbers("tasks.parent", table.parent, delta=True)
    yield numbers("tasks.location", table.location)
    yield numbers("tasks.lane", lanes(trace))
    for name in dict.fromkeys(field.column for field, _ in fields.PAGE if field.column not in ("", *_OF_TASKS)):
        yield numbers(f"tasks.{name}", getattr(table, name))


def lanes(trace: Trace) -> t.Ints:
    """Each task's lane, where tasks that don't overlap share one."""
    return np.array(timeline.lanes(trace)[0], np.int64)


def _polls(trace: Trace, chosen: Part) -> Iterator[bytes]:
    """By task; a poll's start is sent as the time since the end of the one before, or since the task's creation."""
    polls, rows = trace.polls, chosen.rows
    start, end, task = polls.start_ns[rows], polls.end_ns[rows], polls.task[rows]
    before = np.concatenate([[0], end[:-1]])[: len(rows)]
    firsts = chosen.first[chosen.per_task > 0]
    before[firsts] = trace.task_table.created_ns[task[firsts] - 1]
    yield numbers("polls.count", chosen.per_task)
    yield numbers("polls.gap_ns", start - before)
    yield numbers("polls.run_ns", end - start)
    yield numbers("polls.ended", polls.ended[rows])
    yield numbers("polls.thread", polls.thread[rows])


def _awaits(trace: Trace, chosen: Part, polls: Part) -> Iterator[bytes]:
    """By task.  An await lasts from a poll's end to the next one's start, so its times are sent as differences to
    these: nearly all are 0.  What many awaits have in common is a row of ``shapes``."""
    awaits, table, rows = trace.awaits, trace.task_table, chosen.rows
    columns, shape = _shapes_of(trace)
    yield from _shapes(trace, columns, shape)
    yield numbers("awaits.count", chosen.per_task)
    task = awaits.task[rows] - 1
    rank = np.arange(len(rows)) - chosen.first[task]
    # The last of these is that of -1: no such poll.
    starts, ends = (np.append(column[polls.rows], 0) for column in (trace.polls.start_ns, trace.polls.end_ns))
    before = np.where(rank < polls.per_task[task], polls.first[task] + rank, -1)
    after = np.where(rank + 1 < polls.per_task[task], polls.first[task] + rank + 1, -1)
    expected_start = ends[before]
    expected_end = np.where(after < 0, table.end_ns[task], starts[after])
    yield numbers("awaits.start_off_ns", awaits.start_ns[rows] - expected_start)
    yield numbers("awaits.end_off_ns", awaits.end_ns[rows] - expected_end)
    yield numbers("awaits.ended", awaits.ended[rows])
    yield numbers("awaits.shape", shape[rows])
    yield numbers("awaits.task", awaits.awaited_task[rows], delta=True)
    yield from ready_of_awaits(trace, rows)
    yield from wakeups(trace, rows)


def _shapes_of(trace: Trace) -> tuple[list[t.Ints], t.Ints]:
    """What awaits have in common: the columns of the shapes (shifted, so that none is negative), and which shape each
    await is."""
    awaits = trace.awaits
    functions = np.concatenate([[-1], trace.task_table.function])
    return group(
        awaits.leaf_node + 1,
        awaits.node + 1,
        awaits.chain + 1,
        awaits.stack + 1,
        awaits.location + 1,
        awaits.awaited + 1,
        np.where(awaits.awaited_task > 0, functions[awaits.awaited_task] + 2, 0),
        trace.reasons[1],
    )


def _shapes(trace: Trace, columns: list[t.Ints], which: t.Ints) -> Iterator[bytes]:
    """The shapes, with count and total wait of each; complete, whatever ``max_events`` leaves out."""
    leaf, node, chain, stack, location, awaited, function, reason = columns
    wait = trace.awaits.end_ns - trace.awaits.start_ns
    yield numbers("shapes.leaf", leaf - 1)
    yield numbers("shapes.node", node - 1)
    yield numbers("shapes.chain", chain - 1)
    yield numbers("shapes.stack", stack - 1)
    yield numbers("shapes.location", location - 1)
    yield numbers("shapes.awaited", awaited - 1)
    yield numbers("shapes.function", function - 2)  # of the awaited task; -1: not known, -2: it is no task
    yield numbers("shapes.reason", reason)
    yield numbers("shapes.count", counts(which, len(leaf)))
    yield numbers("shapes.wait_ns", sums(which, wait, len(leaf)))


def _events(trace: Trace, whole: t.Bools, polls: Part, awaits: Part) -> Iterator[bytes]:
    """The events.  An event's time is that of the row it refers to, mostly the task's next one of its kind: ``off``,
    the difference to that, is then 0."""
    events = trace.events
    kind, task, row = events.kind, events.task, events.row
    ids = np.arange(len(events))
    if not whole.all():
        ids = np.flatnonzero(np.concatenate([[True], whole])[task])
        kind, task, row = kind[ids], task[ids], row[ids]
    off = np.zeros(len(ids), np.int64)
    in_turn = ((t.POLL_STARTED, polls), (t.POLL_ENDED, polls), (t.AWAIT_STARTED, awaits), (t.AWAIT_ENDED, awaits))
    for one, of in in_turn:
        of_kind = np.flatnonzero(kind == one)
        rows = row[of_kind] if whole.all() else np.searchsorted(of.rows, row[of_kind])
        off[of_kind] = _out_of_turn(rows, task[of_kind], of)
    points = np.flatnonzero(kind == t.INSPECTION_POINT)
    off[points] = row[points] - np.arange(len(points))
    others = np.ones(len(t.EVENT_KINDS), np.bool_)
    others[[one for one, _ in in_turn] + [t.INSPECTION_POINT]] = False
    of_tasks = np.flatnonzero(others[kind])
    off[of_tasks] = row[of_tasks] - (task[of_tasks] - 1)
    yield numbers("points.task", trace.points.task)
    yield numbers("points.ts_ns", trace.points.ts_ns, delta=True)
    yield numbers("events.id", ids, delta=True)
    yield numbers("events.kind", kind)
    yield numbers("events.task", task, delta=True)
    yield numbers("events.off", off)


def _out_of_turn(rows: t.Ints, task: t.Small, of: Part) -> t.Ints:
    """By event of one kind, in order of time: how far its row is from its task's next one."""
    when = np.full(len(of.rows), -1)
    when[rows] = np.arange(len(rows))
    known = np.flatnonzero(when >= 0)
    if len(known) == len(rows):  # each row once: is each task's next one always the next in time?
        whose = task[when[known]]
        firsts = np.flatnonzero(np.diff(whose, prepend=-1))
        number = np.diff(np.append(firsts, len(whose)))
        expected = np.repeat(of.first[whose[firsts] - 1] - firsts, number) + np.arange(len(whose))
        later = np.diff(when[known], prepend=-1) > 0
        later[firsts] = True
        if later.all() and np.array_equal(expected, known):
            return np.zeros(len(rows), np.int64)
    return rows - (of.first[task - 1] + _ranks(task))


def _ranks(who: t.Small) -> t.Ints:
    """For each row its rank among those of the same task: 0, 1, 2 …"""
    order = np.argsort(who, kind="stable")
    sorted_ = who[order]
    firsts = np.flatnonzero(np.diff(sorted_, prepend=-1))
    found = np.empty(len(who), np.int64)
    found[order] = np.arange(len(who)) - np.repeat(firsts, np.diff(np.append(firsts, len(who))))
    return found


def _sums(trace: Trace) -> Iterator[bytes]:
    """What ran and waited, by task and node, and by await line."""
    nodes, lines = trace.node_sums, trace.line_sums
    yield numbers("sums.task", nodes.task, delta=True)
    yield numbers("sums.node", nodes.node)
    yield numbers("sums.calls", nodes.calls)
    yield numbers("sums.segments", nodes.segments)
    yield numbers("sums.self_ns", nodes.self_ns)
    yield numbers("sums.wait_ns", nodes.wait_ns)
    yield numbers("lines.task", lines.task, delta=True)
    yield numbers("lines.node", lines.node)
    yield numbers("lines.location", lines.location)
    yield numbers("lines.count", lines.count)
    yield numbers("lines.wait_ns", lines.wait_ns)
