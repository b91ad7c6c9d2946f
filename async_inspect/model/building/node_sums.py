"""What ran and waited at each node of the await tree, by task.

Knows what of it is not known at the detail "awaits": there records say which root ran, so what ran stands below the
root's node, at a node that is made here (``tables.NOT_DIVIDED``).
"""

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from .. import tables as t
from ..grouping import Any1d, Ints, Whole, first_rows, group, narrow, sums
from .scan import RecordColumns
from .tasks import TaskIds

_BLOCK: Final = 1 << 18  # rows that are added up at a time


class SelfTimes(NamedTuple):
    """How long each task ran itself at each node."""

    task: Whole
    node: Ints  # row of nodes
    ns: Ints


def self_times(records: RecordColumns, task_ids: TaskIds, end: int) -> SelfTimes:
    """These, with what runs until ``end``."""
    root, node, ns = records.self_times(end)
    task = task_ids.task_of[np.where(root < len(task_ids.task_of), root, 0)]
    return SelfTimes(task, node - 1, ns)


def sum_nodes(entries: t.Entries, awaits: t.Awaits, ran: SelfTimes) -> t.NodeSums:
    """The sums where each coroutine's calls were heard."""
    first, size = first_rows(entries.call, len(entries)), len(entries)
    parts = []
    for begin in range(0, size, _BLOCK):
        part = slice(begin, begin + _BLOCK)
        call = entries.call[part]
        calls = first[call] == np.arange(begin, begin + len(call))
        segments = entries.last_poll[part] - entries.first_poll[part] + np.int32(1)
        parts.append(_sum((entries.task[part], entries.node[part] + 1), calls=calls, segments=segments))
    parts.append(_sum((ran.task, ran.node + 1), self_ns=ran.ns))
    for begin in range(0, len(awaits), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        wait = awaits.end_ns[part] - awaits.start_ns[part]
        parts.append(_sum((awaits.task[part], awaits.leaf_node[part] + 1), wait_ns=wait))
    task, node = (np.concatenate([keys[i] for keys, _ in parts]) for i in (0, 1))
    distinct, which = group(task, node)
    columns = {}
    for name in ("calls", "segments", "self_ns", "wait_ns"):
        values = [of.get(name, np.zeros(len(keys[0]), np.int64)) for keys, of in parts]
        columns[name] = sums(which, np.concatenate(values), len(distinct[0]))
    return t.NodeSums(distinct[0].astype(np.int32), (distinct[1] - 1).astype(np.int32), **columns)


def _sum(keys: tuple[Any1d, Any1d], **values: Any1d) -> tuple[list[Whole], dict[str, Ints]]:
    """The distinct keys, and by name the sums of these values."""
    distinct, which = group(*keys)
    return [*map(narrow, distinct)], {name: sums(which, of, len(distinct[0])) for name, of in values.items()}


def _undivided(nodes: t.Nodes, ran: SelfTimes, function: int) -> tuple[t.Nodes, SelfTimes]:
    """The nodes with one of NOT_DIVIDED (``function``: its row) below each that ran, and what ran at these instead."""
    roots, which = np.unique(ran.node, return_inverse=True)
    more = t.Nodes(
        parent=np.append(nodes.parent, roots.astype(np.int32)),
        function=np.append(nodes.function, np.full(len(roots), function, np.int32)),
    )
    return more, ran._replace(node=len(nodes) + which)


def sum_roots(
    nodes: t.Nodes,
    entries: t.Entries,
    starts: t.Bools,
    awaits: t.Awaits,
    ran: SelfTimes,
    lines: t.LineSums,
    not_divided: int,
) -> tuple[t.Nodes, t.NodeSums]:
    """(nodes, the sums) where only roots were heard.  ``starts``: by entry, whether it began there: an async generator
    may have begun as no root.  ``lines``: of all chains.  ``not_divided``: that function's row."""
    nodes, ran = _undivided(nodes, ran, not_divided)
    known = sum_nodes(entries, awaits, ran)
    root = nodes.parent[ran.node]
    columns = ("calls", "segments", "self_ns", "wait_ns")
    distinct, which = group(
        np.concatenate([known.task, ran.task, lines.task]), np.concatenate([known.node, root, lines.node]) + 1
    )
    size, a = len(distinct[0]), len(known)
    found = t.NodeSums(
        distinct[0].astype(np.int32),
        (distinct[1] - 1).astype(np.int32),
        *(sums(which[:a], getattr(known, name), size) for name in columns),
    )
    made = np.zeros(len(nodes) + 1, np.bool_)  # the last: of -1
    made[ran.node] = True
    heard = np.append(nodes.parent < 0, False)[found.node]
    elsewhere = np.flatnonzero(~starts)
    elsewhere = elsewhere[first_rows(entries.call, len(entries))[entries.call[elsewhere]] == elsewhere]
    began = np.ones(len(found), np.bool_)
    if len(elsewhere):
        began = ~np.isin(
            found.task.astype(np.int64) * len(made) + found.node,
            entries.task[elsewhere].astype(np.int64) * len(made) + entries.node[elsewhere],
        )
    return nodes, replace(
        found,
        calls=np.where(heard & began, found.calls, -1),
        segments=np.where(heard, found.segments, -1),
        self_ns=np.where(made[found.node], found.self_ns, -1),
    )
