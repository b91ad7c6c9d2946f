"""Who woke a suspended task, and since when it could have run; when loops asked their selectors.

Knows the records that say what a loop was told to run next, and by whom (WAKE, SOON), and when the loop asked its
selector (SELECT).  Since when a task was ready says ``kernels/wakes.py``; for how long at most, this.
"""

from dataclasses import dataclass

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Any1d, FirstAfter, Ints, LastBefore
from ..kernels.wakes import CALLED, moment, origins, ready_ns, runnable_since
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
    # A timer to which no loop has come yet wakes nobody, and is due.
    since = np.where(asleep.until == moments.slots, asleep.due_ns, -1)
    more = np.where(since >= 0, 0, -1)  # beyond the least; -1: not known
    itself = asleep.yields & asleep.owned
    by[itself], more[itself] = t.BY_ITSELF, 0

    soons, wakes = records.columns("soons"), records.columns("wakes")
    wake = _first_wakes(wakes, task_of, asleep)
    rows = np.flatnonzero((wake >= 0) & asleep.owned & ~itself)
    wake = wake[rows] + len(soons["pos"])
    told = {name: np.concatenate([soons[name], wakes[name]]) for name in wakes}
    origin = origins(soons["coro"], told["flags"], told["aux"])[wake]
    known = origin >= 0
    origin = np.where(known, origin, wake)

    how = np.where(known, _BY_FLAGS[told["flags"][origin]], 0)
    named = told["flags"][origin] == ev.BY_TASK  # else it is the one that ran
    who = task_of[_known(np.where(named, told["aux"][origin], told["task"][origin]), len(task_of))]
    how[(how == t.BY_TASK) & (who == 0)] = 0
    by[rows], waker[rows] = how, np.where(how == t.BY_TASK, who, 0)

    runnable = runnable_since(told, asked.before, asked.answered)[origin]
    since[rows] = np.maximum(moments.ns(np.minimum(np.where(known, runnable, CALLED), told["ts"][wake])), 0)
    more[rows] = np.where((how == 0) | ((how == t.BY_TIMER) & (runnable == CALLED)), -1, 0)
    io = np.flatnonzero(how == t.BY_IO)
    more[rows[io]] = _busy(asked, told["thread"][origin[io]], told["pos"][origin[io]], asleep.start_ns[rows[io]])
    ready = ready_ns(asleep.start_ns, asleep.end_ns, since, asleep.yields, asleep.owned)
    most = np.where((ready < 0) | (more < 0), -1, np.minimum(ready + more, wait))
    return Woken(by, waker, ready, most, *_cancelled(records, task_of, asleep))


def _cancelled(records: RecordColumns, task_of: Ints, asleep: Suspended) -> tuple[Ints, Ints]:
    """Of each suspension the cancel scope that it ended for, as ``Woken`` has it."""
    rows = records.columns("cancels")
    row = _first_wakes(rows, task_of, asleep)
    return np.append(rows["aux"].astype(np.int64), 0)[row], np.append(rows["off"].astype(np.int64), 0)[row]


@dataclass
class Asked:
    """When loops asked their selectors.  Rows are in order of (thread, slot)."""

    table: t.Selects
    answered: Ints  # on the recording's own clock
    before: LastBefore  # by thread and slot: the row of the last answer


def find_selects(records: RecordColumns, moments: Moments, since: int) -> Asked:
    """When loops asked their selectors, as a window from ``since`` on shows it."""
    rows = records.columns("selects")
    order = np.lexsort((rows["pos"], rows["thread"]))
    ts, thread = rows["ts"][order], rows["thread"][order]
    end = moments.ns(ts)
    asked = moments.ns(moment(rows["aux"], rows["off"])[order])
    table = t.Selects(
        thread=thread.astype(np.int32),
        start_ns=np.minimum(np.maximum(asked, since), end),
        end_ns=end,
        idle=rows["flags"][order] & ev.IDLE > 0,
    )
    return Asked(table, ts, LastBefore(thread, rows["pos"][order]))


def _first_wakes(wakes: Columns, task_of: Ints, asleep: Suspended) -> Ints:
    """Of each suspension the first wake before its task runs again: a row of wakes, -1."""
    task = task_of[_known(wakes["coro"], len(task_of))]
    return FirstAfter(task, wakes["pos"])(asleep.task, asleep.pos, asleep.until)


def _busy(asked: Asked, thread: Any1d, pos: Ints, start: Ints) -> Ints:
    """For wakes by I/O, how much longer than for sure the task could have run: for as long as the loop was busy before
    it asked the selector, which then answered.  -1: not known."""
    last, table = asked.before(thread, pos), asked.table
    if not len(table):
        return last
    past = np.maximum(last - 1, 0)
    before = np.where((last > 0) & (table.thread[past] == thread), table.end_ns[past], 0)
    return np.where(last >= 0, np.maximum(table.start_ns[last] - np.maximum(before, start), 0), -1)


def _known(ids: Any1d, coroutine_count: int) -> Ints:
    return np.where(ids < coroutine_count, ids, 0).astype(np.int64)
