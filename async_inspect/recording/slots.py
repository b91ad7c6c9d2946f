"""Validation of slots: each is checked on its own before anything uses it.

Knows: what each kind's fields hold (``events.KINDS``), and so their valid values: an id that was defined before, an
offset, a time.  Later code may index by every id of a valid slot, and compute with its time.  An invalid slot counts as
damaged and keeps its place, with the kind DAMAGED; one of which only the time is invalid gets its thread's last time.
Knows nothing of what records mean together: that a coroutine ends twice, say (``model/``).

A damaged file costs no more than a sound one: time and memory depend on the number of slots, not on what they hold.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .. import events as ev
from .header import LATEST

# A record as it is read, whatever it took to write it; a text after it is in records of TEXT_BYTES, then their kind.
SLOT = np.dtype(list(zip(ev.RECORD_FIELDS, ("<u8", "<u4", "<u4", "<u4", "<u4", "<u4", "<u2", "u1", "u1"), strict=True)))
RECORD_FORMAT: Final = "<QIIIIIHBB"
RECORD_SIZE: Final = SLOT.itemsize
TEXT_BYTES: Final = RECORD_SIZE - 1
LONGEST_TEXT: Final = 1 << 20  # slots; more is damage
type Slots = npt.NDArray[np.void]
type Raw = npt.NDArray[np.uint8]  # (slot of a file, byte of it)
type Bools = npt.NDArray[np.bool_]
type _Ints = npt.NDArray[np.int64]
type Any1d = npt.NDArray[Any]
type _Fields = npt.NDArray[np.uint32]  # (slot, four bytes of it)

DAMAGED: Final = 15  # no kind of the format: a definition that says nothing

_PIECE = 1 << 15  # slots that are checked at a time: they stay in the processor's cache
IDS_KEPT: Final = 1 << 20  # so far below the highest id at least it is known of each whether it was defined
_SPARE = 64  # an id may exceed the number of definitions by this: some ids are taken and never written
_SPARE_COROUTINES = 1 << 16  # attaching to a process numbers all its coroutines before it writes about them
_ANY = 0xFFFFFFFF

# What a field may hold: ANY number, or 0 and the ids of one of these, as ``events.KINDS`` names them.
_THINGS: Final = ("", "code", "node", "string", "site", "thread", "resource", "chain", "coroutine")
ANY, CODE, NODE, STRING, SITE, THREAD, RESOURCE, CHAIN, CORO = range(9)
_DEFINES: Final = {
    kind: _THINGS.index(row[1]) for kind, row in ev.KINDS.items() if kind < ev.FIRST_EVENT and row[1]
}  # fmt: skip


def _table() -> npt.NDArray[np.uint8]:
    """By flags and kind as one number, the row of ``_FIELDS_OF_ROW`` for the slot's fields; 0: invalid."""
    table = np.zeros((256, 256), np.uint8)

    def put(words: tuple[str, ...], kind: int, flags: list[int]) -> None:
        holds = tuple(ANY if word == "text" else _THINGS.index(word) for word in words)
        if holds not in _ROWS:
            _ROWS.append(holds)
        table[kind, flags] = _ROWS.index(holds) + 1

    for kind, (_, *words) in ev.KINDS.items():
        put(tuple(words), kind, list(range(ev.MOST_FLAGS.get(kind, 255) + 1)))
    for (kind, flag), holds in ev.BY_FLAGS.items():
        put(holds, kind, [flag] if kind in ev.MOST_FLAGS else [flags for flags in range(256) if flags & flag == flag])
    return table.reshape(-1)


_ROWS: list[tuple[int, ...]] = []
_WHAT: Final = _table()
_FIELDS_OF_ROW: Final = np.array([(ANY, ANY, ANY), *_ROWS])  # (row, field)
_OF_SUSPENSION: Final = np.isin(np.arange(256), ev.OF_SUSPENSION)


class _IdSet:
    """A set of ids that count up.  Of ids far below the highest only one answer is kept, so that a long recording
    costs no more than a short one."""

    def __init__(self, old: bool) -> None:
        """``old``: whether ids far below the highest count as members."""
        self._first, self._members, self._old = 0, np.zeros(1, np.bool_), old

    def has(self, ids: Any1d) -> Bools:
        """Which of these are members."""
        at = ids.astype(np.int64) - self._first
        return np.where(at < 0, self._old, self._members[np.clip(at, 0, len(self._members) - 1)])

    def add(self, ids: Any1d) -> None:
        at = ids.astype(np.int64) - self._first
        at = at[at >= 0]
        size = int(at.max(initial=-1)) + 2  # the last is no member, nor is any id above
        if size > len(self._members):
            self._members = np.pad(self._members, (0, max(size, 2 * len(self._members)) - len(self._members)))
        self._members[at] = True
        if size > 2 * IDS_KEPT:
            self._members = self._members[size - IDS_KEPT : size].copy()
            self._first += size - IDS_KEPT


class SlotCheck:
    """The check, and its state over all slots so far: which ids were defined, and each thread's last time."""

    def __init__(self) -> None:
        self.damaged = 0  # invalid slots
        self.count = 0  # all slots
        self.by_ticks: bool | None = None  # times are 1, 2, 3 …; None: no event yet
        self.start_ns = 0  # no time is earlier; where the header's is invalid, that of the first event
        self.end_is_wrong = False  # the header's
        self._id_count = np.zeros(len(_THINGS), np.int64)  # by what they are ids of, how many were defined
        self._highest = np.zeros(len(_THINGS), np.int64)  # and the highest of them
        self._highest[[ANY, THREAD]] = _ANY, -1
        self._defined = {what: _IdSet(old=True) for what in _DEFINES.values()}
        self._ran = _IdSet(old=False)  # coroutines that started
        self._last: dict[int, int] = {}  # by thread: its last time ...
        self._suspended: dict[int, int] = {}  # ... and that of its last suspension

    def highest(self, what: int) -> int:
        """The highest valid id of this kind; some of those below may not be defined."""
        return max(int(self._highest[what]), 0)

    def check(self, slots: Slots, start_ns: int, end_ns: int, until_ns: int) -> Slots:
        """The next slots with the invalid ones marked: themselves, or a copy.  Texts must be complete.

        ``start_ns``, ``end_ns`` are the header's (0: not known); no time can be after ``until_ns``.
        """
        if not len(slots):
            return slots
        self.start_ns = self.start_ns or start_ns
        tags = np.ascontiguousarray(slots.view(np.uint16).reshape(-1, RECORD_SIZE // 2)[:, -1])  # flags and kinds
        what = _WHAT.take(tags)
        kinds = (tags >> 8).astype(np.uint8)
        good = what > 0
        self.count += len(slots)
        self._texts(slots, kinds, good)
        self._definitions(slots, kinds, good)
        fields = slots.view("<u4").reshape(-1, RECORD_SIZE // 4)
        self._count_coroutines(fields, kinds)
        most = self._highest[_FIELDS_OF_ROW].T.astype(np.uint32)  # (field, row): no id is above
        coroutines, nodes, threads = (np.uint32(self.highest(of)) for of in (CORO, NODE, THREAD))
        for begin in range(0, len(slots), _PIECE):
            part = slice(begin, begin + _PIECE)
            of, kind = what[part], kinds[part]
            coro, aux, node, task, off, last = np.ascontiguousarray(fields[part, 2:].T)
            after = (node <= nodes) & (task <= coroutines) & ((last & 0xFFFF) <= threads)
            after &= (node > 0) == (task > 0)
            # A root runs for itself, or for a task that is made of a step of it, and is no coroutine.
            root = (kind == ev.RESUME) | ((aux == 0) & ((kind == ev.START) | (kind == ev.ENTER)))
            root &= task != coro
            if root.any():
                after[root] &= (task[root] > 0) & ~self._ran.has(task[root])
            after |= kind < ev.FIRST_EVENT
            for field, limits in zip((coro, aux, off), most, strict=True):
                after &= field <= limits.take(of)
            good[part] &= after
        self._select_times(slots, kinds, good)
        found = slots
        if not good.all():
            found = slots.copy()
            found["kind"][~good] = DAMAGED
            kinds[~good] = DAMAGED
            self.damaged += int(np.count_nonzero(~good))
        return self._times(found, kinds, end_ns, until_ns, found is not slots)

    # --- texts and definitions ----------------------------------------------------------------------------------------

    def _texts(self, slots: Slots, kinds: Any1d, good: Bools) -> None:
        """A text must have as many TEXT slots as its owner says; TEXT slots without an owner are damage."""
        texts, owners = np.flatnonzero(kinds == ev.TEXT), np.flatnonzero(among(kinds, ev.HAS_TEXT))
        first = texts[np.diff(texts, prepend=-2) > 1] if len(texts) else texts  # of each run of them
        last = texts[np.diff(texts, append=len(kinds) + 1) > 1] if len(texts) else texts
        needed = -(-slots["off"][owners].astype(np.int64) // TEXT_BYTES)
        run = np.searchsorted(first, owners + 1)
        present = np.where(np.append(first, -1)[run] == owners + 1, np.append(last - first + 1, 0)[run], 0)
        good[owners[needed != present]] = False
        stray = np.flatnonzero((first == 0) | ~among(kinds[first - 1], ev.HAS_TEXT))
        for begin, end in zip(first[stray].tolist(), last[stray].tolist(), strict=True):
            good[begin : end + 1] = False

    def _definitions(self, slots: Slots, kinds: Any1d, good: Bools) -> None:
        """Each id is defined once, from 1 on; ids in its definition must have been defined before."""
        rows = np.flatnonzero(kinds < ev.FIRST_EVENT)
        rows = rows[kinds[rows] != ev.TEXT]
        for kind, what in _DEFINES.items():
            own = rows[kinds[rows] == kind]
            if not len(own):
                continue
            ids = slots["coro"][own].astype(np.int64)
            self._id_count[what] += len(own)
            room = int(self._id_count[what]) + _SPARE
            if kind == ev.NODE:
                room = min(room, ev.MAX_NODES)
            possible = (ids <= room) & ((ids > 0) | (kind == ev.THREAD))
            once = np.zeros(len(ids), np.bool_)
            once[np.unique(ids, return_index=True)[1]] = True
            possible[possible] &= ~self._defined[what].has(ids[possible])
            possible &= once
            if kind in (ev.NODE, ev.SITE, ev.CHAIN):
                possible &= slots["aux"][own] < ids
            if kind == ev.CHAIN:
                node = slots["node"][own]
                good[own[(node == 0) | (node > self.highest(NODE))]] = False
            if kind == ev.CODE:
                possible &= slots["aux"][own] < 1 << 31
            self._defined[what].add(ids[possible])
            good[own[~possible]] = False
            # A definition that is damaged otherwise keeps its id: references to it are valid, to something unknown.
            self._highest[what] = max(int(self._highest[what]), int(ids[possible].max(initial=-1)))

    def _count_coroutines(self, fields: _Fields, kinds: Any1d) -> None:
        """Coroutines and tasks count from 1, and each is spawned, starts or runs a root."""
        named, ran = [], []
        for begin in range(0, len(kinds), _PIECE):
            part = slice(begin, begin + _PIECE)
            kind = kinds[part]
            coro, aux, _, task = np.ascontiguousarray(fields[part, 2:6].T)
            starts = kind == ev.START
            root = (starts | (kind == ev.ENTER)) & (aux == 0) & (task != coro)
            named += [coro[kind == ev.SPAWN], task[root]]
            ran.append(coro[starts])
        started = np.concatenate([np.empty(0, np.uint32), *ran])
        named.append(started)
        if count := sum(map(len, named)):
            self._id_count[CORO] += count
            highest = self._id_count[CORO] + _SPARE_COROUTINES
            possible = max(int(some[some <= highest].max(initial=0)) for some in named)
            self._highest[CORO] = max(int(self._highest[CORO]), possible)
        self._ran.add(started[started <= self.highest(CORO)])

    # --- times --------------------------------------------------------------------------------------------------------

    def _select_times(self, slots: Slots, kinds: Any1d, good: Bools) -> None:
        """A selector is asked before it answers."""
        rows = np.flatnonzero(kinds == ev.SELECT)
        asked_ns = slots["aux"][rows].astype(np.uint64) | slots["off"][rows].astype(np.uint64) << np.uint64(32)
        good[rows[asked_ns > slots["ts"][rows]]] = False

    def _times(self, slots: Slots, kinds: Any1d, end_ns: int, until_ns: int, is_copy: bool) -> Slots:
        """Correct times: a thread's times don't go back, and none is outside of the recording.  (STACK records are
        written by the watchdog, with the index of the thread that they are about: their order is not checked.)"""
        events = kinds >= ev.FIRST_EVENT
        if not events.any():
            return slots
        if self.by_ticks is None:
            self._detect_clock(slots["ts"][events], end_ns)
        low, high = self.start_ns, until_ns if self.end_is_wrong or not end_ns else end_ns
        if self.by_ticks:
            low, high = 0, min(self.start_ns, self._most_ticks) - 1
        high = max(low, high)
        if self._all_in_order(slots, kinds, low, high):
            return slots
        ts, thread, kinds = slots["ts"][events], slots["thread"][events], kinds[events]
        outside = (ts < np.uint64(low)) | (ts > np.uint64(high))
        was = np.minimum(ts, np.uint64(LATEST)).astype(np.int64)
        moments = was.copy()
        for index in np.unique(thread).tolist():
            own = np.flatnonzero((thread == index) & (kinds != ev.STACK))
            moments[own] = self._in_order(index, was[own], kinds[own], outside[own], low)
        watched = (kinds == ev.STACK) & outside
        moments[watched] = max(self._last.values(), default=low)
        wrong = (moments != was) | (ts > np.uint64(LATEST))
        if not wrong.any():
            return slots
        found = slots if is_copy else slots.copy()
        found["ts"][np.flatnonzero(events)[wrong]] = moments[wrong]
        self.damaged += int(np.count_nonzero(wrong))
        return found

    def _in_order(self, thread: int, ts: _Ints, kinds: Any1d, outside: Bools, low: int) -> _Ints:
        """The times of a thread's records, invalid ones replaced."""
        last = max(self._last.get(thread, low), low)
        of_suspension = _OF_SUSPENSION[kinds]
        kept = ~of_suspension
        kept[kept] = ~_out_of_order(ts[kept], outside[kept], last)
        found: _Ints = np.maximum.accumulate(np.where(kept, ts, last))
        suspended = np.where(kinds == ev.SUSPEND, found, self._suspended.get(thread, last))
        suspended = np.maximum.accumulate(suspended)
        if len(found):
            self._last[thread], self._suspended[thread] = int(found[-1]), int(suspended[-1])
        return np.where(of_suspension, suspended, found)

    def _all_in_order(self, slots: Slots, kinds: Any1d, low: int, high: int) -> bool:
        """The fast path: whether all times are in order, over all threads, and within ``low`` and ``high``."""
        last, suspended = self._last.copy(), self._suspended.copy()
        before = max(low, *last.values(), 0)
        for begin in range(0, len(slots), _PIECE):
            part = slice(begin, begin + _PIECE)
            kind, ts, thread = kinds[part], slots["ts"][part], slots["thread"][part]
            if kind.min() < ev.FIRST_EVENT:
                events = kind >= ev.FIRST_EVENT
                kind, ts, thread = kind[events], ts[events], thread[events]
                if not len(kind):
                    continue
            ts, thread = np.ascontiguousarray(ts), np.ascontiguousarray(thread)
            one = int(thread[0])
            if not _ascending(ts, before, high):  # but for such that have an earlier one's time
                others, own = ~_OF_SUSPENSION[kind], suspended.get(one, max(last.get(one, low), low))
                if (thread != one).any() or not _ascending(ts[others], before, high):
                    return False
                since = np.maximum.accumulate(np.where(kind == ev.SUSPEND, ts, np.uint64(own)))
                if (ts[~others] != since[~others]).any():
                    return False
                kind, ts, thread = kind[others], ts[others], thread[others]
                if not len(kind):
                    continue
            before = int(ts[-1])
            for index in [one] if (thread == one).all() else np.flatnonzero(np.bincount(thread)).tolist():
                own = thread == index
                last[index] = int(ts[_last(own)])
                own &= kind == ev.SUSPEND
                if own.any():
                    suspended[index] = int(ts[_last(own)])
        self._last, self._suspended = last, suspended
        return True

    @property
    def _most_ticks(self) -> int:
        """The highest possible tick: one is taken for each record, and some for records that are then not written."""
        return 64 * self.count + _SPARE_COROUTINES

    def _detect_clock(self, ts: Any1d, end_ns: int) -> None:
        """Detect a clock of ticks (1, 2, 3 …), and a header whose start or end is wrong: then the records' times
        count."""
        some = np.sort(ts[:: len(ts) // 1024 + 1])
        first, middle = int(some[0]), int(some[len(some) // 2])
        before = middle < self.start_ns or not self.start_ns
        self.by_ticks = 0 < middle < self.start_ns and middle <= self._most_ticks
        if self.by_ticks:
            return
        self.end_is_wrong = 0 < end_ns < middle
        if before:
            self.start_ns = first


def among(kinds: Any1d, some: Iterable[int]) -> Bools:
    """Which of these kinds are among ``some``."""
    found = np.zeros(len(kinds), np.bool_)
    for kind in some:  # faster than a table, as long as they are few
        found |= kinds == kind
    return found


def _ascending(ts: Any1d, low: int, high: int) -> bool:
    return not len(ts) or bool(ts[0] >= low and ts[-1] <= high and (ts[1:] >= ts[:-1]).all())


def _last(rows: Bools) -> int:
    """The index of the last True; there is one."""
    return len(rows) - 1 - int(np.argmax(rows[::-1]))


def _out_of_order(ts: _Ints, outside: Bools, last: int) -> Bools:
    """Which of these times to replace so that the rest is ascending; not many more than needed."""
    wrong = outside.copy()
    rows = np.flatnonzero(~wrong)
    for _ in range(64):
        own = ts[rows]
        back = np.flatnonzero(own[1:] < own[:-1])
        if not len(back):
            break
        before = np.where(back > 0, own[np.maximum(back - 1, 0)], last)
        too_late = own[back + 1] >= before  # without the earlier of the two it fits
        leave = np.unique(np.where(too_late, back, back + 1))
        wrong[rows[leave]] = True
        rows = np.delete(rows, leave)
    else:
        own = ts[rows]
        wrong[rows[own < np.maximum.accumulate(own)]] = True
        rows = np.flatnonzero(~wrong)
    wrong[rows[ts[rows] < last]] = True
    return wrong
