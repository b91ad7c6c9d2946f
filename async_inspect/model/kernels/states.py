"""The state of a task, by how it ran and by the record that ended its coroutine."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Any1d

SWALLOWED: Final = ("GeneratorExit", "StopAsyncIteration")  # of an async generator that is closed


@dataclass
class Lives:
    """What the states of some tasks follow from.  A task that runs an async generator either is the generator itself,
    run by ``aclose()``, or is made of a step of it and has an end of its own."""

    polled: t.Bools  # it ran
    running: t.Bools
    driven: t.Bools  # by hand
    kind: Any1d  # of the record that ended it; 0: none was seen
    flags: Any1d  # of that
    generator: t.Bools  # it is an async generator
    step: t.Bools  # it is made of a step of one
    swallowed: t.Bools  # the exception that ended it is one that ``aclose()`` takes for a good end


def task_states(lives: Lives, broken_off: bool) -> tuple[t.Bytes, t.Bools, t.Bools]:
    """(states as of ``tables.STATES``, whether closed from outside or vanished, whether seen to end).

    ``broken_off``: records are missing, so a task without a recorded end is Unknown.
    """
    kind, driven = lives.kind, lives.driven
    seen = kind > 0
    state = np.full(len(kind), t.PENDING, np.uint8)
    state[lives.polled] = t.BLOCKED
    state[lives.running] = t.RUNNING
    if broken_off:
        state[~seen] = t.UNKNOWN
    well = (kind == ev.RETURN) | (lives.generator & lives.swallowed)
    state[seen & well] = t.COMPLETED
    state[seen & (kind == ev.RAISE) & ~well] = t.FAILED
    state[seen & (lives.flags & ev.CANCELLED > 0) & (kind != ev.VANISH)] = t.CANCELLED
    closed = seen & ((lives.flags & ev.CLOSED > 0) | (kind == ev.VANISH))
    state[closed & ~driven] = t.BLOCKED
    unseen = lives.step & (kind == ev.VANISH) & ~lives.polled  # it is over, and none of its code ran
    state[unseen] = t.UNKNOWN
    state[closed & driven] = t.CANCELLED
    return state, closed, seen & ~(closed & ~driven) | unseen
