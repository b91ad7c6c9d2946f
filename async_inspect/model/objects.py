"""Single objects of a trace: tasks, awaits, trees, segments.

Knows how the columns of ``tables.py`` become the types of ``entities.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from . import tables as t
from .data import TraceData, cached_on_trace
from .entities import Await, AwaitLine, Task, TreeNode
from .figures import cancelled_waits, waiting
from .grouping import Ints, group, known, sums, sums_if_known
from .reasons import coded


def task(trace: TraceData, number: int) -> Task:
    table = trace.task_table
    row = number - 1
    if not 0 <= row < len(table):
        raise KeyError(number)
    state = int(table.state[row])
    run, created, end = int(table.run_ns[row]), int(table.created_ns[row]), int(table.end_ns[row])
    at = last_await(trace, number) if state in (t.BLOCKED, t.UNKNOWN) else -1
    function = int(table.function[row])
    (words, codes), (ready, ready_most) = coded(trace), waiting.ready(trace)
    least, most = int(ready[row]), int(ready_most[row])
    return Task.of(
        not trace.inexact,
        id=number,
        pid=trace.processes[table.process[row]].pid,
        name=table.name[row],
        kind="driven" if table.driven[row] else "task",
        kind_name=trace.functions[function].name if function >= 0 else "",
        state=t.STATES[state],
        await_point=trace.place(int(trace.awaits.location[at])) if at >= 0 else None,
        awaiting=trace.awaiting(at) if at >= 0 else None,
        reason=words[codes[at]] or None if at >= 0 else None,
        created_ns=created,
        created_before_recording=bool(table.before[row]),
        created_at_first_step=not table.created_seen[row],
        ended_ns=end if table.ended[row] else None,
        end_ns=end,
        closed=bool(table.closed[row]),
        polls=int(table.polls[row]),
        run_ns=run,
        self_ns=int(table.self_ns[row]),
        wait_ns=end - created - run,
        ready_ns=least if least == most else None,
        ready_least_ns=least,
        ready_most_ns=most,
        parent=int(table.parent[row]) or None,
        awaiters=awaiters(trace).get(number, ()),
        wakes=waiting.wakes(trace).get(number, ()),
        holds=waiting.held(trace).get(number, ()),
        location=trace.place(int(table.location[row])),
        error=table.error.get(row),
        tags=table.tags.get(row, ()),
        exact=not table.inexact[row],
    )


def await_at(trace: TraceData, row: int) -> Await:
    """One row of the awaits."""
    awaits = trace.awaits
    if not 0 <= row < len(awaits):
        raise IndexError(row)
    start, end = int(awaits.start_ns[row]), int(awaits.end_ns[row])
    least, most = max(int(awaits.ready_ns[row]), 0), int(awaits.ready_most_ns[row])
    most = max(end - start, 0) if most < 0 else most
    least = min(least, most)
    due = int(awaits.due_ns[row])
    words, codes = coded(trace)
    scopes, scope_of = cancelled_waits.scopes(trace)
    scope = int(scope_of[row])
    return Await.of(
        not trace.inexact,
        task=int(awaits.task[row]),
        start_ns=start,
        end_ns=end,
        ended=bool(awaits.ended[row]),
        await_point=trace.place(int(awaits.location[row])),
        reason=words[codes[row]] or None,
        resource=trace.resource(int(awaits.resource[row])),
        awaiting=trace.awaiting(row),
        due_ns=due if due >= 0 else None,
        woken_by=t.WAKERS[awaits.woken_by[row]] or None,
        waker=int(awaits.waker[row]) or None,
        cancelled_by=scopes[scope].name if scope >= 0 else None,
        ready_ns=least if least == most else None,
        ready_least_ns=least,
        ready_most_ns=most,
    )


def last_await(trace: TraceData, number: int) -> int:
    """The row of the await in which a task stands (or stood last), -1."""
    row = int(np.searchsorted(trace.awaits.task, number, side="right")) - 1
    return row if row >= 0 and trace.awaits.task[row] == number and not trace.awaits.ended[row] else -1


@cached_on_trace
def awaiters(trace: TraceData) -> dict[int, tuple[int, ...]]:
    """Who awaited each task."""
    found: dict[int, list[int]] = defaultdict(list)
    (who, others), _ = group(trace.edges.task, trace.edges.awaited)
    for awaiter, awaited in zip(who.tolist(), others.tolist(), strict=True):
        found[awaited].append(awaiter)
    return {awaited: tuple(who) for awaited, who in found.items()}


def forest(trace: TraceData, number: int | None) -> tuple[TreeNode, ...]:
    """The await trees of one task, or of all, merged by node."""
    node_rows, line_rows = trace.node_sums, trace.line_sums
    if number is None:
        picked, lines = slice(None), slice(None)
    else:
        picked, lines = _rows(node_rows.task, number), _rows(line_rows.task, number)
    size = len(trace.nodes)
    node = node_rows.node[picked]
    there = node >= 0
    node = node[there]

    def total(column: Ints) -> Ints:
        return sums_if_known(node, column[picked][there], size)

    calls, segments = total(node_rows.calls), total(node_rows.segments)
    own_run, own_wait = total(node_rows.self_ns), total(node_rows.wait_ns)
    ran = sums(node, known(node_rows.self_ns[picked][there]), size)  # as far as that is known
    divided = trace.not_divided < 0
    used = np.zeros(size, np.bool_)
    used[node] = True
    line_node = line_rows.node[lines]
    used[line_node[line_node >= 0]] = True
    awaits = _await_lines(trace, lines)

    done: dict[int, list[TreeNode]] = defaultdict(list)
    ran_below: dict[int, list[int]] = defaultdict(list)
    parents = trace.nodes.parent.tolist()
    for at in np.flatnonzero(_with_ancestors(used, trace.nodes.parent))[::-1].tolist():  # children before parents
        below = _sorted(done.pop(at, ()))
        parts = [child.run_ns for child in below]
        ran[at] += sum(ran_below.pop(at, ()))
        ran_below[parents[at]].append(int(ran[at]))
        # What of a root's run isn't known of its coroutines is in its node "not divided".
        whole = not divided[at] or (own_run[at] >= 0 and None not in parts)
        code = int(trace.nodes.function[at])
        function = trace.functions[code] if code >= 0 else t.Function("(other)", "", 0, user=False)
        wait = int(own_wait[at])
        made = TreeNode.of(
            not trace.inexact,
            function=function.name,
            file=function.file,
            line=function.line,
            user=function.user,
            calls=_if_known(calls[at]),
            segments=_if_known(segments[at]),
            run_ns=int(ran[at]) if whole else None,
            run_self_ns=_if_known(own_run[at]),
            wait_ns=wait + sum(child.wait_ns for child in below),
            wait_self_ns=wait,
            awaits=awaits.get(at, ()),
            await_lines=function.awaits,
            children=below,
            exact=sum(row.wait_ns for row in awaits.get(at, ())) == wait + sum(child.wait_ns for child in below),
        )
        done[parents[at]].append(made)
    return _sorted(done.pop(-1, ()))


def _if_known(value: int) -> int | None:
    return int(value) if value >= 0 else None


def _sorted(nodes: Iterable[TreeNode]) -> tuple[TreeNode, ...]:
    """By run and wait, as far as they are known."""
    return tuple(sorted(nodes, key=lambda n: (-(n.run_ns or 0) - n.wait_ns, n.function, n.file, n.line)))


def _rows(tasks: t.Small, number: int) -> slice:
    return slice(int(np.searchsorted(tasks, number)), int(np.searchsorted(tasks, number, side="right")))


def _with_ancestors(used: t.Bools, parent: t.Small) -> t.Bools:
    at = np.flatnonzero(used)
    while len(at):
        at = np.unique(parent[at])
        at = at[at >= 0]
        at = at[~used[at]]
        used[at] = True
    return used


def _await_lines(trace: TraceData, rows: slice) -> dict[int, tuple[AwaitLine, ...]]:
    """Node -> its await lines, the longest wait first."""
    table = trace.line_sums
    merged: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    columns = (table.node[rows], table.location[rows], table.count[rows], table.wait_ns[rows])
    for node, location, count, wait in zip(*(c.tolist() for c in columns), strict=True):
        both = merged[node][location]
        both[0] += count
        both[1] += wait
    found = {}
    for node, lines in merged.items():
        made = []
        for location, (count, wait) in lines.items():
            frame = trace.frame(location)
            made.append(AwaitLine(file=frame.function.file, line=frame.line, count=count, wait_ns=wait))
        found[node] = tuple(sorted(made, key=lambda a: (-a.wait_ns, a.file, a.line)))
    return found


def segments(trace: TraceData, call: int) -> t.Ints:
    """The uninterrupted runs of a call, (n, 2) in ns."""
    parts = []
    for row in np.flatnonzero(trace.entries.call == call).tolist():
        first, last = int(trace.entries.first_poll[row]), int(trace.entries.last_poll[row])
        runs = np.stack([trace.polls.start_ns[first : last + 1], trace.polls.end_ns[first : last + 1]], axis=1)
        if len(runs):
            runs[0, 0] = trace.entries.start_ns[row]
            runs[-1, 1] = min(runs[-1, 1], trace.entries.end_ns[row])
        parts.append(runs)
    return np.concatenate([np.empty((0, 2), np.int64), *parts])
