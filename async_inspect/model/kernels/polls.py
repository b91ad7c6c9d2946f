"""Polls: pairing the records that open one with those that close it, by task, in order of slots.

Knows nothing of times: they may be equal, and a slot's number is not.
"""

import numpy as np

from ..grouping import Any1d, Ints, order_of


def pair_polls(open_task: Any1d, open_pos: Ints, close_task: Any1d, close_pos: Ints) -> tuple[Ints, Ints]:
    """By poll, ordered by (task, start): the row that opens it, and the row that closes it (-1: it goes on).

    ``pos``: -1 stands for what was open before.  Rows of task 0 are ignored.
    """
    if _in_turn(open_task, open_pos, close_task, close_pos):
        rows = order_of(open_task)
        rows = rows[int(np.searchsorted(open_task[rows], 1)) :]
        return rows, np.where(rows < len(close_task), rows, -1)
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


def _in_turn(open_task: Any1d, open_pos: Any1d, close_task: Any1d, close_pos: Any1d) -> bool:
    """Whether each poll is over when the next one begins, as it is in a program of one thread in which none are nested:
    then the rows are paired as they are."""
    n, closed = len(open_task), len(close_task)
    return (
        n > 0
        and closed in (n, n - 1)
        and bool((open_task[:closed] == close_task).all())
        and bool((open_pos[:closed] < close_pos).all() and (close_pos[: n - 1] < open_pos[1:]).all())
        and int(open_pos[0]) >= 0
    )
