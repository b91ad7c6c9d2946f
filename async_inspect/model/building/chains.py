"""Await points and chains: from each suspension's leaf outwards, all suspensions at once, one frame a round.

Knows how chains, and sums over them, are built.  The walk itself is in ``kernels/awaiters.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ... import events as ev
from .. import tables as t
from ..grouping import Ints, LastBefore, Whole, counts, group, sums
from ..kernels.awaiters import Ascent, Chains, Latest, Uses, WaitTargets
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


class Leaves(NamedTuple):
    """The innermost frames of suspensions."""

    frame: Ints
    node: Ints
    code: Ints
    off: Ints


def find_leaves(suspends: Columns, chains: Chains, code_of: Whole, node_code: Ints) -> Leaves:
    """The leaves of these suspensions.  ``code_of``: by coroutine.  ``node_code``: by node."""
    coro, off = suspends["coro"].astype(np.int64), suspends["off"].astype(np.int64)
    in_chain = suspends["flags"] & ev.IN_CHAIN > 0
    frame = chains.frame(np.where(in_chain, off, 0), np.where(coro < chains.first, coro, 0))
    chain = np.maximum(frame - chains.first, 0)  # 0: none
    below = np.minimum(suspends["below"].astype(np.int64), len(node_code) - 1)
    node = np.where(chain > 0, chains.node[chain], below)
    code = chains.column(code_of, node_code[chains.node])[frame]
    return Leaves(frame, node, np.where(code > 0, code, node_code[node]), np.where(in_chain, chains.off[chain], off))


@dataclass
class Graph:
    """The inputs of ``climb``.  Ids are the recording's, frames those of ``kernels/awaiters.py``."""

    chains: Chains
    of_chains: Ints  # by chain: the location where its frame stands
    entries: Columns
    links: Columns
    link_location: Ints  # by link: where it says its coroutine stands
    node_parent: Ints  # by node id
    user: npt.NDArray[np.bool_]  # by location: whether its file is the user's
    unknown: Ints  # by node id: the location that says only which function it is
    uses: Columns  # of coroutines that wait for a resource, from which suspension on
    used: Ints  # by use: row of Resources
    covering: Callable[[Ints], t.Bools]  # which of some frames do: their resource overrides those of inner frames


def climb(graph: Graph, pos: Ints, frame: Ints, node: Ints, location: Ints, task: Ints, wait: Ints) -> Chained:
    """The await points and chains of suspensions (slot, leaf frame, its node and location, task, ns waited)."""
    entries, links, uses, chains = graph.entries, graph.links, graph.uses, graph.chains
    size = chains.frames
    entry_of = LastBefore(entries["coro"], entries["pos"], size)
    awaiter, standing = (np.where(ids < chains.first, ids, 0) for ids in (entries["aux"], links["coro"]))
    entered = Latest(entry_of, entries["node"], chains.column(0, chains.node))
    line_of = Latest(
        LastBefore(standing, links["burst"], size), graph.link_location, chains.column(-1, graph.of_chains)
    )
    use_of = LastBefore(chains.used_by(uses), uses["burst"], size)
    used = Uses(chains, use_of, uses["burst"], graph.used + 1, 0)
    targets = WaitTargets(used, graph.covering, len(pos))

    n, point_node, point_location = len(pos), node.copy(), location.copy()
    inner: list[Ints] = []
    where: list[Ints] = []
    frames = 0

    def extend(inwards: Ints, places: Ints) -> Ints:
        """The chain rows of frames at ``places`` outside of the frames of ``inwards``."""
        nonlocal frames
        (inside, place), which = group(inwards + 1, places)
        inner.append(inside - 1)
        where.append(place)
        frames += len(place)
        return which + (frames - len(place))

    ascent = Ascent(Latest(entry_of, awaiter, chains.column(0, chains.awaiter)), frame, pos, size)
    targets.look_at(ascent.rows, frame, pos)
    chain = extend(np.full(n, -1, np.int64), location)
    ascent.reach_point(graph.user[location] if n else np.zeros(0, np.bool_))
    stack = chain.copy()  # the chain as far as it was climbed
    parts: list[Part] = []
    task_, wait_, node_, location_ = task, wait, node, location  # of those still climbing
    in_tree = np.ones(n, np.bool_)
    while ascent.going:
        inside = np.flatnonzero(in_tree)
        parts.append(_sum(task_[inside], node_[inside], location_[inside], wait_[inside]))
        # One frame up: those that have an awaiter.
        on = ascent.up()
        over = in_tree.copy()
        over[on] = False
        parts += _above(graph, task_[over], node_[over], wait_[over])
        in_tree = in_tree[on] & (graph.node_parent[node_[on]] > 0)  # not above the bucket for what came after the cap
        rows, coro_, pos_, below = ascent.rows, ascent.coro, ascent.pos, node_[on]
        task_, wait_, node_ = task_[on], wait_[on], graph.node_parent[below]
        capped = np.flatnonzero(below == ev.OTHER_NODE)
        node_[capped] = entered(coro_[capped], pos_[capped])
        location_ = line_of(coro_, pos_)
        location_ = np.where(location_ >= 0, location_, graph.unknown[node_])
        stack[rows] = extend(stack[rows], location_)
        seeking = np.flatnonzero(ascent.seeking())
        targets.look_at(rows[seeking], coro_[seeking], pos_[seeking])
        at = np.flatnonzero(ascent.reach_point(graph.user[location_]))
        reached = rows[at]
        point_node[reached], point_location[reached], chain[reached] = node_[at], location_[at], stack[reached]

    found = ascent.found
    return Chained(
        node=(point_node - 1).astype(np.int32),
        location=point_location.astype(np.int32),
        leaf_node=(node - 1).astype(np.int32),
        leaf_location=location.astype(np.int32),
        resource=(targets.resource - 1).astype(np.int32),
        chain=np.where(found, chain, stack).astype(np.int32),  # where nothing is the user's: all frames
        stack=stack.astype(np.int32),
        chains=t.Chains(_join(inner).astype(np.int32), _join(where).astype(np.int32)),
        lines=_line_sums(parts),
    )


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
