"""What is not in the figures of a summary: ends that nobody saw, what was broken off, processes that are not there.

Knows how that is said.
"""

from collections.abc import Iterator
from typing import Final

from rich.text import Text

from ..model.figures.stats import Stats
from ..model.metadata import endings
from ..model.trace import Trace
from ..recording.ending import Ending
from ..recording.reader import unrecorded_children
from ..support.names import cleaned

TOP: Final = 5  # are named
LATER_IS_LOST: Final[tuple[Ending, ...]] = ("bound reached", "disk full")


def ending(trace: Trace) -> Text:
    """Whether nobody saw the end, to be said after the recording's length."""
    going = [str(process.pid) for process in trace.processes if not process.finished]
    if not going or len(trace.processes) == 1:
        return Text("  (its end was not seen: it runs still, or was killed)" if going else "", "yellow")
    which = ", ".join(going[:TOP]) + f" and {len(going) - TOP:,} more" * (len(going) > TOP)
    return Text(f"\n  the end of {which} was not seen: it runs still, or was killed", "yellow")


def broken_off(trace: Trace) -> Iterator[Text]:
    """The processes of which less is known than happened."""
    found = list(endings(trace))
    for line in found[:TOP]:
        yield Text(line, "bold yellow")
    if more := found[TOP:]:
        yield Text(f"… and of {len(more):,} more processes a part only", "bold yellow")
    if not all(process.whole for process in trace.processes):
        yield Text("  figures count up to the last record; what went on then took longer: ≥ is at least", "yellow")


def lost(trace: Trace) -> Iterator[Text]:
    """Records that are missing from the midst of what is known, as where memory was short for a moment."""
    if n := sum(one.lost for one in trace.processes if not one.broken_off):
        yield Text(f"no figure is exact: {n:,} records could not be written", "bold red")


def losses(figures: Stats) -> str:
    """What was to be recorded and is not there."""
    lost = sum(one.lost for one in figures.processes if one.ending not in LATER_IS_LOST)
    later = any(one.ending in LATER_IS_LOST for one in figures.processes)
    parts = (
        f"{lost:,} lost" * (lost > 0),
        "what came later is lost" * later,
        f"{figures.missing:,} missing" * (figures.missing > 0),
    )
    none = "some may be missing" if figures.ending == "cut off" else "nothing lost"
    return ", ".join(filter(None, parts)) or none


def left_out(trace: Trace) -> Iterator[Text]:
    """The processes that are not in these figures."""
    for one in trace.left_out[:TOP]:
        alone = f"; alone: --pid {one.pid}" if one.records else ""
        yield Text(f"left out: process {one.pid} with {one.records:,} records, {one.why}{alone}", "bold yellow")
    if more := trace.left_out[TOP:]:
        pids = ", ".join(str(one.pid) for one in more)
        yield Text(f"left out too: {pids}, {sum(one.records for one in more):,} records", "bold yellow")


def not_recorded(trace: Trace) -> Iterator[Text]:
    """Pythons that were started and are not recorded."""
    found = [cleaned(row) for process in trace.processes for row in unrecorded_children(process.path)]
    for row in found[:TOP]:
        yield Text.assemble(("not recorded", "bold yellow"), f"  pid {row.pid}, {row.why}: {row.command}")
    if len(found) > TOP:
        yield Text(f"… and {len(found) - TOP:,} more", "yellow")
    cures = {"--follow-env" if row.why.endswith("own") else "--preload" for row in found if "memory" not in row.why}
    if cures:
        yield Text(f"  see {' and '.join(sorted(cures))}", "dim")
