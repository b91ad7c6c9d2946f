"""The live model's state, updated with new records only.

Knows: a row for each task that is there, and for the last of those that ended, with sums and its last state; the sums
of await points and functions, of all that ever was; and the last minutes.  A chunk costs what it holds, and all of it
is as large as what lives, however long the recording is.  Every figure is the one that a Trace of the same records has,
as what records mean is said once, for both (``kernels/``).  ``snapshot.py`` adds what goes on.  Knows nothing of
screens.

Times in here are the recording's own clock.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ... import events as ev
from ...recording.ending import BROKEN_OFF, Ending, ending, span
from ...recording.reader import Recording
from ...recording.slots import Slots
from ...support.settings import Rule
from ..building.scan import Columns, RecordColumns
from ..grouping import Any1d, Ints, find
from ..kernels.polls import pair_polls
from ..kernels.wakes import due_times
from .await_points import Functions, Points
from .coroutines import Coroutines
from .growing import GrowingTable, add
from .rates import Rates
from .relations import Edges, Holds
from .suspensions import (
    BEFORE,
    OF_TASK,
    OUTER,
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
from .tasks import Tasks
from .wakeups import ReadySince

PIECE: Final = 1 << 17  # slots at a time

# The window of what is over: so many tasks at least stay of those that ended, and the newest are these. Looked after
# whenever so many coroutines have ended.
ENDED_KEPT: Final = 20_000
FORGET_EVERY: Final = 1 << 16


class LiveModel:
    """Everything that a viewer shows of a recording that grows."""

    def __init__(
        self, recording: Recording, rules: Sequence[Rule] = (), kept: int = ENDED_KEPT, every: int = FORGET_EVERY
    ) -> None:
        """``rules``: the user's own, for reasons.  ``kept``, ``every``: as ENDED_KEPT, FORGET_EVERY."""
        self.recording, self.rules = recording, tuple(rules)
        self.coroutines = Coroutines(recording)
        self.functions = Functions(recording)
        self.points = Points(self.functions)
        self.rates = Rates()
        self.tasks = Tasks(self.coroutines)
        self.nodes = GrowingTable(ran=np.int64, calls=np.int64, unheard=np.bool_)  # unheard: some calls of it
        self.edges, self.holds = Edges(), Holds(recording)
        self.remembered = RecentPolls()
        self.counted_from = 0  # sums of points, functions, longest polls
        self._kept, self._every, self._exits_left = kept, every, every
        self._records = RecordColumns(recording.header.start_ns)
        self._wakes = ReadySince()
        self._recent = Suspensions(*(np.zeros(0, np.int64) for _ in Suspensions._fields))

    @property
    def count(self) -> int:
        """Rows of tasks, row 0 among them."""
        return self.tasks.size

    @property
    def fed(self) -> int:
        """Slots."""
        return self._records.fed

    @property
    def base(self) -> int:
        """When the recording began."""
        start, first = self.recording.header.start_ns, self._records.first_ts
        return 0 if 0 <= first < start else start  # a recording by ticks

    @property
    def begin(self) -> int:
        """Since when time counts: later than the base where tasks existed before (``RecordColumns``)."""
        return self.base + self._records.since

    @property
    def end(self) -> int:
        """When it ended, or its last record so far."""
        records = self._records
        return span(self.recording.header, self.ending, records.first_ts, records.last_ts).end

    @property
    def fed_until(self) -> int:
        """The last record's time, of those that were fed: of a replay that is before the end."""
        return max(self._records.last_ts, self.base)

    @property
    def ending(self) -> Ending:
        """Why it is known no further."""
        return ending(self.recording)

    @property
    def broken_off(self) -> bool:
        """Whether records are missing: then it goes on unseen."""
        return self.ending in BROKEN_OFF

    @property
    def ended(self) -> int:
        """How many tasks have ended, those forgotten among them."""
        return self.tasks.forgotten + self.count - 1 - self.rates.tasks

    @property
    def total(self) -> int:
        """How many tasks there ever were, as a Trace numbers them."""
        self.tasks.numbers()
        return self.tasks.highest

    def numbers(self) -> Ints:
        """The ids of tasks by row, as a Trace has them; 0: it is none."""
        return self.tasks.numbers()

    def running(self, now: int) -> list[tuple[int, int, int]]:
        """(task's coroutine, node, ns since its thread's last record) of what runs."""
        return self._records.running(now)

    def feed(self, slots: Slots) -> None:
        """Take in the slots that follow those fed before."""
        for begin in range(0, len(slots), PIECE):
            self._feed(slots[begin : begin + PIECE])

    def _feed(self, slots: Slots) -> None:
        self._records.feed(slots)
        found, nodes, ns = self._records.take()
        if self._records.last_ts < 0:
            return
        self.functions.update()
        self.rates.advance(max(self._records.last_ts - self.base, 0))
        self.nodes.reach(len(self.recording.node_code))
        add(self.nodes["ran"], np.minimum(nodes, self.nodes.size - 1), ns)
        self.coroutines.assign_rows(found)
        new = self.coroutines.learn(found)
        node = np.minimum(found["entries"]["node"][new], self.nodes.size - 1)
        add(self.nodes["calls"], node)
        if self.recording.detail == "awaits":  # an async generator that began for an awaiter
            late = (found["entries"]["kind"][new] != ev.START) | (found["entries"]["flags"][new] & ev.BEFORE > 0)
            self.nodes["unheard"][
                node[late & (found["entries"]["ts"][new] > max(self._records.first_ts, self.begin))]
            ] = True
        before = self.count
        self.tasks.add_new(found, new, self.functions, self.begin)
        suspended = self._suspensions(found)
        self.tasks.look_into_wrappers(suspended, self.functions)
        awake = Wakeups(self.tasks.row_of(found["wakes"]["coro"]), found["wakes"], self._wakes.feed(found))
        polls = self._polls(found, suspended)
        self.edges.feed(found["edges"], self.coroutines, self.tasks, polls)
        self._run(polls, suspended, awake)
        ended = self._exits(found["exits"])
        created = self.tasks["created"][before : self.count]
        self.rates.came_and_went(np.maximum(created - self.base, 0), ended - self.base)
        self.holds.feed(found, self.coroutines)
        self.coroutines.commit_chunk(found, self._records.poll_spans())
        self._exits_left -= len(found["exits"]["coro"])
        if self._exits_left <= 0:
            self._exits_left = self._every
            self.forget()

    # --- tasks -------------------------------------------------------------------------------------------------------

    def _exits(self, exits: Columns) -> Ints:
        """Ends of tasks; when those ended that had not before."""
        tasks = self.tasks
        rows, coro = self.tasks.row_of(exits["coro"]), exits["kind"] != ev.ITEM
        seen = np.flatnonzero(coro & (rows > 0))
        rows = rows[seen]
        first = np.unique(rows[::-1], return_index=True)[1]  # the last of each
        seen, rows = seen[::-1][first], rows[::-1][first]
        over = tasks["exit"][rows] == 0
        tasks["exit"][rows], tasks["exit_flags"][rows] = exits["kind"][seen], exits["flags"][seen]
        tasks["error"][rows], tasks["ended"][rows] = exits["aux"][seen], exits["ts"][seen]
        suspended = rows[tasks["flags"][rows] & WAITING > 0]
        self._sum_waits(suspended, np.maximum(tasks["ended"][suspended], tasks["slept"][suspended]))
        tasks["flags"][suspended] &= ~WAITING
        fresh = rows[over & (tasks["flags"][rows] & (SPAWNED | BEFORE | RAN) == SPAWNED)]
        tasks["ready"][fresh] += tasks["ended"][fresh] - tasks["created"][fresh]
        gone = rows[(exits["kind"][seen] == ev.VANISH) & (exits["flags"][seen] & ev.NO_TASK > 0)]
        tasks.mark_no_task(gone)
        ended: Ints = tasks["ended"][rows[over]]
        return ended

    # --- suspensions -------------------------------------------------------------------------------------------------

    def _suspensions(self, found: dict[str, Columns]) -> Suspensions:
        """The chunk's suspensions, before them those of which it may say more, and these understood."""
        rows, recent = found["suspends"], self._recent
        old, size = len(recent.pos), len(rows["pos"])
        ids = np.concatenate([recent.leaf, rows["coro"].astype(np.int64)])
        in_chain, chains = rows["flags"] & ev.IN_CHAIN > 0, self.coroutines.chains
        chain = np.where(in_chain, rows["off"], 0).astype(np.int64)
        leaf = chains.frame(np.concatenate([recent.chain, chain]), self.coroutines.rows(ids))
        node_code = self.recording.node_code
        of_node = node_code[np.minimum(rows["below"], len(node_code) - 1)]
        code = self.coroutines.codes()[leaf[old:]]
        code = self.functions.known(np.where(code > 0, code, of_node))
        of_task = rows["flags"] & ev.AWAITS_TASK > 0
        flags = np.where(of_task, OF_TASK, np.where(rows["aux"] == 0, YIELDS, 0))
        none = np.zeros(size, np.int64)
        fresh = Suspensions(
            pos=rows["pos"], leaf=ids[old:], chain=chain, code=code,
            off=np.where(in_chain, chains.off[chain], rows["off"].astype(np.int64)),
            aux=rows["aux"].astype(np.int64), flags=flags, point=none, due=none - 1, resource=none,
            row=self.tasks.row_of(rows["before"]),
        )  # fmt: skip
        suspended = Suspensions(*(np.concatenate(pair) for pair in zip(recent, fresh, strict=True)))
        anew = np.ones(old + size, np.bool_)
        anew[:old] = np.isin(recent.pos, np.concatenate([found["links"]["burst"], found["uses"]["burst"]]))
        *where, suspended.resource[anew] = self.coroutines.climb(
            leaf[anew], suspended.pos[anew], suspended.code[anew], suspended.off[anew], self.functions
        )
        suspended.point[anew] = self.points.find(*where)
        due = due_times(found["timers"], suspended.pos, ids, self.base)
        suspended.due[due >= 0] = due[due >= 0]
        self._amend(Suspensions(*(column[:old] for column in suspended)))
        last = np.flatnonzero(np.isin(suspended.pos, self._records.poll_spans()))
        self._recent = Suspensions(*(column[last] for column in suspended))
        return suspended

    def _amend(self, recent: Suspensions) -> None:
        """More became known of suspensions that were taken in before."""
        tasks, rows = self.tasks, recent.row
        still = np.flatnonzero((tasks["slot"][rows] == recent.pos) & (tasks["flags"][rows] & WAITING > 0))
        for name in ("point", "due", "resource"):
            tasks[name][rows[still]] = getattr(recent, name)[still]
        self.remembered.amend(recent.pos, recent.point)

    # --- polls and waits ---------------------------------------------------------------------------------------------

    def _polls(self, found: dict[str, Columns], suspended: Suspensions) -> Polls:
        """The chunk's polls, those among them that were open before."""
        tasks, opens, closes = self.tasks, found["opens"], found["closes"]
        opened, closed = self.tasks.row_of(opens["task"]), self.tasks.row_of(closes["before"])
        carried = np.unique(np.concatenate([opened, closed]))
        carried = carried[tasks["flags"][carried] & RUNNING > 0]
        row = np.concatenate([carried, opened])
        pos = np.concatenate([np.full(len(carried), -1), opens["pos"]])
        at, by = pair_polls(row, pos, closed, closes["pos"])
        end_pos = np.where(by >= 0, np.append(closes["pos"], -1)[by], -1)
        return Polls(
            row=row[at],
            pos=pos[at],
            start=np.concatenate([tasks["opened"][carried], opens["ts"]])[at],
            outer=np.concatenate([tasks["flags"][carried] & OUTER > 0, opens["before"] == 0])[at],
            thread=np.concatenate([tasks["thread"][carried], opens["thread"]])[at],
            done=by >= 0,
            end=np.append(closes["ts"], 0)[by],
            end_pos=end_pos,
            suspension=find(suspended.pos, end_pos),
        )

    def _run(self, polls: Polls, suspended: Suspensions, awake: Wakeups) -> None:
        """What tasks did, from poll to poll."""
        if len(polls.row):
            self._polled(polls, suspended, awake)
        tasks, waiting = self.tasks, awake.rows()
        waiting = waiting[(tasks["flags"][waiting] & WAITING > 0) & (tasks["since"][waiting] == 0)]
        tasks["since"][waiting] = awake.first(waiting, tasks["slot"][waiting], self.fed)

    def _polled(self, polls: Polls, suspended: Suspensions, awake: Wakeups) -> None:
        tasks, base, row = self.tasks, self.base, polls.row
        new, done = polls.pos >= 0, polls.done
        first = np.concatenate([[True], row[1:] != row[:-1]])
        last = np.concatenate([row[1:] != row[:-1], [True]])
        counts = new & ~(done & (polls.end <= self.begin) & (self.begin > base))  # not what had ended before
        add(tasks["polls"], row[counts])
        add(tasks["run"], row[done], (polls.end - polls.start)[done])
        self.rates.polled(polls.start[counts] - base)
        self.rates.ran((polls.start - base)[done & polls.outer], (polls.end - base)[done & polls.outer])
        unseen = np.flatnonzero(first & (tasks["flags"][row] & RAN == 0))
        rows = row[unseen]
        tasks["flags"][rows] |= RAN
        unseen, rows = (part[tasks["flags"][rows] & (SPAWNED | BEFORE) == SPAWNED] for part in (unseen, rows))
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
        came[back] = suspended.point[slept]
        since = awake.first(row[back], suspended.pos[slept], polls.pos[back])
        self._sums(
            row[back], polls.end[back - 1], polls.start[back], suspended.point[slept], suspended.flags[slept], since
        )

        rows, final = row[last], np.flatnonzero(last)
        slept, over = polls.suspension[final], done[final]
        flags = tasks["flags"][rows] & ~(RUNNING | OUTER | WAITING | YIELDS | OF_TASK)
        flags |= np.where(over, 0, RUNNING) | np.where(polls.outer[final], OUTER, 0)
        tasks["opened"][rows], tasks["came"][rows] = polls.start[final], came[final]
        tasks["thread"][rows] = polls.thread[final]
        tasks["flags"][rows] = flags
        waits = np.flatnonzero(over & (slept >= 0))
        rows, slept = rows[waits], slept[waits]
        tasks["flags"][rows] |= WAITING | suspended.flags[slept]
        tasks["slept"][rows] = polls.end[final[waits]]
        for name in ("leaf", "chain", "code", "off", "aux", "point", "resource", "due"):
            tasks[name][rows] = getattr(suspended, name)[slept]
        tasks["slot"][rows], tasks["since"][rows] = suspended.pos[slept], 0
        self.remembered.add(polls, tasks["id"][row], came, suspended)

    def _sum_waits(self, rows: Ints, end: Ints) -> None:
        """The waits of these tasks are over."""
        tasks = self.tasks
        self._sums(rows, tasks["slept"][rows], end, tasks["point"][rows], tasks["flags"][rows], self.since(rows))

    def since(self, rows: Ints) -> Ints:
        """Since when suspended tasks could run: since they were woken, or will, or could have been, as a timer is due
        to which no loop has come; 0: not known."""
        tasks = self.tasks
        return np.where(tasks["since"][rows] > 0, tasks["since"][rows], np.maximum(tasks["due"][rows], 0))

    def _sums(self, row: Ints, start: Ints, end: Ints, point: Any1d, flags: Ints, since: Ints) -> None:
        """Waits that ended."""
        ready = ready_ns(start, end, flags, self.tasks["flags"][row], since)
        add(self.tasks["ready"], row, ready)
        self.rates.waited(end - self.base, ready)
        self.points.waited(point.astype(np.int64), end - np.clip(self.counted_from, start, end))

    # --- what is over ------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Of what is over only the window stays."""
        tasks = self.tasks
        spoken_of = (self.holds.columns["task"], np.array([poll.task for poll in self.remembered.longest], np.int64))
        rows = tasks.forget(self._kept, np.concatenate(spoken_of), self.recording)
        tasks["coro"][: tasks.size] = self.coroutines.forget(rows)[tasks["coro"][: tasks.size]]
        self._recent = self._recent._replace(row=rows[self._recent.row])
        self.edges.forget(self.coroutines, tasks)
        self.holds.forget((self.coroutines.columns["use"], tasks["resource"]))

    def reset(self, now: int) -> None:
        """Sum up anew from this moment on: await points, functions, the longest polls."""
        self.points.reset()
        for column in self.nodes.values():
            column[:] = 0
        for _, node, ns in self.running(now):
            self.nodes["ran"][min(node, self.nodes.size - 1)] -= ns  # counted when it is over, whole
        self.remembered.longest, self.counted_from = [], now
