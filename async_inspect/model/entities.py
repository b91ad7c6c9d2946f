"""Single objects for users of the library: tasks, awaits, trees, with validation.

Knows nothing of columns (``tables.py``) or of how they are built.  Times are ``int`` nanoseconds since the recording
began, in names that end in ``_ns``.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ..recording.ending import BROKEN_OFF, WHOLE, Ending
from ..recording.header import Detail
from . import tables as t
from .filters import Filter

type StateName = Literal["Pending", "Running", "Blocked", "Completed", "Failed", "Cancelled", "Unknown"]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)  # built when first used: a run needs few

    @classmethod
    def of(cls, exact: bool, /, **figures: object) -> Self:
        """An instance; without validation where the trace isn't exact."""
        if exact:
            try:
                return cls.model_validate(figures)
            except ValidationError:  # a rule that nobody looked at: a mark, and no end of all reports
                figures["exact"] = False
        return cls.model_construct(**figures)  # type: ignore[arg-type]


class Process(Frozen):
    """A process, as its recording has it.  One that execs another program is two, with one pid."""

    pid: int
    ppid: int | None  # None: the recording doesn't say
    path: str  # the recording's file
    argv: tuple[str, ...]
    executable: str
    python: str
    core: str
    detail: Detail  # "awaits": only roots were heard, so not how their polls divide over coroutines, nor calls
    start_ns: int  # when its recording began
    end_ns: int  # up to when it is known: to its end, or else to its last record. For all sums its tasks end then
    ended_ns: int | None  # when the process ended, though not all up to there is known; None: nobody saw it
    ending: Ending
    end_seen: bool  # False: it runs still, or went without a word
    finished: bool  # it is over; False: nobody knows
    records: int
    lost: int  # what was due and not written; where it broke off at least, for then nothing more was heard
    missing: int  # slots that its file had and has no more, or of which a part is missing; at least
    damaged: int  # slots that could not be as they were, and fields of its header: no figure of it is exact then
    callbacks: int
    cost_ns: int | None
    thread: int  # from this number on the columns' threads are its own

    @property
    def whole(self) -> bool:
        """Whether all up to its end is known.  Else what went on at ``end_ns`` lasted at least until then."""
        return self.ending in WHOLE

    @property
    def broken_off(self) -> bool:
        """Whether records are missing, so that what came later is not known."""
        return self.ending in BROKEN_OFF

    @property
    def command(self) -> str:
        """What people call it: its command without the folder of its Python."""
        first, *rest = self.argv or (self.executable or "async-inspect",)
        return " ".join([PurePath(first).name, *rest])


class LeftOut(Frozen):
    """A process of the run that is not in the trace."""

    pid: int
    path: str  # its recording
    records: int
    why: str


class Metadata(Frozen):
    """Where a trace comes from, and how good it is.  Of several processes it is all of them together; what they don't
    have in common is what the first says."""

    path: str  # the recording's file; of several processes the folder
    pid: int  # the first process's
    clock_ns: int  # CLOCK_MONOTONIC at 0, when the first recording began
    started_unix_ns: int  # Unix time then
    duration_ns: int  # from then to the (last) recording's end, as far as that is known
    ending: Ending  # why it is known no further; of several processes that of which least is known
    finished: bool  # the end was seen; False: it runs still, or was killed and nobody looked
    records: int  # events in the recording (not definitions)
    lost: int  # what was due and not written; at least, where a process's recording broke off
    missing: int  # slots that files had and have no more, or of which a part is missing; at least
    damaged: int  # slots that could not be as they were, and fields of headers: no figure is exact then
    callbacks: int  # how often the tracer was called
    cost_ns: int | None  # the tracer's own measured cost, projected from the timed callbacks; None: unknown
    core: str  # "c", "python" or "" where the recording doesn't say; "c, python" if they differ
    python: str  # version of the program's Python; "3.12.1, 3.13.0" if they differ
    executable: str
    argv: tuple[str, ...]
    cwd: str  # to which files are shown relative
    detail: str  # "calls" or "awaits" as of its processes; "calls, awaits" if they differ
    sources: tuple[str, ...]  # what was seen beside coroutines: wakes, resources …
    slow_poll_ns: int  # a poll of that length is called blocking
    extra: Mapping[str, tuple[str, ...]]  # all of the recording's metadata, as it stands there
    filters: tuple[Filter, ...] = ()  # what was asked for, one after the other; none: the trace is whole

    @property
    def filter(self) -> str:
        """How it is filtered, as options of the command line; "" if it isn't."""
        return " ".join(map(str, self.filters))


class Violation(Frozen):
    """A rule of what must hold of every trace (``invariants.py``) that this one breaks: figures are not exact."""

    rule: str
    rows: int  # how many break it
    example: str  # the first: "task 3 (worker)"


class Frame(NamedTuple):
    """A frame of a suspended chain."""

    function: t.Function
    line: int  # 0: not known


class WakeCount(Frozen):
    """How often a task was woken by one waker."""

    woken_by: str  # tables.WAKERS
    waker: int | None  # the task that woke it
    count: int


class Hold(Frozen):
    """That a task holds something at the end of the recording."""

    resource: str  # "Lock 3 (made at app.py:12)"
    since_ns: int
    place: str | None  # "file:line" where it was taken


class Scope(NamedTuple):
    """Cancel scopes of one type that were made at one place."""

    name: str  # "Timeout (made at app.py:12)"
    made_at: str | None  # "file:line"


class Await(Frozen):
    """One suspension of a task."""

    task: int
    start_ns: int
    end_ns: int
    ended: bool  # False: it waited when the recording ended, or when its coroutine was closed without a step
    await_point: str | None  # "file:line"
    reason: str | None  # why: "timer", "lock" … (reasons.py); None where that isn't known
    resource: str | None  # which: "Lock 3 (made at app.py:12)"
    awaiting: str  # a type's name, or "task 7 (name)"
    due_ns: int | None  # when the timer that it waited for was due
    woken_by: str | None  # tables.WAKERS; None: not known, or not woken
    waker: int | None  # the task that woke it
    cancelled_by: str | None  # a cancel scope or timeout that ended it: "CancelScope (made at app.py:12)"
    ready_ns: int | None  # how long it could have run and did not; None: not known exactly
    ready_least_ns: int
    ready_most_ns: int

    @model_validator(mode="after")
    def adds_up(self) -> Self:
        check_ready(f"an await of task {self.task}", self.end_ns - self.start_ns, self)
        return self


class Task(Frozen):
    """A root coroutine: what the runtime calls a task, or one driven by hand."""

    id: int
    pid: int
    name: str
    kind: Literal["task", "driven"]
    kind_name: str  # the root coroutine's qualified name; "" where it never started and so was never seen
    state: StateName
    await_point: str | None  # "file:line" where a Blocked task stands
    awaiting: str | None  # what it waits for there: a type's name, or "task 7 (name)"
    reason: str | None  # why: "timer", "lock" … (reasons.py); None where that isn't known
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
    ready_ns: int | None  # the part of wait in which it could have run; None: not known exactly
    ready_least_ns: int  # it is no less than that
    ready_most_ns: int  # and no more
    parent: int | None  # the task that spawned it
    awaiters: tuple[int, ...]  # the tasks that awaited it, directly or by what gathers tasks
    wakes: tuple[WakeCount, ...]  # who woke it how often, as far as that is known, most often first
    holds: tuple[Hold, ...]  # what it holds at the end of the recording
    location: str | None  # "file:line" of its spawning
    error: str | None  # of a Failed task: "ValueError: message"
    tags: tuple[str, ...]  # of context variables that were asked for, in the order they were seen: "request_id=42"
    exact: bool = True  # False: what was recorded of it contradicts itself, and so its figures may be wrong

    @property
    def lifetime_ns(self) -> int:
        return self.end_ns - self.created_ns

    @model_validator(mode="after")
    def adds_up(self) -> Self:
        if not self.exact:
            return self
        if self.run_ns + self.wait_ns != self.lifetime_ns:
            raise ValueError(f"task {self.id}: run + wait = {self.run_ns + self.wait_ns} ≠ lifetime {self.lifetime_ns}")
        if min(self.run_ns, self.wait_ns, self.self_ns, self.polls) < 0 or self.self_ns > self.run_ns:
            raise ValueError(f"task {self.id}: {self.run_ns=} {self.self_ns=} {self.wait_ns=} {self.polls=}")
        check_ready(f"task {self.id}", self.wait_ns, self)
        return self


def check_ready(who: str, wait_ns: int, thing: Task | Await) -> None:
    """Ready is a part of wait, and exact where its bounds are one."""
    least, most, exact = thing.ready_least_ns, thing.ready_most_ns, thing.ready_ns
    if not 0 <= least <= most <= wait_ns:
        raise ValueError(f"{who}: ready {least} to {most} is no part of wait {wait_ns}")
    if exact != (least if least == most else None):
        raise ValueError(f"{who}: ready is {exact}, but between {least} and {most}")


class AwaitLine(Frozen):
    """Suspensions during which a node's frame stood at one of its ``await`` lines."""

    file: str
    line: int  # 0: not known
    count: int
    wait_ns: int


class TreeNode(Frozen):
    """A function as awaited along one path from a root: (the awaiter's node, function).

    At the detail "awaits" what ran stands in a node "not divided" below the root's; what is not known is None."""

    function: str
    file: str
    line: int
    user: bool
    calls: int | None
    segments: int | None  # how many times its frames ran uninterrupted
    run_ns: int | None  # with all below it
    run_self_ns: int | None
    wait_ns: int  # of all suspensions while it was in the chain
    wait_self_ns: int  # of those of which it was the leaf
    awaits: tuple[AwaitLine, ...]  # by wait, longest first
    await_lines: tuple[int, ...] | None  # on which the function awaits, whether it waited there or not; None: not known
    children: tuple["TreeNode", ...]  # by run + wait, as far as that is known, longest first
    exact: bool = True  # False: its await lines don't add up

    @model_validator(mode="after")
    def adds_up(self) -> Self:
        if not self.exact:
            return self
        runs = (self.run_self_ns, *(child.run_ns for child in self.children))
        run = sum(ns for ns in runs if ns is not None) if None not in runs else self.run_ns
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
