"""Polls, and the suspension that ended each.  What a poll is says ``kernels/polls.py``."""

from dataclasses import dataclass

import numpy as np

from .. import tables as t
from ..grouping import Any1d, Ints, find, narrow, take
from ..kernels.polls import pair_polls
from .scan import RecordColumns
from .tasks import Moments, TaskIds


@dataclass
class PollSpans:
    """Polls with the slots they begin and end at, and for each suspension which poll it ended."""

    polls: t.Polls
    opens: Any1d  # the slots of all that opens a poll, ascending
    poll_of: Any1d  # by these, the poll; -1: none, and so is the last
    open_pos: Any1d  # by poll
    close_pos: Ints  # by poll; moments.slots: it runs still
    suspension: Ints  # by poll: the row of suspends that ended it, -1
    following: Ints  # by poll: the next one of that task, -1


def find_polls(records: RecordColumns, task_ids: TaskIds, moments: Moments) -> PollSpans:
    """Pair what opens polls with what ends them, task by task."""
    opens, closes, suspends = (records.columns(name) for name in ("opens", "closes", "suspends"))
    known = np.flatnonzero(closes["before"] < len(task_ids.task_of))
    task = task_ids.task_of[opens["task"]]
    rows, closed_by = pair_polls(task, opens["pos"], task_ids.task_of[closes["before"][known]], closes["pos"][known])
    ended, closing = closed_by >= 0, known[closed_by] if len(known) else closed_by
    close_pos = np.where(ended, take(closes["pos"], closing), moments.slots)
    polls = t.Polls(
        task=task[rows].astype(np.int32),
        start_ns=moments.ns(opens["ts"][rows]),
        end_ns=moments.ns(np.where(ended, take(closes["ts"], closing), moments.end)),
        ended=ended,
        thread=opens["thread"][rows].astype(np.int32),
        slot=narrow(opens["pos"][rows]),
        end_slot=narrow(np.where(ended, close_pos, -1)),
    )
    following = np.arange(1, len(rows) + 1)
    if len(rows):
        following[np.concatenate([polls.task[1:] != polls.task[:-1], [True]])] = -1
    poll_of = np.full(len(opens["pos"]) + 1, -1, np.int32)
    poll_of[rows] = np.arange(len(rows))
    return PollSpans(
        polls=polls,
        opens=opens["pos"],
        poll_of=poll_of,
        open_pos=opens["pos"][rows],
        close_pos=close_pos,
        suspension=find(suspends["pos"], close_pos),
        following=following,
    )
