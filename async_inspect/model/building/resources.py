"""Resources (locks, queues, semaphores …, by identity) and their holders.

Knows: RESOURCE, USE, TAKE and GIVE.  Which resource an await waited for is found where its chain is climbed
(``chains.py``).
"""

from functools import cache

import numpy as np

from ... import events as ev
from ...recording.reader import Recording
from .. import tables as t
from ..grouping import find
from ..kernels.resources import PARTS, kind, pair_holds
from .locations import Sites
from .scan import RecordColumns
from .tasks import Moments, TaskIds


def find_resources(recording: Recording, functions: list[t.Function], sites: Sites) -> t.Resources:
    """All resources of a recording."""
    numbers = sorted(recording.resources)

    @cache
    def kind_of(type_: int, site: int) -> str:
        name = recording.strings.get(type_, "?")
        return kind(name, [functions[f] for f in sites.chain(site) if f >= 0] if name in PARTS else ())

    made = np.array([recording.resources[number][1] for number in numbers], np.int64)
    return t.Resources(
        number=np.array(numbers, np.int64),
        process=np.zeros(len(numbers), np.int32),
        kind=[kind_of(*recording.resources[number]) for number in numbers],
        location=sites.shown(made),
    )


def find_holds(
    records: RecordColumns, task_ids: TaskIds, moments: Moments, resources: t.Resources, sites: Sites
) -> t.Holds:
    """The holds, in the order of taking."""
    rows = records.columns("holds")
    coroutine_count = len(task_ids.task_of)
    who = np.where(rows["task"] > 0, rows["task"], rows["coro"])  # a root that runs nested has its own
    task = task_ids.task_of[np.where(who < coroutine_count, who, 0)]
    resource = find(resources.number, rows["aux"])
    taken = (rows["kind"] == ev.TAKE) & (resource >= 0)
    given = (rows["kind"] == ev.GIVE) & (resource >= 0)

    known = np.flatnonzero(taken | given)
    closed_by = np.append(known, -1)[pair_holds(resource[known], task[known], taken[known])]
    takes = known[taken[known]]
    closer = closed_by[taken[known]]
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
