"""What every task did when, as nested slices on as few tracks as possible: for the timeline formats.

Knows: lanes (tasks overlap, so each gets a lane that is free during its lifetime; each process has as many lanes as
tasks were alive at once), the order in which slices open, and which frames ran in a poll.  Knows no format.

A task's slice holds its polls and awaits, a poll holds the frames that ran in it.  A frame's slice is the part of its
call that lies in the poll: exact, since a coroutine runs whenever its task does from its entry to its exit.  A poll in
which these parts don't nest (threads that hand a coroutine over) has none.  Where only roots were heard, a root's slice
holds one that says that it isn't divided.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final, NamedTuple

import numpy as np

from ...model import tables as t
from ...model.event_log import event_counts
from ...model.trace import Trace
from .stacks import depths

TASK: Final = 0
POLL: Final = 1
AWAIT: Final = 2
FRAME: Final = 3
CATEGORIES: Final = ("task", "poll", "await", "frame")
MAX_FRAMES = 400  # levels below a poll: viewers give up on more (trace_processor at 512)


class Slice(NamedTuple):
    kind: int  # TASK, POLL, AWAIT, FRAME
    start_ns: int
    end_ns: int
    row: int  # of Tasks, Polls, Awaits; of a FRAME its node (-1: not known)


class Rows(NamedTuple):
    """How many slices and other things the timeline of a trace has."""

    tasks: int
    polls: int
    awaits: int
    frames: int  # at most
    instants: int
    counts: int  # at most


def rows(trace: Trace) -> Rows:
    """Told from columns, without walking them."""
    entries, polls = trace.entries, len(trace.polls)
    spanned = np.maximum(entries.last_poll.astype(np.int64) - entries.first_poll + 1, 0)
    frames = int((spanned * (1 + ~trace.calls_heard[entries.task]))[_shown(trace)].sum())
    instants, awaits = int(event_counts(trace)[list(INSTANTS)].sum()), len(trace.awaits)
    return Rows(len(trace.task_table), polls, awaits, frames, instants, 2 * polls + awaits)


def _shown(trace: Trace) -> t.Bools:
    """By entry, whether it is a frame: those deeper in their stacks than MAX_FRAMES are none, and not walked either."""
    shown: t.Bools = (np.append(depths(trace), 0) <= MAX_FRAMES)[trace.entries.node]  # the last is that of -1
    return shown


def pids(trace: Trace) -> list[int]:
    """The processes' ids, each once: one that exec'd another program goes on in the same tracks."""
    return list(dict.fromkeys(process.pid for process in trace.processes))


def lanes(trace: Trace) -> tuple[list[int], list[int]]:
    """Each task's lane, from 0, by row of Tasks; and the process id of each lane: no two processes share one."""
    table, lane, owners = trace.task_table, [0] * len(trace.task_table), list[int]()
    for pid in pids(trace):
        parts = [trace.tasks_of(row) for row, process in enumerate(trace.processes) if process.pid == pid]
        rows = np.concatenate([np.arange(part.start, part.stop) for part in parts])
        rows = rows[np.argsort(table.created_ns[rows], kind="stable")]
        first = len(owners)
        busy: list[tuple[int, int]] = []  # (until, lane)
        free: list[int] = []
        columns = (rows, table.created_ns[rows], table.end_ns[rows])
        for row, start, end in zip(*(column.tolist() for column in columns), strict=True):
            while busy and busy[0][0] <= start:
                heappush(free, heappop(busy)[1])
            lane[row] = heappop(free) if free else first + len(busy)
            heappush(busy, (end, lane[row]))
        owners += [pid] * (max(lane[row] for row in rows.tolist()) + 1 - first if len(rows) else 0)
    return lane, owners


class Timeline:
    """The slices of a trace, task by task."""

    def __init__(self, trace: Trace, frames: bool = True) -> None:
        """``frames``: with the frames that ran in polls."""
        self._trace = trace
        rows = np.flatnonzero(_shown(trace)) if frames else np.empty(0, np.int64)
        self._order = rows[np.argsort(trace.entries.task[rows], kind="stable")]
        tasks = np.arange(len(trace.task_table) + 2)
        self._entry_edges = np.searchsorted(trace.entries.task[self._order], tasks)
        self._poll_edges = np.searchsorted(trace.polls.task, tasks)
        self._await_edges = np.searchsorted(trace.awaits.task, tasks)

    def groups(self, number: int) -> Iterator[list[Slice]]:
        """A task's slices in the order in which they open, outer ones first: the task, then in order of time each poll
        with the frames that ran in it, and each await."""
        table, polls = self._trace.task_table, self._trace.polls
        yield [Slice(TASK, int(table.created_ns[number - 1]), int(table.end_ns[number - 1]), number - 1)]
        awaits = self._awaits(number)
        waiting = next(awaits, None)
        frames = _Frames(self._trace, number, self._order[self._entry_edges[number] : self._entry_edges[number + 1]])
        first, last = int(self._poll_edges[number]), int(self._poll_edges[number + 1])
        for row, start, end in _rows(first, last, polls.start_ns, polls.end_ns):
            while waiting and (waiting.start_ns < start or (waiting.end_ns <= start and row > first)):
                yield [waiting]
                waiting = next(awaits, None)
            yield [Slice(POLL, start, end, row), *frames.of(row, start, end)]
        if waiting:
            yield [waiting]
            yield from ([one] for one in awaits)

    def _awaits(self, number: int) -> Iterator[Slice]:
        table = self._trace.awaits
        first, last = int(self._await_edges[number]), int(self._await_edges[number + 1])
        for row, start, end in _rows(first, last, table.start_ns, table.end_ns):
            yield Slice(AWAIT, start, end, row)


def _rows(first: int, last: int, start: t.Ints, end: t.Ints, block: int = 4096) -> Iterator[tuple[int, int, int]]:
    for begin in range(first, last, block):
        part = slice(begin, min(begin + block, last))
        yield from zip(range(begin, last), start[part].tolist(), end[part].tolist(), strict=False)


type _Entry = tuple[int, int, int, int, int]  # row, last poll, start, end, node


def _by_first_poll(entries: t.Entries, rows: t.Ints, block: int = 4096) -> Iterator[tuple[int, _Entry]]:
    """Each with its first poll, in order of that."""
    rows = rows[np.argsort(entries.first_poll[rows], kind="stable")]
    for begin in range(0, len(rows), block):
        part = rows[begin : begin + block]
        columns = (entries.last_poll, entries.start_ns, entries.end_ns, entries.node)
        entry = zip(part.tolist(), *(column[part].tolist() for column in columns), strict=True)
        yield from zip(entries.first_poll[part].tolist(), entry, strict=True)


class _Frames:
    """The frames of one task's polls, poll by poll in order of time; keeps only the frames that are open."""

    def __init__(self, trace: Trace, number: int, rows: t.Ints) -> None:
        self._inside = None if trace.calls_heard[number] else trace.not_divided
        self._coming = _by_first_poll(trace.entries, rows)
        self._next = next(self._coming, None)
        self._open: list[_Entry] = []

    def of(self, poll: int, start: int, end: int) -> list[Slice]:
        while self._next and self._next[0] <= poll:
            self._open.append(self._next[1])
            self._next = next(self._coming, None)
        if not self._open:
            return []
        parts = sorted(
            (max(begin, start), row, min(until, end), node)
            for row, last, begin, until, node in self._open
            if last >= poll
        )
        self._open = [entry for entry in self._open if entry[1] > poll]
        found = [Slice(FRAME, begin, until, node) for begin, _, until, node in parts]
        return _nested(found if self._inside is None else _with_inside(found, self._inside))


def _with_inside(frames: list[Slice], inside: t.Small) -> list[Slice]:
    """These slices, in each that of the node inside (-1: none)."""
    found = []
    for one in frames:
        found.append(one)
        if inside[one.row] >= 0:
            found.append(one._replace(row=int(inside[one.row])))
    return found


def _nested(parts: list[Slice]) -> list[Slice]:
    """These slices without those deeper than MAX_FRAMES; [] if they don't nest."""
    found: list[Slice] = []
    ends: list[int] = []
    for part in parts:
        while ends and ends[-1] <= part.start_ns:
            ends.pop()
        if part.end_ns < part.start_ns or (ends and part.end_ns > ends[-1]):
            return []
        ends.append(part.end_ns)
        if len(ends) <= MAX_FRAMES:
            found.append(part)
    return found


# --- instants --------------------------------------------------------------------------------------------------------

INSTANTS = (
    t.TASK_SPAWNED, t.TASK_COMPLETED, t.TASK_FAILED, t.TASK_CANCELLED, t.STATE_CHANGED, t.INSPECTION_POINT,
)  # fmt: skip


class Instant(NamedTuple):
    """A spawn, a change of state or an inspection point."""

    kind: int  # tables.EVENT_KINDS
    ts_ns: int
    row: int  # of Tasks, or of Points


class Instants:
    """The instants of a trace, by task."""

    def __init__(self, trace: Trace) -> None:
        events, self._trace = trace.events, trace
        rows = np.flatnonzero(np.isin(events.kind, INSTANTS))
        self._rows = rows[np.argsort(events.task[rows], kind="stable")]
        self._edges = np.searchsorted(events.task[self._rows], np.arange(len(trace.task_table) + 2))
        self._events = events

    def of(self, number: int) -> Iterator[Instant]:
        """A task's instants, in order of time; those outside of any task for 0."""
        events, rows = self._events, self._rows[self._edges[number] : self._edges[number + 1]]
        columns = (events.kind[rows], events.ts_ns[rows], events.row[rows])
        yield from map(Instant._make, zip(*(column.tolist() for column in columns), strict=True))

    def outside(self, pid: int) -> Iterator[Instant]:
        """The instants of a process outside of any task."""
        process = self._trace.points.process
        return (one for one in self.of(0) if self._trace.processes[process[one.row]].pid == pid)

    def spawn(self, number: int) -> Instant:
        """The instant at which a task was spawned."""
        return next(moment for moment in self.of(number) if moment.kind == t.TASK_SPAWNED)


class Flow(NamedTuple):
    """From the task that spawned to the one it spawned."""

    source: int  # task
    target: int  # task
    ts_ns: int


def flows(trace: Trace) -> Iterator[Flow]:
    """The arrows from spawner to task; none to a task that took no time, since there is no slice to point at."""
    table = trace.task_table
    parent = np.maximum(table.parent - 1, 0)
    lives = table.end_ns > table.created_ns
    if len(table):
        lives &= (table.created_ns[parent] <= table.created_ns) & (table.end_ns[parent] > table.created_ns)
    for row in np.flatnonzero((table.parent > 0) & lives).tolist():
        yield Flow(int(table.parent[row]), row + 1, int(table.created_ns[row]))


class Count(NamedTuple):
    ts_ns: int
    running: int  # tasks in a poll
    waiting: int  # tasks in an await


def counts(trace: Trace) -> Iterator[tuple[int, Count]]:
    """By process id, how many tasks run and how many wait, from each moment at which that changes."""
    all_, index = pids(trace), {pid: at for at, pid in enumerate(pids(trace))}
    of_process = np.array([index[process.pid] for process in trace.processes])
    of_task = np.append(of_process[trace.task_table.process], -1)  # the last: points outside of any
    of_event = of_task[trace.events.task - 1]
    rows = np.argsort(of_event, kind="stable")
    edges = np.searchsorted(of_event[rows], np.arange(len(all_) + 1))
    open_ = np.flatnonzero(~trace.awaits.ended)  # ended without an AwaitEnded
    of_open, ends = of_task[trace.awaits.task[open_] - 1], trace.awaits.end_ns[open_]
    for at, pid in enumerate(all_):
        end = max(process.end_ns for process in trace.processes if process.pid == pid)
        closed_by_then = np.sort(ends[of_open == at])
        yielded = Count(-1, 0, 0)
        for yielded in _counts(trace.events, rows[edges[at] : edges[at + 1]], closed_by_then[closed_by_then < end]):
            yield pid, yielded
        if end < trace.meta.duration_ns and (yielded.running or yielded.waiting):
            yield pid, Count(end, 0, 0)


def _counts(events: t.Events, rows: t.Ints, open_ends: t.Ints, block: int = 1 << 16) -> Iterator[Count]:
    """The counts over these events."""
    running = np.zeros(len(t.EVENT_KINDS), np.int64)
    running[[t.POLL_STARTED, t.POLL_ENDED]] = 1, -1
    waiting = np.zeros(len(t.EVENT_KINDS), np.int64)
    waiting[[t.AWAIT_STARTED, t.AWAIT_ENDED]] = 1, -1
    run = wait = 0
    yielded = Count(-1, 0, 0)
    pending: Count | None = None
    for begin in range(0, len(rows), block):
        part = rows[begin : begin + block]
        kind, ts = events.kind[part], events.ts_ns[part]
        runs, waits = np.cumsum(running[kind]) + run, np.cumsum(waiting[kind]) + wait
        run, wait = int(runs[-1]), int(waits[-1])
        last = np.flatnonzero(np.diff(ts, append=-1))  # the last event of each moment
        closed_by_then = np.searchsorted(open_ends, ts[last], side="right")
        now = zip(ts[last].tolist(), runs[last].tolist(), (waits[last] - closed_by_then).tolist(), strict=True)
        for count in map(Count._make, now):
            if pending and pending.ts_ns < count.ts_ns and pending[1:] != yielded[1:]:
                yield pending
                yielded = pending
            pending = count
    if pending and pending[1:] != yielded[1:]:
        yield pending
