"""The critical path: the chain of runs, waits and wakes that determines the end of a run, or of one task.

Walks back from the end: a poll began because its task was woken or created; by a task, which ran then and is followed
next, or by a timer, I/O or something not known, which the wait was for.  So each moment of the span belongs to one hop,
and the hops add up to it.  Without an await the span would have been shorter by its part of the path *at most*, as
another chain may be nearly as long.
"""

from collections import defaultdict
from typing import Literal, Self

import numpy as np
from pydantic import model_validator

from .. import tables as t
from ..data import TraceData
from ..entities import Frozen
from ..reasons import coded

type HopKind = Literal["run", "ready", "loop", "timer", "I/O", "thread", "signal", "wait", "outside"]
WAITS: dict[int, HopKind] = {t.BY_TIMER: "timer", t.BY_IO: "I/O", t.BY_THREAD: "thread", t.BY_SIGNAL: "signal"}


class Hop(Frozen):
    """A stretch of the path."""

    kind: (
        HopKind  # "loop": callbacks between a waker and the task it woke. "outside": before the first task was created
    )
    task: int | None
    name: str | None
    start_ns: int
    end_ns: int
    place: str | None  # "file:line" of the await it stood at; of a run, of the one it ran into
    reason: str | None  # why it waited there (reasons.py)


class PathAwait(Frozen):
    """All hops of the path that waited at one place."""

    place: str
    reason: str | None
    count: int
    ns: int  # without these the span would have been shorter by that at most


class CriticalPath(Frozen):
    """The path, first hop first."""

    task: int  # whose end it leads to
    name: str
    start_ns: int
    end_ns: int
    run_ns: int
    ready_ns: int
    awaits: tuple[PathAwait, ...]  # where it waited, longest first
    hops: tuple[Hop, ...]

    @model_validator(mode="after")
    def adds_up(self) -> Self:
        at = self.start_ns
        for hop in self.hops:
            if hop.start_ns != at or hop.end_ns < at:
                raise ValueError(f"the path has a gap at {at}")
            at = hop.end_ns
        if at != self.end_ns:
            raise ValueError(f"the path ends at {at}, not at {self.end_ns}")
        return self


def critical_path(trace: TraceData, task: int | None = None) -> CriticalPath | None:
    """The path to a task's end since it was created, or to the run's end since it began; None: nothing ran.

    The run's end is that of the last task that ended (if none did, the recording's), without the tasks by which a
    loop shuts itself down.
    """
    table = trace.task_table
    chosen = _last(trace) if task is None else task
    if not chosen:
        return None
    end, start = int(table.end_ns[chosen - 1]), 0 if task is None else int(table.created_ns[chosen - 1])
    hops = _Walk(trace, start).back(chosen, end)
    places: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for hop in hops:
        if hop.kind not in ("run", "ready", "loop", "outside"):
            places[hop.place or "?", hop.reason or hop.kind].append(hop.end_ns - hop.start_ns)
    awaits = [PathAwait(place=at, reason=why, count=len(ns), ns=sum(ns)) for (at, why), ns in places.items()]
    return CriticalPath.of(
        not trace.inexact,
        task=chosen,
        name=table.name[chosen - 1],
        start_ns=start,
        end_ns=end,
        run_ns=sum(hop.end_ns - hop.start_ns for hop in hops if hop.kind == "run"),
        ready_ns=sum(hop.end_ns - hop.start_ns for hop in hops if hop.kind in ("ready", "loop")),
        awaits=tuple(sorted(awaits, key=lambda row: (-row.ns, row.place))),
        hops=tuple(hops),
    )


def _last(trace: TraceData) -> int:
    tasks = trace.task_table
    library = np.array([f.file.startswith("<stdlib>/") for f in trace.functions] + [True], np.bool_)
    candidates = np.flatnonzero((tasks.polls > 0) & ~library[tasks.function])
    candidates = candidates if len(candidates) else np.flatnonzero(tasks.polls > 0)
    candidates = candidates[tasks.ended[candidates]] if tasks.ended[candidates].any() else candidates
    return int(candidates[np.argmax(tasks.end_ns[candidates])]) + 1 if len(candidates) else 0


class _Walk:
    """The walk from an end back to a start."""

    def __init__(self, trace: TraceData, start: int) -> None:
        self._trace, self._start, self._hops = trace, start, list[Hop]()
        tasks = np.arange(len(trace.task_table) + 2)
        self._polls = np.searchsorted(trace.polls.task, tasks).tolist()
        self._awaits = np.searchsorted(trace.awaits.task, tasks).tolist()

    def back(self, task: int, at: int) -> list[Hop]:
        """The hops up to this task's state at ``at``, in order of time."""
        at_this_time = {task}  # tasks visited at one and the same time
        while task and at > self._start:
            before = at
            row = self._before(self._trace.polls.start_ns, self._polls, task, at)
            if row < 0:  # it never ran until then
                task, at = self._made(task, at)
            else:
                at = self._ran(task, row, at)
                task, at = self._woken(task, at)
            at = min(at, before)  # records that contradict each other may say that it came later
            if at < before:
                at_this_time = set()
            elif task in at_this_time:
                break  # tasks woke each other in no time
            at_this_time.add(task)
        if at > self._start:
            self._add("outside", 0, self._start, at)
        return self._hops[::-1]

    @staticmethod
    def _before(times: t.Ints, bounds: list[int], task: int, at: int) -> int:
        """The last row of a task that begins before ``at``; -1: none."""
        first, last = bounds[task], bounds[task + 1]
        row = first + int(np.searchsorted(times[first:last], at)) - 1
        return row if row >= first else -1

    def _add(self, kind: HopKind, task: int, start: int, end: int, await_row: int = -1) -> int:
        """Add a hop, clipped to the span; the hop's start."""
        trace, start = self._trace, max(start, self._start)
        if start < end:
            words, codes = coded(trace)
            place = trace.place(int(trace.awaits.location[await_row])) if await_row >= 0 else None
            waits = await_row >= 0 and kind != "run"
            name = trace.task_table.name[task - 1] if task else None
            reason = words[int(codes[await_row])] or None if waits else None
            self._hops.append(
                Hop(
                    kind=kind, task=task or None, name=name, start_ns=start, end_ns=end, place=place, reason=reason
                )
            )  # fmt: skip
        return start

    def _ran(self, task: int, poll: int, at: int) -> int:
        """The task ran, or ended, at ``at``: add its poll; the poll's start."""
        polls, awaits = self._trace.polls, self._trace.awaits
        end, start = int(polls.end_ns[poll]), int(polls.start_ns[poll])
        following = self._before(awaits.start_ns, self._awaits, task, end + 1)
        into = following if following >= 0 and awaits.start_ns[following] == end else -1
        if at > end:  # from its end to then: callbacks, or it was closed
            at = self._add("loop" if into < 0 or at < awaits.end_ns[into] else "wait", task, end, at, into)
        return self._add("run", task, start, at, into)

    def _woken(self, task: int, at: int) -> tuple[int, int]:
        """Its poll began at ``at``: (the task that caused it, when)."""
        awaits = self._trace.awaits
        row = self._before(awaits.start_ns, self._awaits, task, at)
        if row < 0 or awaits.end_ns[row] != at:
            return self._made(task, at)
        begin, by, ready = int(awaits.start_ns[row]), int(awaits.woken_by[row]), int(awaits.ready_ns[row])
        if ready >= 0:
            at = self._add("ready", task, at - ready, at, row)
        waker = int(awaits.waker[row])
        if by == t.BY_TASK and waker and self._before(self._trace.polls.start_ns, self._polls, waker, at) >= 0:
            return waker, at
        awaited = int(awaits.awaited_task[row])
        if not by and awaited and begin <= (end := int(self._trace.task_table.end_ns[awaited - 1])) <= at:
            return awaited, self._add("loop", task, end, at, row)  # who woke it was not recorded, but it is this
        return task, self._add(WAITS.get(by, "wait"), task, begin, at, row)

    def _made(self, task: int, at: int) -> tuple[int, int]:
        """Its first poll began at ``at``, or it never ran: (its parent, when it was created)."""
        table = self._trace.task_table
        made = self._add("ready", task, min(int(table.created_ns[task - 1]), at), at)
        return int(table.parent[task - 1]), made
