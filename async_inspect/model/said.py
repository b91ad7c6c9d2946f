"""What a recording's header and metadata say, as people read it.

Knows nothing of events but how many there are.
"""

from typing import NamedTuple

from .. import events as ev
from ..headers import Head, Header
from .ending import Ending
from .lives import Moments
from .trace import Metadata, Process

SLOW_POLL_NS = 100_000_000  # asyncio's own slow_callback_duration


class Ended(NamedTuple):
    """What there is to say of a recording's end."""

    ending: Ending
    ended_ns: int | None  # when the process ended, since the recording began
    missing: int  # slots


def _slow_poll(ms: str) -> int:
    try:
        return max(0, round(float(ms) * 1e6))
    except (ValueError, OverflowError):  # it doesn't say, or nothing that makes sense
        return SLOW_POLL_NS


def metadata(head: Head, records: int, moments: Moments, ended: Ended, cwd: str) -> Metadata:
    """What is said of the whole.  ``records``: events.  ``cwd``: to which files are shown relative."""
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
        ending=ended.ending,
        callbacks=header.callbacks,
        cost_ns=_cost(header),
        core=first("core"),
        python=first("python"),
        executable=first("executable"),
        argv=head.meta.get("argv", ()),
        cwd=cwd,
        sources=head.meta.get("source", ()),
        slow_poll_ns=_slow_poll(first("slow_poll_ms")),
        extra=head.meta,
    )


def process(head: Head, records: int, moments: Moments, ended: Ended) -> Process:
    """What is said of the process."""
    header, first = head.header, head.first
    return Process(
        pid=header.pid,
        ppid=int(first("ppid")) if first("ppid").isdecimal() else None,
        path=str(head.path),
        argv=head.meta.get("argv", ()),
        executable=first("executable"),
        python=first("python"),
        core=first("core"),
        start_ns=0,
        end_ns=moments.end - moments.base,
        ended_ns=ended.ended_ns,
        ending=ended.ending,
        end_seen=header.end_ns > 0,
        finished=header.state != ev.RUNNING,
        records=records,
        lost=header.lost,
        missing=ended.missing,
        callbacks=header.callbacks,
        cost_ns=_cost(header),
        thread=0,
    )


def _cost(header: Header) -> int | None:
    return header.timed_ns * header.callbacks // header.timed_callbacks if header.timed_callbacks else None
