"""Header and metadata of a recording as ``Metadata`` and ``Process``; where what is known of it ends, as text.

Knows nothing of events but how many there are.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from .. import events as ev
from ..recording.ending import Ending, text
from ..recording.header import Detail, Head, Header, number
from .building.tasks import Moments
from .data import TraceData
from .entities import Metadata, Process
from .text import ms

SLOW_POLL_NS = 100_000_000  # asyncio's own slow_callback_duration


class Ended(NamedTuple):
    """A recording's end."""

    ending: Ending
    ended_ns: int | None  # when the process ended, since the recording began
    missing: int  # slots
    damaged: int  # slots and header fields


def endings(trace: TraceData) -> Iterator[str]:
    """A line for each process whose recording is broken off: until when it is known, and why no further."""
    for one in trace.processes:
        if one.broken_off:
            of = f" of {ms(one.ended_ns - one.start_ns)}" if one.ended_ns is not None else ""
            head = f"process {one.pid}: " if len(trace.processes) > 1 else ""
            gone = f", {one.missing:,} slots are missing at least" if one.ending == "cut off" else ""
            until = datetime.fromtimestamp((trace.meta.started_unix_ns + one.end_ns) // 10**9, UTC)
            known = f"{until:%H:%M:%S} UTC, {ms(one.end_ns - one.start_ns)}{of}"
            yield f"{head}recorded until {known}: {text(one.ending)}{gone}"


def known_until(trace: TraceData) -> str:
    """The same in one line; "" where everything is known up to the end."""
    return "; ".join(endings(trace)) or text(trace.meta.ending)


def _slow_poll(ms: str) -> int:
    try:
        return max(0, round(float(ms) * 1e6))
    except (ValueError, OverflowError):  # it doesn't say, or nothing that makes sense
        return SLOW_POLL_NS


def metadata(head: Head, detail: Detail, records: int, moments: Moments, ended: Ended, cwd: str) -> Metadata:
    """The metadata of the trace.  ``records``: how many events.  ``cwd``: the folder to which paths are relative."""
    header, first = head.header, head.first
    return Metadata(
        path=str(head.path),
        pid=header.pid,
        clock_ns=moments.base,
        started_unix_ns=header.start_unix_ns,
        duration_ns=moments.end - moments.base,
        finished=header.state != ev.RUNNING,
        records=records,
        lost=header.lost,
        missing=ended.missing,
        damaged=ended.damaged,
        ending=ended.ending,
        callbacks=header.callbacks,
        cost_ns=_cost(header, moments.end - moments.base),
        core=first("core"),
        python=first("python"),
        executable=first("executable"),
        argv=head.meta.get("argv", ()),
        cwd=cwd,
        detail=detail,
        sources=head.meta.get("source", ()),
        slow_poll_ns=_slow_poll(first("slow_poll_ms")),
        extra=head.meta,
    )


def process(head: Head, detail: Detail, records: int, moments: Moments, ended: Ended) -> Process:
    """The process of a recording."""
    header, first = head.header, head.first
    return Process(
        pid=header.pid,
        ppid=parent if (parent := number(first("ppid"))) >= 0 else None,
        path=str(head.path),
        argv=head.meta.get("argv", ()),
        executable=first("executable"),
        python=first("python"),
        core=first("core"),
        detail=detail,
        start_ns=0,
        end_ns=moments.end - moments.base,
        ended_ns=ended.ended_ns,
        ending=ended.ending,
        end_seen=header.end_ns > 0,
        finished=header.state != ev.RUNNING,
        records=records,
        lost=header.lost,
        missing=ended.missing,
        damaged=ended.damaged,
        callbacks=header.callbacks,
        cost_ns=_cost(header, moments.end - moments.base),
        thread=0,
    )


def _cost(header: Header, duration_ns: int) -> int | None:
    """The tracer's cost in ns, extrapolated from the timed callbacks; None where it can't be known.

    Callbacks run one after the other, so a result longer than the whole recording is wrong: on a busy machine a timed
    callback may have waited for the processor.
    """
    if not header.timed_callbacks:
        return None
    cost = header.timed_ns * header.callbacks // header.timed_callbacks
    return cost if cost <= duration_ns else None
