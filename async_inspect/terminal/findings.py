"""Findings as text for the terminal: all of them with their evidence, the worst in three lines; or as JSON.

Knows how findings look.  Knows no check.
"""

from collections.abc import Iterator, Sequence

from rich.text import Text

from ..checks import Finding, checks, not_looked_for, serious, survey
from ..model.metadata import known_until
from ..model.trace import Trace
from ..support.names import cleaned, to_json

COLOURS = {"error": "bold red", "warning": "bold yellow", "hint": "bold cyan"}
SHOWN = 3  # in a summary


def as_json(trace: Trace) -> str:
    """The findings, the checks that ran, and which of them failed, as JSON."""
    found, failed = survey(trace)
    checks_run = [{"check": check.NAME, "about": check.ABOUT} for check in checks()]
    rows = [finding.model_dump(mode="json") for finding in found]
    return to_json(
        {
            "recording": trace.meta.path,
            "known_until": known_until(trace) or None,
            "checks": checks_run,
            "failed": failed,
            "not_looked_for": not_looked_for(trace) or None,
            "findings": rows,
        }
    )


def detailed(found: Sequence[Finding]) -> Iterator[Text]:
    """Every finding with its evidence, then how many there are."""
    for finding in cleaned(list(found)):
        yield _head(finding)
        yield from (Text(line, "dim") for line in lines(finding)[1:])
    yield Text(_counted(found))


def brief(found: Sequence[Finding], recording: str) -> Iterator[Text]:
    """The worst of them, for a summary; nothing where there are only hints."""
    worst = serious(found)
    if not worst:
        return
    for finding in cleaned(worst[:SHOWN]):
        yield _head(finding)
    left = len(found) - len(worst[:SHOWN]) + sum(finding.more for finding in found)
    if left:
        yield Text(f"… and {left:,} more, see async-inspect check {recording}", "dim")


def lines(finding: Finding) -> list[str]:
    """A finding as lines of text: what it is and where to look first, then its evidence."""
    more = [f"    … and {finding.more:,} more like it"] if finding.more else []
    head = f"{finding.severity} {finding.check}: {finding.text}{_place(finding)}"
    return [head, *(f"    {line}" for line in finding.evidence), *more]


def _head(finding: Finding) -> Text:
    text = Text(lines(finding)[0])
    text.stylize(COLOURS[finding.severity], 0, len(finding.severity))
    text.stylize("dim", len(text) - len(_place(finding)))
    return text


def _place(finding: Finding) -> str:
    return f"  {finding.place}" if finding.place and finding.place not in finding.text else ""


def _counted(found: Sequence[Finding]) -> str:
    if not found:
        return "nothing found"
    counts: dict[str, int] = {}
    for finding in found:
        counts[finding.severity] = counts.get(finding.severity, 0) + 1 + finding.more
    return ", ".join(f"{n:,} {severity}{'s' if n != 1 else ''}" for severity, n in counts.items())
