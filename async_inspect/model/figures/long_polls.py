"""Single polls: the longest, and those that blocked their loop: what they did, and which tasks they held up.

Knows: a task is held up while it is ready and another one runs on its thread.  Certain victims are named; possible ones
are counted.  Where a loop is not seen (uvloop) it is not known which tasks were ready; then those are named that were
suspended meanwhile and ran soon after.
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
_PROCESSOR: Final = ("processor_ns", "on_cpu_ns", "no_cpu_ns", "asleep_ns")


class PollFigures(Frozen):
    """A single poll, and the await points that it ran between."""

    task: int
    name: str
    start_ns: int
    duration_ns: int
    at_least: bool  # it went on, and how much longer is not known
    since: str | None  # "file:line" of the await it came from; None: the task's first poll, or not known
    until: str | None  # and of the await it ran into; None: it ended the task, or not known
    ended: bool  # its end was seen: else it ran when the recording ended

    @property
    def end_place(self) -> str:
        """Where it ended, in words."""
        return self.until or ("its end" if self.ended else "the recording's end")


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
    processor_ns: int | None  # so much of it, to its end, divides into the three that follow; None: it isn't known how
    on_cpu_ns: int | None
    no_cpu_ns: int | None  # its thread could have run, and had no processor; None: the system doesn't say
    asleep_ns: int | None  # in the kernel: in ``time.sleep``, a file, a lock, a socket; None: as with ``no_cpu_ns``
    victims: tuple[Victim, ...]  # who certainly could have run, the longest held up first
    maybe: int  # how many more may have been: they waited for I/O that may have been there
    suspended: tuple[int, ...]  # tasks of a loop that isn't seen that were suspended meanwhile, and ran soon after

    @property
    def hurt(self) -> tuple[Victim, ...]:
        """The victims that were held up for long enough to be worth a line."""
        least = max(HURT_NS, self.duration_ns // HURT_SHARE)
        return tuple(victim for victim in self.victims if victim.held_up_ns >= least)

    def starved(self, slow_ns: int) -> bool:
        """With a processor of its own it would not have been slow."""
        return self.no_cpu_ns is not None and self.duration_ns - self.no_cpu_ns < slow_ns


def slow_polls(trace: TraceData, slow_ns: int) -> Ints:
    """The rows of polls of at least this length, longest first; without polls nested in another of them."""
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
    """The figures of these polls, given by row."""
    waiting, doing, going = _Waiting(trace), _Activity(trace), unfinished.polls(trace)
    found = []
    for row in rows.tolist():
        task, thread = int(trace.polls.task[row]), int(trace.polls.thread[row])
        start, end = int(trace.polls.start_ns[row]), int(trace.polls.end_ns[row])
        victims, maybe = waiting.held_up(task, thread, start, end)
        figures = _figures(trace, row, going) | doing.of(thread, start, end)
        tasks_ = {"victims": victims, "maybe": maybe, "suspended": waiting.unseen(task, thread, start, end)}
        found.append(BlockingPoll.model_validate({**figures, **tasks_, "thread": thread}))
    return tuple(found)


def longest_polls(trace: TraceData, top: int) -> tuple[PollFigures, ...]:
    """The ``top`` longest polls."""
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
        "since": since, "until": until, "ended": bool(polls.ended[row]),
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
    """Spans of time, each of a task on a thread; finds those that overlap another span."""

    def __init__(self, task: Any1d, thread: Ints, start: Ints, end: Ints) -> None:
        order = np.argsort(end, kind="stable")
        self._task, self._thread, self._start, self._end = task[order], thread[order], start[order], end[order]
        self._longest = int((end - start).max()) if len(end) else 0

    def overlapping(self, thread: int, start: int, end: int) -> tuple[Ints, Ints]:
        """(tasks, each once, ns of overlap): those on this thread that overlap start to end."""
        first, last = np.searchsorted(self._end, [start, end + self._longest], side="right").tolist()
        part = slice(first, last)
        rows = first + np.flatnonzero((self._start[part] < end) & (self._thread[part] == thread))
        (task,), which = group(self._task[rows])
        length = np.minimum(self._end[rows], end) - np.maximum(self._start[rows], start)
        return task, sums(which, length, len(task))


class _Waiting:
    """When tasks were ready: certainly, and possibly."""

    def __init__(self, trace: TraceData) -> None:
        self._trace = trace

    @cached_property
    def _thread(self) -> Ints:
        """By task, its thread (a loop stays on one); -1: it never ran."""
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
        """When I/O may have been ready already: while the loop was busy before it asked the selector."""
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
            from_selector = (selects.thread[row] == thread) & (selects.end_ns[row] == end)
            end = np.where(from_selector, selects.start_ns[row], end)
        return _Spans(task, thread, end - length, end)

    def held_up(self, task: int, thread: int, start: int, end: int) -> tuple[list[Victim], int]:
        """The victims of a poll, worst first, and how many more there may be."""
        tasks_, length = self._ready.overlapping(thread, start, end)
        names = self._trace.task_table.name
        victims = [
            Victim(task=number, name=names[number - 1], held_up_ns=ns)
            for number, ns in zip(tasks_.tolist(), length.tolist(), strict=True)
            if number != task
        ]
        perhaps, _ = self._perhaps.overlapping(thread, start, end)
        more = set(perhaps.tolist()) - set(tasks_.tolist()) - {task}
        return sorted(victims, key=lambda victim: (-victim.held_up_ns, victim.task)), len(more)

    @cached_property
    def _blind(self) -> t.Bools:
        """By thread, whether its loop is not seen: no waker of any task is known, nor when the loop asked for I/O."""
        awaits, selects = self._trace.awaits, self._trace.selects
        blind = np.ones(max(int(self._thread.max(initial=0)), int(selects.thread.max(initial=0))) + 2, np.bool_)
        known = (awaits.woken_by > 0) & (awaits.woken_by != t.BY_ITSELF)
        blind[self._thread[awaits.task[known]]] = blind[selects.thread] = False
        blind[-1] = False  # of whom it isn't known where it would run
        return blind

    @cached_property
    def _unseen(self) -> t.Ints:
        """The rows of awaits on such threads that ended, in order of their end."""
        awaits = self._trace.awaits
        rows = np.flatnonzero(awaits.ended & (awaits.woken_by == 0) & self._blind[self._thread[awaits.task]])
        return rows[np.argsort(awaits.end_ns[rows], kind="stable")]

    def unseen(self, task: int, thread: int, start: int, end: int) -> tuple[int, ...]:
        """The tasks that were suspended during a poll and ran again within as long a time after it; without those that
        waited for its task, directly or through others."""
        awaits, rows = self._trace.awaits, self._unseen
        first, last = np.searchsorted(awaits.end_ns[rows], [end, 2 * end - start + 1]).tolist()
        rows = rows[first:last]
        rows = rows[(awaits.start_ns[rows] <= start) & (self._thread[awaits.task[rows]] == thread)]
        found = set(awaits.task[rows].tolist()) - {task}
        return tuple(sorted(found - self._waiting_for(task))) if found else ()

    def _waiting_for(self, task: int) -> set[int]:
        """The tasks that ever waited for this one, directly or through others."""
        edges, behind, more = self._trace.edges, set[int](), [task]
        while more:
            waited = set(edges.task[np.isin(edges.awaited, more)].tolist()) - behind
            behind |= waited
            more = list(waited)
        return behind


class _Activity:
    """What a thread did in a span of time, as far as it was recorded."""

    def __init__(self, trace: TraceData) -> None:
        self._trace = trace

    def of(self, thread: int, start: int, end: int) -> dict[str, object]:
        """Those fields of a BlockingPoll."""
        fields_: dict[str, object] = {
            "seen_by": None, "doing": None, "doing_since_ns": None, "call_ns": None, "stack": (),
        }  # fmt: skip
        fields_ |= self._processor(thread, start, end)
        stacks = self._trace.stacks
        known = np.flatnonzero((stacks.thread == thread) & (stacks.ts_ns >= start) & (stacks.ts_ns <= end))
        with_stack = known[stacks.site[known] >= 0]
        fields_["held_interpreter"] = len(with_stack) < len(known)
        if len(with_stack):
            return fields_ | self._stack(int(with_stack[0]))
        rows = self._calls.get(thread, np.empty(0, np.int64))
        times = self._trace.callouts.ts_ns[rows]
        first, last = np.searchsorted(times, start), np.searchsorted(times, end, side="right")
        if first < last:
            return fields_ | self._call(rows[first:last], end)
        return fields_ | {"seen_by": "stack" if len(known) else None}

    def _processor(self, thread: int, start: int, end: int) -> dict[str, object]:
        """That record is written just after the poll, and is about a time that began within it."""
        table = self._trace.processor
        began = table.ts_ns - table.lasted_ns
        rows = np.flatnonzero((table.thread == thread) & (table.ts_ns >= end) & (began < end) & (began > start))
        if not len(rows):
            return dict.fromkeys(_PROCESSOR)
        lasted, on_cpu, no_cpu = (
            int(column[rows[0]]) for column in (table.lasted_ns, table.on_cpu_ns, table.no_cpu_ns)
        )
        known = no_cpu >= 0
        times = (lasted, on_cpu, no_cpu if known else None, lasted - on_cpu - no_cpu if known else None)
        return dict(zip(_PROCESSOR, times, strict=True))

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
        """The call of these after which the longest time passed."""
        trace, calls = self._trace, self._trace.callouts
        passed = np.diff(calls.ts_ns[rows], append=end)
        longest = int(np.argmax(passed))
        row = int(rows[longest])
        name = trace.strings[calls.name[row]] if calls.name[row] >= 0 else "?"
        doing, since = f"{name} ({trace.place(int(calls.location[row]))})", int(calls.ts_ns[row])
        return {"seen_by": "calls", "doing": doing, "doing_since_ns": since, "call_ns": int(passed[longest])}
