"""How tasks ended, and when.

Knows which record is whose end, and what an end that nobody saw leaves open.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ... import events as ev
from .. import tables as t
from ..grouping import Ints, take
from .polls import PollSpans
from .scan import RecordColumns
from .tasks import Bools, Moments, TaskIds


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
    records: RecordColumns,
    task_ids: TaskIds,
    poll_spans: PollSpans,
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
    exits = records.columns("exits")
    n = len(task_ids.coro)
    steps = generators & ~np.isin(task_ids.coro, records.columns("entries")["coro"])
    closers = generators & ~steps
    rows = np.flatnonzero((exits["kind"] != ev.ITEM) & (exits["coro"] < len(task_ids.task_of)))
    rows = rows[task_ids.task_of[exits["coro"][rows]] > 0]
    exit_row = np.full(n, -1, np.int64)
    exit_row[task_ids.task_of[exits["coro"][rows]] - 1] = rows
    seen = exit_row >= 0
    kind, flags = take(exits["kind"], exit_row), take(exits["flags"], exit_row)
    closed = seen & ((flags & ev.CLOSED > 0) | (kind == ev.VANISH))

    state = np.full(n, t.PENDING, np.uint8)
    last_poll = np.full(n, -1, np.int64)
    last_poll[poll_spans.polls.task - 1] = np.arange(len(poll_spans.polls))
    polled = last_poll >= 0
    state[polled] = t.BLOCKED
    if len(poll_spans.polls):
        state[polled & ~poll_spans.polls.ended[np.maximum(last_poll, 0)]] = t.RUNNING
    if broken_off:
        state[~seen] = t.UNKNOWN
    well = (kind == ev.RETURN) | (closers & np.isin(take(exits["aux"], exit_row), swallowed))
    state[seen & well] = t.COMPLETED
    state[seen & (kind == ev.RAISE) & ~well] = t.FAILED
    state[seen & (flags & ev.CANCELLED > 0) & (kind != ev.VANISH)] = t.CANCELLED
    state[closed & ~task_ids.driven] = t.BLOCKED
    unseen = steps & (kind == ev.VANISH) & ~polled  # it is over, and none of its code ran
    state[unseen] = t.UNKNOWN
    state[closed & task_ids.driven] = t.CANCELLED
    return Ends(
        state=state,
        ended=seen & ~(closed & ~task_ids.driven) | unseen,
        closed=closed,
        end_ns=moments.ns(np.where(seen, take(exits["ts"], exit_row), moments.end)),
        end_pos=np.where(seen, take(exits["pos"], exit_row), -1),
        failure=np.where(state == t.FAILED, take(exits["aux"], exit_row), 0),
    )
