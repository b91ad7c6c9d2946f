"""Stacks with their times, as flame graphs want them: what ran where, and who waited where for what.

A waiting stack goes down to the leaf and ends in a frame that names what is waited for and the await line, so that
running and waiting can be told apart in one picture.
"""

from typing import NamedTuple

import numpy as np

from ..model import tables as t
from ..model.columns import group, sums
from ..model.trace import Trace


class Wait(NamedTuple):
    """What stands at the top of a waiting stack."""

    text: str  # "waiting for asyncio.Future at app.py:12"
    file: str
    line: int


class Stack(NamedTuple):
    node: int  # row of nodes: the innermost frame
    wait: Wait | None  # None: it ran
    ns: int


def stacks(trace: Trace, run: bool = True, wait: bool = True) -> list[Stack]:
    """All that ran and waited, merged over tasks; by node, running first, the longest wait first."""
    found: list[Stack] = []
    if run:
        table = trace.node_sums
        known = np.flatnonzero(table.node >= 0)
        totals = np.bincount(table.node[known], weights=table.self_ns[known], minlength=len(trace.nodes))
        found += [Stack(node, None, int(totals[node])) for node in np.flatnonzero(totals).tolist()]
    if wait:
        found += _waits(trace)
    return sorted(found, key=lambda s: (s.node, s.wait is not None, -s.ns, s.wait or ()))


def _waits(trace: Trace) -> list[Stack]:
    awaits = trace.awaits
    # Awaited tasks are told by their function: one frame for all of a gather's children.
    functions = trace.task_table.function
    target = np.concatenate([[-1], functions])[awaits.awaited_task] + 1
    columns = (awaits.leaf_node + 1, awaits.location, awaits.awaited + 1, target)
    (node, location, kind, function), which = group(*columns)
    ns = sums(which, awaits.end_ns - awaits.start_ns, len(node))
    of_task = np.zeros(len(node), np.bool_)
    of_task[which] = awaits.awaited_task > 0
    merged: dict[tuple[int, Wait], int] = {}
    columns_ = (node, location, kind, function, of_task, ns)
    rows = zip(*(column.tolist() for column in columns_), strict=True)
    for at, place, a_kind, a_function, task, time in rows:
        if at > 0:
            key = at - 1, label(trace, place, a_kind - 1, a_function - 1, task)
            merged[key] = merged.get(key, 0) + time
    return [Stack(at, wait, time) for (at, wait), time in merged.items() if time]


def label(trace: Trace, location: int, kind: int, function: int, of_task: bool) -> Wait:
    if of_task:
        what = f"for task {trace.functions[function].name}" if function >= 0 else "for a task"
    else:
        what = f"for {trace.strings[kind]}" if kind >= 0 else "for its turn"
    frame = trace.frame(location)
    return Wait(f"waiting {what} at {trace.place(location)}", frame.function.file, frame.line)


def function_of(trace: Trace, node: int) -> t.Function:
    """The function of a node."""
    row = int(trace.nodes.function[node])
    return trace.functions[row] if row >= 0 else t.Function("(other)", "", 0, user=False)


def path(trace: Trace, node: int) -> list[int]:
    """The nodes from the root down to this one."""
    found = []
    while node >= 0:
        found.append(node)
        node = int(trace.nodes.parent[node])
    return found[::-1]
