"""Where awaits stand: from each suspension's leaf up its chain, all suspensions at once, one frame a round.

Knows: that a coroutine's awaiter is that of its last entry, that it stands where its last LINK says, and that it waits
for what its last USE says.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ... import events as ev
from .. import tables as t
from ..grouping import Circles, Ints, LastBefore, counts, group, sums
from .scan import Columns

type Part = tuple[list[Ints], Ints, Ints]  # (task, node, location), count, wait


@dataclass
class Chained:
    """By suspension: its await point, its leaf, and its chain; and the sums over all chains."""

    node: npt.NDArray[np.int32]
    location: npt.NDArray[np.int32]
    leaf_node: npt.NDArray[np.int32]
    leaf_location: npt.NDArray[np.int32]
    resource: npt.NDArray[np.int32]
    chain: npt.NDArray[np.int32]  # from the await point down to the leaf
    stack: npt.NDArray[np.int32]  # from the root down to the leaf
    chains: t.Chains
    lines: t.LineSums


@dataclass
class Graph:
    """What chains are made of.  Ids are the recording's."""

    entries: Columns
    links: Columns
    link_location: Ints  # by link: where it says its coroutine stands
    node_parent: Ints  # by node id
    user: npt.NDArray[np.bool_]  # by location: whether its file is the user's
    unknown: Ints  # by node id: the location that says only which function it is
    uses: Columns  # of coroutines that wait for a resource, from which suspension on
    used: Ints  # by use: row of Resources
    covering: npt.NDArray[np.bool_]  # by coroutine: what it waits for says more than what is inside of it
    coroutine_count: int


def climb(graph: Graph, pos: Ints, coro: Ints, node: Ints, location: Ints, task: Ints, wait: Ints) -> Chained:
    """For suspensions (slot, leaf coroutine, its node and location, task, how long it took): where they stand."""
    entry_of = LastBefore(graph.entries["coro"], graph.entries["pos"], graph.coroutine_count)
    link_of = LastBefore(graph.links["coro"], graph.links["burst"], graph.coroutine_count)
    aux, entry_node = graph.entries["aux"].astype(np.int64), graph.entries["node"].astype(np.int64)

    n, rows = len(pos), np.arange(len(pos))  # who is still climbing
    point_node, point_location = node.copy(), location.copy()
    inner: list[Ints] = []
    where: list[Ints] = []
    links = 0

    def extend(inwards: Ints, places: Ints) -> Ints:
        """The chain rows of frames at ``places`` outside of the frames of ``inwards``."""
        nonlocal links
        (inside, place), which = group(inwards + 1, places)
        inner.append(inside - 1)
        where.append(place)
        links += len(place)
        return which + (links - len(place))

    wanted = _Wanted(graph, rows, coro, pos)
    chain = extend(np.full(n, -1, np.int64), location)
    found = graph.user[location] if n else np.zeros(0, np.bool_)
    stack = chain.copy()  # the chain as far as it was climbed
    parts: list[Part] = []
    task_, wait_, pos_, coro_, node_, location_ = task, wait, pos, coro, node, location
    in_tree, circles = np.ones(n, np.bool_), Circles()  # of awaiters: only damage has them
    for _ in range(graph.coroutine_count + 1):  # no chain is longer
        if not len(rows):
            break
        inside = np.flatnonzero(in_tree)
        parts.append(_sum(task_[inside], node_[inside], location_[inside], wait_[inside]))
        # One frame up: those that have an awaiter.
        entry = entry_of(coro_, pos_)
        up = np.where(entry >= 0, aux[np.maximum(entry, 0)], 0) if len(aux) else np.zeros(len(rows), np.int64)
        more = (up > 0) & (up < graph.coroutine_count) & ~circles.closed(coro_, up)
        over = np.flatnonzero(~more & in_tree)
        parts += _above(graph, task_[over], node_[over], wait_[over])
        on = circles.keep(np.flatnonzero(more))
        in_tree = in_tree[on] & (graph.node_parent[node_[on]] > 0)  # not above the bucket for what came after the cap
        rows, task_, wait_, pos_, coro_, below = rows[on], task_[on], wait_[on], pos_[on], up[on], node_[on]
        own = entry_of(coro_, pos_)
        node_ = np.where(below == ev.OTHER_NODE, entry_node[np.maximum(own, 0)], graph.node_parent[below])
        link = link_of(coro_, pos_)
        location_ = graph.unknown[node_]
        if len(graph.link_location):
            location_ = np.where(link >= 0, graph.link_location[np.maximum(link, 0)], location_)
        stack[rows] = extend(stack[rows], location_)
        # The await point is the first of the user's that is met.
        open_ = np.flatnonzero(~found[rows])
        if len(open_):
            seekers = rows[open_]
            wanted.by(seekers, coro_[open_], pos_[open_])
            hit = graph.user[location_[open_]]
            at, met = open_[hit], seekers[hit]
            point_node[met], point_location[met], chain[met] = node_[at], location_[at], stack[met]
            found[met] = True

    return Chained(
        node=(point_node - 1).astype(np.int32),
        location=point_location.astype(np.int32),
        leaf_node=(node - 1).astype(np.int32),
        leaf_location=location.astype(np.int32),
        resource=wanted.resource.astype(np.int32),
        chain=np.where(found, chain, stack).astype(np.int32),  # where nothing is the user's: all frames
        stack=stack.astype(np.int32),
        chains=t.Chains(_join(inner).astype(np.int32), _join(where).astype(np.int32)),
        lines=_line_sums(parts),
    )


class _Wanted:
    """The resource of each suspension, as its frames are met from the leaf upwards: that of the innermost frame that
    has one, but for those that say better what their inner ones wait for."""

    def __init__(self, graph: Graph, rows: Ints, leaf: Ints, pos: Ints) -> None:
        self._graph = graph
        self._use_of = LastBefore(graph.uses["coro"], graph.uses["burst"], graph.coroutine_count)
        self.resource = np.full(len(rows), -1, np.int64)
        self.by(rows, leaf, pos)

    def by(self, rows: Ints, coro: Ints, pos: Ints) -> None:
        """What the next frames of these suspensions, ``coro``, wait for."""
        if len(self._graph.used):
            use = self._use_of(coro, pos)
            told = (use >= 0) & ((self.resource[rows] < 0) | self._graph.covering[coro])
            self.resource[rows[told]] = self._graph.used[use[told]]


def _sum(task: Ints, node: Ints, location: Ints, wait: Ints) -> Part:
    distinct, which = group(task, node, location)
    size = len(distinct[0])
    return distinct, counts(which, size), sums(which, wait, size)


def _above(graph: Graph, task: Ints, node: Ints, wait: Ints) -> list[Part]:
    """Nodes above a chain's end, at no known line: its root was entered where once it had an awaiter."""
    parts: list[Part] = []
    while True:
        on = np.flatnonzero(graph.node_parent[node])
        if not len(on):
            return parts
        task, node, wait = task[on], graph.node_parent[node[on]], wait[on]
        parts.append(_sum(task, node, graph.unknown[node], wait))


def _line_sums(parts: list[Part]) -> t.LineSums:
    task, node, location = (_join([part[0][i] for part in parts]) for i in range(3))
    distinct, which = group(task, node, location)
    size = len(distinct[0])
    return t.LineSums(
        task=distinct[0].astype(np.int32),
        node=(distinct[1] - 1).astype(np.int32),
        location=distinct[2].astype(np.int32),
        count=sums(which, _join([part[1] for part in parts]), size),
        wait_ns=sums(which, _join([part[2] for part in parts]), size),
    )


def _join(parts: list[Ints]) -> Ints:
    return np.concatenate([np.empty(0, np.int64), *parts])
