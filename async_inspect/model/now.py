"""One moment: who stands where, who waits for whom, who holds what, and who waits for each other in a circle.

Knows: what a task does at a moment, and which waits are certain: who awaits a task, gathers it or has it in a group
goes on when that one ends, and who waits for a Lock when its holder gives it back.  Who waits for the first of several
is not sure to wait for any of them; who holds a semaphore is not sure to be who gives it back.
"""

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Final, Literal

import numpy as np

from . import tables as t
from .build import load
from .phrases import ms
from .trace import Frozen, Hold, Metadata, Trace

FIRST_OF_MANY: Final = ("wait", "as_completed")  # reasons of who may wait for the first of several tasks
FROM_BEFORE: Final = ("task group", "as_completed")  # of who said before it waited whom it waits for
LOCKS: Final = ("asyncio.locks.Lock", "trio.Lock", "trio.StrictFIFOLock")


class Standing(Frozen):
    """A task at that moment."""

    task: int
    name: str
    kind_name: str  # its root coroutine's qualified name
    state: Literal["Pending", "Ready", "Running", "Blocked"]
    since_ns: int  # in this state
    place: str | None  # "file:line" of the await at which it stands
    stack: tuple[str, ...]  # "function (file:line)", from its root to what it waits in
    reason: str | None  # why it waits (reasons.py)
    awaiting: str | None  # a type's name, or "task 7 (name)"
    resource: str | None  # which it waits for: "Lock 3 (made at app.py:12)"
    due_ns: int | None  # when the timer that it waits for is due
    waits_for: tuple[int, ...]  # tasks, directly or by what gathers them
    holders: tuple[int, ...]  # the tasks that hold what it waits for
    holds: tuple[Hold, ...]
    cycle: int | None  # the number of the circle in which it waits, from 0


class Now(Frozen):
    """All tasks that are there at a moment."""

    at_ns: int
    duration_ns: int  # the recording's
    tasks: tuple[Standing, ...]
    cycles: tuple[tuple[int, ...], ...]  # tasks of which each waits for the next, the last for the first


@dataclass(frozen=True)
class Moment:
    """Who waits for what at ``at_ns``, by id of task.  What happens at that very time has happened."""

    trace: Trace
    at_ns: int

    @cached_property
    def alive(self) -> list[int]:
        """The tasks that are there."""
        tasks = self.trace.task_table
        there = (tasks.created_ns <= self.at_ns) & (~tasks.ended | (tasks.end_ns > self.at_ns))
        found: list[int] = (np.flatnonzero(there) + 1).tolist()
        return found

    @cached_property
    def awaits(self) -> dict[int, int]:
        """Of those that are suspended, the row of awaits."""
        return self._rows_of(self.trace.awaits)

    @cached_property
    def polls(self) -> dict[int, int]:
        """Of those that run, the row of polls."""
        return self._rows_of(self.trace.polls)

    def _rows_of(self, table: t.Awaits | t.Polls) -> dict[int, int]:
        now = (table.start_ns <= self.at_ns) & ((table.end_ns > self.at_ns) | ~table.ended)
        rows = np.flatnonzero(now)
        there = set(self.alive)
        pairs = zip(table.task[rows].tolist(), rows.tolist(), strict=True)
        return {task: row for task, row in pairs if task in there}

    def ready_since(self, task: int) -> int | None:
        """Since when a suspended task could run; None: it could not, as far as is known."""
        row, awaits = self.awaits[task], self.trace.awaits
        since = int(awaits.end_ns[row] - awaits.ready_ns[row])
        return since if awaits.ready_ns[row] > 0 and since <= self.at_ns else None

    @cached_property
    def waits_for(self) -> dict[int, tuple[int, ...]]:
        """The tasks that are there and that each waits for."""
        there, edges, starts = set(self.alive), self.trace.edges, self.trace.awaits.start_ns
        tasks = np.array(sorted(self.awaits), np.int64)
        bounds = zip(*(np.searchsorted(edges.task, tasks + n).tolist() for n in (0, 1)), strict=True)
        found: dict[int, tuple[int, ...]] = {}
        for task, (first, last) in zip(tasks.tolist(), bounds, strict=True):
            if first == last:
                continue
            since = edges.since_ns[first:last]
            begin, end = np.searchsorted(since, [starts[self.awaits[task]], self.at_ns + 1]).tolist()
            whom = set(edges.awaited[first + begin : first + end].tolist())
            if self.reason(task) in FROM_BEFORE:
                before = edges.awaited[first : first + begin].tolist()
                pairs = zip(before, since[:begin].tolist(), strict=True)
                whom |= {other for other, at in pairs if other in there and not self._waited(task, at)}
            if whom & there:
                found[task] = tuple(sorted(whom & there))
        return found

    def _waited(self, task: int, at: int) -> bool:
        """Whether it was suspended then: what an edge from then says was over with that."""
        awaits = self.trace.awaits
        first, last = np.searchsorted(awaits.task, [task, task + 1]).tolist()
        row = first + int(np.searchsorted(awaits.start_ns[first:last], at, side="right")) - 1
        return bool(row >= first and awaits.end_ns[row] > at and awaits.ended[row])

    @cached_property
    def held(self) -> dict[int, list[int]]:
        """What is held, by row of resources: the rows of holds, oldest first."""
        holds, found = self.trace.holds, defaultdict(list)
        now = (holds.start_ns <= self.at_ns) & ((holds.end_ns > self.at_ns) | ~holds.ended)
        for row in np.flatnonzero(now).tolist():
            found[int(holds.resource[row])].append(row)
        return found

    def holders(self, task: int) -> list[int]:
        """The rows of holds of what a suspended task waits for."""
        return self.held.get(int(self.trace.awaits.resource[self.awaits[task]]), [])

    def reason(self, task: int) -> str:
        """Why a suspended task waits; "" where that is not known."""
        words, codes = self.trace.reasons
        return words[int(codes[self.awaits[task]])]

    def is_lock(self, resource: int) -> bool:
        return resource >= 0 and self.trace.resources.kind[resource].partition(" ")[0] in LOCKS

    @cached_property
    def hangs_on(self) -> dict[int, tuple[int, ...]]:
        """The tasks each of which has to go on before this one can, for sure."""
        found = {}
        for task, row in self.awaits.items():
            if self.ready_since(task) is not None:
                continue
            whom = () if self.reason(task) in FIRST_OF_MANY else self.waits_for.get(task, ())
            if self.is_lock(int(self.trace.awaits.resource[row])):
                whom += tuple(int(self.trace.holds.task[hold]) for hold in self.holders(task))
            if whom:
                found[task] = whom
        return found

    @cached_property
    def cycles(self) -> tuple[tuple[int, ...], ...]:
        """The circles in which tasks wait for each other, none of them ready; of those that overlap, one."""
        return tuple(_cycles(self.hangs_on))


class _Left:
    """Who hangs on somebody who hangs on somebody, and so on for good.  Linear in all."""

    def __init__(self, hangs_on: dict[int, tuple[int, ...]]) -> None:
        self._before: dict[int, list[int]] = defaultdict(list)
        self._number = {task: len(set(whom)) for task, whom in hangs_on.items()}
        for task, whom in hangs_on.items():
            for other in set(whom):
                self._before[other].append(task)
        self._free([task for task in self._before if task not in self._number])

    def __contains__(self, task: int) -> bool:
        return task in self._number

    def drop(self, tasks: list[int]) -> None:
        for task in tasks:
            del self._number[task]
        self._free(list(tasks))

    def _free(self, gone: list[int]) -> None:
        """Take out whoever hangs on nobody any more."""
        while gone:
            for task in self._before[gone.pop()]:
                if task in self._number:
                    self._number[task] -= 1
                    if not self._number[task]:
                        del self._number[task]
                        gone.append(task)


def _cycles(hangs_on: dict[int, tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    """Disjoint cycles, the first by the smallest of its tasks, while there are any."""
    left = _Left(hangs_on)
    for start in sorted(hangs_on):
        while start in left:
            path: dict[int, int] = {}
            task = start
            while task not in path:  # who is left hangs on somebody who is left
                path[task] = len(path)
                task = next(other for other in hangs_on[task] if other in left)
            cycle = list(path)[path[task] :]
            first = cycle.index(min(cycle))
            left.drop(cycle)
            yield (*cycle[first:], *cycle[:first])


def interrupted(trace: Trace) -> int | None:
    """The moment before a signal cancelled what there was (Ctrl-C); None: none did."""
    awaits = trace.awaits
    cancelled = trace.task_table.state[awaits.task - 1] == t.CANCELLED
    rows = np.flatnonzero((awaits.woken_by == t.BY_SIGNAL) & (awaits.ready_ns >= 0) & cancelled)
    rows = rows[awaits.ended[rows]]
    return int((awaits.end_ns[rows] - awaits.ready_ns[rows]).min()) - 1 if len(rows) else None


def last_moment(trace: Trace) -> Moment:
    """The recording's end, or where a signal brought that about, the moment before."""
    at = interrupted(trace)
    return Moment(trace, trace.meta.duration_ns if at is None else at)


def now(trace: Trace, moment: Moment | None = None) -> Now:
    """What there is at that moment, by default the last."""
    moment = moment or last_moment(trace)
    cycle_of = {task: number for number, cycle in enumerate(moment.cycles) for task in cycle}
    held: dict[int, list[Hold]] = defaultdict(list)
    for rows in moment.held.values():
        for row in rows:
            held[int(trace.holds.task[row])].append(hold(trace, row))
    return Now(
        at_ns=moment.at_ns,
        duration_ns=trace.meta.duration_ns,
        tasks=tuple(_standing(moment, task, tuple(held.get(task, ())), cycle_of.get(task)) for task in moment.alive),
        cycles=moment.cycles,
    )


def snapshot(recording: str | PathLike[str], at_ms: float | None = None) -> tuple[Now, str]:
    """What a recording has then, by default at its last moment, and a line that says of what and when.

    It is read as though it had ended then: of what does not go on after that, the whole stack is known.
    UserError: there is no recording, or none that can be read.
    """
    trace = load(recording)
    meta, end = trace.meta, trace.meta.duration_ns
    running = not meta.finished and _runs(meta)
    cancelled = interrupted(trace) if at_ms is None else None
    if cancelled is not None:
        at, when = cancelled, ", just before a signal cancelled its tasks"
    elif at_ms is not None:
        at, when = round(at_ms * 1e6), ""
    elif running:  # nothing may have happened in it for long
        at, when = max(end, time.time_ns() - meta.started_unix_ns), ", now: it runs still"
    else:
        at, when = end, ", its end" if meta.finished else ", the last that was seen of it"
    at = at if running else min(at, end)
    if at < end:
        trace = trace.filter(until_ms=max(at, 1) / 1e6)
    title = f"{meta.path} (process {meta.pid}) at {ms(at)}{when}"
    return now(trace, Moment(trace, at)), title


def _runs(meta: Metadata) -> bool:
    """Whether the process that made a recording is there still, and not a younger one of its number."""
    try:
        stat = Path(f"/proc/{meta.pid}/stat").read_text(encoding="utf-8", errors="replace")
        began = int(stat.rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return False
    age = uptime - began / os.sysconf("SC_CLK_TCK")
    return time.time() - age <= meta.started_unix_ns / 1e9 + 1


def hold(trace: Trace, row: int) -> Hold:
    """A row of holds."""
    return Hold(
        resource=trace.resource(int(trace.holds.resource[row])) or "?",
        since_ns=int(trace.holds.start_ns[row]),
        place=trace.place(int(trace.holds.location[row])),
    )


def stack(trace: Trace, row: int) -> tuple[str, ...]:
    """The frames of a suspension, from its root."""
    at, frames = int(trace.awaits.stack[row]), list[str]()
    while at >= 0:
        location = int(trace.chains.location[at])
        frames.append(f"{trace.frame(location).function.name} ({trace.place(location)})")
        at = int(trace.chains.inner[at])
    return tuple(frames)


def _standing(moment: Moment, task: int, holds: tuple[Hold, ...], cycle: int | None) -> Standing:
    trace, table = moment.trace, moment.trace.task_table
    function = int(table.function[task - 1])
    said: dict[str, object] = {
        "task": task,
        "name": table.name[task - 1],
        "kind_name": trace.functions[function].name if function >= 0 else "",
        "holds": holds,
        "cycle": cycle,
        **dict.fromkeys(("place", "reason", "awaiting", "resource", "due_ns")),
        **dict.fromkeys(("stack", "waits_for", "holders"), ()),
    }
    row = moment.awaits.get(task, -1)
    if row >= 0:
        awaits, ready = trace.awaits, moment.ready_since(task)
        due = int(awaits.due_ns[row])
        said |= {
            "state": "Blocked" if ready is None else "Ready",
            "since_ns": int(awaits.start_ns[row]) if ready is None else ready,
            "place": trace.place(int(awaits.location[row])),
            "stack": stack(trace, row),
            "reason": moment.reason(task) or None,
            "awaiting": trace.awaiting(row),
            "resource": trace.resource(int(awaits.resource[row])),
            "due_ns": due if due >= 0 else None,
            "waits_for": moment.waits_for.get(task, ()),
            "holders": tuple(int(trace.holds.task[hold]) for hold in moment.holders(task)),
        }
    elif task in moment.polls:
        said |= {"state": "Running", "since_ns": int(trace.polls.start_ns[moment.polls[task]])}
    else:
        said |= {"state": "Pending", "since_ns": int(table.created_ns[task - 1])}
    return Standing.model_validate(said)
