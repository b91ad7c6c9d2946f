"""The Trace: TraceData with properties and methods for its users.

Only delegates: everything is computed in the other modules of ``model/``, and written by ``formats/``.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from functools import cached_property
from typing import Self

import numpy as np

from ..errors import USAGE, UserError
from ..recording.header import Head
from ..support.settings import Rule
from . import event_text, loading, objects, reasons
from . import tables as t
from .data import TraceData
from .entities import Await, Hold, Scope, Task, TreeNode, WakeCount
from .figures import cancelled_waits, waiting
from .filters import Filter, filter_of
from .loading import Progress


class Trace(TraceData):
    """The recordings of a run, or one of them, understood.  Immutable; make one with ``async_inspect.load``.

    The columns (``polls``, ``awaits`` …) are described in ``tables.py``.  ``strings`` are the names of types.
    """

    @classmethod
    def of(cls, data: TraceData) -> Self:
        """A Trace of this data, whose columns are made read-only: a format that computes in place fails alone, and does
        not change the figures of others."""
        parts = {field.name: getattr(data, field.name) for field in fields(data)}
        for table in filter(is_dataclass, parts.values()):
            for part in fields(table):
                if isinstance(column := getattr(table, part.name), np.ndarray):
                    column.setflags(write=False)
        return cls(**parts)

    # --- tasks -------------------------------------------------------------------------------------------------------

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks; ``tasks[i].id == i + 1``.  (4 µs each: for a million of them use ``task_table``.)"""
        return tuple(self.task(number) for number in range(1, len(self.task_table) + 1))

    def task(self, number: int) -> Task:
        """The task of this id.  KeyError: there is none."""
        return objects.task(self, number)

    def find(self, task: str) -> int:
        """The id of the task of this id or name, of several of one name the first.  UserError: there is none.
        TypeError: not a text."""
        if not isinstance(task, str):
            raise TypeError(f"task: {task!r} is no text; the id of a task is its own")
        if task.isdecimal() and 0 < int(task) <= len(self.task_table):
            return int(task)
        if task in self.task_table.name:
            return self.task_table.name.index(task) + 1
        raise UserError(f"no task {task!r}", USAGE)

    @property
    def awaiters(self) -> dict[int, tuple[int, ...]]:
        """The tasks that awaited a task, by its id (no entry: nobody did)."""
        return objects.awaiters(self)

    @property
    def wakes(self) -> dict[int, tuple[WakeCount, ...]]:
        """By task id, what woke it and how often, most often first; no entry: not known."""
        return waiting.wakes(self)

    @property
    def ready(self) -> tuple[t.Ints, t.Ints]:
        """For how long each task was ready, (least, most) in ns, by row of ``task_table``."""
        return waiting.ready(self)

    @property
    def held(self) -> dict[int, tuple[Hold, ...]]:
        """By task id, what it holds at the end of the recording, oldest first; no entry: nothing."""
        return waiting.held(self)

    @property
    def reasons(self) -> tuple[tuple[str, ...], t.Small]:
        """Why each await waited: (words, row of words by await); word 0 is "", not known."""
        return reasons.coded(self)

    # --- trees -------------------------------------------------------------------------------------------------------

    @cached_property
    def tree(self) -> tuple[TreeNode, ...]:
        """The await trees, merged over tasks of one kind: a tree a root function, longest first."""
        return objects.forest(self, None)

    def task_tree(self, number: int) -> tuple[TreeNode, ...]:
        """The await tree of one task (empty: it never ran; several: an async generator's under several awaiters)."""
        return objects.forest(self, number)

    # --- rows --------------------------------------------------------------------------------------------------------

    def await_at(self, row: int) -> Await:
        """One row of ``awaits``, all that is known of it."""
        return objects.await_at(self, row)

    @property
    def scopes(self) -> tuple[tuple[Scope, ...], t.Small]:
        """The cancel scopes and timeouts that ended awaits, those alike once; and by await a row of these, -1."""
        return cancelled_waits.scopes(self)

    def segments(self, call: int) -> t.Ints:
        """The uninterrupted runs of a call, shape (n, 2): start and end in ns, in order."""
        return objects.segments(self, call)

    def details(self, event: int) -> str:
        """What ``events[].details`` says of an event: ``name=…, parent=…, location=…``."""
        return self.describe(int(self.events.kind[event]), int(self.events.task[event]), int(self.events.row[event]))

    @cached_property
    def describe(self) -> Callable[[int, int, int], str]:
        """(kind, task, row) of an event -> its details; what exports call for each of a million events."""
        return event_text.describer(self)

    # --- parts -------------------------------------------------------------------------------------------------------

    def filter(
        self,
        *,
        pid: int | Sequence[int] = (),
        task: str | Sequence[str] = (),
        state: str | Sequence[str] = (),
        min_duration_ms: float = 0,
        since_ms: float | None = None,
        until_ms: float | None = None,
        include: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
    ) -> Self:
        """Only this part of the trace (``filters.py`` says what the words mean); this one stays as it is.

        ``pid``, ``since_ms`` and ``until_ms`` need the recording: it is read again.  UserError: it is gone, there is no
        such process or state, or an argument is none of its kind.
        """
        lists = {"task": task, "state": state, "include": include, "exclude": exclude}
        times = {"min_duration_ms": min_duration_ms, "since_ms": since_ms, "until_ms": until_ms}
        return self.narrowed(filter_of(pid=pid, **lists, **times))

    def narrowed(self, wanted: Filter) -> Self:
        """``filter`` with a Filter object."""
        return self.of(loading.narrow(self, wanted))


def load(
    path: str | os.PathLike[str],
    progress: Progress | None = None,
    wanted: Filter | None = None,
    rules: Iterable[Rule] = (),
) -> Trace:
    """The Trace of the recording at ``path``; see ``loading.load_data``."""
    return Trace.of(loading.load_data(path, progress, wanted, rules))


def load_run(
    run: Sequence[Head],
    place: str | os.PathLike[str],
    progress: Progress | None = None,
    wanted: Filter | None = None,
    rules: Iterable[Rule] = (),
) -> Trace:
    """The Trace of a run's recordings; see ``loading.load_run_data``."""
    return Trace.of(loading.load_run_data(run, place, progress, wanted, rules))
