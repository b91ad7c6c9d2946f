"""Resources, and who held which: locks, queues, semaphores … by identity.

Knows: RESOURCE, USE, TAKE and GIVE.  Which resource an await waited for is found where its chain is climbed
(``chains.py``).
"""

from typing import Final

import numpy as np

from ... import events as ev
from ...recording.reader import Recording
from .. import tables as t
from ..grouping import Any1d, Ints
from .locations import Sites
from .scan import RecordColumns
from .tasks import Moments, TaskIds

# What asyncio and trio make as a part of something else, whose ``__init__`` then stands in the stack.
_PARTS: Final = ("asyncio.locks.Lock", "asyncio.locks.Event", "asyncio.locks.Condition", "trio.Lock")
_MAKERS: Final = ("<stdlib>/asyncio/", "site-packages/trio/", "dist-packages/trio/")
_INIT: Final = ".__init__"


def find_resources(recording: Recording, functions: list[t.Function], sites: Sites) -> t.Resources:
    """All that are defined."""
    numbers = sorted(recording.resources)
    known: dict[tuple[int, int], str] = {}

    def kind(type_: int, site: int) -> str:
        if (type_, site) not in known:
            name = recording.strings.get(type_, "?")
            owner = _owner(name, [functions[f] for f in sites.chain(site) if f >= 0]) if name in _PARTS else None
            known[type_, site] = f"{name} of a {owner}" if owner else name
        return known[type_, site]

    made = np.array([recording.resources[number][1] for number in numbers], np.int64)
    return t.Resources(
        number=np.array(numbers, np.int64),
        process=np.zeros(len(numbers), np.int32),
        kind=[kind(*recording.resources[number]) for number in numbers],
        location=sites.shown(made),
    )


def _owner(kind: str, stack: list[t.Function]) -> str | None:
    """The class in whose making, the innermost, this was made."""
    for function in reversed(stack):
        owner = function.name.removesuffix(_INIT)
        if function.name.endswith(_INIT) and function.file.startswith(_MAKERS):
            if owner != kind.rpartition(".")[2]:
                return owner
        elif function.user:
            break
    return None


def rows_of(resources: t.Resources, ids: Any1d) -> Ints:
    """The rows of resources by the recording's ids; -1: it isn't defined."""
    if not len(resources):
        return np.full(len(ids), -1, np.int64)
    at = np.minimum(np.searchsorted(resources.number, ids), len(resources) - 1)
    return np.where(resources.number[at] == ids, at, -1)


def find_holds(
    records: RecordColumns, task_ids: TaskIds, moments: Moments, resources: t.Resources, sites: Sites
) -> t.Holds:
    """Who held what: each TAKE opens a hold.  A GIVE closes the latest of its own task's, else the oldest there is."""
    rows = records.columns("holds")
    coroutine_count = len(task_ids.task_of)
    who = np.where(rows["task"] > 0, rows["task"], rows["coro"])  # a root that runs nested has its own
    task = task_ids.task_of[np.where(who < coroutine_count, who, 0)]
    resource = rows_of(resources, rows["aux"])
    taken = (rows["kind"] == ev.TAKE) & (resource >= 0)
    given = (rows["kind"] == ev.GIVE) & (resource >= 0)

    order = np.flatnonzero(taken | given)
    order = order[np.argsort(resource[order], kind="stable")]
    closed_by = np.full(len(task), -1, np.int64)  # by row of a TAKE
    # Where a resource has one holder at most, each GIVE closes the TAKE just before it; the others go one by one.
    same = np.concatenate([[False], resource[order[1:]] == resource[order[:-1]]]) if len(order) else taken[:0]
    after_take = same & np.concatenate([[False], taken[order[:-1]]]) if len(order) else same
    several = np.zeros(len(resources), np.bool_)
    several[resource[order[after_take & taken[order]]]] = True
    simple = np.flatnonzero(after_take & given[order] & ~several[resource[order]])
    closed_by[order[simple - 1]] = order[simple]
    _pair(order[several[resource[order]]].tolist(), taken, task, resource, closed_by)

    takes = np.flatnonzero(taken)
    closer = closed_by[takes]
    ended = closer >= 0
    ts = moments.ns(rows["ts"])
    return t.Holds(
        task=task[takes].astype(np.int32),
        resource=resource[takes].astype(np.int32),
        start_ns=ts[takes],
        end_ns=np.where(ended, ts[closer] if len(ts) else 0, moments.end - moments.base),
        ended=ended,
        location=sites.shown(rows["off"][takes]),
        given_by=np.where(ended, task[closer] if len(ts) else 0, 0).astype(np.int32),
    )


def _pair(rows: list[int], taken: t.Bools, task: Ints, resource: Ints, closed_by: Ints) -> None:
    """Which GIVE closes which TAKE, of resources that several hold at once."""
    open_: dict[int, list[int]] = {}  # by resource: rows of TAKE, oldest first
    for row in rows:
        held = open_.setdefault(int(resource[row]), [])
        if taken[row]:
            held.append(row)
            continue
        own = next((at for at in reversed(range(len(held))) if task[held[at]] == task[row]), 0)
        if held:
            closed_by[held.pop(own)] = row
