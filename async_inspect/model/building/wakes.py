"""What woke each suspended task, and since when it was ready; when loops asked their selectors.

Knows the records of what a loop is to run next, and why (WAKE, SOON), and of when the loop asked its selector (SELECT).
The time since when a task was certainly ready is computed in ``kernels/wakes.py``, the upper bound here.
"""

from dataclasses import dataclass

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Any1d, FirstAfter, Ints, LastBefore, Whole
from ..kernels.wakes import CALLED, moment, origins, ready_ns, runnable_since
from .scan import RecordColumns
from .tasks import Moments, TaskIds

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

    pos: Whole  # the slot
    until: Ints  # the slot at which the task runs again; moments.slots: never
    task: Whole
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


class Waking:
    """What woke suspensions, of which some are looked at at a time."""

    def __init__(self, records: RecordColumns, moments: Moments, task_ids: TaskIds, selects: "SelectorCalls") -> None:
        self.records, self.moments, self.task_ids = records, moments, task_ids
        self._task_of, self._selects = (task_of := task_ids.task_of), selects
        soons, wakes, self._cancels = (records.columns(name) for name in ("soons", "wakes", "cancels"))
        self.cancels = len(self._cancels["pos"])  # how many were seen
        self._soons = len(soons["pos"])
        self._both = {name: np.concatenate([soons[name], wakes[name]]) for name in wakes}
        self._origin = origins(soons["coro"], self._both["flags"], self._both["aux"])
        self._runnable = runnable_since(self._both, selects.before, selects.answered)
        self._first = FirstAfter(task_of[_known(wakes["coro"], len(task_of))], wakes["pos"])
        self._cancelled = FirstAfter(task_of[_known(self._cancels["coro"], len(task_of))], self._cancels["pos"])

    def of(self, suspended: Suspended) -> Woken:
        """What woke each of these, and how long it was ready."""
        moments, selects, both = self.moments, self._selects, self._both
        n, wait = len(suspended.pos), suspended.end_ns - suspended.start_ns
        by, waker = np.zeros(n, np.uint8), np.zeros(n, np.int32)
        # A timer that is due but that no loop has handled yet makes its task ready.
        since = np.where(suspended.until == moments.slots, suspended.due_ns, -1)
        more = np.where(since >= 0, 0, -1)  # beyond the least; -1: not known
        itself = suspended.yields & suspended.owned
        by[itself], more[itself] = t.BY_ITSELF, 0

        wake = self._first(suspended.task, suspended.pos, suspended.until)
        rows = np.flatnonzero((wake >= 0) & suspended.owned & ~itself)
        wake = wake[rows] + self._soons
        origin = self._origin[wake]
        known = origin >= 0
        origin = np.where(known, origin, wake)

        how = np.where(known, _BY_FLAGS[both["flags"][origin]], 0)
        named = both["flags"][origin] == ev.BY_TASK  # else it is the one that ran
        ids = np.where(named, both["aux"][origin], both["task"][origin])
        who = self._task_of[_known(ids, len(self._task_of))]
        how[(how == t.BY_TASK) & (who == 0)] = 0
        by[rows], waker[rows] = how, np.where(how == t.BY_TASK, who, 0)

        runnable = self._runnable[origin]
        since[rows] = np.maximum(moments.ns(np.minimum(np.where(known, runnable, CALLED), both["ts"][wake])), 0)
        more[rows] = np.where((how == 0) | ((how == t.BY_TIMER) & (runnable == CALLED)), -1, 0)
        io = np.flatnonzero(how == t.BY_IO)
        by_io, start = origin[io], suspended.start_ns[rows[io]]
        more[rows[io]] = _busy(selects, both["thread"][by_io], both["pos"][by_io], start)
        ready = ready_ns(suspended.start_ns, suspended.end_ns, since, suspended.yields, suspended.owned)
        most = np.where((ready < 0) | (more < 0), -1, np.minimum(ready + more, wait))
        scope = self._cancelled(suspended.task, suspended.pos, suspended.until)
        of_scope = (np.append(self._cancels[name].astype(np.int64), 0)[scope] for name in ("aux", "off"))
        return Woken(by, waker, ready, most, *of_scope)


@dataclass
class SelectorCalls:
    """When loops asked their selectors.  Rows are in order of (thread, slot)."""

    table: t.Selects
    answered: Ints  # on the recording's own clock
    before: LastBefore  # by thread and slot: the row of the last answer


def find_selects(records: RecordColumns, moments: Moments, since: int) -> SelectorCalls:
    """When loops asked their selectors, as a window from ``since`` on shows it."""
    rows = records.columns("selects")
    order = np.lexsort((rows["pos"], rows["thread"]))
    ts, thread = rows["ts"][order], rows["thread"][order]
    end = moments.ns(ts)
    selects = moments.ns(moment(rows["aux"], rows["off"])[order])
    table = t.Selects(
        thread=thread.astype(np.int32),
        start_ns=np.minimum(np.maximum(selects, since), end),
        end_ns=end,
        idle=rows["flags"][order] & ev.IDLE > 0,
    )
    return SelectorCalls(table, ts, LastBefore(thread, rows["pos"][order]))


def _busy(selects: SelectorCalls, thread: Any1d, pos: Ints, start: Ints) -> Ints:
    """For wakes by I/O, how much longer than for sure the task could have run: for as long as the loop was busy before
    it asked the selector, which then answered.  -1: not known."""
    last, table = selects.before(thread, pos), selects.table
    if not len(table):
        return last
    past = np.maximum(last - 1, 0)
    before = np.where((last > 0) & (table.thread[past] == thread), table.end_ns[past], 0)
    return np.where(last >= 0, np.maximum(table.start_ns[last] - np.maximum(before, start), 0), -1)


def _known(ids: Any1d, coroutine_count: int) -> Ints:
    return np.where(ids < coroutine_count, ids, 0).astype(np.int64)
