"""What exports say of a task: each key once, with what it means, for data.json, tasks.csv and the docs' table.

Knows no format.  Times are milliseconds, with all their digits; those of a moment count from the recording's beginning.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Final, NamedTuple

from ...model.entities import Task


class Field(NamedTuple):
    """One key of a task."""

    key: str
    value: Callable[[Task], object]
    about: str
    csv: bool = True  # a table has it, too


def _ms(name: str) -> Callable[[Task], object]:
    """That attribute, which is in ns or None."""
    ns = attrgetter(name)

    def value(task: Task) -> object:
        known = ns(task)
        return None if known is None else known / 1e6

    return value


def _same(name: str, about: str) -> Field:
    return Field(name, attrgetter(name), about)


TASK: Final = (
    _same("id", "counts from 1, in the order of their beginnings"),
    _same("name", "the program's own, or the one that its runtime made up"),
    _same("state", "`Pending`, `Running`, `Blocked`, `Completed`, `Failed`, `Cancelled` or `Unknown`"),
    Field("created_at_ms", _ms("created_ns"), "when it was made; see `created_at_first_step`"),
    Field("duration_ms", _ms("lifetime_ns"), "its life: `run_time_ms` + `wait_time_ms`"),
    Field("poll_count", attrgetter("polls"), "how often it was run up to its next suspension, or its end"),
    Field("run_time_ms", _ms("run_ns"), "how long it ran"),
    Field("parent_id", attrgetter("parent"), "the task that made it"),
    Field("wait_time_ms", _ms("wait_ns"), "how long it did not run"),
    Field("ready_time_ms", _ms("ready_ns"), "how much of that it could have run, where that is known exactly"),
    Field("ready_min_ms", _ms("ready_least_ns"), "… and else between this"),
    Field("ready_max_ms", _ms("ready_most_ns"), "… and this"),
    Field("ended_at_ms", _ms("ended_ns"), "when it ended; empty: nobody saw that"),
    _same("kind", "`task`, or `driven`: a coroutine that the program drives by hand"),
    _same("kind_name", "its coroutine function's qualified name"),
    _same("location", "`file:line` where it was made"),
    _same("await_point", "`file:line` where it waits, of one that does"),
    _same("awaiting", "what it awaits there: a type's name, or another task"),
    Field("reason", attrgetter("reason"), "why, in one word ([reasons.md](reasons.md))"),
    _same("error", "of a failed one: the exception's type, and what it said"),
    Field("awaiters", attrgetter("awaiters"), "the tasks that awaited it, directly or by what gathers tasks"),
    Field(
        "wakes",
        lambda task: [{"by": one.woken_by, "task_id": one.waker, "count": one.count} for one in task.wakes],
        "by whom it was woken, and how often",
        csv=False,
    ),
    Field("holds", lambda task: [one.resource for one in task.holds], "what it holds at the end", csv=False),
    _same("closed", "its coroutine was closed from outside: the task itself never ended"),
    _same("created_before_recording", "it was there when the recording began"),
    _same("created_at_first_step", "nobody saw it being made: `created_at_ms` is when it first ran"),
    _same("pid", "its process"),
    _same("tags", "the texts of context variables that were asked for (`--tag`): `name=text`"),
    _same("exact", "false: what was recorded of it contradicts itself"),
)
