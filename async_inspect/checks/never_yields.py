"""Tasks that await again and again and never let the loop go on.

Looks for: polls of at least the recording's ``slow_poll_ms`` in which at least AWAITS coroutines were called and
returned without suspending.  ``await`` alone does not yield: only what has to wait does.

Evidence: the poll, how many coroutines it called, and which tasks could have run meanwhile.  A hint if none could.

Cannot see: a loop without any ``await``; that is a blocking poll.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from ..model import tables as t
from ..model.data import cached_on_trace
from ..model.figures.long_polls import BlockingPoll, blocking_polls, slow_polls
from ..model.finding import Finding
from ..model.grouping import counts
from ..model.text import ms, several, who
from ..model.trace import Trace

NAME = "never yields"
ABOUT = "tasks that await without ever letting others run"
OF_CALLS = True
AWAITS: Final = 100
MOST_POLLS: Final = 100  # polls, the longest


def find(trace: Trace) -> Iterator[Finding]:
    for poll, count in slow(trace):
        if count < AWAITS or poll.starved(trace.meta.slow_poll_ns):
            continue
        place = poll.until or poll.since
        function = int(trace.task_table.function[poll.task - 1])
        if place is None and function >= 0:
            place = f"{trace.functions[function].file}:{trace.functions[function].line}"
        held_up = [victim.task for victim in poll.hurt]
        lasted = f"{'at least ' * poll.at_least}{ms(poll.duration_ns)}"
        text = f"{who(trace, poll.task)} ran {lasted} without letting others run, though it awaited"
        yield Finding(
            check=NAME,
            severity="warning" if held_up or poll.suspended else "hint",
            text=f"{text} {count:,} coroutines meanwhile: none of them had to wait (await asyncio.sleep(0) yields)",
            place=place,
            task=poll.task,
            tasks=(poll.task, *held_up),
            evidence=(_held_up(trace, held_up, poll),),
            gain_ns=poll.hurt[0].held_up_ns if held_up else None,
            weight_ns=sum(victim.held_up_ns for victim in poll.hurt),
        )


def _held_up(trace: Trace, held_up: list[int], poll: BlockingPoll) -> str:
    if held_up:
        return f"held up: {several(trace, held_up)}"
    if not poll.suspended:
        return f"nobody was held up for {'long' if poll.victims else 'sure'}"
    return (
        f"whom it held up is not known, as this loop is not seen; suspended meanwhile: {several(trace, poll.suspended)}"
    )


@cached_on_trace
def slow(trace: Trace) -> tuple[tuple[BlockingPoll, int], ...]:
    """The longest blocking polls, MOST_POLLS at most, and how many coroutines were called and returned in each."""
    rows = slow_polls(trace, trace.meta.slow_poll_ns)[:MOST_POLLS]
    return tuple(zip(blocking_polls(trace, rows), calls_within(trace)[rows].tolist(), strict=True))


def calls_within(trace: Trace) -> t.Ints:
    """By poll, how many coroutines were called and returned in it."""
    entries = trace.entries
    inside = (entries.first_poll == entries.last_poll) & (trace.calls.awaiter[entries.call] >= 0)
    return counts(entries.first_poll[np.flatnonzero(inside)], len(trace.polls))
