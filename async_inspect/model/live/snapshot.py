"""The live model at one moment, read-only: what was summed up, plus what is going on.

Costs time linear in what is alive, not in what there was.  Texts are those of reports (``kernels/words.py``,
``reasons/``).  Knows nothing of screens.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from .. import tables as t
from ..building.locations import Sites
from ..grouping import Any1d, Ints
from ..kernels import words
from ..kernels.awaiters import FROM_BEFORE, waits_still
from ..kernels.locations import NOWHERE
from ..kernels.resources import kind
from ..kernels.states import SWALLOWED, Lives, task_states
from ..reasons import GATHERING, of_awaits, vocabulary
from ..text import ms
from .growing import Bools
from .rates import SLICE_NS, Slices
from .state import LiveModel
from .suspensions import BEFORE, OF_TASK, OUTER, OWNED, RAN, RUNNING, SPAWNED, WAITING, YIELDS, LongPoll, ready_ns

LINGER_NS = 5_000_000_000  # for so long those that ended are shown


class StackLine(NamedTuple):
    """A frame of a suspended task."""

    function: t.Function
    line: int  # 0: not known
    file: str  # as it is on the disk of the program's machine


class LiveSnapshot:
    """A LiveModel at a moment of the recording's own clock.  Tasks are given by row, which is valid until that is fed
    again; ``key`` is permanent."""

    def __init__(self, live: LiveModel, now: int) -> None:
        self.live = live
        self.now = max(now, live.fed_until)
        self._tasks = live.tasks

    @property
    def elapsed_ns(self) -> int:
        return self.now - self.live.base

    # --- tasks -------------------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> Ints:
        """The tasks alive, or ended less than LINGER_NS ago, in the order of creation."""
        tasks, size = self._tasks, self.live.count
        there = (tasks["exit"][:size] == 0) | (tasks["ended"][:size] > self.now - LINGER_NS)
        return np.flatnonzero(there & (self.live.numbers() > 0))

    @property
    def left_out(self) -> int:
        """How many tasks ended before those of ``rows``."""
        return self.live.total - len(self.rows)

    def key(self, row: int) -> int:
        """The recording's id of a task."""
        return int(self._tasks["id"][row])

    def row(self, key: int) -> int:
        """The task of this key; 0: there is none, or it ended before those that are here."""
        return int(self.live.coroutines.task(np.array([key]))[0])

    def number(self, row: int) -> int:
        """A task's id, as a Trace has it."""
        return int(self.live.numbers()[row])

    def name(self, row: int) -> str:
        return words.task_name(self.live.recording.names, self.key(row), self._root(row).name)

    def tags(self, row: int) -> str:
        """What its context variables are now, of those that were asked for."""
        tags_ = self.live.recording.tags.get(self.key(row), ())
        return " ".join({tag.partition("=")[0]: tag for tag in tags_}.values())

    def _root(self, row: int) -> t.Function:
        return self._function(int(self.live.coroutines.columns["code"][self._tasks["coro"][row]]))

    def _function(self, code: int) -> t.Function:
        functions = self.live.functions.functions
        return functions[code if code < len(functions) else 0]

    def function(self, row: int) -> t.Function:
        """The function of its root coroutine; where that is a library's wrapper, of what this awaits first."""
        about = int(self._tasks["about"][row])
        return self._function(about) if about else self._root(row)

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
        """For how long each was certainly ready."""
        tasks = self._tasks
        flags = tasks["flags"][rows]
        still = np.where(flags & WAITING > 0, self._ready_by_now(rows), 0)
        unborn = (flags & (SPAWNED | BEFORE | RAN) == SPAWNED) & ~self.over(rows)
        return tasks["ready"][rows] + still + np.where(unborn, self.now - tasks["created"][rows], 0)

    def figure(self, name: str, rows: Ints) -> Ints:
        """A figure of tasks by its name: what goes on is in it, or it is as the live state has summed it up."""
        now = {"since": self.since, "age": self.age, "run": self.run, "wait": self.wait, "ready": self.ready}
        found: Ints = now[name](rows) if name in now else self._tasks[name][rows]
        return found

    def _ready_by_now(self, rows: Ints) -> Ints:
        """For how long suspended tasks have certainly been ready."""
        start, flags = self._tasks["slept"][rows], self._tasks["flags"][rows]
        return ready_ns(start, np.maximum(start, self.now), flags, flags, self.live.since(rows))

    def since(self, rows: Ints) -> Ints:
        """How long it has been where it is: in its await, in its poll, pending, or over."""
        tasks, flags = self._tasks, self._tasks["flags"][rows]
        began = np.where(flags & WAITING > 0, tasks["slept"][rows], tasks["created"][rows])
        began = np.where(flags & RUNNING > 0, tasks["opened"][rows], began)
        return self.now - np.where(self.over(rows), tasks["ended"][rows], began)

    def parent(self, rows: Ints) -> Ints:
        """Rows; 0: none, or it is not here."""
        return self.live.coroutines.task(self._tasks["parent"][rows])

    def state(self, rows: Ints) -> t.Bytes:
        """``tables.STATES``, as a Trace has them."""
        tasks, live = self._tasks, self.live
        flags, columns = tasks["flags"][rows], live.coroutines.columns
        coro = tasks["coro"][rows]
        generator = live.functions.generator[live.functions.known(columns["code"][coro])]
        lives = Lives(
            polled=flags & RAN > 0,
            running=flags & RUNNING > 0,
            driven=flags & OWNED == 0,
            kind=tasks["exit"][rows],
            flags=tasks["exit_flags"][rows],
            generator=generator & columns["entered"][coro],
            step=generator & ~columns["entered"][coro],
            swallowed=np.isin(tasks["error"][rows], self._swallowed),
        )
        return task_states(lives, live.broken_off)[0]

    @cached_property
    def _swallowed(self) -> list[int]:
        """The ids of such exceptions."""
        return [number for number, text in self.live.recording.strings.items() if text in SWALLOWED]

    def error(self, row: int) -> str:
        """ "ValueError: message" of a failed task; "" of others."""
        if int(self.state(np.array([row]))[0]) != t.FAILED:
            return ""
        recording = self.live.recording
        type_ = recording.strings.get(int(self._tasks["error"][row]), "?")
        return words.error(type_, recording.messages.get(self.key(row)))

    # --- where it stands ---------------------------------------------------------------------------------------------

    def place(self, row: int) -> str:
        """The await point of a suspended task, "file:line"; where a running one came from; "" if that isn't known."""
        flags, tasks = int(self._tasks["flags"][row]), self._tasks
        point = int(tasks["point" if flags & WAITING else "came"][row])
        if not flags & (WAITING | RUNNING) or (flags & RUNNING and point < 0):
            return ""
        return self.live.points.place(point)

    def waits(self, row: int) -> bool:
        """Whether it is suspended."""
        return bool(self._tasks["flags"][row] & WAITING)

    def awaiting(self, row: int) -> str:
        """What a suspended task awaits, as ``TraceData.awaiting``."""
        if other := self.awaited(row):
            return words.task(self.number(other), self.name(other))
        return self._awaited_type(row) or "yield"

    def _awaited_type(self, row: int) -> str:
        """ "": a task, or nothing."""
        flags, aux = int(self._tasks["flags"][row]), int(self._tasks["aux"][row])
        return "" if flags & (OF_TASK | YIELDS) else self.live.recording.strings.get(aux, "?")

    def awaited(self, row: int) -> int:
        """The task that a suspended task awaits; 0: none."""
        if self._tasks["flags"][row] & (WAITING | OF_TASK) != WAITING | OF_TASK:
            return 0
        return self.row(int(self._tasks["aux"][row]))

    def reason(self, row: int) -> str:
        """Why a suspended task waits (``reasons/``); "" where that is not known."""
        live, type_ = self.live, self._awaited_type(row)
        reasons, by_frames = vocabulary(live.rules), live.functions.reason(self._to_await_point(row), live.rules)
        of_task, gathers = self.awaited(row) > 0, type_ == GATHERING
        columns_ = (np.array([one]) for one in (reasons.index(by_frames), of_task, not of_task and not type_, gathers))
        return reasons[int(of_awaits(*columns_)[0])]

    def _to_await_point(self, row: int) -> tuple[int, ...]:
        """The codes of a suspended task from its leaf up to its await point; all where none is the user's."""
        codes = [code for code, _ in self._places(row)]
        user = self.live.functions.user[self.live.functions.known(np.array(codes))]
        return tuple(codes[: int(np.argmax(user)) + 1] if user.any() else codes)

    def resource(self, number: int, made: bool = True) -> str:
        """By the recording's id: "Lock 3 (made at app.py:12)", or without where it was made; "": not known."""
        live = self.live
        if number not in live.recording.resources:
            return ""
        type_, site = live.recording.resources[number]
        sites = self._site(site)
        functions = [live.functions.functions[f + 1] for f in sites.chain(site) if f >= 0]
        what = kind(live.recording.strings.get(type_, "?"), functions)
        return words.resource(what, str(number), self._shown(site) if made else None)

    def _site(self, site: int) -> Sites:
        """The frames of this one."""
        known, frames = self.live.recording.sites, {}
        while site in known and site not in frames:
            frames[site] = known[site]
            site = known[site][0]
        return Sites(frames, self.live.functions.functions[1:])

    def _shown(self, site: int) -> str | None:
        """The frame of a site to show, "file:line"."""
        sites = self._site(site)
        (row,) = sites.best(np.array([site])).tolist()
        if row < 0:
            return None
        code, off = int(sites.code[row]), int(sites.off[row])
        return words.place(self._function(code), self.live.functions.line(code, off))

    @cached_property
    def _holders(self) -> dict[int, list[int]]:
        """By resource the rows of what is held, oldest first."""
        found: dict[int, list[int]] = {}
        for at, number in enumerate(self.live.holds.columns["resource"].tolist()):
            found.setdefault(number, []).append(at)
        return found

    def holders(self, row: int) -> list[int]:
        """The tasks that hold what a suspended task waits for, oldest first; 0: not known which."""
        held = self._holders.get(int(self._tasks["resource"][row]) if self.waits(row) else 0, [])
        return self.live.coroutines.task(self.live.holds.columns["task"][held]).tolist() if held else []

    def holds(self, row: int) -> list[str]:
        """What a task holds."""
        holds = self.live.holds.columns
        own_holds = zip(*(column[holds["task"] == self.key(row)].tolist() for column in holds.values()), strict=True)
        return [
            words.hold(self.resource(number) or "?", self._shown(site), ms(ts - self.live.base))
            for number, _, ts, site in own_holds
        ]

    def why(self, row: int, made: bool = True) -> str:
        """Why a suspended task waits, and who holds what it waits for; "" for a task that is not suspended.  ``made``:
        with where that was made."""
        if not self.waits(row):
            return ""
        tasks, timer = self._tasks, None
        start, due = int(tasks["slept"][row]), int(tasks["due"][row])
        if due >= 0:
            timer = "" if self._ready_by_now(np.array([row]))[0] else ms(max(0, due - start))
        holders = [self.number(one) for one in self.holders(row)]
        resource = self.resource(int(tasks["resource"][row]), made)
        return words.why(self.reason(row), self.awaiting(row), resource, holders, self.number(row), timer)

    def _places(self, row: int) -> list[tuple[int, int]]:
        """(code, offset) of the frames of a suspended task, from its leaf to its root."""
        live, tasks = self.live, self._tasks
        leaf = int(live.coroutines.rows(tasks["leaf"][[row]])[0])
        outwards = live.coroutines.chain(leaf, int(tasks["chain"][row]))[1:]
        return [(int(tasks["code"][row]), int(tasks["off"][row])), *outwards]

    def stack(self, row: int) -> list[StackLine]:
        """The frames of a suspended task, from its root to its leaf."""
        live = self.live
        if not self.waits(row):
            return []
        found = []
        for code, off in reversed(self._places(row)):
            known = live.recording.codes.get(code)
            line = live.functions.line(code, off) if off != NOWHERE else 0
            found.append(StackLine(self._function(code if known else 0), line, known.file if known else ""))
        return found

    @cached_property
    def edges(self) -> tuple[Ints, Ints]:
        """Edges now, (waiting rows, awaited rows), directly or by way of something that gathers tasks; each pair
        once."""
        live, tasks = self.live, self._tasks
        rows = self.rows[tasks["flags"][self.rows] & (WAITING | OF_TASK) == WAITING | OF_TASK]
        direct = live.coroutines.task(tasks["aux"][rows])
        edges = live.edges.columns
        who, others = live.coroutines.task(edges["who"]), live.coroutines.task(edges["whom"])
        there = np.flatnonzero((tasks["flags"][who] & WAITING > 0) & (others > 0))
        who, others, since, ran = who[there], others[there], edges["ts"][there], edges["ran"][there] > 0
        gathering = [row for row in np.unique(who[ran]).tolist() if self.reason(row) in FROM_BEFORE]
        still = waits_still(since, tasks["slept"][who], ran, np.isin(who, gathering))
        both = np.stack([np.concatenate([rows, who[still]]), np.concatenate([direct, others[still]])])
        both = np.unique(both[:, (both[1] > 0) & ~self.over(both[1])], axis=1)
        return both[0], both[1]

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
        """(code, how long its frames ran themselves, calls) by function that ran.

        At the detail "awaits" functions are those of roots, and ran for as long as their tasks did.  Calls: -1: not
        known."""
        live, size = self.live, len(self.live.functions.functions)
        ran = live.nodes["ran"].copy()
        for _, node, ns in live.running(self.now):
            ran[min(node, len(ran) - 1)] += ns
        code = live.functions.known(live.recording.node_code[: live.nodes.size])
        run, calls = np.zeros(size, np.int64), np.zeros(size, np.int64)
        np.add.at(run, code, ran[: len(code)])
        np.add.at(calls, code, live.nodes["calls"][: len(code)])
        calls[code[live.nodes["unheard"][: len(code)]]] = -1
        run[0] = calls[0] = 0
        there = np.flatnonzero((run > 0) | (calls != 0))
        return there, run[there], calls[there]

    def longest(self, count: int) -> list[LongPoll]:
        """The longest polls, with those that are not over."""
        tasks, live = self._tasks, self.live
        rows = self.rows[tasks["flags"][self.rows] & RUNNING > 0].tolist()
        now = [
            LongPoll(self.now - start, self.key(row), start, int(tasks["came"][row]), -2, -1)
            for row in rows
            for start in (int(tasks["opened"][row]),)
        ]
        return sorted([*live.remembered.longest, *now], key=lambda poll: -poll.ns)[:count]

    def last_polls(self, row: int) -> Ints:
        """How long this task's polls took, of the last of all."""
        return self.live.remembered.last(self.key(row))

    def slices(self, count: int) -> Slices:
        """The last half seconds."""
        tasks, live = self._tasks, self.live
        live.rates.advance(max(self.elapsed_ns, 0))
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
