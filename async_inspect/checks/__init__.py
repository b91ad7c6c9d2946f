"""The findings: what is wrong with a run, one module a kind.  To add one: a module, and its line in ``CHECKS``.

A check is a module, or anything with the same three: ``NAME``, ``ABOUT`` (one line) and ``find``, a pure function
(Trace) -> findings, in time linear in the recording.  It finds what is certain; what is not is a hint and says so.
Other packages add checks by the entry point group ``async_inspect.checks``, whose entries are such modules or objects.
"""

from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from typing import Final, Protocol

from ..errors import UserError
from ..model.trace import Trace
from . import (
    batching,
    blocking,
    deadlock,
    lock_across_await,
    lost_lock,
    never_woken,
    never_yields,
    one_by_one,
    starvation,
    troubles,
    wakeups,
)
from .finding import SEVERITIES, Finding, Severity

GROUP: Final = "async_inspect.checks"
MOST: Final = 10  # findings of one kind that are listed


class Check(Protocol):
    """What a module of this package has."""

    @property
    def NAME(self) -> str: ...  # noqa: N802

    @property
    def ABOUT(self) -> str: ...  # noqa: N802

    def find(self, trace: Trace, /) -> Iterator[Finding]: ...


CHECKS: tuple[Check, ...] = (
    deadlock,
    lost_lock,
    never_woken,
    blocking,
    never_yields,
    starvation,
    wakeups,
    troubles,
    one_by_one,
    lock_across_await,
    batching,
)


def checks() -> tuple[Check, ...]:
    """All there are, those of other packages last.  UserError: one of these can't be loaded."""
    return (*CHECKS, *_of_others())


def run(trace: Trace, chosen: Iterable[Check] | None = None) -> list[Finding]:
    """What these checks find, by default all: the most severe first, and of one severity what costs most.

    Of one kind at most MOST; the last of these says how many more there are.  UserError: a check of others failed.
    """
    found: list[Finding] = []
    for check in checks() if chosen is None else chosen:
        try:
            mine = sorted(check.find(trace), key=_order)
        except Exception as error:
            if check in CHECKS:
                raise
            raise UserError(f"the check {check.NAME!r} failed ({type(error).__name__}: {error})") from error
        kept = mine[:MOST]
        if len(mine) > MOST:
            kept[-1] = kept[-1].model_copy(update={"more": len(mine) - MOST})
        found += kept
    return sorted(found, key=_order)


def serious(findings: Iterable[Finding]) -> list[Finding]:
    """Without hints."""
    return [finding for finding in findings if finding.severity != "hint"]


def _order(finding: Finding) -> tuple[int, int]:
    return SEVERITIES.index(finding.severity), -finding.weight_ns


def _of_others() -> Iterator[Check]:
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            loaded = entry.load()
        except Exception as error:  # whatever it does when it is imported
            raise UserError(f"check {entry.name!r} ({entry.value}) can't be loaded: {error}") from error
        if not all(hasattr(loaded, name) for name in ("NAME", "ABOUT", "find")):
            raise UserError(f"check {entry.name!r} ({entry.value}) has no NAME, ABOUT and find")
        yield loaded


__all__ = ["CHECKS", "GROUP", "SEVERITIES", "Check", "Finding", "Severity", "checks", "run", "serious"]
