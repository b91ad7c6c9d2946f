"""How tasks ended, and when.

Knows which record is the end of which task.  The state that follows from it is in ``kernels/states.py``.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ... import events as ev
from .. import tables as t
from ..grouping import Ints, take
from ..kernels.states import Lives, task_states
from .polls import PollSpans
from .scan import RecordColumns
from .tasks import Bools, Moments, TaskIds


@dataclass
class Ends:
    """How tasks ended, by task - 1."""

    state: npt.NDArray[np.uint8]
    ended: Bools
    closed: Bools
    end_ns: Ints
    end_pos: Ints  # -1: no end was seen
    failure: Ints  # the id of its exception's type, of the failed; 0


def find_ends(
    records: RecordColumns,
    task_ids: TaskIds,
    poll_spans: PollSpans,
    moments: Moments,
    broken_off: bool,
    generators: Bools,
    swallowed: list[int],
) -> Ends:
    """The state of each task and the end of its lifetime.

    ``broken_off``: records are missing that may say how those ended whose end isn't there.  ``generators``, by task: it
    runs an async generator, itself or a step of it.  ``swallowed``: the ids of the exceptions ``SWALLOWED``.
    """
    exits = records.columns("exits")
    n = len(task_ids.coro)
    steps = generators & ~np.isin(task_ids.coro, records.columns("entries")["coro"])
    rows = np.flatnonzero((exits["kind"] != ev.ITEM) & (exits["coro"] < len(task_ids.task_of)))
    rows = rows[task_ids.task_of[exits["coro"][rows]] > 0]
    exit_row = np.full(n, -1, np.int64)
    exit_row[task_ids.task_of[exits["coro"][rows]] - 1] = rows
    seen = exit_row >= 0
    kind, flags = take(exits["kind"], exit_row), take(exits["flags"], exit_row)
    last_poll = np.full(n, -1, np.int64)
    last_poll[poll_spans.polls.task - 1] = np.arange(len(poll_spans.polls))
    polled = last_poll >= 0
    lives = Lives(
        polled=polled,
        running=~np.append(poll_spans.polls.ended, True)[last_poll],
        driven=task_ids.driven,
        kind=np.where(seen, kind, 0),
        flags=flags,
        generator=generators & ~steps,
        step=steps,
        swallowed=np.isin(take(exits["aux"], exit_row), swallowed),
    )
    state, closed, ended = task_states(lives, broken_off)
    return Ends(
        state=state,
        ended=ended,
        closed=closed,
        end_ns=moments.ns(np.where(seen, take(exits["ts"], exit_row), moments.end)),
        end_pos=np.where(seen, take(exits["pos"], exit_row), -1),
        failure=np.where(state == t.FAILED, take(exits["aux"], exit_row), 0),
    )
