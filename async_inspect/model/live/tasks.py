"""The tasks that are alive, and the last of those that ended: a row each.

Knows which coroutines are tasks, their parents, their numbers in a Trace, and which are kept.  The columns about polls
and waits are updated by ``state.py``.
"""

import numpy as np

from ... import events as ev
from ...recording.reader import Recording
from ..building.scan import Columns
from ..fields import LIVE
from ..grouping import Ints
from ..kernels.tasks import are_tasks
from .await_points import Functions
from .coroutines import Coroutines
from .growing import GrowingTable
from .suspensions import BEFORE, NO_TASK, ODD, OF_TASK, OWNED, RAN, SPAWNED, WAITING, Suspensions


class Tasks(GrowingTable):
    """Row 0 is no task.  ``id``, ``parent``, ``leaf`` and an awaited task (``aux``) are the recording's ids, ``coro``
    is a row of coroutines; ``before``: how many tasks of lower numbers are no more here."""

    def __init__(self, coroutines: Coroutines) -> None:
        super().__init__(
            id=np.int64, coro=np.int32, pos=np.int64, created=np.int64, parent=np.int64, about=np.int64,
            flags=np.int32, opened=np.int64, came=np.int32, thread=np.int32,
            slept=np.int64, slot=np.int64, leaf=np.int64, chain=np.int64, code=np.int32, off=np.int64, aux=np.int64,
            point=np.int32, resource=np.int64, since=np.int64, due=np.int64, exit=np.uint8, exit_flags=np.uint8,
            error=np.int64, ended=np.int64, number=np.int64, before=np.int64,
            **{live.name: np.int64 for _, live in LIVE if live.summed},
        )  # fmt: skip
        self.reach(1)
        self.forgotten = 0  # that ended, and are no more here
        self.highest = 0  # number
        self._forgotten = 0  # of those forgotten, the ones that a Trace has
        self._renumber = False
        self._coroutines = coroutines

    def row_of(self, coro: Ints) -> Ints:
        """The task's row of these coroutines, which are rows themselves; 0: none."""
        return self._coroutines.columns["task"][coro].astype(np.int64)

    def add_new(self, found: dict[str, Columns], new: Ints, functions: Functions, begin_ts: int) -> None:
        """Add rows for tasks that are new in a chunk: spawned, or running without having been spawned."""
        row, ids = self._coroutines.columns["task"], self._coroutines.columns["id"]
        opens, spawns, entries = found["opens"], found["spawns"], found["entries"]
        coro = np.concatenate([spawns["coro"], opens["task"]])
        pos = np.concatenate([spawns["pos"], opens["pos"]])
        ts = np.concatenate([spawns["ts"], opens["ts"]])
        parent = np.concatenate([spawns["task"], opens["before"]])
        # It ran before it was made a task.
        again = (row[spawns["coro"]] > 0) & (self["flags"][row[spawns["coro"]]] & SPAWNED == 0)
        first = np.unique(coro, return_index=True)[1]
        first = first[(row[coro[first]] == 0) & (coro[first] > 0)]
        first = first[np.argsort(pos[first], kind="stable")]
        begin, size = self.size, len(first)
        self.reach(begin + size)
        fresh = slice(begin, begin + size)
        row[coro[first]] = np.arange(begin, begin + size)
        self["id"][fresh], self["coro"][fresh] = ids[coro[first]], coro[first]
        self["pos"][fresh], self["created"][fresh] = pos[first], ts[first]
        self["parent"][fresh] = self["id"][self.row_of(parent[first])]
        self["number"][fresh] = self.highest + 1 + np.arange(size)
        self["before"][fresh] = self._forgotten
        self.highest += size
        spawned = self.row_of(spawns["coro"])
        self["flags"][spawned] |= SPAWNED | OWNED | np.where(spawns["flags"] & ev.BEFORE > 0, BEFORE, 0)
        if again.any():
            late = spawned[again]
            self["pos"][late], self["created"][late] = spawns["pos"][again], spawns["ts"][again]
            self["parent"][late] = self["id"][self.row_of(spawns["task"][again])]
            self["before"][late] = self._forgotten
            self._renumber = True
        owned = (entries["flags"] & ev.IS_TASK > 0) & (entries["aux"] == 0)
        self["flags"][self.row_of(entries["task"][owned])] |= OWNED
        older = new[(entries["flags"][new] & ev.BEFORE > 0) & (entries["kind"][new] == ev.START)]
        older = self.row_of(np.where(entries["aux"][older] == 0, entries["task"][older], entries["coro"][older]))
        older = older[self["flags"][older] & SPAWNED == 0]
        self["created"][older], self["parent"][older] = begin_ts, 0
        self["flags"][older] |= BEFORE
        entered = self.row_of(entries["coro"][new])
        self["flags"][entered] |= ODD  # until it runs: it may be another's coroutine
        self["flags"][self.row_of(opens["task"])] &= ~ODD
        self._renumber |= bool((self["flags"][entered] & (ODD | RAN) == ODD).any())
        self["flags"][0] = 0
        self._wrapped(entries, new, functions)

    def _wrapped(self, entries: Columns, new: Ints, functions: Functions) -> None:
        """Tasks whose root is a library's wrapper are about the coroutine that this awaits first."""
        if functions.wraps.any():
            code = self._coroutines.columns["code"]
            new = new[functions.wraps[functions.known(code[entries["aux"][new]])]][::-1]  # the first stays
            row = self.row_of(entries["aux"][new])
            unknown = (row > 0) & (self["about"][row] == 0)
            self["about"][row[unknown]] = code[entries["coro"][new[unknown]]]

    def look_into_wrappers(self, suspended: Suspensions, functions: Functions) -> None:
        """The same of those whose calls aren't heard, by the chains in which they are suspended."""
        chains, code = self._coroutines.chains, self._coroutines.columns["code"]
        if functions.wraps.any() and len(chains.parent) > 1:
            rows = np.flatnonzero((suspended.chain > 0) & (self["about"][suspended.row] == 0))[::-1]  # the first stays
            rows = rows[functions.wraps[functions.known(code[self["coro"][suspended.row[rows]]])]]
            at, up = suspended.chain[rows], chains.parent[suspended.chain[rows]]
            while (further := chains.parent[up] > 0).any():
                at, up = np.where(further, up, at), np.where(further, chains.parent[up], up)
            inside = up > 0
            of_node = self._coroutines.recording.node_code
            self["about"][suspended.row[rows[inside]]] = of_node[chains.node[at[inside]]]

    def mark_no_task(self, rows: Ints) -> None:
        """Mark rows that turned out to be no tasks."""
        self["flags"][rows] |= NO_TASK
        self._renumber |= len(rows) > 0

    def numbers(self) -> Ints:
        """The ids of tasks by row, as a Trace has them; 0: it is none."""
        if self._renumber:
            flags = self["flags"][: self.size]
            rows = np.flatnonzero(are_tasks(flags & RAN > 0, flags & ODD > 0, flags & NO_TASK > 0))[1:]
            rows = rows[np.argsort(self["pos"][rows], kind="stable")]
            self["number"][: self.size] = 0
            self["number"][rows] = self["before"][rows] + np.arange(1, len(rows) + 1)
            self.highest = self._forgotten + len(rows)
            self._renumber = False
        return self["number"][: self.size]

    def forget(self, kept: int, referenced: Ints, recording: Recording) -> Ints:
        """Drop tasks that ended, but for the last ``kept``, the parents of tasks that stay, the tasks they await, and
        ``referenced``, by id.  By old row the new one; 0: dropped."""
        numbers, size = self.numbers(), self.size
        ended = np.flatnonzero(self["exit"][:size] > 0)
        stays = np.ones(size, np.bool_)
        stays[ended[np.argsort(self["ended"][ended], kind="stable")][: max(len(ended) - kept, 0)]] = False
        waits = self["flags"][:size] & (WAITING | OF_TASK) == WAITING | OF_TASK
        ids = np.concatenate([self["parent"][:size][stays], self["aux"][:size][waits], referenced])
        stays[self._coroutines.task(ids)] = True
        forgotten_ = np.flatnonzero(~stays)
        for number in self["id"][forgotten_].tolist():
            for texts in (recording.names, recording.tags, recording.messages):
                texts.pop(number, None)
        counted = forgotten_[numbers[forgotten_] > 0]
        self.forgotten += len(forgotten_)
        self._forgotten += len(counted)
        self["before"][:size] += np.searchsorted(np.sort(self["pos"][counted]), self["pos"][:size])
        here = np.flatnonzero(stays)
        rows = np.zeros(size, np.int64)
        rows[here] = np.arange(len(here))
        self.keep(here)
        return rows
