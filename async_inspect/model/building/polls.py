"""Polls, and the suspension that ended each.  What a poll is says ``kernels/polls.py``."""

from dataclasses import dataclass

import numpy as np

from .. import tables as t
from ..grouping import Whole, compact, find, narrow, take
from ..kernels.polls import pair_polls
from .scan import RecordColumns
from .tasks import Moments, TaskIds


@dataclass
class PollSpans:
    """Polls, and for each suspension which poll it ended."""

    polls: t.Polls
    opens: Whole  # the slots of all that opens a poll, ascending
    poll_of: Whole  # by these, the poll; -1: none, and so is the last
    suspension: Whole  # by poll: the row of suspends that ended it, -1

    def following(self, rows: Whole) -> Whole:
        """The next polls of the same tasks; -1: there is none."""
        task = self.polls.task
        following = np.minimum(rows + 1, len(task) - 1)
        return np.where((task[following] == task[rows]) & (following > rows), following, -1)


def find_polls(records: RecordColumns, task_ids: TaskIds, moments: Moments) -> PollSpans:
    """Pair what opens polls with what ends them, task by task."""
    opens, closes, suspends = (records.columns(name) for name in ("opens", "closes", "suspends"))
    task_of = task_ids.task_of
    ended_task = task_of[np.where(closes["before"] < len(task_of), closes["before"], 0)]
    rows, closing = map(narrow, pair_polls(task_of[opens["task"]], opens["pos"], ended_task, closes["pos"]))
    del ended_task
    ended = closing >= 0
    slept = narrow(find(suspends["pos"], closes["pos"]))
    polls = t.Polls(
        task=task_of[opens["task"][rows]].astype(np.int32, copy=False),
        start_ns=moments.ns(opens["ts"][rows]),
        end_ns=moments.ns(np.where(ended, take(closes["ts"], closing), moments.end)),
        ended=compact(ended),
        thread=compact(opens["thread"][rows].astype(np.int32)),
        slot=narrow(opens["pos"][rows]),
        end_slot=narrow(np.where(ended, take(closes["pos"], closing), -1)),
    )
    poll_of = np.full(len(opens["pos"]) + 1, -1, np.int32)
    poll_of[rows] = np.arange(len(rows))
    return PollSpans(polls, opens["pos"], poll_of, narrow(np.where(ended, take(slept, closing), -1)))
