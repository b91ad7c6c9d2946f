"""Coroutines as they are now: who awaits whom, where each stands, and from that the await points of suspensions.

Knows the recording's ids of coroutines, of which it keeps a row each.  Knows nothing of times.
"""

import numpy as np

from ... import events as ev
from ...recording.reader import Ids
from ..building.scan import Columns
from ..grouping import Any1d, Cycles, Ints
from ..kernels.locations import NOWHERE
from .growing import Bools, GrowingTable, LatestAt

STANDS, STARTED, ENTERED = 1, 2, 4  # what is known of a coroutine: where it stands, its code, that it ran


class Coroutines:
    """By coroutine: ``awaiter`` and ``node`` as of its last entry, its ``code``, the offset at which it stands, the
    resource that it waits for whenever it does (``use``), the ``row`` of its task (1, 2 …; 0: none)."""

    def __init__(self) -> None:
        self.columns = GrowingTable(
            awaiter=np.uint32,
            node=np.uint32,
            code=np.uint32,
            off=np.uint32,
            use=np.uint32,
            row=np.int32,
            known=np.uint8,
        )
        self._entries: tuple[LatestAt, Ints] | None = None
        self._links: tuple[LatestAt, Any1d] | None = None

    @property
    def count(self) -> int:
        """Every known id is below."""
        return self.columns.size

    def known(self, ids: Any1d) -> Ints:
        """The ids; 0 for those that nobody has."""
        return np.where(ids < self.count, ids, 0).astype(np.int64)

    def learn(self, found: dict[str, Columns], node_code: Ids) -> Ints:
        """Take in a chunk's records of coroutines, up to ``settle`` beside what was known before.

        The rows of entries that are a coroutine's first.
        """
        entries, spawns = found["entries"], found["spawns"]
        ids = (entries["coro"], spawns["coro"], found["opens"]["task"])
        self.columns.reach(1 + max((int(column.max()) for column in ids if len(column)), default=0))
        columns = self.columns
        code, known = columns["code"], columns["known"]
        coro = entries["coro"].astype(np.int64)
        started = entries["kind"] == ev.START
        again = np.flatnonzero(~started)
        code[spawns["coro"]] = spawns["aux"]
        again = again[known[coro[again]] & STARTED == 0]
        code[coro[again]] = node_code[np.minimum(entries["node"][again], len(node_code) - 1)]
        code[coro[started]] = entries["off"][started]
        roots = np.flatnonzero(entries["aux"] == 0)
        roots = roots[code[entries["task"][roots]] == 0]  # of tasks that are made of a step of an async generator
        code[entries["task"][roots]] = code[coro[roots]]
        known[coro[started]] |= STARTED
        new = np.flatnonzero(known[coro] & ENTERED == 0)
        new = new[np.unique(coro[new], return_index=True)[1]]
        known[coro] |= ENTERED
        self._entries = LatestAt(coro, entries["pos"]), entries["aux"].astype(np.int64)
        links = found["links"]
        mine = links["coro"] < self.count
        self._links = LatestAt(links["coro"][mine], links["burst"][mine]), links["off"][mine]
        return new

    def settle(self, found: dict[str, Columns]) -> None:
        """From now on what the chunk said is what was known before."""
        columns, entries, links, uses = self.columns, found["entries"], found["links"], found["uses"]
        columns["awaiter"][entries["coro"]] = entries["aux"]
        columns["node"][entries["coro"]] = entries["node"]
        mine = links["coro"] < self.count
        columns["off"][links["coro"][mine]] = links["off"][mine]
        columns["known"][links["coro"][mine]] |= STANDS
        mine = uses["coro"] < self.count
        columns["use"][uses["coro"][mine]] = uses["aux"][mine]
        self._entries = self._links = None

    def climb(self, coro: Ints, pos: Ints, code: Ints, off: Ints, user: Bools) -> tuple[Ints, Ints]:
        """Of suspensions (their leaf, slot, and where the leaf stands) the await points, as (code, offset): that of the
        innermost frame that is the user's, else the leaf."""
        point_code, point_off = code.copy(), off.copy()
        rows = np.flatnonzero(~user[code])
        coro, pos = coro[rows], pos[rows]
        cycles = Cycles()
        for _ in range(self.count):  # no chain is longer
            if not len(rows):
                break
            up = self._awaiter(coro, pos)
            on = np.flatnonzero((up > 0) & (up < self.count) & ~cycles.closed(coro, up))
            rows, coro, pos = rows[on], up[on], pos[on]
            cycles.keep(on)
            code = np.minimum(self.columns["code"][coro], len(user) - 1).astype(np.int64)
            hit = user[code]
            point_code[rows[hit]] = code[hit]
            point_off[rows[hit]] = self._off(coro[hit], pos[hit])
            rows, coro, pos = rows[~hit], coro[~hit], pos[~hit]
            cycles.keep(np.flatnonzero(~hit))
        return point_code, point_off

    def _awaiter(self, coro: Ints, pos: Ints) -> Ints:
        before = self.columns["awaiter"][coro].astype(np.int64)
        if self._entries is None or not len(self._entries[1]):
            return before
        row = self._entries[0](coro, pos)
        return np.where(row >= 0, self._entries[1][row], before)

    def _off(self, coro: Ints, pos: Ints) -> Ints:
        off = np.where(self.columns["known"][coro] & STANDS, self.columns["off"][coro], NOWHERE).astype(np.int64)
        if self._links is None or not len(self._links[1]):
            return off
        row = self._links[0](coro, pos)
        return np.where(row >= 0, self._links[1][row], off)

    def chain(self, leaf: int, limit: int = 1000) -> list[int]:
        """A suspended leaf and its awaiters now, innermost first."""
        awaiter, found = self.columns["awaiter"], [leaf]
        while len(found) < limit and 0 < (up := int(awaiter[found[-1]])) < self.count:
            found.append(up)
        return found

    def stands(self, coro: int) -> int:
        """The offset at which a suspended coroutine stands that is no leaf."""
        return int(self.columns["off"][coro]) if self.columns["known"][coro] & STANDS else NOWHERE
