"""Since when a suspended task could run: by the first wake in its suspension, and what that began with.

A task is ready from the moment it was woken: by another task, a thread or a signal when these said so, by a timer when
it was due, though the loop came to it later.  When the kernel could have woken it for I/O is only known between
bounds: not after the selector answered, and not while the loop sat in the selector, which would have answered at once;
so at most since the loop was busy before it asked.  (That bound is found in ``building/wakes.py``.)
"""

from typing import Final

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Any1d, Ints, LastBefore, find

type Columns = dict[str, Any1d]

CALLED: Final = (1 << 63) - 1  # instead of a moment: that of the wake itself


def moment(low: Any1d, high: Any1d) -> Ints:
    """A moment that a record holds in ``aux`` and ``off``."""
    return low.astype(np.int64) | (high.astype(np.int64) & 0x7FFFFFFF) << 32


def due_times(timers: Columns, pos: Ints, coro: Any1d, base: int) -> Ints:
    """Of suspensions (slots, ascending, and their leaves) when the timer that each waits for is due; -1: none.

    Not before ``base``, when the recording began.
    """
    found = np.full(len(pos), -1, np.int64)
    row, when = find(pos, timers["burst"]), moment(timers["aux"], timers["off"])
    own = np.flatnonzero((row >= 0) & (when > 0))
    own = own[coro[row[own]] == timers["coro"][own]]
    found[row[own]] = np.maximum(when[own], base)
    return found


def origins(callbacks: Any1d, flags: Any1d, aux: Any1d) -> Ints:
    """What each of some records, SOON and WAKE, began with, through the callbacks that led to it: the row of one that
    names no callback; -1: not known.  ``callbacks``: the ids of the first rows, which are SOON.
    """
    size, soons = len(flags), len(callbacks)
    cause = np.arange(size + 1)
    cause[size] = size  # not known
    rows = np.flatnonzero(flags == ev.BY_CALLBACK)
    if len(rows):
        cause[rows] = size
        order = np.argsort(callbacks, kind="stable")
        found = find(callbacks[order], aux[rows])
        good = found >= 0
        own = np.flatnonzero(rows < soons)
        good[own] &= aux[rows[own]] < callbacks[rows[own]]  # one always names an earlier one
        cause[rows[good]] = order[found[good]]
    while True:  # each round goes twice as far as the one before
        further = cause[cause]
        if (further == cause).all():
            return np.where(cause == size, -1, cause)[:size]
        cause = further


def runnable_since(records: Columns, answer: LastBefore, answered: Ints) -> Ints:
    """Since when a record that names no callback lets run what it leads to; CALLED: the wake says it.

    ``answer``: by thread and slot, the last answer of the selector; ``answered``: when that was.
    """
    flags, since = records["flags"], np.full(len(records["flags"]), CALLED)
    at_once = (flags == ev.BY_THREAD) | (flags == ev.BY_SIGNAL)
    since[at_once] = records["ts"][at_once]
    due = moment(records["aux"], records["off"])
    timed = (flags == ev.BY_TIMER) & (due > 0)
    since[timed] = due[timed]
    io = np.flatnonzero(flags == ev.BY_IO)
    if len(io) and len(answered):
        row = answer(records["thread"][io], records["pos"][io])
        since[io] = np.where(row >= 0, answered[row], CALLED)
    return since


def ready_ns(start: Ints, end: Ints, since: Ints, yields: t.Bools, owned: t.Bools) -> Ints:
    """For how long at least a task could have run in its suspension; -1: not known.

    ``since``: -1: it was not woken, as far as is known.  ``yields``: it waits for nothing, and is among what runs next
    at once.  ``owned``: by a runtime's Task; when others go on is in nobody's hand.
    """
    woken = np.where(since >= 0, end - np.clip(since, start, end), -1)
    return np.where(owned, np.where(yields, end - start, woken), -1)
