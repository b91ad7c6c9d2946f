"""The findings of checks, and the survey of all of them.

Knows no check: code that shows findings needs no more than this.
"""

from typing import Final, Literal, NamedTuple

from .entities import Frozen

type Severity = Literal["error", "warning", "hint"]
SEVERITIES: Final = ("error", "warning", "hint")


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


class Survey(NamedTuple):
    """The result of all checks of a trace."""

    findings: tuple[Finding, ...]  # the most severe first, and of one severity what costs most
    failed: tuple[str, ...]  # a line for each check that could not be run, or not to its end
