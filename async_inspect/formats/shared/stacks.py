"""Stacks with their times, for flame graphs: those that ran, and those that waited.

A waiting stack goes down to the leaf and ends in a frame with what is waited for and the await line, so that running
and waiting are distinguished in one picture.
"""

import re
from typing import Final, Literal, NamedTuple

import numpy as np

from ...model import tables as t
from ...model.data import cached_on_trace
from ...model.grouping import group, known, sums
from ...model.tables import Function
from ...model.trace import Trace

DEEPEST: Final = 500  # frames of a stack that are written, where that comes to no more than
MOST_FRAMES: Final = 1_000_000  # in all stacks together
NUMBERS = re.compile(r"[0-9]+")


class Wait(NamedTuple):
    """The last frame of a waiting stack: what is waited for."""

    text: str  # "waiting for lock at app.py:12", or for "asyncio.Future" where the reason isn't known
    file: str
    line: int


class Stack(NamedTuple):
    node: int  # row of nodes: the innermost frame
    wait: Wait | None  # None: it ran
    ns: int
    calls: int = 0  # of the function, where it ran, as far as they were heard
    group: int = 0  # the number of its tasks' group, as in ``groups``
    deeper: bool = False  # cut off: it goes on below the node, which is ``deepest`` frames deep


def stacks(
    trace: Trace, run: bool = True, wait: bool = True, groups: t.Ints | None = None, tasks: range | None = None
) -> list[Stack]:
    """All that ran and waited, merged over tasks; by group, then node, running first, the longest wait first.

    ``groups``: by task id, the number of the group with which it is merged (default: all are one).  ``tasks``: only
    these, by id (default: all).  Stacks that took no time are included if something was called in them.  Those deeper
    than ``deepest`` are cut off there and merged: so the output grows with neither the square of a recursion's depth
    nor the number of ways through it.
    """
    if groups is None:
        groups = np.zeros(len(trace.task_table) + 1, np.int64)
    found: list[Stack] = []
    cut = _cut(trace)
    if run:
        found += _runs(trace, groups, tasks, cut)
    if wait:
        found += _waits(trace, groups, tasks, cut)
    return sorted(found, key=lambda s: (s.group, s.node, s.deeper, s.wait is not None, -s.ns, s.wait or ()))


def _slice(column: t.Small, tasks: range | None) -> slice:
    return slice(*np.searchsorted(column, [tasks.start, tasks.stop]).tolist()) if tasks is not None else slice(None)


def _runs(trace: Trace, groups: t.Ints, tasks: range | None, cut: tuple[t.Ints, t.Bools]) -> list[Stack]:
    table = trace.node_sums
    there = np.arange(len(table))[_slice(table.task, tasks)]
    there = there[table.node[there] >= 0]
    at = table.node[there]
    (who, node, deep), which = group(groups[table.task[there]], cut[0][at], cut[1][at])
    ns, calls = (sums(which, known(column[there]), len(node)) for column in (table.self_ns, table.calls))
    rows = zip(*(column.tolist() for column in (node, ns, calls, who, deep)), strict=True)
    return [Stack(at, None, time, count, one, bool(deep)) for at, time, count, one, deep in rows if time or count]


def _waits(trace: Trace, groups: t.Ints, tasks: range | None, cut: tuple[t.Ints, t.Bools]) -> list[Stack]:
    awaits, rows = trace.awaits, _slice(trace.awaits.task, tasks)
    # Awaited tasks are named by their function: one frame for all of a gather's children.
    functions = trace.task_table.function
    target = np.concatenate([[-1], functions])[awaits.awaited_task[rows]] + 1
    ends, deeper = np.append(cut[0], -1), np.append(cut[1], False)  # the last: of -1
    columns = (
        groups[awaits.task[rows]],
        ends[awaits.leaf_node[rows]] + 1,
        deeper[awaits.leaf_node[rows]],
        awaits.location[rows],
        awaits.awaited[rows] + 1,
        target,
        trace.reasons[1][rows],
    )
    (who, node, deep, location, kind, function, why), which = group(*columns)
    ns = sums(which, awaits.end_ns[rows] - awaits.start_ns[rows], len(node))
    of_task = np.zeros(len(node), np.bool_)
    of_task[which] = awaits.awaited_task[rows] > 0
    merged: dict[tuple[int, int, bool, Wait], int] = {}
    columns_ = (who, node, deep, location, kind, function, of_task, why, ns)
    for one, at, below, place, a_kind, a_function, task, reason, time in zip(
        *(column.tolist() for column in columns_), strict=True
    ):
        if at > 0:
            key = one, at - 1, bool(below), label(trace, place, a_kind - 1, a_function - 1, task, reason)
            merged[key] = merged.get(key, 0) + time
    return [Stack(at, wait, time, 0, one, below) for (one, at, below, wait), time in merged.items() if time]


type Grouping = Literal["merged", "name", "each"]
GROUPINGS: Final = ("merged", "name", "each")


def grouped(trace: Trace, by: Grouping) -> tuple[t.Ints, list[str]]:
    """Groups of tasks for ``stacks``, and their names: all in one, by name with its numbers left out (``client 7`` and
    ``client 12`` are ``client *``), or each its own.  Groups are numbered in the order of their first tasks."""
    names = trace.task_table.name
    if by == "merged":
        return np.zeros(len(names) + 1, np.int64), [""]
    if by == "each":
        return np.arange(len(names) + 1), ["", *(f"task {number}: {name}" for number, name in enumerate(names, 1))]
    found: dict[str, int] = {"": 0}
    which = [0, *(found.setdefault(pattern(name), len(found)) for name in names)]
    return np.array(which, np.int64), list(found)


def pattern(name: str) -> str:
    """A task's name without its numbers: ``Task-12`` → ``Task-*``."""
    return NUMBERS.sub("*", name)


def label_key(trace: Trace, await_row: int) -> tuple[int, int, int, bool, int]:
    """The arguments of ``label`` for a suspension; many suspensions have the same."""
    awaits, task = trace.awaits, int(trace.awaits.awaited_task[await_row])
    function = int(trace.task_table.function[task - 1]) if task else -1
    why = int(trace.reasons[1][await_row])
    return int(awaits.location[await_row]), int(awaits.awaited[await_row]), function, task > 0, why


def label(trace: Trace, location: int, kind: int, function: int, of_task: bool, reason: int) -> Wait:
    """The last frame of a waiting stack.  All but ``of_task`` are row numbers, ``kind`` of strings, ``reason`` of
    reasons; ``kind`` and ``function`` may be -1."""
    why = trace.reasons[0][reason]
    if of_task:
        what = f"for task {trace.functions[function].name}" if function >= 0 else "for a task"
    else:
        what = f"for {why}" if kind >= 0 and why else f"for {trace.strings[kind]}" if kind >= 0 else "for its turn"
    frame = trace.frame(location)
    return Wait(f"waiting {what} at {trace.place(location)}", frame.function.file, frame.line)


def function_of(trace: Trace, node: int) -> Function:
    """The function of a node."""
    row = int(trace.nodes.function[node])
    return trace.functions[row] if row >= 0 else Function("(other)", "", 0, user=False)


def path(trace: Trace, node: int) -> list[int]:
    """The nodes from the root down to this one."""
    found = []
    while node >= 0:
        found.append(node)
        node = int(trace.nodes.parent[node])
    return found[::-1]


def _cut(trace: Trace) -> tuple[t.Ints, t.Bools]:
    """By node: the node at which its stacks end (itself, or the one ``deepest`` frames down), and whether they are cut
    off."""
    deeper = depths(trace) > deepest(trace)
    at: list[int] = []
    for node, (parent, cut) in enumerate(zip(trace.nodes.parent.tolist(), deeper.tolist(), strict=True)):
        at.append(at[parent] if cut else node)  # parents come before children
    return np.array(at, np.int64), deeper


@cached_on_trace
def depths(trace: Trace) -> t.Ints:
    """By node, how many frames there are from the root down to it."""
    found: list[int] = []
    for parent in trace.nodes.parent.tolist():  # parents come before children
        found.append(1 if parent < 0 else found[parent] + 1)
    return np.array(found, np.int64)


@cached_on_trace
def deepest(trace: Trace) -> int:
    """How many frames of a stack are written: as many as let one stack a node come to MOST_FRAMES together."""
    at_depth = np.bincount(depths(trace), minlength=1)
    frames = np.cumsum(at_depth * np.arange(len(at_depth)))
    return min(DEEPEST, max(1, int(np.searchsorted(frames, MOST_FRAMES, side="right")) - 1))


def deeper(trace: Trace) -> Function:
    """What stands for the frames that are cut off."""
    return Function(f"(deeper than {deepest(trace)} frames)", "", 0, user=False)


def functions(trace: Trace, stack: Stack) -> list[Function]:
    """The functions of a stack, the root's first; ``deeper`` stands for what is cut off."""
    found = [function_of(trace, node) for node in path(trace, stack.node)]
    return [*found, deeper(trace)] if stack.deeper else found
