"""Polls: pairing the records that open one with those that close it, by task, in order of slots.

Knows nothing of times: they may be equal, and a slot's number is not.
"""

import numpy as np

from ..grouping import Any1d, Ints, order_of


def pair_polls(open_task: Any1d, open_pos: Ints, close_task: Any1d, close_pos: Ints) -> tuple[Ints, Ints]:
    """By poll, ordered by (task, start): the row that opens it, and the row that closes it (-1: it goes on).

    ``pos``: -1 stands for what was open before.  Rows of task 0 are ignored.
    """
    task, pos = np.concatenate([open_task, close_task]), np.concatenate([open_pos, close_pos])
    n, slots = len(open_task), int(pos.max(initial=0)) + 2
    order = order_of(task.astype(np.int64) * slots + pos + 1)
    order = order[task[order] > 0]
    task, is_open = task[order], order < n
    same = np.concatenate([[False], task[1:] == task[:-1]])  # as the one before
    was_open = np.concatenate([[False], is_open[:-1]]) & same
    begins = np.flatnonzero(is_open & ~was_open)  # a THROW into a chain that runs already opens nothing
    ends = np.flatnonzero(~is_open & was_open)
    closes = np.full(len(begins), -1, np.int64)
    # Every end belongs to the last beginning at or before it.
    closes[np.searchsorted(begins, ends, side="right") - 1] = order[ends] - n
    return order[begins], closes
