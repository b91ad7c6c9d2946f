"""The fields of a task: each declared once, with its meaning and where it is shown.

data.json, tasks.csv, the page's table and drawer (by ``formats/assets/report/declared.js``), the live view's figures
and the docs' table follow from this.  Knows no format and no screen.  Times are ns here; files have milliseconds with
all their digits, those of a moment from the recording's beginning.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from .data import TraceData
from .entities import Task

type Kind = Literal["text", "place", "id", "count", "time", "share", "flag", "list"]


class Page(NamedTuple):
    """How report.html shows a field."""

    label: str
    when: Literal["always", "known", "never"] = "always"  # "known": where any task has it; "never": only in copied CSV
    drawer: bool = False  # with all that is said of one task, too


class LiveFigure(NamedTuple):
    """How the live view shows a figure: of the model's LiveSnapshot it is the figure of this name."""

    name: str
    narrow: bool = False  # on a screen of 80 columns, too
    summed: bool = False  # the live model adds it up, in a column of its tasks


class Field(NamedTuple):
    """One thing that is said of a task."""

    key: str  # its name in files; a time's ends in "_ms"
    kind: Kind
    about: str  # "": of the page alone
    value: Callable[[Task], object] | None = None  # None: of ``column``
    column: str = ""  # of ``tables.Tasks``, as it is; a time below 0 is not known
    csv: bool = True  # a table has it, too
    page: Page | None = None
    live: LiveFigure | None = None

    def reader(self, trace: TraceData) -> Callable[[Task], object]:
        """What files say of a task of this trace."""
        value = self.value or _of_column(trace, self.column)
        return _ms(value) if self.kind == "time" else value


def _of_column(trace: TraceData, name: str) -> Callable[[Task], object]:
    column: Any = getattr(trace.task_table, name)
    values = column.tolist() if isinstance(column, np.ndarray) else column
    return lambda task: values[task.id - 1]


def _ms(ns: Callable[[Task], Any]) -> Callable[[Task], object]:
    def value(task: Task) -> object:
        known = ns(task)
        return None if known is None or known < 0 else known / 1e6

    return value


def _same(key: str, kind: Kind, about: str, page: Page | None = None) -> Field:
    """What a Task has under this name."""
    return Field(key, kind, about, attrgetter(key), page=page)


_ALL: Final = (
    _same("id", "id", "counts from 1, in the order of their beginnings", Page("id")),
    _same("name", "text", "the program's own, or the one that its runtime made up", Page("name")),
    _same(
        "state",
        "text",
        "`Pending`, `Running`, `Blocked`, `Completed`, `Failed`, `Cancelled` or `Unknown`",
        Page("state"),
    ),
    Field(
        "created_at_ms",
        "time",
        "when it was made; see `created_at_first_step`",
        column="created_ns",
        page=Page("created"),
    ),
    Field(
        "duration_ms",
        "time",
        "its life: `run_time_ms` + `wait_time_ms`",
        attrgetter("lifetime_ns"),
        page=Page("duration"),
        live=LiveFigure("age", narrow=True),
    ),
    Field(
        "poll_count",
        "count",
        "how often it was run up to its next suspension, or its end",
        column="polls",
        page=Page("polls", drawer=True),
        live=LiveFigure("polls", narrow=True, summed=True),
    ),
    Field(
        "run_time_ms",
        "time",
        "how long it ran",
        column="run_ns",
        page=Page("run"),
        live=LiveFigure("run", narrow=True, summed=True),
    ),
    Field("parent_id", "id", "the task that made it", attrgetter("parent"), page=Page("parent")),
    Field(
        "wait_time_ms",
        "time",
        "how long it did not run",
        attrgetter("wait_ns"),
        page=Page("wait"),
        live=LiveFigure("wait", narrow=True),
    ),
    Field(
        "ready_time_ms",
        "time",
        "how much of that it could have run, where that is known exactly",
        attrgetter("ready_ns"),
        page=Page("ready"),
        live=LiveFigure("ready", narrow=True, summed=True),
    ),
    Field(
        "ready_min_ms",
        "time",
        "… and else between this",
        attrgetter("ready_least_ns"),
        page=Page("ready, least", "never"),
    ),
    Field("ready_max_ms", "time", "… and this", attrgetter("ready_most_ns"), page=Page("ready, most", "never")),
    Field("efficiency", "share", "", page=Page("efficiency")),
    Field("ended_at_ms", "time", "when it ended; empty: nobody saw that", attrgetter("ended_ns"), page=Page("ended")),
    _same("kind", "text", "`task`, or `driven`: a coroutine that the program drives by hand", Page("kind")),
    _same("kind_name", "text", "its coroutine function's qualified name", Page("coroutine")),
    _same("location", "place", "`file:line` where it was made", Page("spawned at")),
    _same("await_point", "place", "`file:line` where it waits, of one that does", Page("await point", "known")),
    _same("awaiting", "text", "what it awaits there: a type's name, or another task", Page("awaiting", "known")),
    _same("reason", "text", "why, in one word ([reasons.md](reasons.md))", Page("reason", "known")),
    _same("error", "text", "of a failed one: the exception's type, and what it said", Page("error", "known")),
    _same(
        "awaiters",
        "text",
        "the tasks that awaited it, directly or by what gathers tasks",
        Page("awaited by", "known"),
    ),
    Field(
        "wakes",
        "list",
        "by whom it was woken, and how often",
        lambda task: [{"by": one.woken_by, "task_id": one.waker, "count": one.count} for one in task.wakes],
        csv=False,
    ),
    Field("holds", "list", "what it holds at the end", lambda task: [one.resource for one in task.holds], csv=False),
    Field(
        "closed",
        "flag",
        "its coroutine was closed from outside: the task itself never ended",
        column="closed",
        page=Page("closed", "known"),
    ),
    Field(
        "created_before_recording",
        "flag",
        "it was there when the recording began",
        column="before",
        page=Page("older", "known"),
    ),
    _same(
        "created_at_first_step",
        "flag",
        "nobody saw it being made: `created_at_ms` is when it first ran",
        Page("first step", "known"),
    ),
    _same("pid", "id", "its process", Page("process", "known")),
    _same(
        "tags",
        "text",
        "the texts of context variables that were asked for (`--tag`): `name=text`",
        Page("tags", "known"),
    ),
    _same("exact", "flag", "false: what was recorded of it contradicts itself", Page("exact", "never")),
)

TASK: Final = tuple(field for field in _ALL if field.about)  # in data.json, in their order
LIVE: Final = tuple((field, field.live) for field in _ALL if field.live)

# What somebody who reads the page's table wants to see first; what isn't named follows in the order of files.
_FIRST: Final = (
    "id", "name", "state", "kind_name", "created_at_ms", "duration_ms", "run_time_ms", "wait_time_ms", "ready_time_ms",
    "ready_min_ms", "ready_max_ms", "efficiency", "poll_count", "parent_id", "await_point", "awaiting", "reason",
    "error", "tags", "location", "ended_at_ms", "awaiters", "kind",
)  # fmt: skip
PAGE: Final = tuple(
    (field, field.page)
    for field in sorted(_ALL, key=lambda field: _FIRST.index(field.key) if field.key in _FIRST else len(_FIRST))
    if field.page
)
