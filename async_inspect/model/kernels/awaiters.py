"""Who awaits whom, where each stands and what it waits for: as of a slot, and from a leaf outwards.

Knows: that a coroutine's awaiter is that of its last entry, that it stands where its last LINK says, and that it waits
for what its last USE says; which frame is the await point.  Knows nothing of times.
"""

from typing import Final

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Any1d, Cycles, Ints, LastBefore

FROM_BEFORE: Final = ("task group", "as_completed")  # reasons of who said before it waited whom it waits for

type Columns = dict[str, Any1d]


class Latest:
    """What someone's last row at or before a slot says, or what held before all of them."""

    def __init__(self, row_of: LastBefore, values: Any1d, before: Any1d | int) -> None:
        """``values``: by row.  ``before``: by who, or the same for all."""
        self._row_of, self._values, self._before = row_of, values.astype(np.int64), before

    def __call__(self, who: Ints, when: Ints) -> Ints:
        before = np.full(len(who), self._before) if isinstance(self._before, int) else self._before[who]
        if not len(self._values):
            return before.astype(np.int64)
        row = self._row_of(who, when)
        return np.where(row >= 0, self._values[row], before)


class Ascent:
    """Suspensions on their way from the leaf outwards, all of them at once, a frame a round."""

    def __init__(self, awaiter: Latest, coro: Ints, pos: Ints, coroutine_count: int) -> None:
        """``coro``, ``pos``: of each suspension the leaf and the slot."""
        self.rows, self.coro, self.pos = np.arange(len(coro)), coro, pos  # of those that are on their way still
        self._awaiter, self._count, self._rounds = awaiter, coroutine_count, 0
        self.found = np.zeros(len(coro), np.bool_)  # of all: it met its await point
        self._cycles = Cycles()  # of awaiters: only damage has them

    @property
    def going(self) -> bool:
        """Whether anybody is; no chain is longer than there are coroutines."""
        return len(self.rows) > 0 and self._rounds <= self._count

    def up(self) -> Ints:
        """A frame outwards: which of those that were on their way have one."""
        self._rounds += 1
        to = self._awaiter(self.coro, self.pos)
        on = np.flatnonzero((to > 0) & (to < self._count) & ~self._cycles.closed(self.coro, to))
        self.keep(on)
        self.coro = to[on]
        return on

    def keep(self, on: Ints) -> None:
        """Only these go on."""
        self.rows, self.coro, self.pos = self.rows[on], self.coro[on], self.pos[on]
        if self._rounds:
            self._cycles.keep(on)

    def seeking(self) -> t.Bools:
        """Who has not met its await point."""
        return ~self.found[self.rows]

    def meet(self, user: t.Bools) -> t.Bools:
        """Who stands at its await point: at a frame of the user's (``user``: of those that stand), the innermost.
        Where there is none, the leaf is that."""
        met = user & self.seeking()
        self.found[self.rows[met]] = True
        return met


class Wanted:
    """The resource of each suspension, as its frames are met from the leaf up to the await point: that of the innermost
    frame that has one, but for those that say better what their inner ones wait for."""

    def __init__(self, use: Latest, covering: t.Bools, count: int) -> None:
        """``use``: numbers of resources from 1.  ``covering``: by coroutine.  ``count``: of suspensions."""
        self._use, self._covering = use, covering
        self.resource = np.zeros(count, np.int64)  # 0: none, or not known

    def ask(self, rows: Ints, coro: Ints, pos: Ints) -> None:
        """What the next frames of these suspensions, ``coro``, wait for."""
        use = self._use(coro, pos)
        told = (use > 0) & ((self.resource[rows] == 0) | self._covering[coro])
        self.resource[rows[told]] = use[told]


def learn_codes(code: Any1d, started: t.Bools, spawns: Columns, entries: Columns, node_code: Any1d) -> None:
    """What these records say of the code of each coroutine, into ``code`` (0: not known).  ``started``: of which it is
    known for good.

    START says it, and SPAWN.  ENTER says the leaf's node, which is not its own when a suspended chain is entered whole.
    """
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
