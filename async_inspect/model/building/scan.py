"""Records to columns, chunk by chunk: of each kind of record what matters, and who ran before it.

Knows: the kinds of records, what of each is kept, and that a thread runs on from where the chunk before left it.
What polls, awaits and calls follow from that is in ``tasks.py``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import events as ev
from ...recording.slots import Slots
from ..filters import ALL, Window
from ..grouping import Ints, sums

CHUNK = 1 << 21

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
        self._self_keys: list[Ints] = []
        self._self_ns: list[Ints] = []
        self._threads: dict[int, _Thread] = {}
        self.fed = 0  # slots
        self.records = 0  # events among them
        self.first_ts = self.last_ts = -1

    def columns(self, name: str) -> Columns:
        """All of one kind so far, in the order of the file."""
        parts = self._parts[name]
        if len(parts) != 1:
            empty = [{c: np.empty(0, _TYPES.get(c, np.uint32)) for c in KEPT[name]}]
            parts = [{c: np.concatenate([p[c] for p in parts or empty]) for c in KEPT[name]}]
            self._parts[name] = parts
        return parts[0]

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
        taken = {name: self.columns(name) for name in KEPT}
        keys, ns = _merge(self._self_keys, self._self_ns)
        self._parts = {name: [] for name in KEPT}
        self._self_keys, self._self_ns = [], []
        return taken, keys & 0xFFFFFFFF, ns

    def feed(self, slots: Slots) -> None:
        """Take in the next slots of the recording."""
        for begin in range(0, len(slots), CHUNK):
            self._feed(slots[begin : begin + CHUNK])

    def _feed(self, slots: Slots) -> None:
        at = np.flatnonzero(slots["kind"] >= ev.FIRST_EVENT)
        events = slots[at]
        begin = self.fed
        self.fed += len(slots)
        if not len(events):
            return
        self.records += len(events)
        ts = events["ts"].astype(np.int64)
        if self.first_ts < 0:
            self.first_ts = int(ts[0])
            self._begin(events)
        if self.since or self._until is not None:
            ts, kept = self._in_window(ts)
            at, events = at[kept], events[kept]
            if not len(at):
                return
        self.last_ts = max(self.last_ts, int(ts.max()))
        stacks = events["kind"] == ev.STACK
        if stacks.any():  # the watchdog's, from another thread: they say nothing of what runs after them
            self._keep("stacks", events, {"ts": ts}, stacks)
            at, events, ts = at[~stacks], events[~stacks], ts[~stacks]
            if not len(at):
                return
        pos = at + begin
        kind, task = np.ascontiguousarray(events["kind"]), events["task"]  # it is compared often
        before, below, burst = self._look_back(events, ts, pos)

        data: Columns = {"pos": pos, "ts": ts, "before": before, "below": below, "burst": burst}
        entry = (kind == ev.START) | (kind == ev.ENTER)
        ends = (kind == ev.RETURN) | (kind == ev.RAISE)
        root_entry = entry & (events["aux"] == 0)
        self._keep("opens", events, data, root_entry | (kind == ev.RESUME) | (kind == ev.THROW))
        suspend = kind == ev.SUSPEND
        handed = (kind == ev.ITEM) & (events["aux"] == 0)
        self._keep("closes", events, data, (suspend | handed | (ends & (task != before))) & (before > 0))
        self._keep("suspends", events, data, suspend & (before > 0))
        self._keep("links", events, data, (kind == ev.LINK) & (burst >= 0))
        self._keep("entries", events, data, entry)
        self._keep("exits", events, data, ends | (kind == ev.ITEM) | (kind == ev.VANISH))
        self._keep("spawns", events, data, kind == ev.SPAWN)
        self._keep("points", events, data, kind == ev.POINT)
        late = np.flatnonzero(kind >= ev.WAKE)
        if len(late):
            kind = kind[late]
            for name, kinds in _OF_SOURCES.items():
                self._keep(name, events, data, late[(kind == kinds[0]) | (kind == kinds[-1])])

    def _begin(self, events: Slots) -> None:
        """Where the recording begins with what was there before, its time begins with that: of a poll that had ended
        then, as of one before a window, only the end was seen."""
        kind = events["kind"]
        before = ((kind == ev.SUSPEND) | (kind == ev.SPAWN)) & (events["flags"] & ev.BEFORE > 0)
        if before.any():
            base = 0 if self.first_ts < self._start else self._start
            self.since = max(self.since, int(events["ts"][before][0]) - base)

    def _in_window(self, ts: Ints) -> tuple[Ints, Ints]:
        """The times as the window shows them, and which events it shows."""
        since, until = self.since, self._until
        base = 0 if self.first_ts < self._start else self._start  # as in build._moments
        kept = np.arange(len(ts)) if until is None else np.flatnonzero(ts <= base + until)
        return np.maximum(ts[kept], base + since), kept

    def _keep(self, name: str, events: Slots, data: Columns, which: npt.NDArray[Any]) -> None:
        """``which``: a mask, or rows."""
        rows = np.flatnonzero(which) if which.dtype == np.bool_ else which
        if len(rows):
            self._parts[name].append({c: (data[c] if c in data else events[c])[rows] for c in KEPT[name]})

    def _look_back(self, events: Slots, ts: Ints, pos: Ints) -> tuple[Words, Words, Ints]:
        """For each event the task and node that ran before it on its thread, and the last suspension's slot there.

        The time between belongs to that task and node: it is added up here.
        """
        before, below = np.empty(len(ts), np.uint32), np.empty(len(ts), np.uint32)
        burst = np.where(events["kind"] == ev.SUSPEND, pos, -1)
        thread = events["thread"]
        keys, passed = [], []
        for index in [int(thread[0])] if (thread == thread[0]).all() else np.unique(thread).tolist():
            rows: Any = slice(None) if (thread == index).all() else np.flatnonzero(thread == index)
            last = self._threads.setdefault(index, _Thread())
            times, nodes, tasks = ts[rows], events["node"][rows], events["task"][rows]
            before[rows] = past_tasks = np.concatenate([np.array([last.task], np.uint32), tasks[:-1]])
            below[rows] = past_nodes = np.concatenate([np.array([last.node], np.uint32), nodes[:-1]])
            ran = np.flatnonzero(past_nodes)
            keys.append(past_tasks[ran].astype(np.int64) << 32 | past_nodes[ran])
            passed.append((times - np.concatenate([np.array([last.ts]), times[:-1]]))[ran])
            burst[rows] = poll_spans = np.maximum(np.maximum.accumulate(burst[rows]), last.burst)
            self._threads[index] = _Thread(int(times[-1]), int(nodes[-1]), int(tasks[-1]), int(poll_spans[-1]))
        distinct, total = _merge(keys, passed)
        self._self_keys.append(distinct)
        self._self_ns.append(total)
        return before, below, burst


def _merge(keys: list[Ints], ns: list[Ints]) -> tuple[Ints, Ints]:
    """The distinct keys, sorted, and the sum of ``ns`` for each."""
    distinct, which = np.unique(np.concatenate([np.empty(0, np.int64), *keys]), return_inverse=True)
    return distinct, sums(which, np.concatenate([np.empty(0, np.int64), *ns]), len(distinct))
