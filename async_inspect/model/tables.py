"""The columns of a Trace: small frozen dataclasses of numpy arrays, one row a thing.

Knows: the shape and the unit of every column.  Knows nothing of recordings (``model/building/builder.py``) or of
what follows from them (``trace.py``).

All times are int64 nanoseconds since the recording began.  Task columns hold task ids (1, 2, 3 …; 0: none).  Columns
that end in ``function``, ``location``, ``node``, ``call``, ``chain`` hold row numbers of the table of that name
(-1: none, unknown).  Rows are in the order in which the things began, unless a table says otherwise; where a trace is
of several processes, those of the first come first, then those of the second.  Threads are numbered over all of them.

``model/transform/merge.py`` must know what each column holds: a new one has its line there.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

type Ints = npt.NDArray[np.int64]
type Small = npt.NDArray[np.int32]
type Bytes = npt.NDArray[np.uint8]
type Bools = npt.NDArray[np.bool_]

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

    def __len__(self) -> int:
        columns: Any = getattr(self, fields(self)[0].name)
        return len(columns)


@dataclass(frozen=True, slots=True)
class Locations(Table):
    """Lines of code, each once; the order says nothing."""

    function: Small
    line: Small  # 0: not known


@dataclass(frozen=True, slots=True)
class Nodes(Table):
    """The await tree's shape: a node is (the awaiter's node, function).  Parents come before children."""

    parent: Small  # node
    function: Small  # -1: the bucket for all that came after the cap


@dataclass(frozen=True, slots=True)
class Chains(Table):
    """Frames as linked rows: those from an await point down to the leaf, or those of a stack in which something was
    done.  A chain is its outermost frame's row.  Where no frame of an await is the program's own, and so its leaf is
    its await point, its chain has all frames from the root."""

    inner: Small  # chain: the next frame inward
    location: Small


@dataclass(frozen=True, slots=True)
class Tasks(Table):
    """Row i is task i + 1, in order of creation."""

    coro: Ints  # the recording's id of the root coroutine
    process: Small  # row of Trace.processes
    name: list[str]
    function: Small  # the root coroutine's
    driven: Bools  # by hand: no runtime's Task owns it
    state: Bytes  # STATES
    created_ns: Ints
    end_ns: Ints  # always a time; the recording's end where the task was not seen to end
    ended: Bools  # it was seen to end (a closed task never ends, though its coroutine does)
    closed: Bools  # its coroutine was closed from outside, or vanished
    before: Bools  # older than the recording
    delay_ns: Ints  # from its creation to its first poll (never polled: to its end), all of it ready; -1: not known
    created_seen: Bools  # False: created_ns is the first step's
    polls: Ints
    run_ns: Ints  # sum of polls
    self_ns: Ints  # of run_ns, what its own frames ran: without roots nested in its polls
    parent: Small  # task
    location: Small  # where it was spawned: the innermost frame of the user's
    error: dict[int, str]  # by row, of the failed: "ValueError: message"
    inexact: Bools  # it breaks a rule of what must hold (``invariants.py``): its figures are not exact
    tags: dict[int, tuple[str, ...]]  # by row, of those that have any: "request_id=42", in the order they were seen
    inherited: dict[int, frozenset[str]]  # by row, those of its tags that the task was made with, and did not set


@dataclass(frozen=True, slots=True)
class Polls(Table):
    """Uninterrupted runs of tasks, ordered by (task, start).  Those of a nested root lie inside another task's."""

    task: Small
    start_ns: Ints
    end_ns: Ints
    ended: Bools  # False: it ran when the recording ended
    thread: Small


@dataclass(frozen=True, slots=True)
class Awaits(Table):
    """Suspensions of tasks, ordered by (task, start)."""

    task: Small
    start_ns: Ints
    end_ns: Ints
    ended: Bools  # False: it waited when the recording ended, or when its coroutine was closed without a step
    node: Small  # of the await point
    location: Small  # the await point
    leaf_node: Small
    leaf_location: Small
    chain: Small  # from the await point down to the leaf; from the root where no frame is the program's own
    stack: Small  # chain: from the root down to the leaf
    awaited: Small  # row of Trace.strings: the type of what was awaited; -1: a bare yield, or a task
    awaited_task: Small  # task
    resource: Small  # row of Resources: the lock, queue … that it waited for; -1: none, or not known
    due_ns: Ints  # when the timer that it waited for was due; -1: it waited for none, or not known
    woken_by: Bytes  # WAKERS
    waker: Small  # task that woke it
    scope: Small  # row of Trace.strings: the type of the cancel scope or timeout that ended it; -1: none, or not known
    scope_location: Small  # and where that was made: the innermost frame of the user's
    ready_ns: Ints  # how long at least it could have run and did not, at its end; -1: not known
    ready_most_ns: Ints  # and how long at most, the same where that is exact; -1: nothing is known but its whole wait


@dataclass(frozen=True, slots=True)
class Edges(Table):
    """Who began when to wait for whom, directly or by way of something that gathers tasks; ordered by (task, since)."""

    task: Small
    awaited: Small  # task
    since_ns: Ints  # a task group's: when the task was made in it


@dataclass(frozen=True, slots=True)
class Resources(Table):
    """What tasks wait for or hold, ordered by number."""

    number: Ints  # the recording's id
    process: Small  # row of Trace.processes
    kind: list[str]  # its type; of a part of another, "asyncio.locks.Lock of a Condition"
    location: Small  # where it was made: the innermost frame of the user's


@dataclass(frozen=True, slots=True)
class Holds(Table):
    """Who held which resource, and when; in the order of taking."""

    task: Small
    resource: Small  # row of Resources
    start_ns: Ints
    end_ns: Ints  # always a time; the recording's end where it was not given back
    ended: Bools  # it was given back
    location: Small  # where it was taken
    given_by: Small  # task that gave it back, mostly the same; 0: plain code, not known, or not given back


@dataclass(frozen=True, slots=True)
class Selects(Table):
    """When loops asked their selectors, ordered by (thread, start)."""

    thread: Small
    start_ns: Ints
    end_ns: Ints
    idle: Bools  # the loop had nothing else to do


@dataclass(frozen=True, slots=True)
class Stacks(Table):
    """What the watchdog saw of polls that lasted too long."""

    task: Small
    ts_ns: Ints
    thread: Small
    site: Small  # row of Trace.sites: the stack's outermost frame; -1: it could not look


@dataclass(frozen=True, slots=True)
class Callouts(Table):
    """What coroutines called, and when."""

    task: Small
    ts_ns: Ints
    thread: Small
    name: Small  # row of Trace.strings
    location: Small


@dataclass(frozen=True, slots=True)
class RuntimeWarnings(Table):
    """Errors of which the runtime only warns: never awaited, never retrieved, destroyed while pending."""

    kind: Bytes  # RUNTIME_WARNINGS
    ts_ns: Ints
    process: Small  # row of Trace.processes
    task: Small  # that failed, that was destroyed; NEVER_AWAITED: that ran when it was dropped
    function: Small  # NEVER_AWAITED: of which function
    location: Small  # NEVER_AWAITED: where it was dropped
    error: Small  # NEVER_RETRIEVED: row of Trace.strings, the exception's type


@dataclass(frozen=True, slots=True)
class Calls(Table):
    """Calls of coroutines and lives of async generators."""

    coro: Ints  # the recording's id
    function: Small
    node: Small  # at its first entry
    task: Small  # at its first entry
    awaiter: Small  # call, at its first entry; -1: a root
    start_ns: Ints
    end_ns: Ints
    outcome: Bytes  # OUTCOMES
    error: Small  # row of Trace.strings: the exception's type; -1: none
    segments: Ints  # how many times it ran uninterrupted
    run_ns: Ints  # the sum of these; what it awaits runs inside


@dataclass(frozen=True, slots=True)
class Entries(Table):
    """From each entry of a call to the next exit: one a coroutine call, one an item for async generators."""

    call: Small
    task: Small
    node: Small
    first_poll: Ints  # rows of Polls: those in which it ran, first to last
    last_poll: Ints
    start_ns: Ints
    end_ns: Ints


@dataclass(frozen=True, slots=True)
class NodeSums(Table):
    """What ran and waited at each node, by task; ordered by (task, node)."""

    task: Small
    node: Small
    calls: Ints
    segments: Ints
    self_ns: Ints
    wait_ns: Ints  # of suspensions whose leaf was here


@dataclass(frozen=True, slots=True)
class LineSums(Table):
    """Suspensions by task, node and the await line at which that node's frame stood; each counts at every frame of
    its chain, so a node's rows add up to its inclusive wait.  Ordered by (task, node, location)."""

    task: Small
    node: Small
    location: Small
    count: Ints
    wait_ns: Ints


@dataclass(frozen=True, slots=True)
class Points(Table):
    """Inspection points."""

    task: Small
    process: Small  # row of Trace.processes
    ts_ns: Ints
    label: list[str]
    message: list[str]


@dataclass(frozen=True, slots=True)
class Events(Table):
    """What exports call events; row i is the event with id i, in order of time, whichever process.

    ``row`` is the subject's row: of Tasks (TaskSpawned, TaskCompleted …, StateChanged), Polls, Awaits or Points.
    """

    kind: Bytes  # EVENT_KINDS
    task: Small
    ts_ns: Ints
    row: Ints
