"""TraceData: all tables of a trace together, and accessors for single rows.

Knows: what there is beside the tables, and what a row says.  The tables are built in ``model/building/builder.py``;
what follows from them is computed by functions of a TraceData (``model/figures/waiting.py``, ``reasons/`` …), and
offered by Trace (``trace.py``).

Bulk data are columns (``tables.py``); single objects are in ``entities.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, cast

import numpy as np

from ..support.settings import Rule
from . import tables as t
from .entities import Frame, LeftOut, Metadata, Process, Violation
from .event_log import event_counts, event_log
from .kernels import words


@dataclass(frozen=True, kw_only=True)
class TraceData(t.Tables):
    """The recordings of a run, or one of them, as tables.  Immutable; another one is made by ``dataclasses.replace``.

    The columns (``polls``, ``awaits`` …) are described in ``tables.py``.  ``strings`` are the names of types.
    """

    meta: Metadata
    processes: tuple[Process, ...]  # in the order in which their recordings began
    functions: tuple[t.Function, ...]
    strings: tuple[str, ...]
    rules: tuple[Rule, ...] = ()  # of the user's own, for reasons
    violations: tuple[Violation, ...] = ()  # what must hold and doesn't: figures of tasks that are so marked, sums too
    left_out: tuple[LeftOut, ...] = ()  # processes of the run that are not in here

    @cached_property
    def inexact(self) -> tuple[str, ...]:
        """Why figures may be wrong, a line each: records that made no sense, or that contradict each other."""
        damaged, lost = self.meta.damaged, sum(one.lost for one in self.processes if not one.broken_off)
        reasons_ = [f"{damaged:,} records or header fields made no sense"] if damaged else []
        reasons_ += [f"{lost:,} records could not be written"] if lost else []
        return (*reasons_, *(f"{one.rule}: {one.example}, {one.rows:,} in all" for one in self.violations))

    @cached_property
    def events(self) -> t.Events:
        """What exports call events, in order of time.  Computed when it is first asked for."""
        return event_log(self)

    @cached_property
    def event_count(self) -> int:
        """``len(events)``, without making them."""
        return int(event_counts(self).sum())

    @property
    def caveat(self) -> str:
        """A remark about all figures, for a title: the filter, and what isn't exact; mostly ""."""
        return "; ".join(filter(None, (f"only {self.meta.filter}" if self.meta.filter else "", self.not_exact)))

    @property
    def not_exact(self) -> str:
        """Of how many tasks the figures are not exact, as text; "": all are exact."""
        number = int(self.task_table.inexact.sum())
        return f"figures of {number:,} task{'s' if number != 1 else ''} are not exact" if self.violations else ""

    @cached_property
    def not_divided(self) -> t.Small:
        """By node, the one below it for what ran and isn't divided over coroutines (``tables.NOT_DIVIDED``); -1: none.
        The last is that of -1."""
        if t.NOT_DIVIDED not in self.functions:
            return np.full(len(self.nodes) + 1, -1, np.int32)
        found = np.full(len(self.nodes) + 1, -1, np.int32)
        made = np.flatnonzero(self.nodes.function == self.functions.index(t.NOT_DIVIDED))
        found[self.nodes.parent[made]] = made
        found[-1] = -1
        return found

    @cached_property
    def calls_heard(self) -> t.Bools:
        """By task id, whether calls of coroutines were heard in its process; for 0, in all."""
        heard = np.array([one.detail == "calls" for one in self.processes], np.bool_)
        return np.concatenate([[heard.all()], heard[self.task_table.process]])

    def tasks_of(self, process: int) -> slice:
        """The rows of tasks of a process, by its row."""
        first, last = self.task_table.process.searchsorted([process, process + 1]).tolist()
        return slice(first, last)

    # --- rows --------------------------------------------------------------------------------------------------------

    def place(self, location: int) -> str | None:
        """A row of ``locations`` as "file:line" ("file:?" where the line isn't known); None for -1."""
        if location < 0:
            return None
        return words.place(self.functions[self.locations.function[location]], int(self.locations.line[location]))

    def frame(self, location: int) -> Frame:
        return Frame(self.functions[self.locations.function[location]], int(self.locations.line[location]))

    def chain(self, await_row: int) -> tuple[Frame, ...]:
        """The frames of a suspension from its await point, or the root where none is the program's own, to the leaf."""
        row, frames = int(self.awaits.chain[await_row]), []
        while row >= 0:
            frames.append(self.frame(int(self.chains.location[row])))
            row = int(self.chains.inner[row])
        return tuple(frames)

    def awaiting(self, await_row: int) -> str:
        """What a suspension waited for: a type's name, "task 7 (name)", or "yield" where it only yielded."""
        task, kind = int(self.awaits.awaited_task[await_row]), int(self.awaits.awaited[await_row])
        if task:
            return words.task(task, self.task_table.name[task - 1])
        return self.strings[kind] if kind >= 0 else "yield"

    def resource(self, row: int, made: bool = True, of: int = 1) -> str | None:
        """A row of ``resources`` as "Lock 3 (made at app.py:12)", or without where it was made; None for -1.

        ``of``: it stands for so many that are alike ("Lock ×7 …").
        """
        if row < 0:
            return None
        which = str(self.resources.number[row]) if of == 1 else f"×{of}"
        place = self.place(int(self.resources.location[row])) if made else None
        return words.resource(self.resources.kind[row], which, place)


def cached_on_trace[D: TraceData, R](find: Callable[[D], R]) -> Callable[[D], R]:
    """A decorator for functions of a trace: the result is computed once and cached on the trace."""
    name = f"{find.__module__}.{find.__qualname__}"

    @wraps(find)
    def cached(data: D) -> R:
        known: dict[str, Any] = vars(data)  # as cached_property does
        if name not in known:
            known[name] = find(data)
        return cast("R", known[name])

    return cached
