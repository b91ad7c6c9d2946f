"""Up to when a recording is known, and why not further.

Knows: the ways in which a recording can end, and which of them leave open what came after.  Where nobody saw the end,
or records are missing, it is known up to its last record and no further: whatever went on then, went on for at least so
long.  Knows nothing of what the records mean.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, get_args

import numpy as np

from .. import events as ev
from .header import Header, Meta
from .reader import Recording
from .slots import Slots

type Ending = Literal["stopped", "process ended", "not seen", "bound reached", "disk full", "cut off"]
ENDINGS: Final[tuple[Ending, ...]] = get_args(Ending.__value__)  # the less is known, the later

# "stopped": the recorder stopped in good order.  "process ended": somebody saw it, and as each record is in the file
# when it is made, nothing else happened.
WHOLE: Final[tuple[Ending, ...]] = ("stopped", "process ended")
# More happened, or may have, than is there.  Of "not seen" all records are there, but not how long it went on.
BROKEN_OFF: Final[tuple[Ending, ...]] = ("bound reached", "disk full", "cut off")

# Records that add to the one before them.  Whether such a group is complete cannot be seen from the records.
_MORE: Final = (ev.LINK, ev.TIMER, ev.USE, ev.EDGE, ev.NAME, ev.STACK)
_WITH_MORE: Final = (ev.SUSPEND, ev.SPAWN)
_BROKEN_OFF: Final[dict[int, Ending]] = {ev.AT_BOUND: "bound reached", ev.NO_ROOM: "disk full"}
_PIECE: Final = 4096  # slots that are looked at together


def ending(recording: Recording) -> Ending:
    """How a recording ended, by what was read of it so far."""
    return ending_of(recording.header, recording.meta, recording.cut)


def ending_of(header: Header, meta: Meta, cut: bool) -> Ending:
    """How a recording ended, by its header.  ``cut``: the file lacks slots that it had."""
    if cut:
        return "cut off"
    if header.broken_off in _BROKEN_OFF:
        return _BROKEN_OFF[header.broken_off]
    if header.lost and not header.broken_off:
        return "bound reached" if _at_bound(header, meta) else "disk full"
    if header.end_ns:
        return "stopped" if header.state == ev.STOPPED else "process ended"
    return "not seen"


def _at_bound(header: Header, meta: Meta) -> bool:
    """Whether an older recording, which doesn't say it, lost records to ``--max-size`` and not to a full disk."""
    bound = meta.get("max_size", ("",))[0]
    if not bound.isdecimal():
        return True
    block = min(header.tail_size, ev.BLOCK_SIZE) // header.slot_size
    return header.flushed + block > (int(bound) - header.header_size - header.tail_size) // header.slot_size


class Span(NamedTuple):
    """From when to when a recording is known, on its own clock."""

    base: int
    end: int
    ended: int | None  # when the process ended, then or later; None: not known


def span(header: Header, how: Ending, first_ts: int, last_ts: int) -> Span:
    """``first_ts``, ``last_ts``: of its first and last record; below 0: there are none."""
    ticks = 0 <= first_ts < header.start_ns  # a recording by ticks, 1, 2, 3 …
    base = 0 if ticks else header.start_ns
    ended = 0 if ticks and header.end_ns >= header.start_ns else header.end_ns
    end = max(last_ts, base, ended if how in WHOLE else 0)
    return Span(base, end, ended if ended and ended >= end else None)


def may_end_in(slots: Slots) -> bool:
    """Whether ``sure`` need not look at what comes before these slots."""
    kinds = slots["kind"]
    return bool(((kinds >= ev.FIRST_EVENT) & ~np.isin(kinds, _MORE)).any())


def sure(chunks: Sequence[Slots]) -> tuple[int, int]:
    """Of a recording that is broken off: (how many of its slots are certainly complete, the last record's time).

    What is written as several records may have lost its last ones: a suspension, say, of which it is known that the
    task ran up to it, but not where it stood.
    """
    count, last_ts = sum(map(len, chunks)), 0
    for chunk in reversed(chunks):
        for end in range(len(chunk), 0, -_PIECE):
            slots = chunk[max(end - _PIECE, 0) : end]
            kinds = slots["kind"]
            heads = np.flatnonzero((kinds >= ev.FIRST_EVENT) & ~np.isin(kinds, _MORE))
            head = int(heads[-1]) if len(heads) else 0
            count, times = count - (len(slots) - head), slots["ts"][head:][kinds[head:] >= ev.FIRST_EVENT]
            last_ts = max(last_ts, int(times.max(initial=0)))
            if len(heads):
                return (count, last_ts) if kinds[head] in _WITH_MORE else (sum(map(len, chunks)), last_ts)
    return 0, last_ts


def text(ending: Ending) -> str:
    """Why it is not known further, as a phrase to follow a colon; "" where it is known to its end."""
    return {
        "not seen": "its end was not seen, it runs still or was killed",
        "bound reached": "the bound of --max-size was reached",
        "disk full": "the file could not grow, the disk was full or there is a limit",
        "cut off": "the file was cut off",
    }.get(ending, "")


def most_open(endings: Sequence[Ending]) -> Ending:
    """The ending of the recording of which the least is known."""
    return max(endings, key=ENDINGS.index)
