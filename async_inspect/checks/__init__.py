"""The checks: each finds one kind of problem in a run, one module a check.  To add one: a module, and its line in
``CHECKS``.

A check is a module, or any object, with ``NAME``, ``ABOUT`` (one line) and ``find``, a pure function (Trace) ->
findings, in time linear in the recording.  It reports what is certain; anything else is a hint, and says so.  One that
looks at calls of coroutines says ``OF_CALLS = True``, and finds nothing in tasks of which they were not heard.
Other packages add checks by the entry point group ``async_inspect.checks``, whose entries are such modules or objects.
"""

from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from typing import Final, Protocol

from ..errors import UserError
from ..model.data import cached_on_trace
from ..model.finding import SEVERITIES, Finding, Severity, Survey
from ..model.trace import Trace
from ..support.internal import explained
from . import (
    batching,
    blocking,
    deadlock,
    lock_across_await,
    lost_lock,
    never_woken,
    never_yields,
    no_processor,
    one_by_one,
    runtime_warnings,
    starvation,
    wakeups,
)

GROUP: Final = "async_inspect.checks"
MOST: Final = 10  # findings of one kind that are listed


class Check(Protocol):
    """The interface of a check."""

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
    no_processor,
    starvation,
    wakeups,
    runtime_warnings,
    one_by_one,
    lock_across_await,
    batching,
)


def checks() -> tuple[Check, ...]:
    """All checks, those of other packages last; without those that can't be loaded."""
    return (*CHECKS, *_of_others()[0])


@cached_on_trace
def survey(trace: Trace) -> Survey:
    """The findings of all checks; computed once for each trace.  A check that fails, or can't be loaded, has a line."""
    others, not_loaded = _of_others()
    found, failed = run_checks(trace, (*CHECKS, *others))
    return Survey(found, (*not_loaded, *failed))


def run_checks(trace: Trace, chosen: Iterable[Check]) -> Survey:
    """The findings of these checks.  If one fails, only what it has not found yet is missing.

    At most MOST of each check; the last of these has the number of further ones.  TypeError: one of ``chosen`` is no
    check.
    """
    found: list[Finding] = []
    failed: list[str] = []
    chosen = list(chosen)
    for check in chosen:
        if not _is_check(check):
            raise TypeError(f"{check!r:.100} has no NAME, ABOUT and find")
    for check in chosen:
        found_here: list[Finding] = []
        try:
            for one in check.find(trace):
                if not isinstance(one, Finding):
                    raise TypeError(f"it gives {type(one).__name__}, not Finding")
                found_here.append(one)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a bad check costs itself alone
            failed.append(explained(f"the check {check.NAME!r} failed", error))
        found_here.sort(key=_order)
        listed = found_here[:MOST]
        if len(found_here) > MOST:
            listed[-1] = listed[-1].model_copy(update={"more": len(found_here) - MOST})
        found += listed
    return Survey(tuple(sorted(found, key=_order)), tuple(failed))


def run(trace: Trace, chosen: Iterable[Check] | None = None) -> list[Finding]:
    """The findings of these checks, by default all.  UserError: a check failed.  TypeError: no trace, or no check."""
    if not isinstance(trace, Trace):
        raise TypeError(f"not a Trace: {trace!r:.100}")
    found, failed = survey(trace) if chosen is None else run_checks(trace, chosen)
    if failed:
        raise UserError("\n".join(failed))
    return list(found)


def not_looked_for(trace: Trace) -> str:
    """What could not be looked for, in one line; "": all was."""
    if trace.calls_heard.all():
        return ""
    blind = ", ".join(check.NAME for check in checks() if getattr(check, "OF_CALLS", False))
    some = " of some processes" if "calls" in trace.meta.detail else ""
    return f"not looked for: {blind}, since calls of coroutines{some} were not recorded (--detail calls does that)"


def serious(findings: Iterable[Finding]) -> list[Finding]:
    """Without hints."""
    return [finding for finding in findings if finding.severity != "hint"]


def _order(finding: Finding) -> tuple[int, int]:
    return SEVERITIES.index(finding.severity), -finding.weight_ns


def _is_check(one: object) -> bool:
    texts = [getattr(one, name, None) for name in ("NAME", "ABOUT")]
    return all(isinstance(text, str) for text in texts) and callable(getattr(one, "find", None))


def _of_others() -> tuple[list[Check], list[str]]:
    """The checks of other packages, and a line for each that can't be used."""
    found: list[Check] = []
    failed: list[str] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        what = f"the check {entry.name!r} ({entry.value})"
        try:
            loaded = entry.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it does when it is imported
            failed.append(explained(f"{what} can't be loaded", error))
            continue
        if not _is_check(loaded):
            failed.append(f"{what} has no NAME, ABOUT and find")
        elif loaded.NAME in {check.NAME for check in (*CHECKS, *found)}:
            failed.append(f"{what} is called {loaded.NAME!r} as another check is")
        else:
            found.append(loaded)
    return found, failed


__all__ = [
    "CHECKS", "GROUP", "SEVERITIES", "Check", "Finding", "Severity", "Survey", "checks", "not_looked_for", "run",
    "serious", "survey",
]  # fmt: skip
