"""What lived when: tasks, their polls and awaits, calls and their entries, from the gathered columns.

Knows: which record opens a poll and which ends one, how tasks begin and end.  Where awaits stand is in ``chains.py``.

Whatever must be compared in order is compared by ``pos``, the slot's number: timestamps may be equal.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ... import events as ev
from ...errors import UserError
from .. import tables as t
from ..grouping import Ints, LastBefore, sums
from .scan import RecordColumns

type Bools = npt.NDArray[np.bool_]


@dataclass
class Moments:
    """When the recording began and ended, on the recording's own clock."""

    base: int
    end: int
    slots: int  # and how many there are: every pos is below

    def ns(self, ts: Ints) -> Ints:
        """As time since the recording began."""
        return ts - self.base


@dataclass
class TaskIds:
    """Who the tasks are.  ``task_of`` gives a task's id (0: none) by the recording's id of a coroutine."""

    coro: Ints  # by task - 1
    task_of: Ints
    created_ns: Ints
    created_seen: Bools
    before: Bools
    driven: Bools
    parent: Ints
    spawn: Ints  # row of spawns, -1


def find_tasks(gathered: RecordColumns, moments: Moments) -> TaskIds:
    """Who is a task: every root that ran, and what was spawned and has not run yet."""
    opens, entries = gathered.columns("opens"), gathered.columns("entries")
    exits, spawns = gathered.columns("exits"), gathered.columns("spawns")
    people = 1 + max((int(c.max()) for c in (opens["task"], entries["coro"], spawns["coro"]) if len(c)), default=0)
    if people > moments.slots + 1:
        raise UserError("the recording is damaged: it speaks of more coroutines than it has records")

    spawn = np.full(people, -1, np.int64)
    spawn[spawns["coro"][::-1]] = np.arange(len(spawns["coro"]))[::-1]
    first_open = np.full(people, -1, np.int64)
    first_open[opens["task"][::-1]] = np.arange(len(opens["task"]))[::-1]
    first_entry = np.full(people, -1, np.int64)
    first_entry[entries["coro"][::-1]] = np.arange(len(entries["coro"]))[::-1]
    roots = np.flatnonzero((entries["aux"] == 0) & (entries["task"] < people))
    of_step = roots[first_entry[entries["task"][roots]] < 0][::-1]  # tasks that are no coroutine themselves
    first_entry[entries["task"][of_step]] = of_step
    gone = np.zeros(people, np.bool_)
    no_task = (exits["kind"] == ev.VANISH) & (exits["flags"] & ev.NO_TASK > 0) & (exits["coro"] < people)
    gone[exits["coro"][no_task]] = True

    ran = first_open >= 0
    waiting = (spawn >= 0) & (first_entry < 0) & ~gone
    coro = np.flatnonzero((ran | waiting) & (np.arange(people) > 0))
    spawn, opened, entry = spawn[coro], first_open[coro], first_entry[coro]

    spawned = spawn >= 0
    pos = np.where(spawned, _take(spawns["pos"], spawn), _take(opens["pos"], opened))
    order = np.argsort(pos, kind="stable")
    coro, spawn, opened, entry, spawned = coro[order], spawn[order], opened[order], entry[order], spawned[order]
    task_of = np.zeros(people, np.int64)
    task_of[coro] = np.arange(1, len(coro) + 1)

    flags = np.where(entry >= 0, _take(entries["flags"], entry), 0)
    before = (flags & ev.BEFORE > 0) & ~spawned & (_take(entries["kind"], entry) == ev.START)
    before |= spawned & (_take(spawns["flags"], spawn) & ev.BEFORE > 0)
    created = np.where(spawned, _take(spawns["ts"], spawn), _take(opens["ts"], opened))
    parent = np.where(spawned, _take(spawns["task"], spawn), _take(opens["before"], opened))
    parent = task_of[np.where(before | (parent >= people), 0, parent)]
    is_task = spawned.copy()
    owned = entries["task"][roots[entries["flags"][roots] & ev.IS_TASK > 0]]
    is_task[task_of[owned[task_of[owned] > 0]] - 1] = True
    return TaskIds(
        coro=coro,
        task_of=task_of,
        created_ns=np.where(before, 0, moments.ns(created)),
        created_seen=spawned & ~before,
        before=before,
        driven=~is_task,
        parent=parent,
        spawn=spawn,
    )


def _take(column: npt.NDArray[np.integer], rows: Ints) -> Ints:
    """``column[rows]``, whatever where a row is -1."""
    return column.astype(np.int64)[np.maximum(rows, 0)] if len(column) else np.zeros(len(rows), np.int64)


@dataclass
class PollSpans:
    """Polls with the slots they begin and end at, and for each suspension which poll it ended."""

    polls: t.Polls
    open_pos: Ints  # by poll
    close_pos: Ints  # by poll; moments.slots: it runs still
    suspension: Ints  # by poll: the row of suspends that ended it, -1
    following: Ints  # by poll: the next one of that task, -1


def find_polls(gathered: RecordColumns, lives: TaskIds, moments: Moments) -> PollSpans:
    """Pair what opens polls with what ends them, task by task."""
    opens, closes, suspends = (gathered.columns(name) for name in ("opens", "closes", "suspends"))
    known = closes["before"] < len(lives.task_of)
    n = len(opens["task"])
    task = lives.task_of[np.concatenate([opens["task"], closes["before"][known]])]
    pos = np.concatenate([opens["pos"], closes["pos"][known]])
    ts = np.concatenate([opens["ts"], closes["ts"][known]])
    order = np.argsort(task * (moments.slots + 1) + pos)
    order = order[task[order] > 0]
    task, is_open = task[order], order < n

    same = np.concatenate([[False], task[1:] == task[:-1]])  # as the one before
    was_open = np.concatenate([[False], is_open[:-1]]) & same
    begins = np.flatnonzero(is_open & ~was_open)  # a THROW into a chain that runs already opens nothing
    ends = np.flatnonzero(~is_open & was_open)
    # Every end belongs to the last beginning at or before it.
    poll = np.searchsorted(begins, ends, side="right") - 1
    end_of = np.full(len(begins), -1, np.int64)
    end_of[poll] = ends
    ended = end_of >= 0
    rows, end_rows = order[begins], order[np.maximum(end_of, 0)] if len(order) else order
    polls = t.Polls(
        task=task[begins].astype(np.int32),
        start_ns=moments.ns(ts[rows]),
        end_ns=moments.ns(np.where(ended, ts[end_rows], moments.end)),
        ended=ended,
        thread=opens["thread"][rows].astype(np.int32),
    )
    close_pos = np.where(ended, pos[end_rows], moments.slots)
    found = np.searchsorted(suspends["pos"], close_pos)
    inside = found < len(suspends["pos"])
    suspended = ended & inside
    suspended[inside] &= suspends["pos"][found[inside]] == close_pos[inside]
    following = np.arange(1, len(begins) + 1)
    if len(begins):
        following[np.concatenate([polls.task[1:] != polls.task[:-1], [True]])] = -1
    return PollSpans(polls, pos[rows], close_pos, np.where(suspended, found, -1), following)


@dataclass
class Ends:
    """How tasks ended, by task - 1."""

    state: npt.NDArray[np.uint8]
    ended: Bools
    closed: Bools
    end_ns: Ints
    end_pos: Ints  # -1: no end was seen
    failure: Ints  # the id of its exception's type, of the failed; 0


def find_ends(
    gathered: RecordColumns,
    lives: TaskIds,
    bursts: PollSpans,
    moments: Moments,
    broken_off: bool,
    generators: Bools,
    swallowed: list[int],
) -> Ends:
    """The state of each task and the end of its lifetime.

    ``broken_off``: records are missing that may say how those ended whose end isn't there.  ``generators``, by task: it
    runs an async generator.  Where it is that one itself, ``aclose()`` runs it, and ``swallowed`` are the ids of the
    exceptions that this takes for a good end.  Else it is made of a step of it, and has an end of its own.
    """
    exits = gathered.columns("exits")
    n = len(lives.coro)
    steps = generators & ~np.isin(lives.coro, gathered.columns("entries")["coro"])
    closers = generators & ~steps
    rows = np.flatnonzero((exits["kind"] != ev.ITEM) & (exits["coro"] < len(lives.task_of)))
    rows = rows[lives.task_of[exits["coro"][rows]] > 0]
    exit_row = np.full(n, -1, np.int64)
    exit_row[lives.task_of[exits["coro"][rows]] - 1] = rows
    seen = exit_row >= 0
    kind, flags = _take(exits["kind"], exit_row), _take(exits["flags"], exit_row)
    closed = seen & ((flags & ev.CLOSED > 0) | (kind == ev.VANISH))

    state = np.full(n, t.PENDING, np.uint8)
    last_poll = np.full(n, -1, np.int64)
    last_poll[bursts.polls.task - 1] = np.arange(len(bursts.polls))
    polled = last_poll >= 0
    state[polled] = t.BLOCKED
    if len(bursts.polls):
        state[polled & ~bursts.polls.ended[np.maximum(last_poll, 0)]] = t.RUNNING
    if broken_off:
        state[~seen] = t.UNKNOWN
    well = (kind == ev.RETURN) | (closers & np.isin(_take(exits["aux"], exit_row), swallowed))
    state[seen & well] = t.COMPLETED
    state[seen & (kind == ev.RAISE) & ~well] = t.FAILED
    state[seen & (flags & ev.CANCELLED > 0) & (kind != ev.VANISH)] = t.CANCELLED
    state[closed & ~lives.driven] = t.BLOCKED
    unseen = steps & (kind == ev.VANISH) & ~polled  # it is over, and none of its code ran
    state[unseen] = t.UNKNOWN
    state[closed & lives.driven] = t.CANCELLED
    return Ends(
        state=state,
        ended=seen & ~(closed & ~lives.driven) | unseen,
        closed=closed,
        end_ns=moments.ns(np.where(seen, _take(exits["ts"], exit_row), moments.end)),
        end_pos=np.where(seen, _take(exits["pos"], exit_row), -1),
        failure=np.where(state == t.FAILED, _take(exits["aux"], exit_row), 0),
    )


def find_calls(
    gathered: RecordColumns, lives: TaskIds, bursts: PollSpans, moments: Moments, code_of: Ints, own_node: Ints
) -> tuple[t.Calls, t.Entries]:
    """Calls and their entries: an entry lasts until the call's next exit, or its next entry."""
    entries, exits = gathered.columns("entries"), gathered.columns("exits")
    people, n = len(lives.task_of), len(entries["coro"])
    coro = entries["coro"].astype(np.int64)
    coros, first = np.unique(coro, return_index=True)
    order = np.argsort(first, kind="stable")  # calls count in the order of their first entries
    coros, first = coros[order], first[order]
    call_of = np.full(people, -1, np.int64)
    call_of[coros] = np.arange(len(coros))

    # Entries and exits of each coroutine in order: what follows an entry ends it.
    known = np.flatnonzero(exits["coro"] < people)
    who = np.concatenate([coro, exits["coro"][known]])
    pos = np.concatenate([entries["pos"], exits["pos"][known]])
    ts = np.concatenate([entries["ts"], exits["ts"][known]])
    order = np.argsort(who * (moments.slots + 1) + pos)
    who, is_entry = who[order], order < n
    follows = np.concatenate([who[1:] == who[:-1], [False]]) if len(who) else np.zeros(0, np.bool_)
    at = np.flatnonzero(is_entry)
    next_row = order[np.minimum(at + 1, len(order) - 1)] if len(order) else order
    exit_pos, exit_ts = np.full(n, moments.slots, np.int64), np.full(n, moments.end, np.int64)
    exit_pos[order[at]] = np.where(follows[at], pos[next_row], moments.slots)
    exit_ts[order[at]] = np.where(follows[at], ts[next_row], moments.end)

    task = lives.task_of[np.where(entries["task"] < people, entries["task"], 0)]
    polls = bursts.polls
    poll_key = polls.task.astype(np.int64) * (moments.slots + 1) + bursts.open_pos
    first_poll = np.searchsorted(poll_key, task * (moments.slots + 1) + entries["pos"], side="right") - 1
    last_poll = np.searchsorted(poll_key, task * (moments.slots + 1) + exit_pos, side="left") - 1
    nowhere = (first_poll < 0) | (_take(polls.task, np.maximum(first_poll, 0)) != task)
    first_poll[nowhere], last_poll[nowhere] = 0, -1
    start, end = moments.ns(entries["ts"]), moments.ns(exit_ts)
    segments = last_poll - first_poll + 1
    if len(polls):
        total = np.concatenate([[0], np.cumsum(polls.end_ns - polls.start_ns)])
        late = np.maximum(0, polls.end_ns[np.maximum(last_poll, 0)] - end)
        run = total[last_poll + 1] - total[first_poll] - (start - polls.start_ns[first_poll]) - late
        run = np.where(nowhere, 0, run)
    else:
        run = np.zeros(n, np.int64)

    call = call_of[coro]
    last_exit = LastBefore(exits["coro"][known], exits["pos"][known], people)
    exit_row = last_exit(coros, np.full(len(coros), moments.slots, np.int64))
    kind = np.where(exit_row >= 0, _take(exits["kind"][known], exit_row), 0)
    outcome = np.zeros(len(coros), np.uint8)
    for record, value in ((ev.RETURN, t.RETURNED), (ev.RAISE, t.RAISED), (ev.VANISH, t.VANISHED)):
        outcome[kind == record] = value
    over = outcome > 0
    awaiter = call_of[np.where(entries["aux"] < people, entries["aux"], 0)]
    calls = t.Calls(
        coro=coros,
        function=(code_of[coros] - 1).astype(np.int32),
        node=(own_node[first] - 1).astype(np.int32),
        task=task[first].astype(np.int32),
        awaiter=np.where(entries["aux"] > 0, awaiter, -1)[first].astype(np.int32),
        start_ns=start[first],
        end_ns=moments.ns(np.where(over, _take(exits["ts"][known], exit_row), moments.end)),
        outcome=outcome,
        error=np.where(outcome == t.RAISED, _take(exits["aux"][known], exit_row) - 1, -1).astype(np.int32),
        segments=sums(call, segments, len(coros)),
        run_ns=sums(call, run, len(coros)),
    )
    return calls, t.Entries(
        call=call.astype(np.int32),
        task=task.astype(np.int32),
        node=(own_node - 1).astype(np.int32),
        first_poll=first_poll,
        last_poll=last_poll,
        start_ns=start,
        end_ns=end,
    )


def codes_and_nodes(gathered: RecordColumns, lives: TaskIds, node_code: Ints) -> tuple[Ints, Ints]:
    """The code id of each coroutine (0: not known) by the recording's id of it, and the own node of each entry.

    START says both, and SPAWN the code.  ENTER says the leaf's node, which is not its own when a suspended chain is
    entered whole.
    """
    entries = gathered.columns("entries")
    people = len(lives.task_of)
    node = np.minimum(entries["node"].astype(np.int64), len(node_code) - 1)
    coro, again = entries["coro"], entries["kind"] == ev.ENTER
    code_of, start_node = np.zeros(people, np.int64), np.zeros(people, np.int64)
    spawns = gathered.columns("spawns")
    code_of[spawns["coro"]] = spawns["aux"]
    code_of[coro[again]] = node_code[node[again]]
    code_of[coro[~again]] = entries["off"][~again]
    roots = np.flatnonzero((entries["aux"] == 0) & (entries["task"] < people))
    tasks = entries["task"][roots]
    unknown = code_of[tasks] == 0  # a task that is made of a step of an async generator, and was not seen being made
    code_of[tasks[unknown]] = code_of[coro[roots[unknown]]]
    start_node[coro[~again]] = node[~again]
    other = again & (node_code[node] != code_of[coro]) & (start_node[coro] > 0)
    return code_of, np.where(other, start_node[coro], node)
