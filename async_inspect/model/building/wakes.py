"""Who woke a suspended task, and since when it could have run.

Knows: the records that say what a loop was told to run next, and by whom (WAKE, SOON), when timers were due (TIMER),
and when the loop asked its selector (SELECT).  Knows nothing of how suspensions are found (``tasks.py``).

A task is ready from the moment it was woken: by another task, a thread or a signal when these said so, by a timer when
it was due, though the loop came to it later.  When the kernel could have woken it for I/O is only known between
bounds: not after the selector answered, and not while the loop sat in the selector, which would have answered at once;
so at most since the loop was busy before it asked.
"""

from dataclasses import dataclass

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Any1d, Ints
from .scan import Columns, RecordColumns
from .tasks import Moments

_BY = {
    ev.BY_CODE: t.BY_TASK,
    ev.BY_TIMER: t.BY_TIMER,
    ev.BY_IO: t.BY_IO,
    ev.BY_THREAD: t.BY_THREAD,
    ev.BY_SIGNAL: t.BY_SIGNAL,
    ev.BY_TASK: t.BY_TASK,
}
_BY_FLAGS = np.array([_BY.get(flags, 0) for flags in range(256)], np.uint8)


@dataclass
class Suspended:
    """Suspensions of tasks."""

    pos: Ints  # the slot
    until: Ints  # the slot at which the task runs again; moments.slots: never
    task: Ints
    start_ns: Ints
    end_ns: Ints
    due_ns: Ints  # when the timer that it waits for is due; -1: it waits for none
    owned: t.Bools  # by a runtime's Task: the others are resumed by hand
    yields: t.Bools  # it waits for nothing


@dataclass
class Woken:
    """By suspension; the columns of ``tables.Awaits``."""

    by: t.Bytes
    waker: t.Small
    ready_ns: Ints
    ready_most_ns: Ints
    scope: Ints  # string id of the type of the cancel scope that it ended for; 0: none, or not known
    scope_site: Ints  # the site where that was made; 0: not known


def woken(records: RecordColumns, moments: Moments, task_of: Ints, asked: "Asked", asleep: Suspended) -> Woken:
    """By whom each was woken, and how long it could have run."""
    n, wait = len(asleep.pos), asleep.end_ns - asleep.start_ns
    by, waker = np.zeros(n, np.uint8), np.zeros(n, np.int32)
    ready, most = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    itself = asleep.yields & asleep.owned
    by[itself] = t.BY_ITSELF
    ready[itself] = most[itself] = wait[itself]

    soons, wakes = records.columns("soons"), records.columns("wakes")
    wake = _first_wakes(wakes, task_of, moments.slots + 1, asleep)
    # A timer to which no loop has come yet.
    rows = np.flatnonzero((wake < 0) & (asleep.due_ns >= 0) & (asleep.until == moments.slots) & asleep.owned & ~itself)
    due = np.clip(asleep.due_ns[rows], asleep.start_ns[rows], asleep.end_ns[rows])
    ready[rows] = most[rows] = asleep.end_ns[rows] - due
    rows = np.flatnonzero((wake >= 0) & asleep.owned & ~itself)
    wake = wake[rows] + len(soons["pos"])
    told = {name: np.concatenate([soons[name], wakes[name]]) for name in wakes}
    origin = _origins(told, len(soons["pos"]))[wake]
    known = origin >= 0
    origin = np.where(known, origin, wake)

    how = np.where(known, _BY_FLAGS[told["flags"][origin]], 0)
    named = told["flags"][origin] == ev.BY_TASK  # else it is the one that ran
    who = task_of[_known(np.where(named, told["aux"][origin], told["task"][origin]), len(task_of))]
    how[(how == t.BY_TASK) & (who == 0)] = 0
    by[rows], waker[rows] = how, np.where(how == t.BY_TASK, who, 0)

    called = moments.ns(told["ts"][wake])  # it is ready since then at least, whoever it was
    due = moment(told["aux"][origin], told["off"][origin])
    since = np.where(np.isin(how, (t.BY_THREAD, t.BY_SIGNAL)), moments.ns(told["ts"][origin]), called)
    timed = (how == t.BY_TIMER) & (due > 0)
    since[timed] = np.minimum(moments.ns(due[timed]), called[timed])
    more = np.where((how == 0) | ((how == t.BY_TIMER) & ~timed), -1, 0)  # beyond the least; -1: not known
    io = np.flatnonzero(how == t.BY_IO)
    since[io], more[io] = _answered(
        asked, moments.slots, told["thread"][origin[io]], told["pos"][origin[io]], asleep.start_ns[rows[io]], called[io]
    )
    least = asleep.end_ns[rows] - np.clip(since, asleep.start_ns[rows], asleep.end_ns[rows])
    ready[rows], most[rows] = least, np.where(more < 0, -1, np.minimum(least + more, wait[rows]))
    return Woken(by, waker, ready, most, *_cancelled(records, task_of, moments.slots + 1, asleep))


def moment(low: Any1d, high: Any1d) -> Ints:
    """A moment that a record holds in ``aux`` and ``off``."""
    return low.astype(np.int64) | (high.astype(np.int64) & 0x7FFFFFFF) << 32


def due_times(records: RecordColumns, moments: Moments, suspends: Columns) -> Ints:
    """By row of suspends: when the timer that it waits for is due; -1: none."""
    timers, found = records.columns("timers"), np.full(len(suspends["pos"]), -1, np.int64)
    if len(found) and len(timers["burst"]):
        row = np.minimum(np.searchsorted(suspends["pos"], timers["burst"]), len(found) - 1)
        own = (suspends["pos"][row] == timers["burst"]) & (suspends["coro"][row] == timers["coro"])
        when = moment(timers["aux"], timers["off"])
        own &= when > 0
        found[row[own]] = np.maximum(moments.ns(when[own]), 0)
    return found


def _cancelled(records: RecordColumns, task_of: Ints, slots: int, asleep: Suspended) -> tuple[Ints, Ints]:
    """Of each suspension the cancel scope that it ended for, as ``Woken`` has it."""
    rows = records.columns("cancels")
    row = _first_wakes(rows, task_of, slots, asleep)
    return np.append(rows["aux"].astype(np.int64), 0)[row], np.append(rows["off"].astype(np.int64), 0)[row]


@dataclass
class Asked:
    """When loops asked their selectors, and the slots of the answers."""

    table: t.Selects
    key: Ints  # (thread, slot) as one number, ascending

    def before(self, thread: Any1d, pos: Ints, slots: int) -> tuple[Ints, Ints]:
        """The last answer on this thread before this slot, and the one before that; -1: there is none."""
        if not len(self.key):
            return np.full(len(pos), -1, np.int64), np.full(len(pos), -1, np.int64)
        last = np.searchsorted(self.key, thread.astype(np.int64) * (slots + 1) + pos) - 1
        last = np.where((last >= 0) & (self.table.thread[last] == thread), last, -1)
        past = np.where((last > 0) & (self.table.thread[np.maximum(last - 1, 0)] == thread), last - 1, -1)
        return last, past


def find_selects(records: RecordColumns, moments: Moments, since: int) -> Asked:
    """When loops asked their selectors, as a window from ``since`` on shows it."""
    rows = records.columns("selects")
    order = np.lexsort((rows["pos"], rows["thread"]))
    end = moments.ns(rows["ts"][order])
    asked = moments.ns(moment(rows["aux"], rows["off"])[order])
    table = t.Selects(
        thread=rows["thread"][order].astype(np.int32),
        start_ns=np.minimum(np.maximum(asked, since), end),
        end_ns=end,
        idle=rows["flags"][order] & ev.IDLE > 0,
    )
    return Asked(table, table.thread.astype(np.int64) * (moments.slots + 1) + rows["pos"][order])


def _first_wakes(wakes: Columns, task_of: Ints, slots: int, asleep: Suspended) -> Ints:
    """Of each suspension the first wake before its task runs again: a row of wakes, -1."""
    task = task_of[_known(wakes["coro"], len(task_of))]
    if not len(task):
        return np.full(len(asleep.pos), -1, np.int64)
    key = task * slots + wakes["pos"]
    order = np.argsort(key, kind="stable")
    key = key[order]
    at = np.minimum(np.searchsorted(key, asleep.task * slots + asleep.pos, side="right"), len(key) - 1)
    inside = (key[at] > asleep.task * slots + asleep.pos) & (key[at] < asleep.task * slots + asleep.until)
    return np.where(inside, order[at], -1)


def _origins(told: Columns, soons: int) -> Ints:
    """What each began with, through the callbacks that led to it: a row that names no callback; -1: not known.

    The first ``soons`` rows are callbacks.  One always names an earlier one.
    """
    size = len(told["flags"])
    cause = np.arange(size + 1)
    cause[size] = size  # not known
    rows = np.flatnonzero(told["flags"] == ev.BY_CALLBACK)
    if len(rows):
        cause[rows] = size
        ids = told["coro"][:soons]
        order = np.argsort(ids, kind="stable")
        wanted = told["aux"][rows]
        if soons:
            found = order[np.minimum(np.searchsorted(ids[order], wanted), soons - 1)]
            good = (ids[found] == wanted) & ((rows >= soons) | (wanted < told["coro"][rows]))
            cause[rows[good]] = found[good]
    while True:  # each round goes twice as far as the one before
        further = cause[cause]
        if (further == cause).all():
            return np.where(cause == size, -1, cause)[:size]
        cause = further


def _answered(asked: Asked, slots: int, thread: Any1d, pos: Ints, start: Ints, called: Ints) -> tuple[Ints, Ints]:
    """For wakes by I/O, since when the task could have run for sure, and how much longer it may have been: for as long
    as the loop was busy before it asked the selector, which then answered.  -1: not known."""
    last, past = asked.before(thread, pos, slots)
    if not len(asked.key):
        return called, last
    begin, end = asked.table.start_ns, asked.table.end_ns
    busy = begin[last] - np.maximum(np.where(past >= 0, end[past], 0), start)
    return np.where(last >= 0, end[last], called), np.where(last >= 0, np.maximum(busy, 0), -1)


def _known(ids: Any1d, coroutine_count: int) -> Ints:
    return np.where(ids < coroutine_count, ids, 0).astype(np.int64)
