"""The live state: what there is and what was, fed with new records only.

Knows: a row for each task with sums and its last state, the sums of await points and functions, and the last minutes.
A chunk costs what it holds, however long the recording is.  Every figure is the one that a Trace of the same records
has (``snapshot.py`` adds what goes on).  Knows nothing of screens.

Times in here are the recording's own clock.
"""

import numpy as np

from ... import events as ev
from ...recording.ending import BROKEN_OFF, Ending, ending, span
from ...recording.reader import Recording
from ...recording.slots import Slots
from ..building.scan import Columns, RecordColumns
from ..grouping import Any1d, Ints
from ..kernels.wakes import moment
from .await_points import Functions, Points
from .coroutines import Coroutines
from .growing import GrowingTable, add
from .rates import Rates
from .suspensions import (
    BEFORE,
    GONE,
    ODD,
    OF_TASK,
    OUTER,
    OWNED,
    RAN,
    RUNNING,
    SPAWNED,
    WAITING,
    YIELDS,
    Polls,
    RecentPolls,
    Suspensions,
    Wakeups,
    ready_ns,
)  # fmt: skip
from .wakeups import Wakes

PIECE = 1 << 17  # slots at a time


class Live:
    """Everything that a viewer shows of a recording that grows."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.coroutines = Coroutines()
        self.functions = Functions(recording)
        self.points = Points(self.functions)
        self.rates = Rates()
        self.tasks = GrowingTable(
            coro=np.int64, pos=np.int64, created=np.int64, first=np.int64, polls=np.int64, run=np.int64, ready=np.int64,
            parent=np.int32, flags=np.int32, opened=np.int64, came=np.int32, thread=np.int32, slept=np.int64,
            slot=np.int64, leaf=np.int64, code=np.int32, off=np.int64, aux=np.int64, point=np.int32, since=np.int64,
            due=np.int64, exit=np.uint8, exit_flags=np.uint8, error=np.int64, ended=np.int64, number=np.int64,
        )  # fmt: skip
        self.tasks.reach(1)  # row 0 is nobody
        self.nodes = GrowingTable(ran=np.int64, calls=np.int64)
        self.edges: list[tuple[Ints, Ints]] = []  # coroutines that wait for coroutines by way of something that gathers
        self.remembered = RecentPolls()
        self.counted_from = 0  # sums of points, functions, longest polls
        self.shown, self.shown_up_to = np.zeros(0, np.int64), 1  # rows that are not long over, of those before this one
        self._gathered = RecordColumns(recording.header.start_ns)
        self._wakes = Wakes()
        self._recent = Suspensions(*(np.zeros(0, np.int64) for _ in Suspensions._fields))
        self._recent_rows = np.zeros(0, np.int64)
        self._renumber = False

    @property
    def count(self) -> int:
        """Rows of tasks, row 0 among them."""
        return self.tasks.size

    @property
    def fed(self) -> int:
        """Slots."""
        return self._gathered.fed

    @property
    def base(self) -> int:
        """When the recording began."""
        start, first = self.recording.header.start_ns, self._gathered.first_ts
        return 0 if 0 <= first < start else start  # a recording by ticks

    @property
    def end(self) -> int:
        """When it ended, or its last record so far."""
        records = self._gathered
        return span(self.recording.header, self.ending, records.first_ts, records.last_ts).end

    @property
    def ending(self) -> Ending:
        """Why it is known no further."""
        return ending(self.recording)

    @property
    def broken_off(self) -> bool:
        """Whether records are missing: then it goes on unseen."""
        return self.ending in BROKEN_OFF

    def running(self, now: int) -> list[tuple[int, int, int]]:
        """(task's coroutine, node, ns since its thread's last record) of what runs."""
        return self._gathered.running(now)

    def feed(self, slots: Slots) -> None:
        """Take in the slots that follow those fed before."""
        for begin in range(0, len(slots), PIECE):
            self._feed(slots[begin : begin + PIECE])

    def _feed(self, slots: Slots) -> None:
        self._gathered.feed(slots)
        found, nodes, ns = self._gathered.take()
        if self._gathered.last_ts < 0:
            return
        self.functions.update()
        self.rates.reach(max(self._gathered.last_ts - self.base, 0))
        self.nodes.reach(len(self.recording.node_code))
        add(self.nodes["ran"], np.minimum(nodes, self.nodes.size - 1), ns)
        new = self.coroutines.learn(found, self.recording.node_code)
        add(self.nodes["calls"], np.minimum(found["entries"]["node"][new], self.nodes.size - 1))
        before = self.count
        self._meet(found, new)
        asleep = self._suspensions(found)
        self._run(found, asleep, Wakeups(self._row(found["wakes"]["coro"]), found["wakes"], self._wakes.feed(found)))
        ended = self._exits(found["exits"])
        created = self.tasks["created"][before : self.count]
        self.rates.lived(np.maximum(created - self.base, 0), ended - self.base)
        edges = found["edges"]
        if len(edges["coro"]):
            self.edges.append((edges["coro"].astype(np.int64), edges["aux"].astype(np.int64)))
        self.coroutines.settle(found)

    def _row(self, coro: Any1d) -> Ints:
        """The task's row of these coroutines; 0: none."""
        return self.coroutines.columns["row"][self.coroutines.known(coro)].astype(np.int64)

    # --- tasks -------------------------------------------------------------------------------------------------------

    def _meet(self, found: dict[str, Columns], new: Ints) -> None:
        """Rows for who is met the first time: spawned, or running without that."""
        tasks, row = self.tasks, self.coroutines.columns["row"]
        opens, spawns, entries = found["opens"], found["spawns"], found["entries"]
        coro = np.concatenate([spawns["coro"], opens["task"]]).astype(np.int64)
        pos = np.concatenate([spawns["pos"], opens["pos"]])
        ts = np.concatenate([spawns["ts"], opens["ts"]])
        parent = np.concatenate([spawns["task"], opens["before"]]).astype(np.int64)
        # It ran before it was made a task.
        again = (row[spawns["coro"]] > 0) & (tasks["flags"][row[spawns["coro"]]] & SPAWNED == 0)
        first = np.unique(coro, return_index=True)[1]
        first = first[row[coro[first]] == 0]
        first = first[np.argsort(pos[first], kind="stable")]
        begin, size = self.count, len(first)
        tasks.reach(begin + size)
        fresh = slice(begin, begin + size)
        row[coro[first]] = np.arange(begin, begin + size)
        tasks["coro"][fresh], tasks["pos"][fresh], tasks["created"][fresh] = coro[first], pos[first], ts[first]
        tasks["parent"][fresh] = self._row(parent[first])
        tasks["number"][fresh] = np.arange(size) + (tasks["number"][begin - 1] + 1)
        spawned = self._row(spawns["coro"])
        tasks["flags"][spawned] |= SPAWNED | OWNED
        if again.any():
            late = spawned[again]
            tasks["pos"][late], tasks["created"][late] = spawns["pos"][again], spawns["ts"][again]
            tasks["parent"][late] = self._row(spawns["task"][again])
            self._renumber = True
        owned = (entries["flags"] & ev.IS_TASK > 0) & (entries["aux"] == 0)
        tasks["flags"][self._row(entries["task"][owned])] |= OWNED
        older = new[(entries["flags"][new] & ev.BEFORE > 0) & (entries["kind"][new] == ev.START)]
        older = self._row(np.where(entries["aux"][older] == 0, entries["task"][older], entries["coro"][older]))
        older = older[tasks["flags"][older] & SPAWNED == 0]
        tasks["created"][older], tasks["parent"][older] = self.base, 0
        tasks["flags"][older] |= BEFORE
        entered = self._row(entries["coro"][new])
        tasks["flags"][entered] |= ODD  # until it runs: it may be another's coroutine
        tasks["flags"][self._row(opens["task"])] &= ~ODD
        self._renumber |= bool((tasks["flags"][entered] & (ODD | RAN) == ODD).any())
        tasks["flags"][0] = 0

    def numbers(self) -> Ints:
        """The ids of tasks by row, as a Trace has them; 0: it is none."""
        tasks = self.tasks
        if self._renumber:
            flags = tasks["flags"][: self.count]
            rows = np.flatnonzero((flags & RAN > 0) | (flags & (GONE | ODD) == 0))[1:]
            rows = rows[np.argsort(tasks["pos"][rows], kind="stable")]
            tasks["number"][: self.count] = 0
            tasks["number"][rows] = np.arange(1, len(rows) + 1)
            self._renumber = False
        return tasks["number"][: self.count]

    def _exits(self, exits: Columns) -> Ints:
        """Ends of tasks; when those ended that had not before."""
        tasks = self.tasks
        rows, coro = self._row(exits["coro"]), exits["kind"] != ev.ITEM
        seen = np.flatnonzero(coro & (rows > 0))
        rows = rows[seen]
        first = np.unique(rows[::-1], return_index=True)[1]  # the last of each
        seen, rows = seen[::-1][first], rows[::-1][first]
        over = tasks["exit"][rows] == 0
        tasks["exit"][rows], tasks["exit_flags"][rows] = exits["kind"][seen], exits["flags"][seen]
        tasks["error"][rows], tasks["ended"][rows] = exits["aux"][seen], exits["ts"][seen]
        asleep = rows[tasks["flags"][rows] & WAITING > 0]
        self._sum_waits(asleep, np.maximum(tasks["ended"][asleep], tasks["slept"][asleep]))
        tasks["flags"][asleep] &= ~WAITING
        fresh = rows[over & (tasks["flags"][rows] & (SPAWNED | RAN) == SPAWNED)]
        tasks["ready"][fresh] += tasks["ended"][fresh] - tasks["created"][fresh]
        gone = rows[(exits["kind"][seen] == ev.VANISH) & (exits["flags"][seen] & ev.NO_TASK > 0)]
        tasks["flags"][gone] |= GONE
        self._renumber |= len(gone) > 0
        ended: Ints = tasks["ended"][rows[over]]
        return ended

    # --- suspensions -------------------------------------------------------------------------------------------------

    def _suspensions(self, found: dict[str, Columns]) -> Suspensions:
        """The chunk's suspensions, before them those of which it may say more, and these understood."""
        rows, recent = found["suspends"], self._recent
        leaf = self.coroutines.known(rows["coro"])
        node_code = self.recording.node_code
        of_node = node_code[np.minimum(rows["below"], len(node_code) - 1)]
        code = self.coroutines.columns["code"][leaf]
        code = np.minimum(np.where(code > 0, code, of_node), len(self.functions.user) - 1).astype(np.int64)
        of_task = rows["flags"] & ev.AWAITS_TASK > 0
        flags = np.where(of_task, OF_TASK, np.where(rows["aux"] == 0, YIELDS, 0))
        more = (rows["pos"], leaf, code, rows["off"].astype(np.int64), rows["aux"].astype(np.int64), flags)
        pos, leaf, code, off, aux, flags = (np.concatenate(pair) for pair in zip(recent, more, strict=False))
        old = len(recent.pos)
        anew = np.ones(len(pos), np.bool_)
        anew[:old] = np.isin(recent.pos, found["links"]["burst"])
        point = np.concatenate([recent.point, np.zeros(len(pos) - old, np.int64)])
        where = self.coroutines.climb(leaf[anew], pos[anew], code[anew], off[anew], self.functions.user)
        point[anew] = self.points.find(*where)
        due = np.concatenate([recent.due, np.full(len(pos) - old, -1)])
        timers = found["timers"]
        if len(pos) and len(timers["burst"]):
            at = np.minimum(np.searchsorted(pos, timers["burst"]), len(pos) - 1)
            when = moment(timers["aux"], timers["off"])
            good = (pos[at] == timers["burst"]) & (leaf[at] == timers["coro"]) & (when > 0)
            due[at[good]] = np.maximum(when[good], self.base)
        asleep = Suspensions(pos, leaf, code, off, aux, flags, point, due)
        self._amend(asleep, old)
        rows_of = np.concatenate([self._recent_rows, self._row(rows["before"])])
        last = np.flatnonzero(np.isin(pos, self._gathered.poll_spans()))
        self._recent, self._recent_rows = Suspensions(*(column[last] for column in asleep)), rows_of[last]
        return asleep

    def _amend(self, asleep: Suspensions, old: int) -> None:
        """More became known of suspensions that were taken in before."""
        tasks, rows = self.tasks, self._recent_rows
        still = np.flatnonzero((tasks["slot"][rows] == asleep.pos[:old]) & (tasks["flags"][rows] & WAITING > 0))
        tasks["point"][rows[still]], tasks["due"][rows[still]] = asleep.point[still], asleep.due[still]
        self.remembered.amend(asleep.pos[:old], asleep.point[:old])

    # --- polls and waits ---------------------------------------------------------------------------------------------

    def _run(self, found: dict[str, Columns], asleep: Suspensions, awake: "Wakeups") -> None:
        """Pair what opens polls with what ends them, as ``find_polls`` does, and the waits between them."""
        tasks, opens, closes = self.tasks, found["opens"], found["closes"]
        opened, closed = self._row(opens["task"]), self._row(closes["before"])
        ours = closed > 0
        closed, close_pos, close_ts = closed[ours], closes["pos"][ours], closes["ts"][ours]
        carried = np.unique(np.concatenate([opened, closed]))
        carried = carried[tasks["flags"][carried] & RUNNING > 0]
        row = np.concatenate([carried, opened, closed])
        pos = np.concatenate([np.full(len(carried), -1), opens["pos"], close_pos])
        ts = np.concatenate([tasks["opened"][carried], opens["ts"], close_ts])
        order = np.argsort(row * (self.fed + 2) + pos + 1)
        row, pos, ts, is_open = row[order], pos[order], ts[order], order < len(carried) + len(opened)
        same = np.concatenate([[False], row[1:] == row[:-1]])
        was_open = np.concatenate([[False], is_open[:-1]]) & same
        begins, ends = np.flatnonzero(is_open & ~was_open), np.flatnonzero(~is_open & was_open)
        if len(begins):
            end_at = np.full(len(begins), -1, np.int64)
            end_at[np.searchsorted(begins, ends, side="right") - 1] = ends
            outer = np.concatenate([tasks["flags"][carried] & OUTER > 0, opens["before"] == 0])
            thread = np.concatenate([tasks["thread"][carried], opens["thread"]])
            which = order[begins]
            polls = Polls(row[begins], pos[begins], ts[begins], pos[end_at], ts[end_at], end_at >= 0, asleep.pos)
            self._polled(polls, outer[which], thread[which], asleep, awake)
        waiting = awake.rows()
        waiting = waiting[(tasks["flags"][waiting] & WAITING > 0) & (tasks["since"][waiting] == 0)]
        tasks["since"][waiting] = awake.first(waiting, tasks["slot"][waiting], np.full(len(waiting), self.fed))

    def _polled(self, polls: "Polls", outer: Any1d, thread: Any1d, asleep: Suspensions, awake: "Wakeups") -> None:
        tasks, base, row = self.tasks, self.base, polls.row
        new, done = polls.pos >= 0, polls.done
        first = np.concatenate([[True], row[1:] != row[:-1]])
        last = np.concatenate([row[1:] != row[:-1], [True]])
        add(tasks["polls"], row[new])
        add(tasks["run"], row[done], (polls.end - polls.start)[done])
        self.rates.polled(polls.start[new] - base)
        self.rates.ran((polls.start - base)[done & outer], (polls.end - base)[done & outer])
        unseen = np.flatnonzero(first & (tasks["flags"][row] & RAN == 0))
        rows = row[unseen]
        tasks["flags"][rows] |= RAN
        tasks["first"][rows] = polls.start[unseen]
        unseen, rows = (part[tasks["flags"][rows] & SPAWNED > 0] for part in (unseen, rows))
        delay = polls.start[unseen] - tasks["created"][rows]
        tasks["ready"][rows] += delay
        self.rates.waited(polls.start[unseen] - base, delay)

        # Waits that ended: those from before the chunk, then those within.
        came = np.where(first, tasks["came"][row], -1)  # the await point each poll came from
        woken = np.flatnonzero(first & new & (tasks["flags"][row] & WAITING > 0))
        rows = row[woken]
        since = np.where(tasks["since"][rows] > 0, tasks["since"][rows], 0)
        later = awake.first(rows, tasks["slot"][rows], polls.pos[woken])
        tasks["since"][rows] = np.where(since > 0, since, later)
        tasks["due"][rows] = -1  # what was due and did not wake it is no matter
        came[first & new] = -1
        came[woken] = tasks["point"][rows]
        self._sum_waits(rows, polls.start[woken])
        back = np.flatnonzero(~first & np.concatenate([[False], polls.suspension[:-1] >= 0]))
        slept = polls.suspension[back - 1]
        came[back] = asleep.point[slept]
        since = awake.first(row[back], asleep.pos[slept], polls.pos[back])
        self._sums(row[back], polls.end[back - 1], polls.start[back], asleep.point[slept], asleep.flags[slept], since)

        rows, final = row[last], np.flatnonzero(last)
        slept, over = polls.suspension[final], done[final]
        flags = tasks["flags"][rows] & ~(RUNNING | OUTER | WAITING | YIELDS | OF_TASK)
        flags |= np.where(over, 0, RUNNING) | np.where(outer[final], OUTER, 0)
        tasks["opened"][rows], tasks["came"][rows], tasks["thread"][rows] = (
            polls.start[final],
            came[final],
            thread[final],
        )
        tasks["flags"][rows] = flags
        waits = np.flatnonzero(over & (slept >= 0))
        rows, slept = rows[waits], slept[waits]
        tasks["flags"][rows] |= WAITING | asleep.flags[slept]
        tasks["slept"][rows] = polls.end[final[waits]]
        for name in ("leaf", "code", "off", "aux", "point", "due"):
            tasks[name][rows] = getattr(asleep, name)[slept]
        tasks["slot"][rows], tasks["since"][rows] = asleep.pos[slept], 0
        self.remembered.add(polls, came, asleep)

    def _sum_waits(self, rows: Ints, end: Ints) -> None:
        """The waits of these tasks are over."""
        tasks = self.tasks
        since = np.where(tasks["since"][rows] > 0, tasks["since"][rows], np.maximum(tasks["due"][rows], 0))
        self._sums(rows, tasks["slept"][rows], end, tasks["point"][rows], tasks["flags"][rows], since)

    def _sums(self, row: Ints, start: Ints, end: Ints, point: Any1d, flags: Ints, since: Ints) -> None:
        """Waits that ended.  ``since``: when the task could have run; 0: not known."""
        ready = ready_ns(start, end, flags, self.tasks["flags"][row], since)
        add(self.tasks["ready"], row, ready)
        self.rates.waited(end - self.base, ready)
        self.points.waited(point.astype(np.int64), end - np.clip(self.counted_from, start, end))

    def reset(self, now: int) -> None:
        """Sum up anew from this moment on: await points, functions, the longest polls."""
        self.points.reset()
        for column in self.nodes.values():
            column[:] = 0
        for _, node, ns in self.running(now):
            self.nodes["ran"][min(node, self.nodes.size - 1)] -= ns  # counted when it is over, whole
        self.remembered.longest, self.counted_from = [], now
