"""Polls one by one: the longest, and those that blocked their loop: what they did meanwhile, and whom they held up.

Knows: that a task is held up while it is ready and another one runs on its thread.  Only certain victims have a name;
how many more there may be is counted.  Where a loop is not seen (uvloop) nobody knows who was ready; then it is named
who was suspended meanwhile and ran soon after.  Knows nothing of who saw what the poll did
(``model/building/side_tables.py``).
"""

from functools import cached_property
from typing import Final, Literal

import numpy as np

from .. import tables as t
from ..data import TraceData
from ..entities import Frozen
from ..grouping import Any1d, Ints, Ordered, group, sums
from . import unfinished

HURT_NS: Final = 1_000_000
HURT_SHARE: Final = 100  # and that part of the poll


class PollFigures(Frozen):
    """A single poll, and the await points that it ran between."""

    task: int
    name: str
    start_ns: int
    duration_ns: int
    at_least: bool  # it went on, and how much longer is not known
    since: str | None  # "file:line" of the await it came from; None: the task's first poll, or not known
    until: str | None  # and of the await it ran into; None: it ended the task, or not known


class Victim(Frozen):
    """A task that could have run during a poll of another."""

    task: int
    name: str
    held_up_ns: int  # for so much of the poll


class BlockingPoll(PollFigures):
    """A poll that lasted too long."""

    thread: int
    seen_by: Literal["stack", "calls"] | None  # how it is known what it did
    held_interpreter: bool  # it did not even let the watchdog look
    doing: str | None  # "function (file:line)" of the user's innermost frame, or what was called, and where
    doing_since_ns: int | None  # when the stack was taken, or the call began
    call_ns: int | None  # how long it was until the next call, or the poll's end
    stack: tuple[str, ...]  # "function (file:line)", innermost first
    victims: tuple[Victim, ...]  # who certainly could have run, the longest held up first
    maybe: int  # how many more may have been: they waited for I/O that may have been there
    suspended: tuple[int, ...]  # tasks of a loop that isn't seen that were suspended meanwhile, and ran soon after

    @property
    def hurt(self) -> tuple[Victim, ...]:
        """The victims that were held up for long enough to speak of it."""
        least = max(HURT_NS, self.duration_ns // HURT_SHARE)
        return tuple(victim for victim in self.victims if victim.held_up_ns >= least)


def slow_polls(trace: TraceData, slow_ns: int) -> Ints:
    """The rows of polls of at least that length, longest first; what is nested in one is a part of it."""
    polls = trace.polls
    rows = np.flatnonzero(polls.end_ns - polls.start_ns >= max(slow_ns, 1))
    rows = rows[np.lexsort((rows, -polls.end_ns[rows], polls.start_ns[rows], polls.thread[rows]))]
    outer = np.ones(len(rows), np.bool_)
    for thread in np.unique(polls.thread[rows]).tolist():
        at = np.flatnonzero(polls.thread[rows] == thread)
        ends = polls.end_ns[rows[at]]
        outer[at[1:]] = ends[1:] > np.maximum.accumulate(ends)[:-1]
    rows = np.sort(rows[outer])
    return rows[np.argsort(polls.start_ns[rows] - polls.end_ns[rows], kind="stable")]


def blocking_polls(trace: TraceData, rows: Ints) -> tuple[BlockingPoll, ...]:
    """What there is to say of these polls, by row."""
    waiting, doing, going = _Waiting(trace), _Doing(trace), unfinished.polls(trace)
    found = []
    for row in rows.tolist():
        task, thread = int(trace.polls.task[row]), int(trace.polls.thread[row])
        start, end = int(trace.polls.start_ns[row]), int(trace.polls.end_ns[row])
        victims, maybe = waiting.held_up(task, thread, start, end)
        figures = _figures(trace, row, going) | doing.of(thread, start, end)
        who = {"victims": victims, "maybe": maybe, "suspended": waiting.unseen(task, thread, start, end)}
        found.append(BlockingPoll.model_validate({**figures, **who, "thread": thread}))
    return tuple(found)


def longest_polls(trace: TraceData, top: int) -> tuple[PollFigures, ...]:
    """The longest of all."""
    polls, going = trace.polls, unfinished.polls(trace)
    length = polls.end_ns - polls.start_ns
    rows = np.argsort(-length, kind="stable")[:top].tolist()
    return tuple(PollFigures.model_validate(_figures(trace, row, going)) for row in rows)


def _figures(trace: TraceData, row: int, going: t.Bools) -> dict[str, object]:
    polls = trace.polls
    task, start, end = int(polls.task[row]), int(polls.start_ns[row]), int(polls.end_ns[row])
    since, until = _around(trace, task, start, end)
    name = trace.task_table.name[task - 1]
    return {
        "task": task, "name": name, "start_ns": start, "duration_ns": end - start, "at_least": bool(going[row]),
        "since": since, "until": until,
    }  # fmt: skip


def _around(trace: TraceData, task: int, start: int, end: int) -> tuple[str | None, str | None]:
    awaits = trace.awaits
    first, last = np.searchsorted(awaits.task, [task, task + 1]).tolist()
    begins, ends = awaits.start_ns[first:last], awaits.end_ns[first:last]
    before = first + int(np.searchsorted(ends, start, side="right")) - 1
    after = first + int(np.searchsorted(begins, end))
    since = trace.place(int(awaits.location[before])) if before >= first and awaits.end_ns[before] == start else None
    until = trace.place(int(awaits.location[after])) if after < last and awaits.start_ns[after] == end else None
    return since, until


class _Spans:
    """Spans of time, each of a task on a thread, to be asked for those that overlap another."""

    def __init__(self, task: Any1d, thread: Ints, start: Ints, end: Ints) -> None:
        order = np.argsort(end, kind="stable")
        self._task, self._thread, self._start, self._end = task[order], thread[order], start[order], end[order]
        self._longest = int((end - start).max()) if len(end) else 0

    def overlapping(self, thread: int, start: int, end: int) -> tuple[Ints, Ints]:
        """The tasks, each once, and for how long."""
        first, last = np.searchsorted(self._end, [start, end + self._longest], side="right").tolist()
        part = slice(first, last)
        rows = first + np.flatnonzero((self._start[part] < end) & (self._thread[part] == thread))
        (task,), which = group(self._task[rows])
        length = np.minimum(self._end[rows], end) - np.maximum(self._start[rows], start)
        return task, sums(which, length, len(task))


class _Waiting:
    """Who was ready when: for sure, and perhaps."""

    def __init__(self, trace: TraceData) -> None:
        self._trace = trace

    @cached_property
    def _thread(self) -> Ints:
        """By task, where it runs: a loop stays on its thread.  -1: it never ran."""
        thread = np.full(len(self._trace.task_table) + 1, -1, np.int64)
        thread[self._trace.polls.task] = self._trace.polls.thread
        return thread

    @cached_property
    def _ready(self) -> _Spans:
        awaits, tasks = self._trace.awaits, self._trace.task_table
        rows, new = np.flatnonzero(awaits.ready_ns > 0), np.flatnonzero(tasks.delay_ns > 0)
        task = np.concatenate([awaits.task[rows], new + 1])
        start = np.concatenate([awaits.end_ns[rows] - awaits.ready_ns[rows], tasks.created_ns[new]])
        end = np.concatenate([awaits.end_ns[rows], tasks.created_ns[new] + tasks.delay_ns[new]])
        return _Spans(task, self._thread[task], start, end)

    @cached_property
    def _perhaps(self) -> _Spans:
        """When I/O may have been there already: while the loop was busy before it asked the selector."""
        awaits, selects = self._trace.awaits, self._trace.selects
        wait = awaits.end_ns - awaits.start_ns
        most = np.where(awaits.ready_most_ns < 0, wait, awaits.ready_most_ns)
        rows = np.flatnonzero((awaits.woken_by == t.BY_IO) & (most > awaits.ready_ns))
        task = awaits.task[rows]
        thread = self._thread[task]
        end = awaits.end_ns[rows] - awaits.ready_ns[rows]  # when the selector answered: until it was asked, that is
        length = most[rows] - awaits.ready_ns[rows]
        if len(selects):
            answers = Ordered(selects.thread, selects.end_ns)
            row = answers.order[np.minimum(answers.before(thread, end), len(selects) - 1)]
            asked = (selects.thread[row] == thread) & (selects.end_ns[row] == end)
            end = np.where(asked, selects.start_ns[row], end)
        return _Spans(task, thread, end - length, end)

    def held_up(self, task: int, thread: int, start: int, end: int) -> tuple[list[Victim], int]:
        """The victims of a poll, worst first, and how many more there may be."""
        who, length = self._ready.overlapping(thread, start, end)
        names = self._trace.task_table.name
        victims = [
            Victim(task=number, name=names[number - 1], held_up_ns=ns)
            for number, ns in zip(who.tolist(), length.tolist(), strict=True)
            if number != task
        ]
        perhaps, _ = self._perhaps.overlapping(thread, start, end)
        more = set(perhaps.tolist()) - set(who.tolist()) - {task}
        return sorted(victims, key=lambda victim: (-victim.held_up_ns, victim.task)), len(more)

    @cached_property
    def _blind(self) -> t.Bools:
        """By thread, whether its loop is not seen: nobody knows who woke any task, nor when it asked for I/O."""
        awaits, selects = self._trace.awaits, self._trace.selects
        blind = np.ones(max(int(self._thread.max(initial=0)), int(selects.thread.max(initial=0))) + 2, np.bool_)
        seen = (awaits.woken_by > 0) & (awaits.woken_by != t.BY_ITSELF)
        blind[self._thread[awaits.task[seen]]] = blind[selects.thread] = False
        blind[-1] = False  # of whom it isn't known where it would run
        return blind

    @cached_property
    def _unseen(self) -> t.Ints:
        """The awaits on such threads that came to an end, in order of that."""
        awaits = self._trace.awaits
        rows = np.flatnonzero(awaits.ended & (awaits.woken_by == 0) & self._blind[self._thread[awaits.task]])
        return rows[np.argsort(awaits.end_ns[rows], kind="stable")]

    def unseen(self, task: int, thread: int, start: int, end: int) -> tuple[int, ...]:
        """Who was suspended during a poll and ran again within as long a time after it; not those that waited for its
        task, or for one that did."""
        awaits, rows = self._trace.awaits, self._unseen
        first, last = np.searchsorted(awaits.end_ns[rows], [end, 2 * end - start + 1]).tolist()
        rows = rows[first:last]
        rows = rows[(awaits.start_ns[rows] <= start) & (self._thread[awaits.task[rows]] == thread)]
        found = set(awaits.task[rows].tolist()) - {task}
        return tuple(sorted(found - self._behind(task))) if found else ()

    def _behind(self, task: int) -> set[int]:
        """Who ever waited for this task, also by way of others."""
        edges, behind, more = self._trace.edges, set[int](), [task]
        while more:
            waited = set(edges.task[np.isin(edges.awaited, more)].tolist()) - behind
            behind |= waited
            more = list(waited)
        return behind


class _Doing:
    """What a thread did in a span of time, as far as that was seen."""

    def __init__(self, trace: TraceData) -> None:
        self._trace = trace

    def of(self, thread: int, start: int, end: int) -> dict[str, object]:
        """The fields of a BlockingPoll that say so."""
        said: dict[str, object] = {
            "seen_by": None, "doing": None, "doing_since_ns": None, "call_ns": None, "stack": (),
        }  # fmt: skip
        stacks = self._trace.stacks
        seen = np.flatnonzero((stacks.thread == thread) & (stacks.ts_ns >= start) & (stacks.ts_ns <= end))
        looked = seen[stacks.site[seen] >= 0]
        said["held_interpreter"] = len(looked) < len(seen)
        if len(looked):
            return said | self._stack(int(looked[0]))
        rows = self._calls.get(thread, np.empty(0, np.int64))
        times = self._trace.callouts.ts_ns[rows]
        first, last = np.searchsorted(times, start), np.searchsorted(times, end, side="right")
        if first < last:
            return said | self._call(rows[first:last], end)
        return said | {"seen_by": "stack" if len(seen) else None}

    def _stack(self, row: int) -> dict[str, object]:
        trace = self._trace
        frames, at = [], int(trace.stacks.site[row])
        while at >= 0:
            frames.append(int(trace.sites.location[at]))
            at = int(trace.sites.inner[at])
        frames.reverse()
        users = [at for at in frames if trace.frame(at).function.user] or frames
        text = [f"{trace.frame(at).function.name} ({trace.place(at)})" for at in (users[0], *frames)]
        since = int(trace.stacks.ts_ns[row])
        return {"seen_by": "stack", "doing": text[0], "doing_since_ns": since, "stack": text[1:]}

    @cached_property
    def _calls(self) -> dict[int, Ints]:
        """By thread, the rows of its calls in order of time."""
        calls = self._trace.callouts
        order = np.lexsort((calls.ts_ns, calls.thread))
        thread = calls.thread[order]
        return {number: order[thread == number] for number in np.unique(thread).tolist()}

    def _call(self, rows: Ints, end: int) -> dict[str, object]:
        """Of these calls the one after which the longest time passed."""
        trace, calls = self._trace, self._trace.callouts
        passed = np.diff(calls.ts_ns[rows], append=end)
        longest = int(np.argmax(passed))
        row = int(rows[longest])
        name = trace.strings[calls.name[row]] if calls.name[row] >= 0 else "?"
        doing, since = f"{name} ({trace.place(int(calls.location[row]))})", int(calls.ts_ns[row])
        return {"seen_by": "calls", "doing": doing, "doing_since_ns": since, "call_ns": int(passed[longest])}
