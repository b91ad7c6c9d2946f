"""Current edges by way of something that gathers tasks, and current holds.

Tasks and resources are by the recording's ids.  The meaning of edges and holds is in ``kernels/awaiters.py`` and
``kernels/resources.py``.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from ... import events as ev
from ...recording.reader import Recording
from ..building.scan import Columns
from ..grouping import Any1d, LastBefore
from ..kernels.resources import pair_holds
from .coroutines import Coroutines
from .growing import GrowingTable
from .suspensions import RUNNING, WAITING, Polls

RESOURCES_KEPT: Final = 1 << 16  # of resources not in use, so many of the last mentioned are kept


class Edges:
    """Edges: ``who`` waits for ``whom``, since ``ts``; whether who ``ran`` then."""

    def __init__(self) -> None:
        self.columns: Columns = {name: np.zeros(0, np.int64) for name in ("who", "whom", "ts", "ran")}

    def feed(self, edges: Columns, coroutines: Coroutines, tasks: GrowingTable, polls: Polls) -> None:
        """Add a chunk's edges.  ``tasks``: as before the chunk.  ``polls``: the chunk's."""
        if not len(edges["coro"]):
            return
        row = coroutines.task(edges["coro"])
        at = LastBefore(polls.row, polls.start)(row, edges["ts"])
        ran = (at >= 0) & (~np.append(polls.done, False)[at] | (np.append(polls.end, 0)[at] > edges["ts"]))
        ran |= ~np.isin(row, polls.row) & (tasks["flags"][row] & RUNNING > 0)
        new_rows = {"who": edges["coro"], "whom": edges["aux"], "ts": edges["ts"], "ran": ran}
        self.columns = _concatenated(self.columns, new_rows)

    def forget(self, coroutines: Coroutines, tasks: GrowingTable) -> None:
        """Drop the edges of suspensions and of tasks that have ended."""
        edges = self.columns
        who, awaited = coroutines.task(edges["who"]), coroutines.task(edges["whom"])
        still = (who > 0) & (awaited > 0) & (tasks["exit"][who] == 0) & (tasks["exit"][awaited] == 0)
        waits = (tasks["flags"][who] & WAITING > 0) & (tasks["slept"][who] <= edges["ts"])
        still &= waits | (edges["ran"] > 0)
        self.columns = {name: column[still] for name, column in edges.items()}


class Holds:
    """What is held, oldest first: the ``resource``, the ``task`` (0: not known), since when (``ts``), and the ``site``
    where it was taken."""

    def __init__(self, recording: Recording) -> None:
        self._resources = recording.resources
        self.columns: Columns = {name: np.zeros(0, np.int64) for name in ("resource", "task", "ts", "site")}

    def feed(self, found: dict[str, Columns], coroutines: Coroutines) -> None:
        """A chunk's records."""
        rows, resources = found["holds"], self._resources
        referenced = np.unique(np.concatenate([rows["aux"], found["uses"]["aux"]])).tolist()
        for number in referenced if len(resources) > RESOURCES_KEPT else ():
            if number in resources:
                resources[number] = resources.pop(number)  # the last ones are those spoken of last
        if not len(rows["aux"]):
            return
        who = np.where(rows["task"] > 0, rows["task"], rows["coro"])  # a root that runs nested has its own
        task = np.where(coroutines.task(who) > 0, who, 0)
        new_rows = {"resource": rows["aux"], "task": task, "ts": rows["ts"], "site": rows["off"]}
        both = _concatenated(self.columns, new_rows)
        taken = np.concatenate([np.ones(len(self.columns["ts"]), np.bool_), rows["kind"] == ev.TAKE])
        held = taken & (pair_holds(both["resource"], both["task"], taken) < 0)
        self.columns = {name: column[held] for name, column in both.items()}

    def forget(self, used: Iterable[Any1d]) -> None:
        """Drop definitions of resources that are neither waited for nor held, but for the newest.  ``used``: resources
        in use."""
        if len(self._resources) > 2 * RESOURCES_KEPT:
            wanted = set(np.concatenate([*used, self.columns["resource"]]).tolist())
            for number in [number for number in self._resources if number not in wanted][:-RESOURCES_KEPT]:
                del self._resources[number]


def _concatenated(before: Columns, new_rows: Columns) -> Columns:
    """Both, one after the other."""
    return {name: np.concatenate([column, new_rows[name].astype(np.int64)]) for name, column in before.items()}
