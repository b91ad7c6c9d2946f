"""Records to columns, chunk by chunk: of each kind of record what matters, and who ran before it.

Knows: the kinds of records, what of each is kept, and that a thread runs on from where the chunk before left it.
What polls, awaits and calls follow from that is in ``tasks.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import events as ev
from ...recording.slots import Slots
from ..filters import ALL, Window
from ..grouping import Ints, distinct_of, sums

CHUNK = 1 << 15  # slots that are taken in at a time
_LOOSE = 1 << 20  # rows: what has that size the allocator gives back to the system when it is no longer needed
_WORDS = ("coro", "aux", "node", "task", "off", "last")  # of a slot, after its time

type Words = npt.NDArray[np.uint32]
type Columns = dict[str, npt.NDArray[Any]]

# What is kept of each kind. ``pos`` is the slot's number, ``before``/``below`` the task and the node that ran before.
KEPT = {
    "opens": ("pos", "ts", "task", "before", "thread"),
    "closes": ("pos", "ts", "before"),
    "suspends": ("pos", "ts", "before", "below", "coro", "aux", "off", "flags"),
    "links": ("coro", "burst", "off"),
    "entries": ("pos", "ts", "coro", "aux", "node", "task", "off", "flags", "kind"),
    "exits": ("pos", "ts", "coro", "aux", "flags", "kind"),
    "spawns": ("pos", "ts", "coro", "aux", "task", "off", "flags"),
    "points": ("pos", "ts", "task"),
    "wakes": ("pos", "ts", "coro", "aux", "off", "task", "thread", "flags"),
    "soons": ("pos", "ts", "coro", "aux", "off", "task", "thread", "flags"),
    "timers": ("burst", "coro", "aux", "off"),
    "selects": ("pos", "ts", "aux", "off", "thread", "flags"),
    "uses": ("burst", "coro", "aux", "off"),
    "holds": ("pos", "ts", "coro", "aux", "off", "task", "kind"),
    "edges": ("ts", "coro", "aux"),
    "cancels": ("pos", "coro", "aux", "off"),
    "stacks": ("ts", "coro", "off", "thread"),
    "callouts": ("ts", "coro", "aux", "off", "task", "thread"),
    "runtime_warnings": ("ts", "coro", "aux", "off", "task", "flags"),
}
# Of these the kinds: what the sources see.
_OF_SOURCES = {
    "wakes": (ev.WAKE,), "soons": (ev.SOON,), "timers": (ev.TIMER,), "selects": (ev.SELECT,), "uses": (ev.USE,),
    "holds": (ev.TAKE, ev.GIVE), "edges": (ev.EDGE,), "callouts": (ev.CALL,), "runtime_warnings": (ev.RUNTIME_WARNING,),
    "cancels": (ev.CANCEL,),
}  # fmt: skip
# Of a kind of theirs that has no line above, all is kept under its own name. (Texts are the reader's.)
_NAMED = {ev.STACK, *ev.HAS_TEXT, *(kind for kinds in _OF_SOURCES.values() for kind in kinds)}
_OF_SOURCES |= {ev.KIND_NAMES[kind].lower(): (kind,) for kind in ev.KINDS if kind >= ev.WAKE and kind not in _NAMED}
KEPT = dict.fromkeys(_OF_SOURCES, ("pos", "ts", "coro", "aux", "off", "task", "thread", "flags")) | KEPT
_TYPES = {"pos": np.int64, "ts": np.int64, "burst": np.int64, "below": np.uint32, "before": np.uint32}


@dataclass
class _Thread:
    """How a thread was left by the chunk before."""

    ts: int = 0
    node: int = 0
    task: int = 0
    burst: int = -1  # the slot of its last suspension


class RecordColumns:
    """The columns of ``KEPT`` as they come in, and self time by task and node."""

    def __init__(self, start: int = 0, window_ns: Window = ALL) -> None:
        """``start``: the recording's, on its own clock.  ``window_ns``: counted from there.  What came before it counts
        as of its beginning, what comes after it is not heard of."""
        self._start, self.since, self._until = start, *window_ns
        self._parts: dict[str, list[Columns]] = {name: [] for name in KEPT}
        self._loose: dict[str, int] = {}  # rows in parts that are small ...
        self._joined: dict[str, int] = {}  # ... after so many that are not
        self._self_keys: list[Ints] = []
        self._self_ns: list[Ints] = []
        self._unmerged = 0
        self._threads: dict[int, _Thread] = {}
        self.fed = 0  # slots
        self.records = 0  # events among them
        self.first_ts = self.last_ts = -1

    def columns(self, name: str) -> Columns:
        """All of one kind so far, in the order of the file."""
        parts = self._parts[name]
        if len(parts) != 1:
            self._parts[name] = parts = [_joined(parts, KEPT[name])]
        return parts[0]

    def forget(self, **kinds: tuple[str, ...]) -> None:
        """These columns of kinds are not needed again; none: all."""
        for name, of in kinds.items():
            self._parts[name] = [{c: values for c, values in self.columns(name).items() if of and c not in of}]

    def self_times(self, end: int) -> tuple[Ints, Ints, Ints]:
        """(task, node, ns): how long each node ran itself, with what runs until ``end``."""
        keys, ns = _merge(self._self_keys, self._self_ns)
        self._self_keys, self._self_ns = [keys], [ns]
        late = np.array(self.running(end), np.int64).reshape(-1, 3)
        keys, ns = _merge([keys, late[:, 0] << 32 | late[:, 1]], [ns, late[:, 2]])
        return keys >> 32, keys & 0xFFFFFFFF, ns

    def running(self, end: int) -> list[tuple[int, int, int]]:
        """(task, node, ns) of what runs until ``end``, since each thread's last record."""
        return [(last.task, last.node, end - last.ts) for last in self._threads.values() if last.node]

    def poll_spans(self) -> list[int]:
        """The slot of each thread's last suspension: of these there may be more to come."""
        return [last.burst for last in self._threads.values()]

    def take(self) -> tuple[dict[str, Columns], Ints, Ints]:
        """What came in since the last time, and is forgotten here: the columns; nodes, and how long each ran itself."""
        taken = {name: _wide(self.columns(name)) for name in KEPT}
        keys, ns = _merge(self._self_keys, self._self_ns)
        self._parts, self._loose, self._joined = {name: [] for name in KEPT}, {}, {}
        self._self_keys, self._self_ns, self._unmerged = [], [], 0
        return taken, keys & 0xFFFFFFFF, ns

    def feed(self, slots: Slots) -> None:
        """Take in the next slots of the recording."""
        for begin in range(0, len(slots), CHUNK):
            self._feed(slots[begin : begin + CHUNK])

    def _feed(self, slots: Slots) -> None:
        """A few slots, so that what is computed of them stays in the processor's cache."""
        words = np.ascontiguousarray(np.ascontiguousarray(slots).view("<u4").reshape(-1, len(_WORDS) + 2).T)
        data: Columns = dict(zip(_WORDS, words[2:], strict=True))
        last = data.pop("last")
        data["kind"], data["flags"] = (last >> 24).astype(np.uint8), (last >> 16).astype(np.uint8)
        data["thread"] = last.astype(np.uint16)
        data["ts"] = slots["ts"].astype(np.int64)
        data["pos"] = np.arange(self.fed, self.fed + len(slots), dtype=np.int32 if self.fed < 1 << 30 else np.int64)
        self.fed += len(slots)
        if data["kind"].min() < ev.FIRST_EVENT:
            data = _rows(data, np.flatnonzero(data["kind"] >= ev.FIRST_EVENT))
        if not len(data["kind"]):
            return
        self.records += len(data["kind"])
        if self.first_ts < 0:
            self.first_ts = int(data["ts"][0])
            self._begin(data)
        if self.since or self._until is not None:
            data = self._in_window(data)
            if not len(data["kind"]):
                return
        self.last_ts = max(self.last_ts, int(data["ts"].max()))
        stacks = data["kind"] == ev.STACK
        if stacks.any():  # the watchdog's, from another thread: they say nothing of what runs after them
            self._keep("stacks", data, stacks)
            data = _rows(data, np.flatnonzero(~stacks))
            if not len(data["kind"]):
                return
        kind, task, aux = data["kind"], data["task"], data["aux"]
        before, _, burst = data["before"], data["below"], data["burst"] = self._look_back(data)

        entry = (kind == ev.START) | (kind == ev.ENTER)
        ends = (kind == ev.RETURN) | (kind == ev.RAISE)
        self._keep("opens", data, entry & (aux == 0) | (kind == ev.RESUME) | (kind == ev.THROW))
        suspend = kind == ev.SUSPEND
        handed = (kind == ev.ITEM) & (aux == 0)
        self._keep("closes", data, (suspend | handed | (ends & (task != before))) & (before > 0))
        self._keep("suspends", data, suspend & (before > 0))
        self._keep("links", data, (kind == ev.LINK) & (burst >= 0))
        self._keep("entries", data, entry)
        self._keep("exits", data, ends | (kind == ev.ITEM) | (kind == ev.VANISH))
        self._keep("spawns", data, kind == ev.SPAWN)
        self._keep("points", data, kind == ev.POINT)
        late = np.flatnonzero(kind >= ev.WAKE)
        if len(late):
            kind = kind[late]
            for name, kinds in _OF_SOURCES.items():
                self._keep(name, data, late[(kind == kinds[0]) | (kind == kinds[-1])])

    def _begin(self, events: Columns) -> None:
        """Where the recording begins with what was there before, its time begins with that: of a poll that had ended
        then, as of one before a window, only the end was seen."""
        kind = events["kind"]
        before = ((kind == ev.SUSPEND) | (kind == ev.SPAWN)) & (events["flags"] & ev.BEFORE > 0)
        if before.any():
            base = 0 if self.first_ts < self._start else self._start
            self.since = max(self.since, int(events["ts"][before][0]) - base)

    def _in_window(self, events: Columns) -> Columns:
        """The events that the window shows, with the times that it shows."""
        since, until = self.since, self._until
        base = 0 if self.first_ts < self._start else self._start  # as in ``recording/ending.py``
        if until is not None:
            events = _rows(events, np.flatnonzero(events["ts"] <= base + until))
        return {**events, "ts": np.maximum(events["ts"], base + since)}

    def _keep(self, name: str, events: Columns, which: npt.NDArray[Any]) -> None:
        """``which``: a mask, or rows."""
        rows = np.flatnonzero(which) if which.dtype == np.bool_ else which
        if len(rows):
            self._parts[name].append({c: events[c].take(rows) for c in KEPT[name]})
            self._loose[name] = loose = self._loose.get(name, 0) + len(rows)
            if loose > _LOOSE:
                first = self._joined.get(name, 0)
                parts = self._parts[name]
                parts[first:] = [_joined(parts[first:], KEPT[name])]
                self._joined[name], self._loose[name] = first + 1, 0

    def _look_back(self, events: Columns) -> tuple[Words, Words, Ints]:
        """For each event the task and node that ran before it on its thread, and the last suspension's slot there.

        The time between belongs to that task and node: it is added up here.
        """
        ts, pos, thread = events["ts"], events["pos"], events["thread"]
        before, below = np.empty(len(ts), np.uint32), np.empty(len(ts), np.uint32)
        burst = np.where(events["kind"] == ev.SUSPEND, pos, -1)
        keys, passed = [], []
        one = bool((thread == thread[0]).all())
        for index in [int(thread[0])] if one else np.unique(thread).tolist():
            rows: Any = slice(None) if one else np.flatnonzero(thread == index)
            last = self._threads.setdefault(index, _Thread())
            times, nodes, tasks = ts[rows], events["node"][rows], events["task"][rows]
            before[rows] = past_tasks = np.concatenate([np.array([last.task], np.uint32), tasks[:-1]])
            below[rows] = past_nodes = np.concatenate([np.array([last.node], np.uint32), nodes[:-1]])
            ran = np.flatnonzero(past_nodes)
            keys.append(past_tasks[ran].astype(np.int64) << 32 | past_nodes[ran])
            passed.append((times - np.concatenate([np.array([last.ts]), times[:-1]]))[ran])
            burst[rows] = poll_spans = np.maximum(np.maximum.accumulate(burst[rows]), last.burst)
            self._threads[index] = _Thread(int(times[-1]), int(nodes[-1]), int(tasks[-1]), int(poll_spans[-1]))
        self._add_self_times(*_merge(keys, passed))
        return before, below, burst

    def _add_self_times(self, keys: Ints, ns: Ints) -> None:
        """Add these; all that there are are merged now and then, so that they take no more room than what they say."""
        self._self_keys.append(keys)
        self._self_ns.append(ns)
        self._unmerged += len(keys)
        if self._unmerged > max(1 << 18, len(self._self_keys[0])) or len(self._self_keys) > 1 << 10:
            keys, ns = _merge(self._self_keys, self._self_ns)
            self._self_keys, self._self_ns, self._unmerged = [keys], [ns], 0


def _joined(parts: list[Columns], names: Iterable[str]) -> Columns:
    """These parts as one; each column of theirs is forgotten when it is copied."""
    found: Columns = {}
    for name in names:
        some = [part.pop(name) for part in parts]
        found[name] = np.concatenate(some) if some else np.empty(0, _TYPES.get(name, np.uint32))
    return found


def _wide(columns: Columns) -> Columns:
    return {name: column.astype(_TYPES.get(name, column.dtype), copy=False) for name, column in columns.items()}


def _rows(columns: Columns, rows: Ints) -> Columns:
    return {name: column.take(rows) for name, column in columns.items()}


def _merge(keys: list[Ints], ns: list[Ints]) -> tuple[Ints, Ints]:
    """The distinct keys, sorted, and the sum of ``ns`` for each."""
    distinct, which = distinct_of(np.concatenate([np.empty(0, np.int64), *keys]))
    return distinct, sums(which, np.concatenate([np.empty(0, np.int64), *ns]), len(distinct))
