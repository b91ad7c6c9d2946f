"""Polls: what opens one is paired with what ends it, task by task.

Whatever must be compared in order is compared by ``pos``, the slot number: timestamps may be equal.
"""

from dataclasses import dataclass

import numpy as np

from .. import tables as t
from ..grouping import Ints
from .scan import RecordColumns
from .tasks import Moments, TaskIds


@dataclass
class PollSpans:
    """Polls with the slots they begin and end at, and for each suspension which poll it ended."""

    polls: t.Polls
    open_pos: Ints  # by poll
    close_pos: Ints  # by poll; moments.slots: it runs still
    suspension: Ints  # by poll: the row of suspends that ended it, -1
    following: Ints  # by poll: the next one of that task, -1


def find_polls(records: RecordColumns, task_ids: TaskIds, moments: Moments) -> PollSpans:
    """Pair what opens polls with what ends them, task by task."""
    opens, closes, suspends = (records.columns(name) for name in ("opens", "closes", "suspends"))
    known = closes["before"] < len(task_ids.task_of)
    n = len(opens["task"])
    task = task_ids.task_of[np.concatenate([opens["task"], closes["before"][known]])]
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
