"""The columns of a Trace: small frozen dataclasses of numpy arrays, one row a thing.

Knows: the shape and the unit of every column.  Knows nothing of recordings (``model/building/builder.py``) or of
what follows from them (``trace.py``).

Each column says by its type what it means (``meanings.py``).  Rows are in the order in which the things began, unless
a table says otherwise; where a trace is of several processes, those of the first come first, then those of the second.
Threads are numbered over all of them.
"""

from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .meanings import Bound, Moment, Number, Row, Subject, Value

type Ints = npt.NDArray[np.int64]
type Small = npt.NDArray[np.int32]
type Bytes = npt.NDArray[np.uint8]
type Bools = npt.NDArray[np.bool_]

type Count = Annotated[Ints, Value()]
type Ns = Annotated[Ints, Value("ns")]  # a length of time
type Time = Annotated[Ints, Moment()]  # nanoseconds since the recording began
type Begin = Annotated[Ints, Moment("begin")]
type End = Annotated[Ints, Moment("end")]  # always a time; of what had not ended, the recording's end
type At = Annotated[Ints, Moment("at")]
type Due = Annotated[Ints, Moment(within=False)]  # may be after all that was recorded; -1: none
type TaskId = Annotated[Small, Row("task_table", first=1)]  # 1, 2, 3 …; 0: none, or not known
type OfTask = Annotated[Small, Row("task_table", first=1, owner="needed")]  # whose row it is
type OfTaskIfAny = Annotated[Small, Row("task_table", first=1, owner="perhaps")]  # 0: nobody's
type FunctionRow = Annotated[Small, Row("functions")]  # as all rows: -1: none, or not known
type StringRow = Annotated[Small, Row("strings")]
type ProcessRow = Annotated[Small, Row("processes")]
type LocationRow = Annotated[Small, Row("locations")]
type NodeRow = Annotated[Small, Row("nodes")]
type ChainRow = Annotated[Small, Row("chains")]
type SiteRow = Annotated[Small, Row("sites")]
type CallRow = Annotated[Small, Row("calls")]
type ResourceRow = Annotated[Small, Row("resources")]
type Thread = Annotated[Small, Number("thread", first=0)]
type CoroNumber = Annotated[Ints, Number("coroutine")]  # the recording's id

# What ``Events.kind`` numbers. The names are those of the exports.
TASK_SPAWNED: Final = 0
POLL_STARTED: Final = 1
POLL_ENDED: Final = 2
AWAIT_STARTED: Final = 3
AWAIT_ENDED: Final = 4
TASK_COMPLETED: Final = 5
TASK_FAILED: Final = 6
TASK_CANCELLED: Final = 7
STATE_CHANGED: Final = 8
INSPECTION_POINT: Final = 9
EVENT_KINDS: Final = (
    "TaskSpawned", "PollStarted", "PollEnded", "AwaitStarted", "AwaitEnded",
    "TaskCompleted", "TaskFailed", "TaskCancelled", "StateChanged", "InspectionPoint",
)  # fmt: skip

# Of each kind of event, the table of which ``Events.row`` is a row.
SUBJECTS: Final = (
    "task_table", "polls", "polls", "awaits", "awaits",
    "task_table", "task_table", "task_table", "task_table", "points",
)  # fmt: skip

# What ``Tasks.state`` numbers. The names are those of data.json and the CSVs.
PENDING: Final = 0
RUNNING: Final = 1
BLOCKED: Final = 2
COMPLETED: Final = 3
FAILED: Final = 4
CANCELLED: Final = 5
UNKNOWN: Final = 6  # the recording hit its bound before the end was seen
STATES: Final = ("Pending", "Running", "Blocked", "Completed", "Failed", "Cancelled", "Unknown")
SHOWN_STATES: Final = ("Pending", "Running", "Waiting", "Completed", "Failed", "Cancelled", "Unknown")  # to people

# What ``Calls.outcome`` numbers.
OPEN: Final = 0  # had not ended when the recording did
RETURNED: Final = 1
RAISED: Final = 2
VANISHED: Final = 3  # ended unseen, at some time before ``end_ns``
OUTCOMES: Final = ("open", "returned", "raised", "vanished")

# What ``Awaits.woken_by`` numbers. "itself": it only yielded, and was among what runs next at once.
BY_TASK: Final = 1
BY_TIMER: Final = 2
BY_IO: Final = 3
BY_THREAD: Final = 4
BY_SIGNAL: Final = 5
BY_ITSELF: Final = 6
WAKERS: Final = ("", "task", "timer", "I/O", "thread", "signal", "itself")

# What ``RuntimeWarnings.kind`` numbers.
NEVER_AWAITED: Final = 0
NEVER_RETRIEVED: Final = 1
DESTROYED: Final = 2
RUNTIME_WARNINGS: Final = ("never awaited", "never retrieved", "destroyed while pending")


class Function(NamedTuple):
    """A function that ran as a coroutine, an async generator, or stood in the stack of a spawn."""

    name: str  # qualified name
    file: str  # as exports print it: relative to cwd, site-packages/…, <stdlib>/…
    line: int  # its first line
    user: bool  # the program's own: outside the standard library and site-packages
    awaits: tuple[int, ...] | None = None  # the lines on which it awaits; None: not known


@dataclass(frozen=True, slots=True)
class Table:
    """A table's length is that of its columns."""

    # How several processes' rows are one table, where they don't just follow one another:
    key: ClassVar[tuple[str, ...]] = ()  # of rows that are alike in these, the other columns are added up
    by_time: ClassVar[str] = ""  # all are in order of this

    def __len__(self) -> int:
        columns: Any = getattr(self, fields(self)[0].name)
        return len(columns)


@dataclass(frozen=True, slots=True)
class Locations(Table):
    """Lines of code, each once; the order says nothing."""

    function: FunctionRow
    line: Annotated[Small, Value()]  # 0: not known


@dataclass(frozen=True, slots=True)
class Nodes(Table):
    """The await tree's shape: a node is (the awaiter's node, function).  Parents come before children."""

    parent: NodeRow
    function: FunctionRow  # -1: the bucket for all that came after the cap


@dataclass(frozen=True, slots=True)
class Chains(Table):
    """Frames as linked rows: those from an await point down to the leaf, or those of a stack in which something was
    done.  A chain is its outermost frame's row.  Where no frame of an await is the program's own, and so its leaf is
    its await point, its chain has all frames from the root."""

    inner: Annotated[Small, Row("")]  # chain: the next frame inward
    location: LocationRow


@dataclass(frozen=True, slots=True)
class Tasks(Table):
    """Row i is task i + 1, in order of creation."""

    coro: CoroNumber  # of the root coroutine
    process: ProcessRow
    name: list[str]
    function: FunctionRow  # the root coroutine's
    driven: Bools  # by hand: no runtime's Task owns it
    state: Bytes  # STATES
    created_ns: Begin
    end_ns: End
    ended: Bools  # it was seen to end (a closed task never ends, though its coroutine does)
    closed: Bools  # its coroutine was closed from outside, or vanished
    before: Bools  # older than the recording
    delay_ns: Ns  # from its creation to its first poll (never polled: to its end), all of it ready; -1: not known
    created_seen: Bools  # False: created_ns is the first step's
    polls: Count
    run_ns: Ns  # sum of polls
    self_ns: Ns  # of run_ns, what its own frames ran: without roots nested in its polls
    parent: TaskId
    location: LocationRow  # where it was spawned: the innermost frame of the user's
    error: dict[int, str]  # by row, of the failed: "ValueError: message"
    inexact: Bools  # it breaks a rule of what must hold (``invariants.py``): its figures are not exact
    tags: dict[int, tuple[str, ...]]  # by row, of those that have any: "request_id=42", in the order they were seen
    inherited: dict[int, frozenset[str]]  # by row, those of its tags that the task was made with, and did not set


@dataclass(frozen=True, slots=True)
class Polls(Table):
    """Uninterrupted runs of tasks, ordered by (task, start).  Those of a nested root lie inside another task's."""

    task: OfTask
    start_ns: Begin
    end_ns: End
    ended: Bools  # False: it ran when the recording ended
    thread: Thread


@dataclass(frozen=True, slots=True)
class Awaits(Table):
    """Suspensions of tasks, ordered by (task, start)."""

    task: OfTask
    start_ns: Begin
    end_ns: End
    ended: Bools  # False: it waited when the recording ended, or when its coroutine was closed without a step
    node: NodeRow  # of the await point
    location: LocationRow  # the await point
    leaf_node: NodeRow
    leaf_location: LocationRow
    chain: ChainRow  # from the await point down to the leaf; from the root where no frame is the program's own
    stack: ChainRow  # chain: from the root down to the leaf
    awaited: StringRow  # the type of what was awaited; -1: a bare yield, or a task
    awaited_task: TaskId
    resource: ResourceRow  # the lock, queue … that it waited for; -1: none, or not known
    due_ns: Due  # when the timer that it waited for was due; -1: it waited for none, or not known
    woken_by: Bytes  # WAKERS
    waker: TaskId  # that woke it
    scope: StringRow  # the type of the cancel scope or timeout that ended it; -1: none, or not known
    scope_location: LocationRow  # and where that was made: the innermost frame of the user's
    ready_ns: Ns  # how long at least it could have run and did not, at its end; -1: not known
    ready_most_ns: Ns  # and how long at most, the same where that is exact; -1: nothing is known but its whole wait


@dataclass(frozen=True, slots=True)
class Edges(Table):
    """Who began when to wait for whom, directly or by way of something that gathers tasks; ordered by (task, since)."""

    task: OfTask
    awaited: OfTask
    since_ns: Time  # a task group's: when the task was made in it


@dataclass(frozen=True, slots=True)
class Resources(Table):
    """What tasks wait for or hold, ordered by number."""

    number: Annotated[Ints, Number("resource")]  # the recording's id
    process: ProcessRow
    kind: list[str]  # its type; of a part of another, "asyncio.locks.Lock of a Condition"
    location: LocationRow  # where it was made: the innermost frame of the user's


@dataclass(frozen=True, slots=True)
class Holds(Table):
    """Who held which resource, and when; in the order of taking."""

    task: OfTaskIfAny
    resource: ResourceRow
    start_ns: Begin
    end_ns: End
    ended: Bools  # it was given back
    location: LocationRow  # where it was taken
    given_by: TaskId  # that gave it back, mostly the same; 0: plain code, not known, or not given back


@dataclass(frozen=True, slots=True)
class Selects(Table):
    """When loops asked their selectors, ordered by (thread, start)."""

    thread: Thread
    start_ns: Begin
    end_ns: End
    idle: Bools  # the loop had nothing else to do


@dataclass(frozen=True, slots=True)
class Stacks(Table):
    """What the watchdog saw of polls that lasted too long."""

    task: OfTask
    ts_ns: At
    thread: Thread
    site: SiteRow  # the stack's outermost frame; -1: it could not look


@dataclass(frozen=True, slots=True)
class Callouts(Table):
    """What coroutines called, and when."""

    task: OfTask
    ts_ns: At
    thread: Thread
    name: StringRow
    location: LocationRow


@dataclass(frozen=True, slots=True)
class RuntimeWarnings(Table):
    """Errors of which the runtime only warns: never awaited, never retrieved, destroyed while pending."""

    kind: Bytes  # RUNTIME_WARNINGS
    ts_ns: At
    process: ProcessRow
    task: OfTaskIfAny  # that failed, that was destroyed; NEVER_AWAITED: that ran when it was dropped
    function: FunctionRow  # NEVER_AWAITED: of which function
    location: LocationRow  # NEVER_AWAITED: where it was dropped
    error: StringRow  # NEVER_RETRIEVED: the exception's type


@dataclass(frozen=True, slots=True)
class Calls(Table):
    """Calls of coroutines and lives of async generators."""

    coro: CoroNumber
    function: FunctionRow
    node: NodeRow  # at its first entry
    task: TaskId  # at its first entry
    awaiter: CallRow  # at its first entry; -1: a root
    start_ns: Begin
    end_ns: End
    outcome: Bytes  # OUTCOMES
    error: StringRow  # the exception's type; -1: none
    segments: Count  # how many times it ran uninterrupted
    run_ns: Ns  # the sum of these; what it awaits runs inside


@dataclass(frozen=True, slots=True)
class Entries(Table):
    """From each entry of a call to the next exit: one a coroutine call, one an item for async generators."""

    call: CallRow
    task: OfTask
    node: NodeRow
    first_poll: Annotated[Ints, Bound("polls", last=False)]  # of those in which it ran
    last_poll: Annotated[Ints, Bound("polls", last=True)]
    start_ns: Begin
    end_ns: End


@dataclass(frozen=True, slots=True)
class NodeSums(Table):
    """What ran and waited at each node, by task; ordered by (task, node)."""

    key = ("task", "node")

    task: OfTask
    node: NodeRow
    calls: Count
    segments: Count
    self_ns: Ns
    wait_ns: Ns  # of suspensions whose leaf was here


@dataclass(frozen=True, slots=True)
class LineSums(Table):
    """Suspensions by task, node and the await line at which that node's frame stood; each counts at every frame of
    its chain, so a node's rows add up to its inclusive wait.  Ordered by (task, node, location)."""

    key = ("task", "node", "location")

    task: OfTask
    node: NodeRow
    location: LocationRow
    count: Count
    wait_ns: Ns


@dataclass(frozen=True, slots=True)
class Points(Table):
    """Inspection points."""

    task: OfTaskIfAny
    process: ProcessRow
    ts_ns: At
    label: list[str]
    message: list[str]


@dataclass(frozen=True, slots=True)
class Events(Table):
    """What exports call events; row i is the event with id i, in order of time, whichever process.

    ``row`` is the subject's row: of Tasks (TaskSpawned, TaskCompleted …, StateChanged), Polls, Awaits or Points.
    """

    by_time = "ts_ns"

    kind: Bytes  # EVENT_KINDS
    task: TaskId
    ts_ns: Time
    row: Annotated[Ints, Subject("kind", SUBJECTS)]


@dataclass(frozen=True, kw_only=True)
class Tables:
    """All tables of a trace, by the names that everything has for them."""

    locations: Locations
    nodes: Nodes
    chains: Chains
    task_table: Tasks
    polls: Polls
    awaits: Awaits
    calls: Calls
    entries: Entries
    node_sums: NodeSums
    line_sums: LineSums
    points: Points
    edges: Edges
    resources: Resources
    holds: Holds
    selects: Selects
    sites: Chains
    stacks: Stacks
    callouts: Callouts
    runtime_warnings: RuntimeWarnings
    events: Events

    @property
    def tables(self) -> dict[str, Table]:
        """Them all."""
        return {field.name: getattr(self, field.name) for field in fields(Tables)}
