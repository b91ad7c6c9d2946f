"""The columns of a Trace: frozen dataclasses of numpy arrays, one row per object.

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

from . import meanings as m

type Ints = npt.NDArray[np.int64]
type Small = npt.NDArray[np.int32]
type Bytes = npt.NDArray[np.uint8]
type Bools = npt.NDArray[np.bool_]

# What ``Events.kind`` numbers. The names are those of the exports.
TASK_SPAWNED, POLL_STARTED, POLL_ENDED, AWAIT_STARTED, AWAIT_ENDED = range(5)
TASK_COMPLETED, TASK_FAILED, TASK_CANCELLED, STATE_CHANGED, INSPECTION_POINT = range(5, 10)
EVENT_KINDS: Final = (
    "TaskSpawned", "PollStarted", "PollEnded", "AwaitStarted", "AwaitEnded",
    "TaskCompleted", "TaskFailed", "TaskCancelled", "StateChanged", "InspectionPoint",
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


# At a recording's detail "awaits" it is not known how a poll's time divides over the coroutines that ran in it. So it
# stands below the root's node, at a node of this function, which the model makes.
NOT_DIVIDED: Final = Function("not divided", "", 0, user=False)


@dataclass(frozen=True, slots=True)
class Table:
    """A table's length is that of its columns."""

    of_calls: ClassVar[bool] = False  # at the detail "awaits" only the rows of roots are there

    # How several processes' rows are one table, where they don't just follow one another:
    key: ClassVar[tuple[str, ...]] = ()  # of rows that are alike in these, the other columns are added up

    def __len__(self) -> int:
        columns: Any = getattr(self, fields(self)[0].name)
        return len(columns)


@dataclass(frozen=True, slots=True)
class Locations(Table):
    """Lines of code, each once; the order says nothing."""

    function: m.FunctionRow
    line: m.Line  # 0: not known


@dataclass(frozen=True, slots=True)
class Nodes(Table):
    """The await tree's shape: a node is (the awaiter's node, function).  Parents come before children."""

    parent: m.NodeRow
    function: m.FunctionRow  # -1: the bucket for all that came after the cap


@dataclass(frozen=True, slots=True)
class Chains(Table):
    """Frames as linked rows: those from an await point down to the leaf, or those of a stack in which something was
    done.  A chain is its outermost frame's row.  Where no frame of an await is the program's own, and so its leaf is
    its await point, its chain has all frames from the root."""

    inner: m.OwnRow  # chain: the next frame inward
    location: m.LocationRow


@dataclass(frozen=True, slots=True)
class Tasks(Table):
    """Row i is task i + 1, in order of creation."""

    coro: m.CoroNumber  # of the root coroutine
    process: m.ProcessRow
    name: list[str]
    function: m.FunctionRow  # the root coroutine's
    driven: Bools  # by hand: no runtime's Task owns it
    state: Bytes  # STATES
    created_ns: m.Begin
    end_ns: m.End
    ended: Bools  # it was seen to end (a closed task never ends, though its coroutine does)
    closed: Bools  # its coroutine was closed from outside, or vanished
    before: Bools  # older than the recording
    delay_ns: m.Ns  # from its creation to its first poll (never polled: to its end), all of it ready; -1: not known
    created_seen: Bools  # False: created_ns is the first step's
    polls: m.Count
    run_ns: m.Ns  # sum of polls
    self_ns: m.Ns  # of run_ns, what its own frames ran: without roots nested in its polls
    parent: m.TaskId
    location: m.LocationRow  # where it was spawned: the innermost frame of the user's
    error: dict[int, str]  # by row, of the failed: "ValueError: message"
    inexact: Bools  # it breaks a rule of what must hold (``invariants.py``): its figures are not exact
    tags: dict[int, tuple[str, ...]]  # by row, of those that have any: "request_id=42", in the order they were seen
    inherited: dict[int, frozenset[str]]  # by row, those of its tags that the task was made with, and did not set
    slot: m.Slot  # where it was created; -1: before the recording
    end_slot: m.Slot


@dataclass(frozen=True, slots=True)
class Polls(Table):
    """Uninterrupted runs of tasks, ordered by (task, start).  Those of a nested root lie inside another task's."""

    task: m.OfTask
    start_ns: m.Begin
    end_ns: m.End
    ended: Bools  # False: it ran when the recording ended
    thread: m.Thread
    slot: m.Slot
    end_slot: m.Slot


@dataclass(frozen=True, slots=True)
class Awaits(Table):
    """Suspensions of tasks, ordered by (task, start)."""

    task: m.OfTask
    start_ns: m.Begin
    end_ns: m.End
    ended: Bools  # False: it waited when the recording ended, or when its coroutine was closed without a step
    node: m.NodeRow  # of the await point
    location: m.LocationRow  # the await point
    leaf_node: m.NodeRow
    leaf_location: m.LocationRow
    chain: m.ChainRow  # from the await point down to the leaf; from the root where no frame is the program's own
    stack: m.ChainRow  # chain: from the root down to the leaf
    awaited: m.StringRow  # the type of what was awaited; -1: a bare yield, or a task
    awaited_task: m.TaskId
    resource: m.ResourceRow  # the lock, queue … that it waited for; -1: none, or not known
    due_ns: m.Due  # when the timer that it waited for was due; -1: it waited for none, or not known
    woken_by: Bytes  # WAKERS
    waker: m.TaskId  # that woke it
    scope: m.StringRow  # the type of the cancel scope or timeout that ended it; -1: none, or not known
    scope_location: m.LocationRow  # and where that was made: the innermost frame of the user's
    ready_ns: m.Ns  # how long at least it could have run and did not, at its end; -1: not known
    ready_most_ns: m.Ns  # and how long at most, the same where that is exact; -1: nothing is known but its whole wait
    slot: m.Slot


@dataclass(frozen=True, slots=True)
class Edges(Table):
    """Who began when to wait for whom, directly or by way of something that gathers tasks; ordered by (task, since)."""

    task: m.OfTask
    awaited: m.OfTask
    since_ns: m.Time  # a task group's: when the task was made in it


@dataclass(frozen=True, slots=True)
class Resources(Table):
    """What tasks wait for or hold, ordered by number."""

    number: m.ResourceNumber
    process: m.ProcessRow
    kind: list[str]  # its type; of a part of another, "asyncio.locks.Lock of a Condition"
    location: m.LocationRow  # where it was made: the innermost frame of the user's


@dataclass(frozen=True, slots=True)
class Holds(Table):
    """Who held which resource, and when; in the order of taking."""

    task: m.OfTaskIfAny
    resource: m.ResourceRow
    start_ns: m.Begin
    end_ns: m.End
    ended: Bools  # it was given back
    location: m.LocationRow  # where it was taken
    given_by: m.TaskId  # that gave it back, mostly the same; 0: plain code, not known, or not given back


@dataclass(frozen=True, slots=True)
class Selects(Table):
    """When loops asked their selectors, ordered by (thread, start)."""

    thread: m.Thread
    start_ns: m.Begin
    end_ns: m.End
    idle: Bools  # the loop had nothing else to do


@dataclass(frozen=True, slots=True)
class Stacks(Table):
    """What the watchdog saw of polls that lasted too long."""

    task: m.OfTask
    ts_ns: m.At
    thread: m.Thread
    site: m.SiteRow  # the stack's outermost frame; -1: it could not look


@dataclass(frozen=True, slots=True)
class Processor(Table):
    """What threads did in polls that lasted, from when the watchdog first saw one to its end."""

    task: m.OfTask
    ts_ns: m.At  # the end
    thread: m.Thread
    lasted_ns: m.Ns
    on_cpu_ns: m.Ns
    no_cpu_ns: m.Ns  # it waited for a processor; -1: not known


@dataclass(frozen=True, slots=True)
class Callouts(Table):
    """What coroutines called, and when."""

    of_calls = True

    task: m.OfTask
    ts_ns: m.At
    thread: m.Thread
    name: m.StringRow
    location: m.LocationRow


@dataclass(frozen=True, slots=True)
class RuntimeWarnings(Table):
    """Errors of which the runtime only warns: never awaited, never retrieved, destroyed while pending."""

    kind: Bytes  # RUNTIME_WARNINGS
    ts_ns: m.At
    process: m.ProcessRow
    task: m.OfTaskIfAny  # that failed, that was destroyed; NEVER_AWAITED: that ran when it was dropped
    function: m.FunctionRow  # NEVER_AWAITED: of which function
    location: m.LocationRow  # NEVER_AWAITED: where it was dropped
    error: m.StringRow  # NEVER_RETRIEVED: the exception's type


@dataclass(frozen=True, slots=True)
class Calls(Table):
    """Calls of coroutines and lives of async generators."""

    of_calls = True

    coro: m.CoroNumber
    function: m.FunctionRow
    node: m.NodeRow  # at its first entry
    task: m.TaskId  # at its first entry
    awaiter: m.CallRow  # at its first entry; -1: a root
    start_ns: m.Begin
    end_ns: m.End
    outcome: Bytes  # OUTCOMES
    error: m.StringRow  # the exception's type; -1: none
    segments: m.SmallCount  # how many times it ran uninterrupted
    run_ns: m.Ns  # the sum of these; what it awaits runs inside


@dataclass(frozen=True, slots=True)
class Entries(Table):
    """From each entry of a call to the next exit: one a coroutine call, one an item for async generators."""

    of_calls = True

    call: m.CallRow
    task: m.OfTask
    node: m.NodeRow
    first_poll: m.FirstPoll  # of those in which it ran
    last_poll: m.LastPoll
    start_ns: m.Begin
    end_ns: m.End


@dataclass(frozen=True, slots=True)
class NodeSums(Table):
    """What ran and waited at each node, by task; ordered by (task, node).

    At the detail "awaits" calls and segments are known of roots, and what ran itself only at nodes of NOT_DIVIDED."""

    key = ("task", "node")

    task: m.OfTask
    node: m.NodeRow
    calls: m.CountOfCalls
    segments: m.CountOfCalls
    self_ns: m.NsOfCalls
    wait_ns: m.Ns  # of suspensions whose leaf was here


@dataclass(frozen=True, slots=True)
class LineSums(Table):
    """Suspensions by task, node and the await line at which that node's frame stood; each counts at every frame of
    its chain, so a node's rows add up to its inclusive wait.  Ordered by (task, node, location)."""

    key = ("task", "node", "location")

    task: m.OfTask
    node: m.NodeRow
    location: m.LocationRow
    count: m.Count
    wait_ns: m.Ns


@dataclass(frozen=True, slots=True)
class Points(Table):
    """Inspection points."""

    task: m.OfTaskIfAny
    process: m.ProcessRow
    ts_ns: m.At
    label: list[str]
    message: list[str]
    slot: m.Slot


@dataclass(frozen=True, slots=True)
class Events(Table):
    """What exports call events; row i is the event with id i, in order of time, whichever process.

    All that they say is in other tables, so they are none of ``Tables``: who lists them asks for them
    (``event_log.py``).  ``row`` is the subject's row: of Tasks (TaskSpawned, TaskCompleted …, StateChanged), Polls,
    Awaits or Points.
    """

    kind: Bytes  # EVENT_KINDS
    task: m.TaskId
    ts_ns: m.Time
    row: Annotated[Ints, m.Value()]


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
    processor: Processor
    callouts: Callouts
    runtime_warnings: RuntimeWarnings

    @property
    def tables(self) -> dict[str, Table]:
        """Them all."""
        return {field.name: getattr(self, field.name) for field in fields(Tables)}
