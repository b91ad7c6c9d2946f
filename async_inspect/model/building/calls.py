"""Calls of coroutine functions, and each time that one was entered.

Whatever must be compared in order is compared by ``pos``, the slot number: timestamps may be equal.
"""

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Ints, LastBefore, sums, take
from ..kernels.awaiters import learn_codes
from .polls import PollSpans
from .scan import RecordColumns
from .tasks import Moments, TaskIds


def find_calls(
    records: RecordColumns, task_ids: TaskIds, poll_spans: PollSpans, moments: Moments, code_of: Ints, own_node: Ints
) -> tuple[t.Calls, t.Entries]:
    """Calls and their entries: an entry lasts until the call's next exit, or its next entry."""
    entries, exits = records.columns("entries"), records.columns("exits")
    coroutine_count, n = len(task_ids.task_of), len(entries["coro"])
    coro = entries["coro"].astype(np.int64)
    coros, first = np.unique(coro, return_index=True)
    order = np.argsort(first, kind="stable")  # calls count in the order of their first entries
    coros, first = coros[order], first[order]
    call_of = np.full(coroutine_count, -1, np.int64)
    call_of[coros] = np.arange(len(coros))

    # Entries and exits of each coroutine in order: what follows an entry ends it.
    known = np.flatnonzero(exits["coro"] < coroutine_count)
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

    task = task_ids.task_of[np.where(entries["task"] < coroutine_count, entries["task"], 0)]
    polls = poll_spans.polls
    poll_key = polls.task.astype(np.int64) * (moments.slots + 1) + poll_spans.open_pos
    first_poll = np.searchsorted(poll_key, task * (moments.slots + 1) + entries["pos"], side="right") - 1
    last_poll = np.searchsorted(poll_key, task * (moments.slots + 1) + exit_pos, side="left") - 1
    nowhere = (first_poll < 0) | (take(polls.task, np.maximum(first_poll, 0)) != task)
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
    last_exit = LastBefore(exits["coro"][known], exits["pos"][known], coroutine_count)
    exit_row = last_exit(coros, np.full(len(coros), moments.slots, np.int64))
    kind = np.where(exit_row >= 0, take(exits["kind"][known], exit_row), 0)
    outcome = np.zeros(len(coros), np.uint8)
    for record, value in ((ev.RETURN, t.RETURNED), (ev.RAISE, t.RAISED), (ev.VANISH, t.VANISHED)):
        outcome[kind == record] = value
    over = outcome > 0
    awaiter = call_of[np.where(entries["aux"] < coroutine_count, entries["aux"], 0)]
    calls = t.Calls(
        coro=coros,
        function=(code_of[coros] - 1).astype(np.int32),
        node=(own_node[first] - 1).astype(np.int32),
        task=task[first].astype(np.int32),
        awaiter=np.where(entries["aux"] > 0, awaiter, -1)[first].astype(np.int32),
        start_ns=start[first],
        end_ns=moments.ns(np.where(over, take(exits["ts"][known], exit_row), moments.end)),
        outcome=outcome,
        error=np.where(outcome == t.RAISED, take(exits["aux"][known], exit_row) - 1, -1).astype(np.int32),
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


def codes_and_nodes(records: RecordColumns, task_ids: TaskIds, node_code: Ints) -> tuple[Ints, Ints]:
    """The code id of each coroutine (0: not known) by the recording's id of it, and the own node of each entry.

    ENTER says the leaf's node, which is not its own when a suspended chain is entered whole.
    """
    entries = records.columns("entries")
    coroutine_count = len(task_ids.task_of)
    node = np.minimum(entries["node"].astype(np.int64), len(node_code) - 1)
    coro, again = entries["coro"], entries["kind"] == ev.ENTER
    code_of, start_node = np.zeros(coroutine_count, np.int64), np.zeros(coroutine_count, np.int64)
    learn_codes(code_of, np.zeros(coroutine_count, np.bool_), records.columns("spawns"), entries, node_code)
    start_node[coro[~again]] = node[~again]
    other = again & (node_code[node] != code_of[coro]) & (start_node[coro] > 0)
    return code_of, np.where(other, start_node[coro], node)
