"""What a check finds.

Knows nothing of any check.
"""

from typing import Final, Literal

from ..model.trace import Frozen

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
