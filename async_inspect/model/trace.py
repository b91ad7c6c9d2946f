"""What a recording means: the Trace, and the types that people read.

Knows: tasks, trees, awaits, and what must hold of them.  Knows nothing of how they are found (``build.py``) or of how
they look on paper (``formats/``).

Bulk is columnar (``tables.py``); pydantic is for what is looked at one by one: ``Task``, ``TreeNode``, ``AwaitLine``.
Times are ``int`` nanoseconds since the recording began, in names that end in ``_ns``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, model_validator

from ..rules import Rule
from . import tables as t
from .filters import Filter

type StateName = Literal["Pending", "Running", "Blocked", "Completed", "Failed", "Cancelled", "Unknown"]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metadata(Frozen):
    """Where a trace comes from, and how good it is."""

    path: str  # the recording's file
    pid: int
    started_unix_ns: int  # Unix time at which the recording began
    duration_ns: int  # from then to the recording's end
    finished: bool  # the end was seen; False: it runs still, or was killed and nobody looked
    records: int  # events in the recording (not definitions)
    lost: int  # what was due and not written
    callbacks: int  # how often the tracer was called
    cost_ns: int | None  # the tracer's own measured cost, projected from the timed callbacks; None: none was timed
    core: str  # "c", "python" or "" where the recording doesn't say
    python: str  # version of the program's Python
    executable: str
    argv: tuple[str, ...]
    cwd: str
    extra: Mapping[str, tuple[str, ...]]  # all of the recording's metadata, as it stands there
    filters: tuple[Filter, ...] = ()  # what was asked for, one after the other; none: the trace is whole

    @property
    def filter(self) -> str:
        """How it is filtered, as options of the command line; "" if it isn't."""
        return " ".join(map(str, self.filters))


class Frame(NamedTuple):
    """A frame of a suspended chain."""

    function: t.Function
    line: int  # 0: not known


class Task(Frozen):
    """A root coroutine: what the runtime calls a task, or one driven by hand."""

    id: int
    name: str
    kind: Literal["task", "driven"]
    kind_name: str  # the root coroutine's qualified name; "" where it never started and so was never seen
    state: StateName
    await_point: str | None  # "file:line" where a Blocked task stands
    awaiting: str | None  # what it waits for there: a type's name, or "task 7 (name)"
    reason: str | None  # why: "timer", "lock" … (reasons/); None where that isn't known
    created_ns: int
    created_before_recording: bool
    created_at_first_step: bool  # its creation was not seen; created_ns is the first step's
    ended_ns: int | None  # None: not seen to end
    end_ns: int  # the end of its lifetime for all sums
    closed: bool  # its coroutine was closed from outside: the task itself never ended
    polls: int
    run_ns: int
    self_ns: int  # of run_ns, without what ran nested in its polls (an eager task's first step, say)
    wait_ns: int
    ready_ns: int | None  # the part of wait in which it could have run; None: not known
    parent: int | None  # the task that spawned it
    awaiters: tuple[int, ...]  # the tasks that awaited it
    location: str | None  # "file:line" of its spawning
    error: str | None  # of a Failed task: "ValueError: message"

    @property
    def lifetime_ns(self) -> int:
        return self.end_ns - self.created_ns

    @model_validator(mode="after")
    def adds_up(self) -> Self:
        if self.run_ns + self.wait_ns != self.lifetime_ns:
            raise ValueError(f"task {self.id}: run + wait = {self.run_ns + self.wait_ns} ≠ lifetime {self.lifetime_ns}")
        if min(self.run_ns, self.wait_ns, self.self_ns, self.polls) < 0 or self.self_ns > self.run_ns:
            raise ValueError(f"task {self.id}: {self.run_ns=} {self.self_ns=} {self.wait_ns=} {self.polls=}")
        if self.ready_ns is not None and not 0 <= self.ready_ns <= self.wait_ns:
            raise ValueError(f"task {self.id}: ready {self.ready_ns} is no part of wait {self.wait_ns}")
        return self


class AwaitLine(Frozen):
    """Suspensions during which a node's frame stood at one of its ``await`` lines."""

    file: str
    line: int  # 0: not known
    count: int
    wait_ns: int


class TreeNode(Frozen):
    """A function as awaited along one path from a root: (the awaiter's node, function)."""

    function: str
    file: str
    line: int
    user: bool
    calls: int
    segments: int  # how many times its frames ran uninterrupted
    run_ns: int  # with all below it
    run_self_ns: int
    wait_ns: int  # of all suspensions while it was in the chain
    wait_self_ns: int  # of those of which it was the leaf
    awaits: tuple[AwaitLine, ...]  # by wait, longest first
    children: tuple["TreeNode", ...]  # by run + wait, longest first

    @model_validator(mode="after")
    def adds_up(self) -> Self:
        run = self.run_self_ns + sum(child.run_ns for child in self.children)
        wait = self.wait_self_ns + sum(child.wait_ns for child in self.children)
        if run != self.run_ns or wait != self.wait_ns:
            raise ValueError(f"{self.function}: {run=} ≠ {self.run_ns} or {wait=} ≠ {self.wait_ns}")
        if sum(row.wait_ns for row in self.awaits) != self.wait_ns:
            raise ValueError(f"{self.function}: the await lines don't add up to {self.wait_ns}")
        return self

    def walk(self) -> Iterator[tuple[int, "TreeNode"]]:
        """(depth, node) of this node and all below it, parents first; as deep as a recursion may have gone."""
        stack = [(0, self)]
        while stack:
            depth, node = stack.pop()
            yield depth, node
            stack += [(depth + 1, child) for child in reversed(node.children)]


@dataclass(frozen=True)
class Trace:
    """One recording, understood.  Immutable; make one with ``async_inspect.load``.

    The columns (``polls``, ``awaits`` …) are described in ``tables.py``.  ``strings`` are the names of types.
    """

    meta: Metadata
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
    events: t.Events
    rules: tuple[Rule, ...] = ()  # of the user's own, for reasons

    # --- tasks -------------------------------------------------------------------------------------------------------

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks; ``tasks[i].id == i + 1``.  (4 µs each: for a million of them use ``task_table``.)"""
        return tuple(self.task(number) for number in range(1, len(self.task_table) + 1))

    def task(self, number: int) -> Task:
        """The task of this id.  KeyError: there is none."""
        from .views import task

        return task(self, number)

    @cached_property
    def awaiters(self) -> dict[int, tuple[int, ...]]:
        """The tasks that awaited a task, by its id (no entry: nobody did)."""
        from .views import awaiters

        return awaiters(self)

    @cached_property
    def reasons(self) -> tuple[tuple[str, ...], t.Small]:
        """Why each await waited: (words, row of words by await); word 0 is "", not known."""
        from .reasons import coded

        return coded(self)

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
        from .views import describer

        return describer(self)

    # --- parts -------------------------------------------------------------------------------------------------------

    def filter(
        self,
        *,
        task: str | Sequence[str] = (),
        state: str | Sequence[str] = (),
        min_duration_ms: float = 0,
        since_ms: float | None = None,
        until_ms: float | None = None,
        include: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
    ) -> "Trace":
        """Only this part of the trace (``filters.py`` says what the words mean); this one stays as it is.

        ``since_ms`` and ``until_ms`` need the recording: it is read again.  UserError: it is gone, or no such state.
        """
        lists = {"task": task, "state": state, "include": include, "exclude": exclude}
        words = {key: (value,) if isinstance(value, str) else tuple(value) for key, value in lists.items()}
        times = {"min_duration_ms": min_duration_ms, "since_ms": since_ms, "until_ms": until_ms}
        return self.narrowed(Filter.model_validate({**words, **times}))

    def narrowed(self, wanted: Filter) -> "Trace":
        """As ``filter``, which see."""
        from .build import narrow

        return narrow(self, wanted)

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
        """Write all formats, or these, into a folder, as ``async-inspect report`` does; the files.  UserError: as in
        ``export``."""
        from ..reports import write

        return write(self, folder, formats)
