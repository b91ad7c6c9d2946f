"""Await points and chains: from each suspension's leaf outwards, all suspensions at once, one frame a round.

Knows how chains, and sums over them, are built.  The walk itself is in ``kernels/awaiters.py``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ... import events as ev
from .. import tables as t
from ..grouping import MOST, Ints, LastBefore, Whole, group, narrow, sums
from ..kernels.awaiters import Ascent, Chains, Latest, Uses, WaitTargets
from .scan import Columns

type Part = tuple[list[Whole], Whole, Ints]  # (task, node, location), count, wait


@dataclass
class Chained:
    """By suspension: its await point, its leaf, and its chain; and the sums over all chains."""

    until: Ints  # up to which slot, without it, a later suspension of the same leaf has the same chain, if asked for
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

    def of(self, rows: Whole) -> "Leaves":
        """Some of them."""
        return Leaves(self.frame[rows], self.node[rows], self.code[rows], self.off[rows])


class _Rows:
    """The rows of ``tables.Chains``."""

    def __init__(self) -> None:
        self._inner: list[Ints] = []
        self._where: list[Ints] = []
        self._size = 0

    def extend(self, inwards: Ints, places: Ints) -> Ints:
        """The rows of frames at ``places`` outside of the frames of ``inwards``."""
        (inside, place), which = group(inwards + 1, places)
        self._inner.append(inside - 1)
        self._where.append(place)
        self._size += len(place)
        return which.astype(np.int64) + (self._size - len(place))

    def table(self) -> t.Chains:
        return t.Chains(_join(self._inner).astype(np.int32), _join(self._where).astype(np.int32))


class Sums(NamedTuple):
    """What suspensions that stand at one place add up to."""

    task: Whole
    number: Ints
    wait: Ints

    def of(self, rows: Ints) -> "Sums":
        """Some of them."""
        return Sums(self.task[rows], self.number[rows], self.wait[rows])


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


def climb(graph: Graph, pos: Whole, leaves: Leaves, location: Ints, sums_of: Sums, until_when: bool) -> Chained:
    """The await points and chains of suspensions (slot, leaf, its location)."""
    frame, node = leaves.frame, leaves.node
    entries, links, uses, chains = graph.entries, graph.links, graph.uses, graph.chains
    size = chains.frames
    entry_of = LastBefore(entries["coro"], entries["pos"], size)
    until = np.full(len(pos), MOST)
    awaiter, standing = (np.where(ids < chains.first, ids, 0) for ids in (entries["aux"], links["coro"]))
    entered = Latest(entry_of, entries["node"], chains.column(0, chains.node))
    link_of = LastBefore(standing, links["burst"], size)
    line_of = Latest(link_of, graph.link_location, chains.column(-1, graph.of_chains))
    use_of = LastBefore(chains.used_by(uses), uses["burst"], size)
    used = Uses(chains, use_of, uses["burst"], graph.used + 1, 0)
    targets = WaitTargets(used, graph.covering, len(pos))

    n, point_node, point_location = len(pos), node.copy(), location.copy()
    rows_of = _Rows()

    def hold(rows: Ints, coro: Ints, when: Ints) -> None:
        """The chains hold until something else is said of one of these frames."""
        for of in (entry_of, link_of, use_of) if until_when else ():
            until[rows] = np.minimum(until[rows], of.until(coro, when))

    ascent = Ascent(Latest(entry_of, awaiter, chains.column(0, chains.awaiter)), frame, pos, size)
    targets.look_at(ascent.rows, frame, pos)
    hold(ascent.rows, frame, pos)
    chain = rows_of.extend(np.full(n, -1, np.int64), location)
    ascent.reach_point(graph.user[location] if n else np.zeros(0, np.bool_))
    stack = chain.copy()  # the chain as far as it was climbed
    parts: list[Part] = []
    sums_, node_, location_ = sums_of, node, location  # of those still climbing
    in_tree = np.ones(n, np.bool_)
    while ascent.going:
        inside = np.flatnonzero(in_tree)
        parts.append(_sum(sums_.of(inside), node_[inside], location_[inside]))
        # One frame up: those that have an awaiter.
        on = ascent.up()
        over = in_tree.copy()
        over[on] = False
        parts += _above(graph, sums_.of(np.flatnonzero(over)), node_[over])
        in_tree = in_tree[on] & (graph.node_parent[node_[on]] > 0)  # not above the bucket for what came after the cap
        rows, coro_, pos_, below = ascent.rows, ascent.coro, ascent.pos, node_[on]
        sums_, node_ = sums_.of(on), graph.node_parent[below]
        hold(rows, coro_, pos_)
        capped = np.flatnonzero(below == ev.OTHER_NODE)
        node_[capped] = entered(coro_[capped], pos_[capped])
        location_ = line_of(coro_, pos_)
        location_ = np.where(location_ >= 0, location_, graph.unknown[node_])
        stack[rows] = rows_of.extend(stack[rows], location_)
        seeking = np.flatnonzero(ascent.seeking())
        targets.look_at(rows[seeking], coro_[seeking], pos_[seeking])
        at = np.flatnonzero(ascent.reach_point(graph.user[location_]))
        reached = rows[at]
        point_node[reached], point_location[reached], chain[reached] = node_[at], location_[at], stack[reached]

    found = ascent.found
    return Chained(
        until=until,
        node=(point_node - 1).astype(np.int32),
        location=point_location.astype(np.int32),
        leaf_node=(node - 1).astype(np.int32),
        leaf_location=location.astype(np.int32),
        resource=(targets.resource - 1).astype(np.int32),
        chain=np.where(found, chain, stack).astype(np.int32),  # where nothing is the user's: all frames
        stack=stack.astype(np.int32),
        chains=rows_of.table(),
        lines=_line_sums(parts),
    )


def _sum(of: Sums, node: Ints, location: Ints) -> Part:
    distinct, which = group(of.task, node, location)
    size = len(distinct[0])
    return [*map(narrow, distinct)], narrow(sums(which, of.number, size)), sums(which, of.wait, size)


def _above(graph: Graph, of: Sums, node: Ints) -> list[Part]:
    """Nodes above a chain's end, at no known line: its root was entered where once it had an awaiter."""
    parts: list[Part] = []
    while True:
        on = np.flatnonzero(graph.node_parent[node])
        if not len(on):
            return parts
        of, node = of.of(on), graph.node_parent[node[on]]
        parts.append(_sum(of, node, graph.unknown[node]))


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


def _join(parts: Sequence[Whole]) -> Whole:
    return np.concatenate([np.empty(0, np.int32), *parts])
