"""What ran and waited at each node of the await tree, by task.

Knows what of it is not known at the detail "awaits": there records say which root ran, so what ran stands below the
root's node, at a node that is made here (``tables.NOT_DIVIDED``).
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .. import tables as t
from ..grouping import Ints, group, sums
from .scan import RecordColumns
from .tasks import TaskIds


class SelfTimes(NamedTuple):
    """How long each task ran itself at each node."""

    task: Ints
    node: Ints  # row of nodes
    ns: Ints


def self_times(records: RecordColumns, task_ids: TaskIds, end: int) -> SelfTimes:
    """These, with what runs until ``end``."""
    root, node, ns = records.self_times(end)
    task = task_ids.task_of[np.where(root < len(task_ids.task_of), root, 0)]
    return SelfTimes(task, node - 1, ns)


def sum_nodes(entries: t.Entries, awaits: t.Awaits, ran: SelfTimes) -> t.NodeSums:
    """The sums where each coroutine's calls were heard."""
    first = np.zeros(len(entries), np.bool_)
    first[np.unique(entries.call, return_index=True)[1]] = True
    distinct, which = group(
        np.concatenate([entries.task, ran.task, awaits.task]),
        np.concatenate([entries.node, ran.node, awaits.leaf_node]) + 1,
    )
    size, (a, b) = len(distinct[0]), (len(entries), len(entries) + len(ran.task))
    return t.NodeSums(
        task=distinct[0].astype(np.int32),
        node=(distinct[1] - 1).astype(np.int32),
        calls=sums(which[:a], first, size),
        segments=sums(which[:a], entries.last_poll - entries.first_poll + 1, size),
        self_ns=sums(which[a:b], ran.ns, size),
        wait_ns=sums(which[b:], awaits.end_ns - awaits.start_ns, size),
    )


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
    elsewhere = np.unique(entries.call, return_index=True)[1]
    elsewhere = elsewhere[~starts[elsewhere]]
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
