"""What a recording means: the Trace.

Knows: what can be asked of it.  Knows nothing of how it is found (``build.py``) or of how it looks on paper
(``formats/``).

Bulk is columnar (``tables.py``); what is looked at one by one is in ``things.py``.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import USAGE, UserError
from ..rules import Rule
from . import tables as t
from .filters import Filter
from .things import (
    Await,
    AwaitLine,
    Frame,
    Frozen,
    Hold,
    LeftOut,
    Metadata,
    Process,
    Scope,
    StateName,
    Task,
    TreeNode,
    Violation,
    Wakes,
)

if TYPE_CHECKING:
    from ..checks import Survey

__all__ = [
    "Await", "AwaitLine", "Frame", "Frozen", "Hold", "LeftOut", "Metadata", "Process", "Scope", "StateName", "Task",
    "Trace", "TreeNode", "Violation", "Wakes",
]  # fmt: skip


@dataclass(frozen=True)
class Trace:
    """The recordings of a run, or one of them, understood.  Immutable; make one with ``async_inspect.load``.

    The columns (``polls``, ``awaits`` …) are described in ``tables.py``.  ``strings`` are the names of types.
    """

    meta: Metadata
    processes: tuple[Process, ...]  # in the order in which their recordings began
    functions: tuple[t.Function, ...]
    strings: tuple[str, ...]
    locations: t.Locations
    nodes: t.Nodes
    chains: t.Chains
    task_table: t.Tasks
    polls: t.Polls
    awaits: t.Awaits
    calls: t.Calls
    entries: t.Entries
    node_sums: t.NodeSums
    line_sums: t.LineSums
    points: t.Points
    edges: t.Edges
    resources: t.Resources
    holds: t.Holds
    selects: t.Selects
    sites: t.Chains
    stacks: t.Stacks
    callouts: t.Callouts
    troubles: t.Troubles
    events: t.Events
    rules: tuple[Rule, ...] = ()  # of the user's own, for reasons
    violations: tuple[Violation, ...] = ()  # what must hold and doesn't: figures of tasks that are so marked, sums too
    left_out: tuple[LeftOut, ...] = ()  # processes of the run that are not in here

    @cached_property
    def inexact(self) -> tuple[str, ...]:
        """Why no figure is sure to be exact, a line each: records that made no sense, or that contradict each other."""
        damaged = self.meta.damaged
        said = [f"{damaged:,} records or header fields made no sense"] if damaged else []
        return (*said, *(f"{one.rule}: {one.example}, {one.rows:,} in all" for one in self.violations))

    # --- tasks -------------------------------------------------------------------------------------------------------

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks; ``tasks[i].id == i + 1``.  (4 µs each: for a million of them use ``task_table``.)"""
        return tuple(self.task(number) for number in range(1, len(self.task_table) + 1))

    def task(self, number: int) -> Task:
        """The task of this id.  KeyError: there is none."""
        from .views import task

        return task(self, number)

    def find(self, task: str) -> int:
        """The id of the task of this id or name, of several of one name the first.  UserError: there is none."""
        if task.isdecimal() and 0 < int(task) <= len(self.task_table):
            return int(task)
        if task in self.task_table.name:
            return self.task_table.name.index(task) + 1
        raise UserError(f"no task {task!r}", USAGE)

    @cached_property
    def awaiters(self) -> dict[int, tuple[int, ...]]:
        """The tasks that awaited a task, by its id (no entry: nobody did)."""
        from .views import awaiters

        return awaiters(self)

    @cached_property
    def wakes(self) -> dict[int, tuple[Wakes, ...]]:
        """Who woke a task how often, by its id (no entry: not known of any time), most often first."""
        from .waits import wakes

        return wakes(self)

    @cached_property
    def ready(self) -> tuple[t.Ints, t.Ints]:
        """Of each task's wait, how long it could have run for sure, and at most; by row of ``task_table``."""
        from .waits import ready

        return ready(self)

    @cached_property
    def held(self) -> dict[int, tuple[Hold, ...]]:
        """What tasks hold at the end of the recording, by id (no entry: nothing), oldest first."""
        from .waits import held

        return held(self)

    @cached_property
    def reasons(self) -> tuple[tuple[str, ...], t.Small]:
        """Why each await waited: (words, row of words by await); word 0 is "", not known."""
        from .reasons import coded

        return coded(self)

    @property
    def caveat(self) -> str:
        """What is to be known of all figures, for a title: which part it is, and what isn't exact; mostly ""."""
        return "; ".join(filter(None, (f"only {self.meta.filter}" if self.meta.filter else "", self.not_exact)))

    @property
    def not_exact(self) -> str:
        """That figures are not exact, and of how many tasks; "": all are."""
        number = int(self.task_table.inexact.sum())
        return f"figures of {number:,} task{'s' if number != 1 else ''} are not exact" if self.violations else ""

    # --- processes ---------------------------------------------------------------------------------------------------

    def tasks_of(self, process: int) -> slice:
        """The rows of tasks of a process, by its row."""
        first, last = self.task_table.process.searchsorted([process, process + 1]).tolist()
        return slice(first, last)

    # --- trees -------------------------------------------------------------------------------------------------------

    @cached_property
    def tree(self) -> tuple[TreeNode, ...]:
        """The await trees, merged over tasks of one kind: a tree a root function, longest first."""
        from .views import forest

        return forest(self, None)

    def task_tree(self, number: int) -> tuple[TreeNode, ...]:
        """The await tree of one task (empty: it never ran; several: an async generator's under several awaiters)."""
        from .views import forest

        return forest(self, number)

    # --- places ------------------------------------------------------------------------------------------------------

    def place(self, location: int) -> str | None:
        """A row of ``locations`` as "file:line" ("file:?" where the line isn't known); None for -1."""
        if location < 0:
            return None
        function, line = self.functions[self.locations.function[location]], self.locations.line[location]
        return f"{function.file}:{line or '?'}"

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
            return f"task {task} ({self.task_table.name[task - 1]})"
        return self.strings[kind] if kind >= 0 else "yield"

    def await_at(self, row: int) -> Await:
        """One row of ``awaits``, all that is known of it."""
        from .views import await_at

        return await_at(self, row)

    def resource(self, row: int, made: bool = True, of: int = 1) -> str | None:
        """A row of ``resources`` as "Lock 3 (made at app.py:12)", or without where it was made; None for -1.

        ``of``: it stands for so many that are alike ("Lock ×7 …").
        """
        if row < 0:
            return None
        kind, _, part = self.resources.kind[row].partition(" ")
        which = str(self.resources.number[row]) if of == 1 else f"×{of}"
        name = " ".join(filter(None, (kind.rpartition(".")[2], which, part)))
        place = self.place(int(self.resources.location[row])) if made else None
        return f"{name} (made at {place})" if place else name

    @cached_property
    def scopes(self) -> tuple[tuple[Scope, ...], t.Small]:
        """The cancel scopes and timeouts that ended awaits, those alike once; and by await a row of these, -1."""
        from .cuts import scopes

        return scopes(self)

    def segments(self, call: int) -> t.Ints:
        """The uninterrupted runs of a call, shape (n, 2): start and end in ns, in order."""
        from .views import segments

        return segments(self, call)

    def details(self, event: int) -> str:
        """What ``events[].details`` says of an event: ``name=…, parent=…, location=…``."""
        return self.describe(int(self.events.kind[event]), int(self.events.task[event]), int(self.events.row[event]))

    @cached_property
    def describe(self) -> Callable[[int, int, int], str]:
        """(kind, task, row) of an event -> its details; what exports call for each of a million events."""
        from .details import describer

        return describer(self)

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
    ) -> "Trace":
        """Only this part of the trace (``filters.py`` says what the words mean); this one stays as it is.

        ``pid``, ``since_ms`` and ``until_ms`` need the recording: it is read again.  UserError: it is gone, there is no
        such process, or no such state.
        """
        lists = {"task": task, "state": state, "include": include, "exclude": exclude}
        words = {key: (value,) if isinstance(value, str) else tuple(value) for key, value in lists.items()}
        times = {"min_duration_ms": min_duration_ms, "since_ms": since_ms, "until_ms": until_ms}
        pids = (pid,) if isinstance(pid, int) else tuple(pid)
        return self.narrowed(Filter.model_validate({**words, **times, "pid": pids}))

    def narrowed(self, wanted: Filter) -> "Trace":
        """As ``filter``, which see."""
        from .reading import narrow

        return narrow(self, wanted)

    @cached_property
    def survey(self) -> "Survey":
        """What all checks find, and which of them failed."""
        from ..checks import survey

        return survey(self)

    # --- the way out -------------------------------------------------------------------------------------------------

    def export(self, format: str, path: str | PathLike[str], **options: Any) -> None:
        """Write one format to a file, replaced only when complete.  UserError: no such format, can't be written."""
        from ..reports import export

        export(self, format, path, **options)

    def to_bytes(self, format: str, **options: Any) -> bytes:
        """One format as bytes; text is UTF-8.  UserError: no such format, or it is several files."""
        from ..reports import single

        return b"".join(single(format).write(self, **options))

    def export_all(self, folder: str | PathLike[str], formats: Iterable[str] | None = None) -> list[Path]:
        """Write all formats, or these, into a folder, as ``async-inspect report`` does; the files.

        UserError: as in ``export``; a ``reports.IncompleteError`` where only some could be written: its ``files``.
        """
        from ..reports import write

        return write(self, folder, formats)
