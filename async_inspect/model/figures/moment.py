"""The state at one moment: where each task is, what it waits for and holds, and the cycles of waiting tasks.

Knows: which waits are certain: a task that awaits, gathers or groups another goes on when that one ends, and one that
waits for a Lock when its holder releases it.  A task that waits for the first of several does not certainly wait for
any of them; the holder of a semaphore is not certainly the one that releases it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np

from .. import tables as t
from ..data import TraceData
from ..entities import Frozen, Hold
from ..kernels.awaiters import FROM_BEFORE, waits_still
from ..reasons import coded

FIRST_OF_MANY: Final = ("wait", "as_completed")  # reasons of waits for the first of several tasks
LOCKS: Final = ("asyncio.locks.Lock", "trio.Lock", "trio.StrictFIFOLock")


class TaskState(Frozen):
    """A task at that moment."""

    task: int
    process: int  # row of Now.processes
    pid: int
    at_ns: int  # the moment
    name: str
    kind_name: str  # its root coroutine's qualified name
    state: Literal["Pending", "Ready", "Running", "Blocked"]
    since_ns: int  # in this state
    at_least: bool  # since then at least: it was there before the recording
    place: str | None  # "file:line" of the await at which it stands
    stack: tuple[str, ...]  # "function (file:line)", from its root to what it waits in
    reason: str | None  # why it waits (reasons.py)
    awaiting: str | None  # a type's name, or "task 7 (name)"
    resource: str | None  # which it waits for: "Lock 3 (made at app.py:12)"
    due_ns: int | None  # when the timer that it waits for is due
    waits_for: tuple[int, ...]  # tasks, directly or by what gathers them
    holders: tuple[int, ...]  # the tasks that hold what it waits for
    holds: tuple[Hold, ...]
    cycle: int | None  # the number of the cycle in which it waits, from 0


class ProcessState(Frozen):
    """A process at that moment."""

    pid: int
    command: str
    at_ns: int
    when: str  # a remark about that moment


class Now(Frozen):
    """All tasks alive at a moment; each process has its own moment, as some may have ended before."""

    at_ns: int  # the last of these moments
    duration_ns: int  # the recording's
    processes: tuple[ProcessState, ...]
    tasks: tuple[TaskState, ...]
    cycles: tuple[tuple[int, ...], ...]  # tasks of which each waits for the next, the last for the first


@dataclass(frozen=True)
class Moment:
    """The waits at ``at_ns`` in one process, by task id.  Events at exactly that time have happened."""

    trace: TraceData
    at_ns: int
    process: int = 0  # row of trace.processes

    @property
    def is_last(self) -> bool:
        """Whether nothing happened after this moment: False where the recording is broken off then and more may have
        happened."""
        process = self.trace.processes[self.process]
        return not process.broken_off or self.at_ns < process.end_ns

    @cached_property
    def alive(self) -> list[int]:
        """The tasks that are alive."""
        tasks = self.trace.task_table
        part = self.trace.tasks_of(self.process)
        created, end = tasks.created_ns[part], tasks.end_ns[part]
        alive_then = (created <= self.at_ns) & (~tasks.ended[part] | (end > self.at_ns))
        found: list[int] = (part.start + np.flatnonzero(alive_then) + 1).tolist()
        return found

    @cached_property
    def awaits(self) -> dict[int, int]:
        """The row of ``awaits`` of each suspended task."""
        return self._rows_of(self.trace.awaits)

    @cached_property
    def polls(self) -> dict[int, int]:
        """The row of ``polls`` of each running task."""
        return self._rows_of(self.trace.polls)

    def _rows_of(self, table: t.Awaits | t.Polls) -> dict[int, int]:
        tasks = self.trace.tasks_of(self.process)
        part = slice(*np.searchsorted(table.task, [tasks.start + 1, tasks.stop + 1]).tolist())
        now = (table.start_ns[part] <= self.at_ns) & ((table.end_ns[part] > self.at_ns) | ~table.ended[part])
        rows = part.start + np.flatnonzero(now)
        alive_then = set(self.alive)
        pairs = zip(table.task[rows].tolist(), rows.tolist(), strict=True)
        return {task: row for task, row in pairs if task in alive_then}

    def ready_since(self, task: int) -> int | None:
        """Since when a suspended task could run; None: it could not, as far as is known."""
        row, awaits = self.awaits[task], self.trace.awaits
        since = int(awaits.end_ns[row] - awaits.ready_ns[row])
        return since if awaits.ready_ns[row] > 0 and since <= self.at_ns else None

    @cached_property
    def waits_for(self) -> dict[int, tuple[int, ...]]:
        """By task, the tasks alive that it waits for."""
        alive_then, edges, starts = set(self.alive), self.trace.edges, self.trace.awaits.start_ns
        tasks = np.array(sorted(self.awaits), np.int64)
        bounds = zip(*(np.searchsorted(edges.task, tasks + n).tolist() for n in (0, 1)), strict=True)
        found: dict[int, tuple[int, ...]] = {}
        for task, (first, last) in zip(tasks.tolist(), bounds, strict=True):
            if first == last:
                continue
            since, gathers = edges.since_ns[first:last], self.reason(task) in FROM_BEFORE
            ran = self._ran(task, since) if gathers else np.zeros(len(since), np.bool_)
            now = (since <= self.at_ns) & waits_still(since, starts[self.awaits[task]], ran, np.array(gathers))
            blockers = set(edges.awaited[first:last][now].tolist())
            if blockers & alive_then:
                found[task] = tuple(sorted(blockers & alive_then))
        return found

    def _ran(self, task: int, at: t.Ints) -> t.Bools:
        """Whether the task ran at ``at``, or was in the suspension in which it still is."""
        awaits = self.trace.awaits
        first, last = np.searchsorted(awaits.task, [task, task + 1]).tolist()
        row = first + np.searchsorted(awaits.start_ns[first:last], at, side="right") - 1
        ran: t.Bools = (row < first) | (awaits.end_ns[row] <= at) | ~awaits.ended[row]
        return ran

    @cached_property
    def held(self) -> dict[int, list[int]]:
        """By row of ``resources``, the rows of ``holds``, oldest first."""
        holds, found = self.trace.holds, defaultdict(list)
        now = (holds.start_ns <= self.at_ns) & ((holds.end_ns > self.at_ns) | ~holds.ended)
        now &= self.trace.resources.process[holds.resource] == self.process
        for row in np.flatnonzero(now).tolist():
            found[int(holds.resource[row])].append(row)
        return found

    def holders(self, task: int) -> list[int]:
        """The rows of ``holds`` of the resource that a suspended task waits for."""
        return self.held.get(int(self.trace.awaits.resource[self.awaits[task]]), [])

    def reason(self, task: int) -> str:
        """Why a suspended task waits; "" where that is not known."""
        words, codes = coded(self.trace)
        return words[int(codes[self.awaits[task]])]

    def is_lock(self, resource: int) -> bool:
        return resource >= 0 and self.trace.resources.kind[resource].partition(" ")[0] in LOCKS

    @cached_property
    def blocked_by(self) -> dict[int, tuple[int, ...]]:
        """By task, the tasks each of which must certainly go on before it can."""
        found = {}
        for task, row in self.awaits.items():
            if self.ready_since(task) is not None:
                continue
            blockers = () if self.reason(task) in FIRST_OF_MANY else self.waits_for.get(task, ())
            if self.is_lock(int(self.trace.awaits.resource[row])):
                blockers += tuple(int(self.trace.holds.task[hold]) for hold in self.holders(task))
            if blockers:
                found[task] = blockers
        return found

    @cached_property
    def cycles(self) -> tuple[tuple[int, ...], ...]:
        """The cycles in which tasks wait for each other, none of them ready; of those that overlap, one."""
        return tuple(_cycles(self.blocked_by))


class _Blocked:
    """The tasks that are transitively blocked by each other: those left when every task that is blocked by none has
    been removed, again and again.  Linear time in all."""

    def __init__(self, blocked_by: dict[int, tuple[int, ...]]) -> None:
        self._before: dict[int, list[int]] = defaultdict(list)
        self._number = {task: len(set(blockers)) for task, blockers in blocked_by.items()}
        for task, blockers in blocked_by.items():
            for other in set(blockers):
                self._before[other].append(task)
        self._free([task for task in self._before if task not in self._number])

    def __contains__(self, task: int) -> bool:
        return task in self._number

    def drop(self, tasks: list[int]) -> None:
        for task in tasks:
            del self._number[task]
        self._free(list(tasks))

    def _free(self, freed: list[int]) -> None:
        """Remove the tasks that are blocked by none once these are."""
        while freed:
            for task in self._before[freed.pop()]:
                if task in self._number:
                    self._number[task] -= 1
                    if not self._number[task]:
                        del self._number[task]
                        freed.append(task)


def _cycles(blocked_by: dict[int, tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    """Disjoint cycles, the first by the smallest of its tasks, while there are any."""
    left = _Blocked(blocked_by)
    for start in sorted(blocked_by):
        while start in left:
            path: dict[int, int] = {}
            task = start
            while task not in path:  # each task left is blocked by another one left
                path[task] = len(path)
                task = next(other for other in blocked_by[task] if other in left)
            cycle = list(path)[path[task] :]
            first = cycle.index(min(cycle))
            left.drop(cycle)
            yield (*cycle[first:], *cycle[:first])


def interrupted(trace: TraceData) -> dict[int, int]:
    """By process whose tasks a signal cancelled (Ctrl-C): the moment before that."""
    awaits, tasks = trace.awaits, trace.task_table
    cancelled = tasks.state[awaits.task - 1] == t.CANCELLED
    rows = np.flatnonzero((awaits.woken_by == t.BY_SIGNAL) & (awaits.ready_ns >= 0) & cancelled)
    rows = rows[awaits.ended[rows]]
    woken = awaits.end_ns[rows] - awaits.ready_ns[rows]
    order = np.argsort(woken, kind="stable")[::-1]  # the first comes last, and stays
    return dict(zip(tasks.process[awaits.task[rows[order]] - 1].tolist(), (woken[order] - 1).tolist(), strict=True))


def last_moments(trace: TraceData) -> Iterator[Moment]:
    """For each process the end of its recording, or the moment before a signal cancelled its tasks."""
    before = interrupted(trace)
    for row, process in enumerate(trace.processes):
        yield Moment(trace, before.get(row, process.end_ns), row)


def now(trace: TraceData, moments: Sequence[Moment] | None = None, remarks: Sequence[str] = ()) -> Now:
    """The state at these moments, one a process; by default the last ones.  ``remarks``: for each,
    ``ProcessState.when``."""
    parts = list(last_moments(trace) if moments is None else moments)
    tasks: list[TaskState] = []
    cycles: list[tuple[int, ...]] = []
    for row, moment in enumerate(parts):
        tasks += _task_states(moment, row, len(cycles))
        cycles += moment.cycles
    processes = [trace.processes[moment.process] for moment in parts]
    return Now(
        at_ns=max(moment.at_ns for moment in parts),
        duration_ns=trace.meta.duration_ns,
        processes=tuple(
            ProcessState(pid=process.pid, command=process.command, at_ns=moment.at_ns, when=when)
            for process, moment, when in zip(processes, parts, remarks or [""] * len(parts), strict=True)
        ),
        tasks=tuple(tasks),
        cycles=tuple(cycles),
    )


def _task_states(moment: Moment, row: int, before: int) -> Iterator[TaskState]:
    """The tasks at a moment, that of the ``row``-th process.  ``before``: the number of cycles in processes before
    it."""
    cycle_of = {task: before + number for number, cycle in enumerate(moment.cycles) for task in cycle}
    held: dict[int, list[Hold]] = defaultdict(list)
    for rows in moment.held.values():
        for at in rows:
            held[int(moment.trace.holds.task[at])].append(hold(moment.trace, at))
    for task in moment.alive:
        yield _task_state(moment, row, task, tuple(held.get(task, ())), cycle_of.get(task))


def hold(trace: TraceData, row: int) -> Hold:
    """A row of ``holds`` as a Hold."""
    return Hold(
        resource=trace.resource(int(trace.holds.resource[row])) or "?",
        since_ns=int(trace.holds.start_ns[row]),
        place=trace.place(int(trace.holds.location[row])),
    )


def stack(trace: TraceData, row: int) -> tuple[str, ...]:
    """The frames of a suspension, "function (file:line)", from its root."""
    at, frames = int(trace.awaits.stack[row]), list[str]()
    while at >= 0:
        location = int(trace.chains.location[at])
        frames.append(f"{trace.frame(location).function.name} ({trace.place(location)})")
        at = int(trace.chains.inner[at])
    return tuple(frames)


def watched_stack(moment: Moment, task: int, since_ns: int) -> tuple[str, ...]:
    """The frames of a running task when the watchdog saw it last since ``since_ns``; (): it did not."""
    trace, stacks = moment.trace, moment.trace.stacks
    rows = np.flatnonzero((stacks.task == task) & (stacks.ts_ns >= since_ns) & (stacks.ts_ns <= moment.at_ns))
    at, frames = int(stacks.site[rows[-1]]) if len(rows) else -1, []
    while at >= 0:
        location = int(trace.sites.location[at])
        frames.append(f"{trace.frame(location).function.name} ({trace.place(location)})")
        at = int(trace.sites.inner[at])
    return tuple(frames)


def _task_state(moment: Moment, row: int, task: int, holds: tuple[Hold, ...], cycle: int | None) -> TaskState:
    trace, table = moment.trace, moment.trace.task_table
    function = int(table.function[task - 1])
    fields_: dict[str, object] = {
        "task": task,
        "process": row,
        "pid": trace.processes[moment.process].pid,
        "at_ns": moment.at_ns,
        "name": table.name[task - 1],
        "kind_name": trace.functions[function].name if function >= 0 else "",
        "holds": holds,
        "cycle": cycle,
        "at_least": False,
        **dict.fromkeys(("place", "reason", "awaiting", "resource", "due_ns")),
        **dict.fromkeys(("stack", "waits_for", "holders"), ()),
    }
    at = moment.awaits.get(task, -1)
    if at >= 0:
        awaits, ready = trace.awaits, moment.ready_since(task)
        due = int(awaits.due_ns[at])
        fields_ |= {
            "state": "Blocked" if ready is None else "Ready",
            "since_ns": int(awaits.start_ns[at]) if ready is None else ready,
            "place": trace.place(int(awaits.location[at])),
            "stack": stack(trace, at),
            "reason": moment.reason(task) or None,
            "awaiting": trace.awaiting(at),
            "resource": trace.resource(int(awaits.resource[at])),
            "due_ns": due if due >= 0 else None,
            "waits_for": moment.waits_for.get(task, ()),
            "holders": tuple(int(trace.holds.task[hold]) for hold in moment.holders(task)),
        }
    elif task in moment.polls:
        since = int(trace.polls.start_ns[moment.polls[task]])
        fields_ |= {"state": "Running", "since_ns": since, "stack": watched_stack(moment, task, since)}
    else:
        fields_ |= {"state": "Pending", "since_ns": int(table.created_ns[task - 1])}
    fields_["at_least"] = bool(table.before[task - 1]) and fields_["since_ns"] == int(table.created_ns[task - 1])
    return TaskState.model_validate(fields_)
