"""Coroutines as they are now: who awaits whom, where each stands and what it waits for, and from that the await points
of suspensions.

Knows who is there: a coroutine has a row from when it is met until it is over and nobody asks for it any more, and a
chunk's records are about rows, not ids, once they are taken in.  Knows nothing of times.
"""

from typing import Final

import numpy as np

from ... import events as ev
from ...recording.reader import Ids
from ..building.scan import Columns
from ..grouping import Any1d, Ints, LastBefore, find
from ..kernels.awaiters import Ascent, Latest, Wanted, learn_codes
from ..kernels.locations import NOWHERE
from .await_points import Functions
from .growing import GrowingTable

# The columns of a chunk that hold ids of coroutines, and are rows from then on.
_OF_COROUTINES: Final = {
    "opens": ("task", "before"), "closes": ("before",), "suspends": ("before",), "links": ("coro",),
    "entries": ("coro", "aux", "task"), "exits": ("coro",), "spawns": ("coro", "task"), "wakes": ("coro",),
    "uses": ("coro",),
}  # fmt: skip


class Coroutines:
    """By row (0: nobody): the recording's ``id``; ``awaiter`` (row) as of its last entry, its ``code``, the offset
    ``off`` at which it stands, the resource that it waits for whenever it does (``use``, 0: none), the row of its
    ``task`` (0: none); whether its code is known for good (``started``), it ran (``entered``), it is ``over``."""

    def __init__(self) -> None:
        self.columns = GrowingTable(
            id=np.int64, awaiter=np.int32, code=np.int64, off=np.int64, use=np.int64, task=np.int32, started=np.bool_,
            entered=np.bool_, over=np.bool_,
        )  # fmt: skip
        self.columns.reach(1)
        self.columns["off"][0] = NOWHERE
        # The rows by id: from ``_first`` on at id - _first, of lower ids beside these, which are ascending.
        self._first, self._recent = 1, np.zeros(0, np.int64)
        self._ids, self._rows = np.zeros(1, np.int64), np.zeros(1, np.int64)

    @property
    def count(self) -> int:
        """Every row is below."""
        return self.columns.size

    def rows(self, ids: Any1d) -> Ints:
        """Who has these ids; 0: nobody who is here."""
        at = ids.astype(np.int64) - self._first
        found = np.zeros(len(ids), np.int64)
        recent = np.flatnonzero((at >= 0) & (at < len(self._recent)))
        found[recent] = self._recent[at[recent]]
        older = np.flatnonzero(at < 0)
        row = find(self._ids, ids[older])
        found[older] = np.where(row >= 0, self._rows[row], 0)
        return found

    def task(self, ids: Any1d) -> Ints:
        """The rows of the tasks of these ids; 0: it is none, or not here."""
        return self.columns["task"][self.rows(ids)].astype(np.int64)

    def take_in(self, found: dict[str, Columns]) -> None:
        """Give rows to those whom a chunk speaks of first; from now on its columns hold rows."""
        ids = np.concatenate([found["entries"]["coro"], found["spawns"]["coro"], found["opens"]["task"]])
        new = np.sort(ids[self.rows(ids) == 0]).astype(np.int64)
        new = new[np.diff(new, prepend=0) > 0]
        if len(new):
            fresh = np.arange(self.count, self.count + len(new))
            self.columns.reach(self.count + len(new))
            self.columns["id"][fresh], self.columns["off"][fresh] = new, NOWHERE
            late = int(np.searchsorted(new, self._first))
            at = np.searchsorted(self._ids, new[:late])
            self._ids, self._rows = np.insert(self._ids, at, new[:late]), np.insert(self._rows, at, fresh[:late])
            more = max(int(new[-1]) + 1 - self._first - len(self._recent), 0)
            self._recent = np.concatenate([self._recent, np.zeros(more, np.int64)])
            self._recent[new[late:] - self._first] = fresh[late:]
        for name, columns in _OF_COROUTINES.items():
            for column in columns:
                found[name][column] = self.rows(found[name][column])

    def learn(self, found: dict[str, Columns], node_code: Ids) -> Ints:
        """What a chunk says of coroutines, up to ``settle`` beside what was known before.

        The rows of entries that are a coroutine's first.
        """
        columns, entries, links, uses = self.columns, found["entries"], found["links"], found["uses"]
        learn_codes(columns["code"], columns["started"], found["spawns"], entries, node_code)
        columns["code"][0] = 0
        coro = entries["coro"]
        new = np.flatnonzero(~columns["entered"][coro])
        new = new[np.unique(coro[new], return_index=True)[1]]
        columns["entered"][coro] = True
        self._awaiter = Latest(LastBefore(coro, entries["pos"]), entries["aux"], columns["awaiter"])
        self._stands = Latest(LastBefore(links["coro"], links["burst"]), links["off"], columns["off"])
        self._use = Latest(LastBefore(uses["coro"], uses["burst"]), uses["aux"], columns["use"])
        return new

    def settle(self, found: dict[str, Columns]) -> None:
        """From now on what the chunk said is what was known before."""
        columns, entries, links, uses = self.columns, found["entries"], found["links"], found["uses"]
        columns["awaiter"][entries["coro"]] = entries["aux"]
        columns["off"][links["coro"]] = links["off"]
        columns["use"][uses["coro"]] = uses["aux"]
        columns["over"][found["exits"]["coro"][found["exits"]["kind"] != ev.ITEM]] = True
        columns["awaiter"][0], columns["off"][0], columns["use"][0], columns["over"][0] = 0, NOWHERE, 0, False

    def forget(self, tasks: Ints) -> Ints:
        """Only those stay that are not over, and those of tasks that stay.  ``tasks``: by row of a task, which it is
        from now on (0: it is not here).  The same of coroutines."""
        columns, size = self.columns, self.count
        columns["task"][:size] = tasks[columns["task"][:size]]
        stay = np.flatnonzero(~columns["over"][:size] | (columns["task"][:size] > 0))
        rows = np.zeros(size, np.int64)
        rows[stay] = np.arange(len(stay))
        columns["awaiter"][:size] = rows[columns["awaiter"][:size]]
        columns.keep(stay)
        self._rows = np.argsort(columns["id"][: self.count])
        self._ids = columns["id"][self._rows]
        self._first, self._recent = max(self._first + len(self._recent), 1), np.zeros(0, np.int64)
        return rows

    def climb(self, coro: Ints, pos: Ints, code: Ints, off: Ints, functions: Functions) -> tuple[Ints, Ints, Ints]:
        """Of suspensions (their leaf, slot, and where the leaf stands) the await points, as (code, offset), and the
        resources that they wait for."""
        point_code, point_off = code.copy(), off.copy()
        ascent = Ascent(self._awaiter, coro, pos, self.count)
        wanted = Wanted(self._use, functions.covering[functions.known(self.columns["code"][: self.count])], len(coro))
        wanted.ask(ascent.rows, coro, pos)
        ascent.keep(np.flatnonzero(~ascent.meet(functions.user[code])))
        while ascent.going:
            ascent.up()
            wanted.ask(ascent.rows, ascent.coro, ascent.pos)
            code = functions.known(self.columns["code"][ascent.coro])
            met = ascent.meet(functions.user[code])
            rows = ascent.rows[met]
            point_code[rows], point_off[rows] = code[met], self._stands(ascent.coro[met], ascent.pos[met])
            ascent.keep(np.flatnonzero(~met))
        return point_code, point_off, wanted.resource

    def chain(self, leaf: int, limit: int = 1000) -> list[int]:
        """A suspended leaf and its awaiters now, innermost first."""
        awaiter, found = self.columns["awaiter"], [leaf]
        while len(found) < limit and (up := int(awaiter[found[-1]])):
            found.append(up)
        return found
