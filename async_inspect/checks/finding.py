"""What a check finds, and the words in which checks speak of tasks and times.

Knows nothing of any check.
"""

from typing import Final, Literal

from ..model.trace import Frozen, Trace

type Severity = Literal["error", "warning", "hint"]
SEVERITIES: Final = ("error", "warning", "hint")
SEVERAL: Final = 5  # tasks that are named in one line


class Finding(Frozen):
    """One thing that is wrong, or may be."""

    check: str  # the check's name
    severity: Severity  # "hint": it may be meant so
    text: str  # one sentence of this case
    place: str | None = None  # "file:line" to look at first
    task: int | None = None  # that it is mostly about
    tasks: tuple[int, ...] = ()  # all that it is about
    evidence: tuple[str, ...] = ()  # a line for each thing that was seen
    gain_ns: int | None = None  # what mending it can gain at most
    weight_ns: int = 0  # how much it cost, to put findings in order
    more: int = 0  # so many more of its kind are not listed


def who(trace: Trace, task: int) -> str:
    """task 3 (worker)"""
    return f"task {task} ({trace.task_table.name[task - 1]})" if task else "?"


def several(trace: Trace, tasks: list[int] | tuple[int, ...]) -> str:
    """Some tasks in one line."""
    named = ", ".join(who(trace, task) for task in tasks[:SEVERAL])
    return f"{named} and {len(tasks) - SEVERAL:,} more" if len(tasks) > SEVERAL else named


def many(count: int, what: str) -> str:
    """3 tasks"""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def ms(ns: int) -> str:
    """Nanoseconds as people read them: three digits or more."""
    if ns >= 10_000_000_000:
        return f"{ns / 1e9:,.1f} s"
    value, unit = (ns / 1e6, "ms") if ns >= 1_000_000 else (ns / 1e3, "µs")
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"
