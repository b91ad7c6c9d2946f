"""Calls of coroutine functions, and each time that one was entered.

Whatever must be compared in order is compared by ``pos``, the slot number: timestamps may be equal.
"""

from typing import Any, Final, Literal, NamedTuple

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Any1d, Ints, first_rows, last_rows, narrow, numbers, order_of, sums, take
from ..kernels.awaiters import learn_codes
from .polls import PollSpans
from .scan import Columns, RecordColumns
from .tasks import Moments, TaskIds

type Small = t.Small

_OUTCOMES: Final = np.zeros(256, np.uint8)
_OUTCOMES[[ev.RETURN, ev.RAISE, ev.VANISH]] = t.RETURNED, t.RAISED, t.VANISHED
_BLOCK: Final = 1 << 17  # entries that are looked at at a time


def find_calls(
    records: RecordColumns, task_ids: TaskIds, poll_spans: PollSpans, moments: Moments, code_of: Any1d, own_node: Any1d
) -> tuple[t.Calls, t.Entries]:
    """Calls and their entries: an entry lasts until the call's next exit, or its next entry."""
    entries, exits = records.columns("entries"), records.columns("exits")
    size, n = len(task_ids.task_of), len(entries["coro"])
    coro = entries["coro"]
    if len(exits["coro"]) and int(exits["coro"].max()) >= size:  # what was not heard to begin
        known = np.flatnonzero(exits["coro"] < size)
        exits = {name: column[known] for name, column in exits.items()}
    of_exits = last_rows(exits["coro"], size)
    firsts = first_rows(coro, size)
    once = int(np.count_nonzero(firsts >= 0)) == n  # each call has one entry
    first: Any = slice(None) if once else np.flatnonzero(firsts[coro] == np.arange(n, dtype=firsts.dtype))
    coros = coro[first]
    call_of = firsts
    call_of[coros] = np.arange(len(coros), dtype=call_of.dtype)  # calls count in the order of their first entries

    after = _following(coro, entries["pos"], exits["coro"], exits["pos"], size, once)
    found = t.Entries(
        call=numbers(n) if once else np.empty(n, np.int32),
        task=np.empty(n, np.int32),
        node=(own_node - 1).astype(np.int32, copy=False),
        first_poll=np.empty(n, np.int32),
        last_poll=np.empty(n, np.int32),
        start_ns=moments.ns(entries["ts"]),
        end_ns=np.empty(n, np.int64),
    )
    run = np.empty(n, np.int64)
    during = _Polls(poll_spans, moments)
    for begin in range(0, n, _BLOCK):
        part = slice(begin, begin + _BLOCK)
        who, running, row = coro[part], entries["task"][part], after[part]
        if not once:
            found.call[part] = call_of[who]
        task = task_ids.task_of[np.where(running < size, running, 0)]
        over = row >= 0
        last = np.where(over, row, 0)
        is_exit = last < len(exits["pos"])
        of_entry = np.where(is_exit, 0, last - len(exits["pos"]))
        pos, ts = (
            np.where(is_exit, take(exits[name], np.where(is_exit, last, 0)), take(entries[name], of_entry))
            for name in ("pos", "ts")
        )
        end_pos, end = np.where(over, pos, moments.slots), moments.ns(np.where(over, ts, moments.end))
        start = found.start_ns[part]
        first_poll, last_poll, ran = during.of(task, entries["pos"][part], end_pos, start, end)
        found.task[part], found.end_ns[part] = task, end
        found.first_poll[part], found.last_poll[part], run[part] = first_poll, last_poll, ran
    del after

    return _calls(_Known(entries, exits, code_of, call_of, of_exits), found, run, first, moments), found


class _Known(NamedTuple):
    entries: Columns
    exits: Columns
    code_of: Any1d  # by coroutine, as the others
    call_of: Any1d
    of_exits: Any1d  # its last exit; -1: none


def _calls(known: _Known, entries: t.Entries, run: Ints, first: Any, moments: Moments) -> t.Calls:
    """The calls of these entries.  ``run``: of each entry.  ``first``: the rows of the first ones of each call; a
    slice: each has one only, and what is the same of both is there once."""
    records, exits, call_of, once = known.entries, known.exits, known.call_of, isinstance(first, slice)
    coros, aux, size = records["coro"][first], records["aux"][first], len(call_of)
    outcome, error = np.empty(len(coros), np.uint8), np.empty(len(coros), np.int32)
    function, awaiter = np.empty(len(coros), np.int32), np.empty(len(coros), np.int32)
    ends = entries.end_ns if once else np.empty(len(coros), np.int64)
    for begin in range(0, len(coros), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        row = known.of_exits[coros[part]]
        outcome[part] = how = np.where(row >= 0, _OUTCOMES[take(exits["kind"], row)], t.OPEN)
        error[part] = np.where(how == t.RAISED, take(exits["aux"], row) - 1, -1)
        end = moments.ns(np.where(how > 0, take(exits["ts"], row), moments.end))
        if ends is entries.end_ns and (end != ends[part]).any():  # an async generator's, which goes on after its entry
            ends = ends.copy()
        ends[part] = end
        function[part] = known.code_of[coros[part]] - 1
        by = aux[part]
        awaiter[part] = np.where(by > 0, call_of[np.where(by < size, by, 0)], -1)
    segments = entries.last_poll - entries.first_poll + np.int32(1)
    return t.Calls(
        coro=narrow(coros),
        function=function,
        node=entries.node[first],
        task=entries.task[first],
        awaiter=awaiter,
        start_ns=entries.start_ns[first],
        end_ns=ends,
        outcome=outcome,
        error=error,
        segments=segments if once else narrow(sums(entries.call, segments, len(coros))),
        run_ns=run if once else sums(entries.call, run, len(coros)),
    )


def _following(coro: Any1d, pos: Any1d, exit_coro: Any1d, exit_pos: Any1d, size: int, once: bool) -> Any1d:
    """By entry what of the same coroutine follows it: the row of an exit, or beyond those that of an entry; -1: none.

    Where a coroutine has one of each, as nearly all have, that is found without sorting."""
    first_exit, last_exit = first_rows(exit_coro, size), last_rows(exit_coro, size)
    found = np.empty(len(coro), last_exit.dtype)
    several = first_exit != last_exit
    if not once:
        several |= first_rows(coro, size) != last_rows(coro, size)
    del first_exit
    for begin in range(0, len(coro), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        row = last_exit[coro[part]]
        found[part] = np.where((row >= 0) & (take(exit_pos, row) > pos[part]), row, -1)
    if several.any():
        entries, exits = np.flatnonzero(several[coro]), np.flatnonzero(several[exit_coro])
        row = np.concatenate([exits, entries + len(exit_coro)])
        who = np.concatenate([exit_coro[exits], coro[entries]]).astype(np.int64)
        when = np.concatenate([exit_pos[exits], pos[entries]]).astype(np.int64)
        order = order_of(who * (int(when.max()) + 1) + when)
        who, row = who[order], row[order]
        follows = np.append(np.where(who[1:] == who[:-1], row[1:], -1), -1)
        is_entry = row >= len(exit_coro)
        found[row[is_entry] - len(exit_coro)] = follows[is_entry]
    return found


class _Polls:
    """In which polls calls run."""

    def __init__(self, poll_spans: PollSpans, moments: Moments) -> None:
        self._polls, self._slots = poll_spans.polls, moments.slots + 1
        self._open, self._opens, self._poll_of = poll_spans.polls.slot, poll_spans.opens, poll_spans.poll_of
        self._total = np.concatenate([[0], np.cumsum(self._polls.end_ns - self._polls.start_ns)])
        self._key: Ints | None = None

    def of(self, task: Any1d, pos: Any1d, end_pos: Ints, start: Ints, end: Ints) -> tuple[Any1d, Any1d, Ints]:
        """(the first, the last) poll of the task from one slot to another, and for how long it ran then, in ns; where
        it is none of the task's, the last is before the first."""
        polls, n = self._polls, len(polls_task := self._polls.task)
        if not n:
            return np.zeros(len(task), np.int32), np.full(len(task), -1, np.int32), np.zeros(len(task), np.int64)
        # Mostly that which was begun last, and mostly the task then stops before its next one.
        first = self._poll_of[np.searchsorted(self._opens, pos, side="right") - 1]
        other = np.flatnonzero((first < 0) | (polls_task[first] != task) | (self._open[first] > pos))
        if len(other):
            first[other] = self._before(task[other], pos[other], "right")
        nowhere = (first < 0) | (polls_task[np.maximum(first, 0)] != task)
        first[nowhere] = 0
        last = first.copy()
        following = np.minimum(first + 1, n - 1)
        more = np.flatnonzero(
            (polls_task[following] == task) & (self._open[following] < end_pos) | (self._open[first] >= end_pos)
        )
        if len(more):
            last[more] = self._before(task[more], end_pos[more], "left")
        late = np.maximum(0, polls.end_ns[np.maximum(last, 0)] - end)
        run = self._total[last + 1] - self._total[first] - (start - polls.start_ns[first]) - late
        run[nowhere], last[nowhere] = 0, -1
        return first, last, run

    def _before(self, task: Any1d, pos: Any1d, side: Literal["left", "right"]) -> Ints:
        """The last poll of some task's and all before it."""
        if self._key is None:
            self._key = self._polls.task.astype(np.int64) * self._slots + self._open
        return np.searchsorted(self._key, task.astype(np.int64) * self._slots + pos, side=side) - 1


def codes_and_nodes(records: RecordColumns, task_ids: TaskIds, node_code: Ints) -> tuple[Small, Small]:
    """The code id of each coroutine (0: not known) by the recording's id of it, and the own node of each entry.

    ENTER says the leaf's node, which is not its own when a suspended chain is entered whole.
    """
    entries = records.columns("entries")
    coroutine_count = len(task_ids.task_of)
    node = np.minimum(entries["node"], len(node_code) - 1).astype(np.int32)
    coro, again = entries["coro"], np.flatnonzero(entries["kind"] == ev.ENTER)
    code_of = np.zeros(coroutine_count, np.int32)
    learn_codes(code_of, np.zeros(coroutine_count, np.bool_), records.columns("spawns"), entries, node_code)
    if len(again):
        starts = np.flatnonzero(entries["kind"] == ev.START)
        start_node = np.zeros(coroutine_count, np.int32)
        start_node[coro[starts]] = node[starts]
        other = again[(node_code[node[again]] != code_of[coro[again]]) & (start_node[coro[again]] > 0)]
        node[other] = start_node[coro[other]]
    return code_of, node
