"""The live state at one moment: what was summed up and what goes on, as people ask for it.

Knows: which moment it is.  Costs what there is now, not what there was.  Knows nothing of screens.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Any1d, Ints
from ..kernels.locations import NOWHERE
from ..kernels.states import SWALLOWED
from .coroutines import ENTERED
from .growing import Bools
from .rates import SLICE_NS, Slices
from .state import Live
from .suspensions import OF_TASK, OUTER, OWNED, RAN, RUNNING, SPAWNED, WAITING, YIELDS, LongPoll, ready_ns

LINGER_NS = 5_000_000_000  # for so long those that ended are shown


class StackLine(NamedTuple):
    """A frame of a suspended task."""

    function: t.Function
    line: int  # 0: not known
    file: str  # as it is on the disk of the program's machine


class LiveSnapshot:
    """A Live at a moment of the recording's own clock.  Tasks are spoken of by row."""

    def __init__(self, live: Live, now: int) -> None:
        self.live = live
        self.now = max(now, live.end if live.recording.header.end_ns else now)
        self._tasks = live.tasks

    @property
    def elapsed_ns(self) -> int:
        return self.now - self.live.base

    # --- tasks -------------------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> Ints:
        """Who is there, or ended a moment ago; in the order of creation."""
        live, tasks = self.live, self._tasks
        rows = np.concatenate([live.shown, np.arange(live.shown_up_to, live.count)])
        rows = rows[(tasks["exit"][rows] == 0) | (tasks["ended"][rows] > self.now - LINGER_NS)]
        live.shown, live.shown_up_to = rows, live.count
        known: Ints = rows[live.numbers()[rows] > 0]
        return known

    def number(self, row: int) -> int:
        """A task's id, as a Trace has it."""
        return int(self.live.numbers()[row])

    def row(self, number: int) -> int:
        """The task of this id; 0: there is none."""
        found = np.flatnonzero(self.live.numbers() == number)
        return int(found[0]) if number and len(found) else 0

    def name(self, row: int) -> str:
        coro = int(self._tasks["coro"][row])
        return self.live.recording.names.get(coro) or self.function(row).name

    def tags(self, row: int) -> str:
        """What its context variables are now, of those that were asked for."""
        told = self.live.recording.tags.get(int(self._tasks["coro"][row]), ())
        return " ".join({tag.partition("=")[0]: tag for tag in told}.values())

    def function(self, row: int) -> t.Function:
        """Of its root coroutine."""
        functions = self.live.functions.functions
        code = int(self.live.coroutines.columns["code"][self._tasks["coro"][row]])
        return functions[code if code < len(functions) else 0]

    def created(self, rows: Ints) -> Ints:
        return self._tasks["created"][rows] - self.live.base

    def over(self, rows: Ints) -> Bools:
        """Whether its coroutine has ended."""
        over: Bools = self._tasks["exit"][rows] > 0
        return over

    def age(self, rows: Ints) -> Ints:
        """How long each lived."""
        end: Ints = np.where(self.over(rows), self._tasks["ended"][rows], self.now)
        return end - self.created(rows) - self.live.base

    def polls(self, rows: Ints) -> Ints:
        polls: Ints = self._tasks["polls"][rows]
        return polls

    def run(self, rows: Ints) -> Ints:
        tasks = self._tasks
        running = tasks["flags"][rows] & RUNNING > 0
        return tasks["run"][rows] + np.where(running, self.now - tasks["opened"][rows], 0)

    def wait(self, rows: Ints) -> Ints:
        return self.age(rows) - self.run(rows)

    def ready(self, rows: Ints) -> Ints:
        """How long it could have run for sure and did not."""
        tasks = self._tasks
        flags = tasks["flags"][rows]
        since = np.where(tasks["since"][rows] > 0, tasks["since"][rows], np.maximum(tasks["due"][rows], 0))
        start = tasks["slept"][rows]
        still = np.where(flags & WAITING > 0, ready_ns(start, np.maximum(start, self.now), flags, flags, since), 0)
        unborn = (flags & (SPAWNED | RAN) == SPAWNED) & ~self.over(rows)
        return tasks["ready"][rows] + still + np.where(unborn, self.now - tasks["created"][rows], 0)

    def figure(self, name: str, rows: Ints) -> Ints:
        """A figure of tasks by its name: a function of this class, or else a column that the live state keeps."""
        found: Ints = getattr(self, name)(rows) if hasattr(self, name) else self._tasks[name][rows]
        return found

    def since(self, rows: Ints) -> Ints:
        """How long it has been where it is: in its await, in its poll, pending, or over."""
        tasks, flags = self._tasks, self._tasks["flags"][rows]
        began = np.where(flags & WAITING > 0, tasks["slept"][rows], tasks["created"][rows])
        began = np.where(flags & RUNNING > 0, tasks["opened"][rows], began)
        return self.now - np.where(self.over(rows), tasks["ended"][rows], began)

    def parent(self, rows: Ints) -> Ints:
        """Rows; 0: none."""
        return self._tasks["parent"][rows].astype(np.int64)

    def state(self, rows: Ints) -> t.Bytes:
        """``tables.STATES``, as a Trace has them."""
        tasks = self._tasks
        flags, kind, said = (tasks[name][rows] for name in ("flags", "exit", "exit_flags"))
        seen, owned = kind > 0, flags & OWNED > 0
        state = np.where(flags & RAN > 0, np.where(flags & RUNNING > 0, t.RUNNING, t.BLOCKED), t.PENDING)
        if self.live.broken_off:
            state[~seen] = t.UNKNOWN
        raised = np.flatnonzero(kind == ev.RAISE)
        well = kind == ev.RETURN
        well[raised] = [self._closed_well(row) for row in rows[raised].tolist()]
        state[well] = t.COMPLETED
        state[(kind == ev.RAISE) & ~well] = t.FAILED
        state[(said & ev.CANCELLED > 0) & (kind != ev.VANISH) & seen] = t.CANCELLED
        closed = seen & ((said & ev.CLOSED > 0) | (kind == ev.VANISH))
        state[closed] = np.where(owned, t.BLOCKED, t.CANCELLED)[closed]
        unseen = np.flatnonzero((kind == ev.VANISH) & owned & (flags & RAN == 0))
        state[unseen[[self._generator(row) for row in rows[unseen].tolist()]]] = t.UNKNOWN
        return state.astype(np.uint8)

    def _closed_well(self, row: int) -> bool:
        """It is an async generator, closed by ``aclose()``, and not a task that is made of a step of one."""
        ended_by = self.live.recording.strings.get(int(self._tasks["error"][row]))
        itself = self.live.coroutines.columns["known"][self._tasks["coro"][row]] & ENTERED
        return bool(itself) and self._generator(row) and ended_by in SWALLOWED

    def _generator(self, row: int) -> bool:
        """It runs an async generator."""
        code = self.live.recording.codes.get(int(self.live.coroutines.columns["code"][self._tasks["coro"][row]]))
        return code is not None and code.kind == ev.CODE_ASYNC_GENERATOR

    def error(self, row: int) -> str:
        """ "ValueError: message" of a failed task; "" of others."""
        if int(self.state(np.array([row]))[0]) != t.FAILED:
            return ""
        recording = self.live.recording
        kind = recording.strings.get(int(self._tasks["error"][row]), "?")
        message = recording.messages.get(int(self._tasks["coro"][row]))
        return f"{kind}: {message}" if message else kind

    # --- where it stands ---------------------------------------------------------------------------------------------

    def place(self, row: int) -> str:
        """The await point of a suspended task, "file:line"; where a running one came from; "" if that isn't known."""
        flags, tasks = int(self._tasks["flags"][row]), self._tasks
        point = int(tasks["point" if flags & WAITING else "came"][row])
        if not flags & (WAITING | RUNNING) or (flags & RUNNING and point < 0):
            return ""
        return self.live.points.place(point)

    def awaiting(self, row: int) -> str:
        """What a suspended task waits for, in words."""
        tasks, recording = self._tasks, self.live.recording
        flags, aux = int(tasks["flags"][row]), int(tasks["aux"][row])
        if not flags & WAITING:
            return ""
        if flags & YIELDS:
            return "yield"
        if flags & OF_TASK:
            other = self.awaited(row)
            return f"task {self.number(other)} ({self.name(other)})" if other else "task"
        uses = self.live.coroutines.columns["use"]
        leaf = int(tasks["leaf"][row])
        for coro in self.live.coroutines.chain(leaf, 4) if leaf else ():
            if resource := recording.resources.get(int(uses[coro])):
                return f"{recording.strings.get(resource[0], '?').rpartition('.')[2]} {uses[coro]}"
        return "timer" if tasks["due"][row] >= 0 else recording.strings.get(aux, "?").rpartition(".")[2]

    def awaited(self, row: int) -> int:
        """The task that a suspended task awaits; 0: none."""
        if not self._tasks["flags"][row] & WAITING or not self._tasks["flags"][row] & OF_TASK:
            return 0
        coro = self.live.coroutines.known(self._tasks["aux"][[row]])
        return int(self.live.coroutines.columns["row"][coro][0])

    def stack(self, row: int) -> list[StackLine]:
        """The frames of a suspended task, from its root to its leaf."""
        live, tasks = self.live, self._tasks
        if not tasks["flags"][row] & WAITING:
            return []
        leaf = int(tasks["leaf"][row])
        places = [(int(tasks["code"][row]), int(tasks["off"][row]))]
        places += (
            (int(live.coroutines.columns["code"][up]), live.coroutines.stands(up))
            for up in live.coroutines.chain(leaf)[1:]
        )
        found = []
        for code, off in reversed(places):
            known = live.recording.codes.get(code)
            line = live.functions.line(code, off) if off != NOWHERE else 0
            found.append(StackLine(live.functions.functions[code if known else 0], line, known.file if known else ""))
        return found

    @cached_property
    def edges(self) -> tuple[Ints, Ints]:
        """Who awaits whom now, (rows, rows), directly or by way of something that gathers tasks; each pair once."""
        live, row = self.live, self.live.coroutines.columns["row"]
        rows = self.rows[self._tasks["flags"][self.rows] & (WAITING | OF_TASK) == WAITING | OF_TASK]
        pairs = [(rows, row[live.coroutines.known(self._tasks["aux"][rows])].astype(np.int64))]
        if live.edges:
            told = [np.concatenate(side) for side in zip(*live.edges, strict=True)]
            who, whom = (row[live.coroutines.known(side)].astype(np.int64) for side in told)
            kept = (who > 0) & (whom > 0) & ~self.over(who) & ~self.over(whom)
            live.edges = [(told[0][kept], told[1][kept])]
            now = kept & (self._tasks["flags"][who] & WAITING > 0)
            pairs.append((who[now], whom[now]))
        both = np.unique(np.stack([np.concatenate(side) for side in zip(*pairs, strict=True)]), axis=1)
        return both[0][both[1] > 0], both[1][both[1] > 0]

    # --- sums --------------------------------------------------------------------------------------------------------

    def awaits(self) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        """(point, count, wait, longest, 95 % are at most so long) by await point that was waited at."""
        tasks, live = self._tasks, self.live
        rows = self.rows[tasks["flags"][self.rows] & WAITING > 0]
        start = np.maximum(tasks["slept"][rows], live.counted_from)
        count, *more = live.points.totals(tasks["point"][rows].astype(np.int64), np.maximum(self.now - start, 0))
        there = np.flatnonzero(count)
        wait, most, p95 = (column[there] for column in more)
        return there, count[there], wait, most, p95

    def coroutines(self) -> tuple[Ints, Ints, Ints]:
        """(code, how long its frames ran themselves, calls) by function that ran."""
        live, size = self.live, len(self.live.functions.functions)
        ran = live.nodes["ran"].copy()
        for _, node, ns in live.running(self.now):
            ran[min(node, len(ran) - 1)] += ns
        code = live.recording.node_code[: live.nodes.size].astype(np.int64)
        code = np.where(code < size, code, 0)
        run, calls = np.zeros(size, np.int64), np.zeros(size, np.int64)
        np.add.at(run, code, ran[: len(code)])
        np.add.at(calls, code, live.nodes["calls"][: len(code)])
        run[0] = calls[0] = 0
        there = np.flatnonzero((run > 0) | (calls > 0))
        return there, run[there], calls[there]

    def longest(self, count: int) -> list[LongPoll]:
        """The longest polls, with those that are not over."""
        tasks, live = self._tasks, self.live
        rows = self.rows[tasks["flags"][self.rows] & RUNNING > 0].tolist()
        now = [
            LongPoll(self.now - start, row, start, int(tasks["came"][row]), -2, -1)
            for row in rows
            for start in (int(tasks["opened"][row]),)
        ]
        return sorted([*live.remembered.longest, *now], key=lambda poll: -poll.ns)[:count]

    def last_polls(self, row: int) -> Ints:
        """How long this task's polls took, of the last of all."""
        return self.live.remembered.last(row)

    def slices(self, count: int) -> Slices:
        """The last half seconds."""
        tasks, live = self._tasks, self.live
        live.rates.reach(max(self.elapsed_ns, 0))
        rows = self.rows[tasks["flags"][self.rows] & (RUNNING | OUTER) == RUNNING | OUTER]
        start = tasks["opened"][rows] - live.base
        return live.rates.last(count, (start, np.full(len(rows), max(self.elapsed_ns, 0))))

    def a_second(self, column: Any1d) -> float:
        """Of a sum by slice, how much that is a second: over the last whole two."""
        whole = column[-5:-1] if self.elapsed_ns > 4 * SLICE_NS else column
        span = max(min(self.elapsed_ns, len(whole) * SLICE_NS), 1)
        return float(whole.sum()) * 1e9 / span

    @property
    def alive(self) -> int:
        return self.live.rates.tasks
