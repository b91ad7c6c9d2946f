"""The invariants of every trace, checked on its columns when it is built.

That references are valid, and times are within the recording, follows from the columns' meanings (``meanings.py``); the
other invariants are written here, rule by rule.  ``checked`` marks a trace that violates one, and the tasks concerned,
as not exact, and replaces impossible values (a time below 0), so that everything else can be reported.  Of a sound
trace ``violations`` is empty, whatever the program did."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np

from . import tables as t
from .data import TraceData
from .entities import Violation
from .figures.waiting import bounds
from .grouping import MOST, exact_sum, first_rows, known, last_rows, sums
from .meanings import Bound, Meaning, Moment, Row, columns

_BLOCK: Final = 1 << 18  # calls that are looked at at a time


class _Rule(NamedTuple):
    name: str
    broken: t.Bools  # by row of what it is about
    task: t.Small | t.Ints | None = None  # by row, the task that this is
    of_whole: bool = False  # of a part of a trace it needn't hold


def violations(trace: TraceData) -> list[str]:
    """A line for each rule that is broken, with the first row that breaks it."""
    return [
        f"{rule.name}: row {np.flatnonzero(rule.broken)[0]}, {int(rule.broken.sum())} in all"
        for rule in _broken(trace, whole=not trace.meta.filters)
    ]


def checked[D: TraceData](trace: D, whole: bool = True) -> D:
    """The trace with violations marked, and impossible values replaced.  ``whole``: it is no part of one."""
    found = list(_broken(trace, whole))
    if not found:
        return trace
    table = trace.task_table
    marks = np.zeros(len(table) + 1, np.bool_)
    broken_rules = []
    for rule in found:
        rows = np.flatnonzero(rule.broken)
        example = f"row {rows[0]}"
        if rule.task is not None:
            tasks = rule.task[rows]
            marks[tasks[(tasks > 0) & (tasks <= len(table))]] = True
            first = int(tasks[0])
            example = f"task {first} ({table.name[first - 1]})" if 0 < first <= len(table) else example
        broken_rules.append(Violation(rule=rule.name, rows=len(rows), example=example))
    table = replace(table, inexact=table.inexact | marks[1:])
    trace = replace(trace, task_table=table, violations=tuple(broken_rules))
    return _possible(trace)


def _broken(trace: TraceData, whole: bool) -> Iterator[_Rule]:
    for part in _PARTS:
        try:
            yield from (rule for rule in part(trace) if rule.broken.any() and (whole or not rule.of_whole))
        except Exception as error:  # noqa: BLE001 - a trace so wrong that not even this can be told
            yield _Rule(f"it can be checked ({part.__name__[1:]}, {type(error).__name__})", np.ones(1, bool))


def _possible[D: TraceData](trace: D) -> D:
    """Times below 0 as 0, parts no longer than what they are parts of, no references to what isn't there."""
    tables: dict[str, Any] = {name: _ordered(_existing(trace, name, table)) for name, table in trace.tables.items()}
    tasks, awaits, calls, nodes, lines = (
        tables[name] for name in ("task_table", "awaits", "calls", "node_sums", "line_sums")
    )
    run = np.clip(tasks.run_ns, 0, tasks.end_ns - tasks.created_ns)
    wait = awaits.end_ns - awaits.start_ns
    least = -_unknown(trace, nodes, nodes.self_ns).astype(np.int64)
    tables |= {
        "task_table": replace(
            tasks, run_ns=run, self_ns=np.clip(tasks.self_ns, 0, run), polls=np.maximum(tasks.polls, 0)
        ),
        "awaits": replace(
            awaits,
            ready_ns=np.minimum(awaits.ready_ns, wait),
            ready_most_ns=np.minimum(awaits.ready_most_ns, wait),
        ),
        "calls": replace(calls, run_ns=np.clip(calls.run_ns, 0, calls.end_ns - calls.start_ns)),
        "node_sums": replace(nodes, self_ns=np.maximum(nodes.self_ns, least), wait_ns=np.maximum(nodes.wait_ns, 0)),
        "line_sums": replace(lines, wait_ns=np.maximum(lines.wait_ns, 0)),
    }
    return replace(trace, **tables)


def _unknown(trace: TraceData, table: t.NodeSums, column: t.Ints) -> t.Bools:
    """By row, whether the value is not known as calls were not heard."""
    unknown: t.Bools = (column == -1) & ~trace.calls_heard[table.task]
    return unknown


def _span(table: t.Table) -> tuple[str, str] | None:
    """The columns of its rows' begin and end; None: it has none."""
    of = {means.role: name for name, means, _ in columns(type(table)) if isinstance(means, Moment)}
    return (of["begin"], of["end"]) if of.keys() >= {"begin", "end"} else None


def _existing(trace: TraceData, name: str, table: t.Table) -> t.Table:
    """The table with "none" in place of invalid references."""
    more: dict[str, Any] = {}
    for column, means, _ in columns(type(table)):
        values, (low, high) = getattr(table, column), _range(trace, name, means)
        if isinstance(means, Row) and _outside(values, low, high):
            more[column] = np.where((values < low) | (values > high), low, values).astype(values.dtype)
    return replace(table, **more)


def _ordered(table: t.Table) -> t.Table:
    """The table with no end before its begin."""
    span = _span(table)
    if span is None:
        return table
    begin, end = span
    more: dict[str, Any] = {end: np.maximum(getattr(table, end), getattr(table, begin))}
    return replace(table, **more)


def _by_block(size: int, of: Callable[[slice], t.Bools]) -> t.Bools:
    """What is computed of all rows, of some at a time."""
    found = np.zeros(size, np.bool_)
    for begin in range(0, size, _BLOCK):
        part = slice(begin, begin + _BLOCK)
        found[part] = of(part)
    return found


def _first(rule: str, broken: t.Bools, task: t.Small | t.Ints | None = None) -> list[_Rule]:
    return [_Rule(rule, broken, task)]


def _meanings(trace: TraceData) -> Iterator[_Rule]:
    for name, table in trace.tables.items():
        task = _task_of(name, table)
        for column, means, _ in columns(type(table)):
            values, (low, high) = getattr(table, column), _range(trace, name, means)
            if _outside(values, low, high):
                there = "a time of the recording" if isinstance(means, Moment) else "there"
                yield _Rule(f"what {name}.{column} says is {there}", (values < low) | (values > high), task)
        if span := _span(table):
            begin, end = (getattr(table, column) for column in span)
            yield _Rule(f"{name} end after they began", end < begin, task)


def _task_of(name: str, table: t.Table) -> t.Small | t.Ints | None:
    """By row the task whose figures it is part of; None: of nobody's."""
    if name == "task_table":
        return np.arange(1, len(table) + 1)
    task: t.Small | None = getattr(table, "task", None)
    return task


def _outside(values: Any, low: int, high: int | None) -> bool:
    """Whether there is any that is less, or more."""
    return high is not None and len(values) > 0 and bool(values.min() < low or values.max() > high)


def _range(trace: TraceData, name: str, means: Meaning) -> tuple[int, int | None]:
    """The lowest and the highest that a column can say; None: any."""
    match means:
        case Row(of, first):
            return first - 1, len(getattr(trace, of or name)) - 1 + first
        case Bound(of, last):
            return -int(last), len(getattr(trace, of)) - int(last)
        case Moment(within=True):
            return 0, trace.meta.duration_ns
    return 0, None


def _processes(trace: TraceData) -> list[_Rule]:
    tasks, meta, all_ = trace.task_table, trace.meta, trace.processes
    of_task, parent = tasks.process, tasks.process[tasks.parent - 1]
    begin, end = (np.array([getattr(one, name) for one in all_]) for name in ("start_ns", "end_ns"))
    first = np.array([one.thread for one in all_])
    of_poll = of_task[trace.polls.task - 1]
    own = np.searchsorted(first, trace.polls.thread, side="right") - 1
    return [
        *_first("tasks are in order of their processes", np.diff(of_task) < 0),
        *_first("a parent is in its child's process", (tasks.parent > 0) & (of_task != parent)),
        *_first("a task's process was there before it", tasks.created_ns < begin[of_task]),
        *_first("a task is over when its process is", tasks.end_ns > end[of_task]),
        *_first("a poll runs on a thread of its process", own != of_poll),
        *_first("it is all over with the last process", np.array([end.max() != meta.duration_ns])),
        *_first("all records are some process's", np.array([sum(one.records for one in all_) != meta.records])),
    ]


def _tasks(trace: TraceData) -> list[_Rule]:
    tasks, polls = trace.task_table, trace.polls
    run, numbers = sums(polls.task, polls.end_ns - polls.start_ns, len(tasks) + 1)[1:], np.arange(1, len(tasks) + 1)
    return [
        *_first("a task runs as long as its polls", tasks.run_ns != run, numbers),
        *_first("a task's run is no longer than its life", tasks.run_ns > tasks.end_ns - tasks.created_ns, numbers),
        *_first("a task's times are none below 0", (tasks.run_ns < 0) | (tasks.self_ns < 0), numbers),
        *_first("a task's own frames run inside its polls", tasks.self_ns > tasks.run_ns, numbers),
        *_first("a task has a parent that is older", tasks.parent > np.arange(len(tasks)), numbers),
    ]


def _bursts(trace: TraceData) -> list[_Rule]:
    tasks, polls, awaits = trace.task_table, trace.polls, trace.awaits
    same = polls.task[1:] == polls.task[:-1]

    def outside(table: t.Polls | t.Awaits) -> t.Bools:
        def of(part: slice) -> t.Bools:
            row = table.task[part] - 1
            found: t.Bools = table.start_ns[part] < tasks.created_ns[row]
            return found | (table.end_ns[part] > tasks.end_ns[row])

        return _by_block(len(table), of)

    return [
        *_first("a poll is in its task's life", outside(polls), polls.task),
        *_first("an await is in its task's life", outside(awaits), awaits.task),
        *_first("polls of a task follow one another", same & (polls.start_ns[1:] < polls.end_ns[:-1]), polls.task[1:]),
        *_first(
            "a task awaits no more often than it is polled, once more if it is older than all that is shown",
            np.bincount(awaits.task, minlength=len(tasks) + 1)[1:] > tasks.polls + tasks.before,
            np.arange(1, len(tasks) + 1),
        ),
    ]


def _calls(trace: TraceData) -> list[_Rule]:
    calls, entries = trace.calls, trace.entries
    # An async generator may be awaited by one after the other: there it is each entry that lies inside.
    several = first_rows(entries.call, len(calls)) != (last := last_rows(entries.call, len(calls)))
    wrong = np.zeros(len(calls), np.bool_)
    for begin in range(0, len(calls), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        awaiter = calls.awaiter[part]
        once = ~several[part] & (last[part] >= 0)
        child = np.flatnonzero(once & (awaiter >= 0) & (calls.outcome[part] != t.VANISHED))
        awaiter, entry = awaiter[child], last[part][child]
        child += begin
        # Its entry, not its life: one that was left between two items lives on when its awaiter has ended.
        outside = (entries.start_ns[entry] < calls.start_ns[awaiter]) | (entries.end_ns[entry] > calls.end_ns[awaiter])
        wrong[child] = outside | (calls.run_ns[child] > calls.run_ns[awaiter])
    return [
        *_first("a child's run segments lie inside its awaiter's", wrong, calls.task),
        *_first("a call runs no less than 0", calls.run_ns < 0, calls.task),
        *_first("a call runs no longer than it lasts", calls.run_ns > calls.end_ns - calls.start_ns, calls.task),
    ]


def _sums(trace: TraceData) -> list[_Rule]:
    nodes, lines, awaits = trace.node_sums, trace.line_sums, trace.awaits
    waited = exact_sum(awaits.end_ns - awaits.start_ns)
    held = exact_sum(trace.holds.end_ns - trace.holds.start_ns)
    roots = lines.node[lines.node >= 0]
    at_root = trace.nodes.parent[roots] < 0 if len(roots) else np.zeros(0, np.bool_)
    by_root = exact_sum(lines.wait_ns[lines.node >= 0][at_root])
    own, at_lines = (
        sums(table.node[table.node >= 0], table.wait_ns[table.node >= 0], len(trace.nodes)) for table in (nodes, lines)
    )
    inner = np.flatnonzero(trace.nodes.parent >= 0)
    below = sums(trace.nodes.parent[inner], at_lines[inner], len(trace.nodes))
    uneven = (at_lines < MOST) & (at_lines != own + below)
    self_ns = exact_sum(trace.task_table.self_ns)
    in_nodes, in_calls = trace.calls_heard[nodes.task], trace.calls_heard[trace.calls.task]
    ran_less = (nodes.self_ns < 0) & ~_unknown(trace, nodes, nodes.self_ns)
    return [
        *_first("what ran or waited at a node is none below 0", ran_less | (nodes.wait_ns < 0), nodes.task),
        *_first("a node's await lines add up to what waited at and below it", uneven),
        *_first("all waits together, and all holds, are below 2**63 ns", np.array([max(waited, held) > MOST])),
        *_first("self times add up to the tasks'", np.array([exact_sum(known(nodes.self_ns)) != self_ns])),
        *_first("all waits are at some node", np.array([exact_sum(nodes.wait_ns) != waited])),
        *_first("all waits pass one root's await lines", np.array([by_root != waited])),
        *_first("all calls are at some node", np.array([nodes.calls[in_nodes].sum() != in_calls.sum()])),
    ]


def _wakes(trace: TraceData) -> list[_Rule]:
    tasks, awaits = trace.task_table, trace.awaits
    known = awaits.ready_ns >= 0
    exact, by_task = awaits.ready_most_ns >= 0, awaits.woken_by == t.BY_TASK
    least, most = bounds(trace)
    numbers = np.arange(1, len(tasks) + 1)
    pairs = trace.edges.task.astype(np.int64) << 32 | trace.edges.awaited
    direct = np.flatnonzero(awaits.awaited_task)
    awaited = awaits.task[direct].astype(np.int64) << 32 | awaits.awaited_task[direct]

    def longer(part: slice) -> t.Bools:
        wait = awaits.end_ns[part] - awaits.start_ns[part]
        found: t.Bools = (awaits.ready_ns[part] > wait) | (awaits.ready_most_ns[part] > wait)
        return found

    return [
        *_first("ready is a part of an await", _by_block(len(awaits), longer), awaits.task),
        *_first("ready is at most no less than at least", exact & (awaits.ready_ns > awaits.ready_most_ns)),
        *_first("what is known at most is known at least", exact & ~known),
        *_first("who was woken was ready", (awaits.woken_by > 0) & ~known),
        _Rule("a task that woke another is known", by_task & (awaits.waker == 0), of_whole=True),
        *_first("nothing but tasks has a number", ~by_task & (awaits.waker > 0)),
        *_first("a task's ready is a part of its wait", most > tasks.end_ns - tasks.created_ns - tasks.run_ns, numbers),
        *_first("a task's ready has bounds", (least < 0) | (least > most), numbers),
        *_first("who awaits a task has an edge to it", ~np.isin(awaited, pairs), awaits.task[direct]),
    ]


def _resources(trace: TraceData) -> list[_Rule]:
    holds = trace.holds
    end = np.array([process.end_ns for process in trace.processes])[trace.resources.process[holds.resource]]
    return [
        *_first("a hold is over when the recording is", holds.end_ns > end),
        *_first("what is held to the end is not over before", ~holds.ended & (holds.end_ns != end)),
        *_first("what is held is known", holds.resource < 0),
    ]


_PARTS: Final[tuple[Callable[[TraceData], Iterable[_Rule]], ...]] = (
    _meanings, _processes, _tasks, _bursts, _calls, _sums, _wakes, _resources,
)  # fmt: skip
