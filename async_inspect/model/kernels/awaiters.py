"""Chains of awaiting frames, as of a slot, walked from the leaf outwards.

Knows: a coroutine's awaiter is that of its last entry, its line that of its last LINK, and the resource it waits for
that of its last USE; of a frame of a chain that is defined as such (detail "awaits") all but the resource never change;
and which frame of a chain is the await point.  Knows nothing of times.

Frames have numbers: coroutines their own, and after them come the chains, whose frame is their innermost one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from ... import events as ev
from ...recording.reader import Recording
from .. import tables as t
from ..grouping import Any1d, Cycles, Ints, LastBefore, narrow

FROM_BEFORE: Final = ("task group", "as_completed")  # reasons of who said before it waited whom it waits for

type Columns = dict[str, Any1d]


@dataclass(frozen=True)
class Chains:
    """The chains that a recording defines, by id; 0 is none."""

    parent: Ints  # the chain of its awaiter
    node: Ints
    off: Ints
    first: int  # number of the frame of chain 0: there are so many coroutines

    @classmethod
    def of(cls, recording: Recording, coroutine_count: int) -> "Chains":
        """Those of a recording; all ids that a slot may have are there."""
        size = recording.highest_chain + 1
        columns = (recording.chain_parent, recording.chain_node, recording.chain_off)
        parent, node, off = (column[:size].astype(np.int64) for column in columns)
        return cls(parent, node, off, coroutine_count)

    @property
    def frames(self) -> int:
        """How many frames there are, coroutines among them."""
        return self.first + len(self.parent)

    @property
    def awaiter(self) -> Ints:
        """By chain, the frame of its awaiter; 0: none."""
        return np.where(self.parent > 0, self.first + self.parent, 0)

    def column(self, of_coroutines: Any1d | int, of_chains: Any1d | int) -> "OfFrames":
        """A column by frame, of one by coroutine and one by chain."""
        return OfFrames(self.first, of_coroutines, of_chains)

    def frame(self, chain: Any1d, coro: Ints) -> Ints:
        """The frames of these chains; where they are none, of the coroutines."""
        return np.where((chain > 0) & (chain < len(self.parent)), self.first + chain.astype(np.int64), coro)

    def used_by(self, uses: Columns) -> Ints:
        """Which frame each USE is about."""
        return self.frame(uses["off"], uses["coro"].astype(np.int64))


class OfFrames:
    """Values by frame; a number stands for a column of it."""

    def __init__(self, first: int, of_coroutines: Any1d | int, of_chains: Any1d | int) -> None:
        self._first, self._of_coroutines, self._of_chains = first, of_coroutines, of_chains

    def __getitem__(self, frame: Ints) -> Ints:
        chain = frame - self._first
        found = np.empty(len(frame), np.int64)
        for values, which, at in ((self._of_coroutines, chain < 0, frame), (self._of_chains, chain >= 0, chain)):
            found[which] = values if isinstance(values, int) else values[at[which]]
        return found


class Latest:
    """The value of a frame's last row at or before a slot; a default where it has none."""

    def __init__(self, row_of: LastBefore, values: Any1d, before: OfFrames) -> None:
        """``values``: by row."""
        self._row_of, self._values, self._before = row_of, narrow(values), before

    def __call__(self, who: Ints, when: Ints) -> Ints:
        before = self._before[who]
        if not len(self._values):
            return before
        row = self._row_of(who, when)
        return np.where(row >= 0, self._values[row], before)


class Uses:
    """The resource that frames wait for, numbered from 1 (0: none): a coroutine's is that of its last USE, that of a
    chain's frame what was said in the very suspension."""

    def __init__(self, chains: Chains, row_of: LastBefore, burst: Any1d, values: Any1d, before: Any1d | int) -> None:
        """``row_of``: the USE of a frame.  ``burst``, ``values``: by USE.  ``before``: the default, by coroutine."""
        self._resource = Latest(row_of, values, chains.column(before, 0))
        self._suspension, self._first = Latest(row_of, burst, chains.column(-1, -1)), chains.first

    def __call__(self, who: Ints, when: Ints) -> Ints:
        found = self._resource(who, when)
        return np.where((who < self._first) | (self._suspension(who, when) == when), found, 0)


class Ascent:
    """The walk of all suspensions from their leaves outwards at once, one frame a round."""

    def __init__(self, awaiter: Latest, coro: Ints, pos: Ints, coroutine_count: int) -> None:
        """``coro``, ``pos``: the leaf and the slot of each suspension."""
        self.rows, self.coro, self.pos = np.arange(len(coro)), coro, pos  # of those still walking
        self._awaiter, self._count, self._rounds = awaiter, coroutine_count, 0
        self.found = np.zeros(len(coro), np.bool_)  # of all: whether its await point was reached
        self._cycles = Cycles()  # of awaiters: only damage has them

    @property
    def going(self) -> bool:
        """Whether any is still walking; no chain is longer than the number of coroutines."""
        return len(self.rows) > 0 and self._rounds <= self._count

    def up(self) -> Ints:
        """Go one frame outwards; the indices of those that have one."""
        self._rounds += 1
        to = self._awaiter(self.coro, self.pos)
        on = np.flatnonzero((to > 0) & (to < self._count) & ~self._cycles.closed(self.coro, to))
        self.keep(on)
        self.coro = to[on]
        return on

    def keep(self, on: Ints) -> None:
        """Continue with these only."""
        self.rows, self.coro, self.pos = self.rows[on], self.coro[on], self.pos[on]
        if self._rounds:
            self._cycles.keep(on)

    def seeking(self) -> t.Bools:
        """By suspension still walking, whether its await point has not been reached."""
        return ~self.found[self.rows]

    def reach_point(self, user: t.Bools) -> t.Bools:
        """Which suspensions reach their await point at this frame: the innermost of the user's (``user``: by suspension
        still walking).  Where no frame is the user's, the leaf is the await point."""
        reached = user & self.seeking()
        self.found[self.rows[reached]] = True
        return reached


class WaitTargets:
    """The resource that each suspension waits for: that of the innermost frame, up to the await point, that has one; a
    frame that covers its inner ones overrides theirs."""

    def __init__(self, use: Uses, covering: Callable[[Ints], t.Bools], count: int) -> None:
        """``covering``: which of some frames do.  ``count``: of suspensions."""
        self._use, self._covering = use, covering
        self.resource = np.zeros(count, np.int64)  # 0: none, or not known

    def look_at(self, rows: Ints, coro: Ints, pos: Ints) -> None:
        """Look at the next frames, ``coro``, of these suspensions."""
        use = self._use(coro, pos)
        known = (use > 0) & ((self.resource[rows] == 0) | self._covering(coro))
        self.resource[rows[known]] = use[known]


def learn_codes(code: Any1d, started: t.Bools, spawns: Columns, entries: Columns, node_code: Any1d) -> None:
    """Update ``code``, the code id of each coroutine (0: not known), and ``started``, of which it is final.

    START has it, and SPAWN.  ENTER has only the leaf's node, which is another's when a suspended chain is entered
    whole."""
    coro, starts = entries["coro"], entries["kind"] == ev.START
    again = np.flatnonzero(~starts)
    again = again[~started[coro[again]]]
    code[spawns["coro"]] = spawns["aux"]
    code[coro[again]] = node_code[np.minimum(entries["node"][again], len(node_code) - 1)]
    code[coro[starts]] = entries["off"][starts]
    started[coro[starts]] = True
    roots = np.flatnonzero((entries["aux"] == 0) & (entries["task"] < len(code)))
    tasks = entries["task"][roots]
    unknown = code[tasks] == 0  # a task that is made of a step of an async generator, and was not seen being made
    code[tasks[unknown]] = code[coro[roots[unknown]]]


def waits_still(since: Ints, start: Ints, ran: t.Bools, from_before: t.Bools) -> t.Bools:
    """Of what was said of a suspended task, that it waits for another by way of what gathers tasks, what holds still.

    ``since``: when that was said, and ``ran``: whether the task ran then: else it was said of the suspension in which
    it was.  ``start``: of its suspension now.  ``from_before``: its reason is one of FROM_BEFORE.
    """
    return (since >= start) | (ran & from_before)
