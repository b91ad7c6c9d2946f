"""Chains of awaiting coroutines, as of a slot, walked from the leaf outwards.

Knows: a coroutine's awaiter is that of its last entry, its line that of its last LINK, and the resource it waits for
that of its last USE; and which frame of a chain is the await point.  Knows nothing of times.
"""

from typing import Final

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Any1d, Cycles, Ints, LastBefore

FROM_BEFORE: Final = ("task group", "as_completed")  # reasons of who said before it waited whom it waits for

type Columns = dict[str, Any1d]


class Latest:
    """The value of a coroutine's last row at or before a slot; a default where it has none."""

    def __init__(self, row_of: LastBefore, values: Any1d, before: Any1d | int) -> None:
        """``values``: by row.  ``before``: the default, by coroutine or for all."""
        self._row_of, self._values, self._before = row_of, values.astype(np.int64), before

    def __call__(self, who: Ints, when: Ints) -> Ints:
        before = np.full(len(who), self._before) if isinstance(self._before, int) else self._before[who]
        if not len(self._values):
            return before.astype(np.int64)
        row = self._row_of(who, when)
        return np.where(row >= 0, self._values[row], before)


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

    def __init__(self, use: Latest, covering: t.Bools, count: int) -> None:
        """``use``: numbers of resources from 1.  ``covering``: by coroutine.  ``count``: of suspensions."""
        self._use, self._covering = use, covering
        self.resource = np.zeros(count, np.int64)  # 0: none, or not known

    def look_at(self, rows: Ints, coro: Ints, pos: Ints) -> None:
        """Look at the next frames, ``coro``, of these suspensions."""
        use = self._use(coro, pos)
        known = (use > 0) & ((self.resource[rows] == 0) | self._covering[coro])
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
