"""Which coroutines are tasks, and when and by which task each was created.

A coroutine is a task if it was spawned, or ran as a root.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ... import events as ev
from ...errors import UserError
from ..grouping import Ints, Whole, first_rows, order_of, take
from ..kernels.tasks import are_tasks
from .scan import RecordColumns

type Bools = npt.NDArray[np.bool_]


@dataclass
class Moments:
    """When the recording began and ended, on the recording's own clock."""

    base: int
    end: int
    slots: int  # and how many there are: every pos is below

    def ns(self, ts: Ints) -> Ints:
        """As time since the recording began."""
        return ts - self.base


@dataclass
class TaskIds:
    """The tasks.  ``task_of`` gives a task's id (0: none) by the recording's id of a coroutine."""

    coro: Ints  # by task - 1
    task_of: Whole
    created_ns: Ints
    created_seen: Bools
    before: Bools
    driven: Bools
    parent: Whole
    spawn: Whole  # row of spawns, -1

    def rows(self, coroutines: Iterable[int]) -> list[tuple[int, int]]:
        """Those of these that are tasks, as (task - 1, coroutine), in order."""
        ids = np.fromiter(coroutines, np.int64)
        ids = ids[ids < len(self.task_of)]
        row = self.task_of[ids] - 1
        return sorted(zip(row[row >= 0].tolist(), ids[row >= 0].tolist(), strict=True))


def find_tasks(records: RecordColumns, moments: Moments) -> TaskIds:
    """The tasks: every root that ran, and what was spawned and has not run yet."""
    opens, entries = records.columns("opens"), records.columns("entries")
    exits, spawns = records.columns("exits"), records.columns("spawns")
    coroutine_count = 1 + max(
        (int(c.max()) for c in (opens["task"], entries["coro"], spawns["coro"]) if len(c)), default=0
    )
    if coroutine_count > moments.slots + 1:
        raise UserError("the recording is damaged: it speaks of more coroutines than it has records")

    spawn = first_rows(spawns["coro"], coroutine_count)
    first_open = first_rows(opens["task"], coroutine_count)
    first_entry = first_rows(entries["coro"], coroutine_count)
    roots = np.flatnonzero((entries["aux"] == 0) & (entries["task"] < coroutine_count))
    of_step = roots[first_entry[entries["task"][roots]] < 0][::-1]  # tasks that are no coroutine themselves
    first_entry[entries["task"][of_step]] = of_step
    gone = np.zeros(coroutine_count, np.bool_)
    no_task = (exits["kind"] == ev.VANISH) & (exits["flags"] & ev.NO_TASK > 0) & (exits["coro"] < coroutine_count)
    gone[exits["coro"][no_task]] = True

    ran = first_open >= 0
    some = ran | (spawn >= 0)
    some[0] = False
    coro = np.flatnonzero(some & are_tasks(ran, first_entry >= 0, gone))
    spawn, opened, entry = spawn[coro], first_open[coro], first_entry[coro]

    spawned = spawn >= 0
    pos = np.where(spawned, take(spawns["pos"], spawn), take(opens["pos"], opened))
    order = order_of(pos)
    coro, spawn, opened, entry, spawned = coro[order], spawn[order], opened[order], entry[order], spawned[order]
    task_of = np.zeros(coroutine_count, np.int32)
    task_of[coro] = np.arange(1, len(coro) + 1)

    flags = np.where(entry >= 0, take(entries["flags"], entry), 0)
    before = (flags & ev.BEFORE > 0) & ~spawned & (take(entries["kind"], entry) == ev.START)
    before |= spawned & (take(spawns["flags"], spawn) & ev.BEFORE > 0)
    created = np.where(spawned, take(spawns["ts"], spawn), take(opens["ts"], opened))
    parent = np.where(spawned, take(spawns["task"], spawn), take(opens["before"], opened))
    parent = task_of[np.where(before | (parent >= coroutine_count), 0, parent)]
    is_task = spawned.copy()
    owned = entries["task"][roots[entries["flags"][roots] & ev.IS_TASK > 0]]
    is_task[task_of[owned[task_of[owned] > 0]] - 1] = True
    return TaskIds(
        coro=coro,
        task_of=task_of,
        created_ns=np.where(before, 0, moments.ns(created)),
        created_seen=spawned & ~before,
        before=before,
        driven=~is_task,
        parent=parent,
        spawn=spawn,
    )
