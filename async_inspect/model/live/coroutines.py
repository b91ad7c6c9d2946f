"""The coroutines that are alive: each one's awaiter, position and resource, and from these the await points of
suspensions.

A coroutine has a row from its first record until it has ended and nothing refers to it any more; ``assign_rows``
replaces ids in a chunk's columns by rows.  Where a recording defines whole chains (detail "awaits"), frames are these.
Knows nothing of times.
"""

from typing import Final

import numpy as np

from ... import events as ev
from ...recording.reader import Recording
from ..building.scan import KEPT, Columns
from ..grouping import Any1d, Ints, LastBefore, find
from ..kernels.awaiters import Ascent, Chains, Latest, OfFrames, Uses, WaitTargets, learn_codes
from ..kernels.locations import NOWHERE
from .await_points import Functions
from .growing import GrowingTable

# The columns of a chunk that hold ids of coroutines, and are rows from then on.
_OF_COROUTINES: Final = {
    "opens": ("task", "before"), "closes": ("before",), "suspends": ("before",), "links": ("coro",),
    "entries": ("coro", "aux", "task"), "exits": ("coro",), "spawns": ("coro", "task"), "wakes": ("coro",),
    "uses": ("coro",),
}  # fmt: skip

_NO_USES: Final[Columns] = {name: np.empty(0, np.int64) for name in KEPT["uses"]}


class Coroutines:
    """By row (0: none): the recording's ``id``; ``awaiter`` (row) as of its last entry, its ``code``, the offset
    ``off`` at which it stands, the resource that it waits for whenever it does (``use``, 0: none), the row of its
    ``task`` (0: none); whether its code is known for good (``started``), it ran (``entered``), it is ``over``."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._still_used = _NO_USES  # of suspensions of which there may be more to come
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
        """One more than the highest row."""
        return self.columns.size

    def rows(self, ids: Any1d) -> Ints:
        """The rows of these ids; 0: not here."""
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

    def assign_rows(self, found: dict[str, Columns]) -> None:
        """Assign rows to the coroutines that are new in a chunk, and replace ids in its columns by rows."""
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

    def learn(self, found: dict[str, Columns]) -> Ints:
        """Learn from a chunk; what was known before is kept beside it until ``commit_chunk``.

        Returns the rows of the entries that are a coroutine's first.
        """
        columns, entries, links = self.columns, found["entries"], found["links"]
        uses = {name: np.concatenate([column, found["uses"][name]]) for name, column in self._still_used.items()}
        chains = self.chains = Chains.of(self.recording, self.count)
        learn_codes(columns["code"], columns["started"], found["spawns"], entries, self.recording.node_code)
        columns["code"][0] = 0
        coro = entries["coro"]
        new = np.flatnonzero(~columns["entered"][coro])
        new = new[np.unique(coro[new], return_index=True)[1]]
        columns["entered"][coro] = True
        awaiter, off = chains.column(columns["awaiter"], chains.awaiter), chains.column(columns["off"], chains.off)
        self._awaiter = Latest(LastBefore(coro, entries["pos"]), entries["aux"], awaiter)
        self._offset_of = Latest(LastBefore(links["coro"], links["burst"]), links["off"], off)
        use_of = LastBefore(chains.used_by(uses), uses["burst"])
        self._use = Uses(chains, use_of, uses["burst"], uses["aux"], columns["use"])
        self._uses = uses
        return new

    def codes(self) -> OfFrames:
        """The code id of frames; 0: not known."""
        return self.chains.column(self.columns["code"], self.recording.node_code[self.chains.node])

    def commit_chunk(self, found: dict[str, Columns], going: list[int]) -> None:
        """Merge what ``learn`` found in the chunk into the state.  ``going``: suspensions of which there may be more to
        come."""
        columns, entries, links, uses = self.columns, found["entries"], found["links"], found["uses"]
        columns["awaiter"][entries["coro"]] = entries["aux"]
        columns["off"][links["coro"]] = links["off"]
        ever = uses["off"] == 0  # the others hold in their suspension alone
        columns["use"][uses["coro"][ever]] = uses["aux"][ever]
        still = (self._uses["off"] > 0) & np.isin(self._uses["burst"], going)
        self._still_used = {name: column[still] for name, column in self._uses.items()}
        columns["over"][found["exits"]["coro"][found["exits"]["kind"] != ev.ITEM]] = True
        columns["awaiter"][0], columns["off"][0], columns["use"][0], columns["over"][0] = 0, NOWHERE, 0, False

    def forget(self, tasks: Ints) -> Ints:
        """Drop coroutines that have ended, but for those of tasks that stay.  ``tasks``: by old row of a task its new
        one (0: dropped).  Returns the same for coroutines."""
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

    def climb(self, frame: Ints, pos: Ints, code: Ints, off: Ints, functions: Functions) -> tuple[Ints, Ints, Ints]:
        """(code, offset, resource) of the await points of suspensions, given by leaf, slot, and the leaf's position."""
        point_code, point_off, codes = code.copy(), off.copy(), self.codes()
        ascent = Ascent(self._awaiter, frame, pos, self.chains.frames)
        targets = WaitTargets(self._use, lambda frame: functions.covering[functions.known(codes[frame])], len(frame))
        targets.look_at(ascent.rows, frame, pos)
        ascent.keep(np.flatnonzero(~ascent.reach_point(functions.user[code])))
        while ascent.going:
            ascent.up()
            targets.look_at(ascent.rows, ascent.coro, ascent.pos)
            code = functions.known(codes[ascent.coro])
            reached = ascent.reach_point(functions.user[code])
            rows = ascent.rows[reached]
            point_code[rows] = code[reached]
            point_off[rows] = self._offset_of(ascent.coro[reached], ascent.pos[reached])
            ascent.keep(np.flatnonzero(~reached))
        return point_code, point_off, targets.resource

    def chain(self, leaf: int, chain: int, limit: int = 1000) -> list[tuple[int, int]]:
        """(code, offset) of the frames of a suspended leaf now, innermost first.  ``chain``: of those it is in; 0: it
        is a coroutine's row."""
        chains, columns, at = self.chains, self.columns, chain or leaf
        up = chains.parent if chain else columns["awaiter"]
        code = self.recording.node_code[chains.node] if chain else columns["code"]
        off, found = chains.off if chain else columns["off"], list[tuple[int, int]]()
        while at and len(found) < limit:
            found.append((int(code[at]), int(off[at])))
            at = int(up[at])
        return found
