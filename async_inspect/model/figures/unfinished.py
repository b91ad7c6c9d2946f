"""Polls, awaits, tasks and holds that went on where a recording is broken off: their durations are lower bounds.

Where a recording is known to its end there are none: the end of the process ended them.
"""

import numpy as np

from .. import tables as t
from ..data import TraceData


def polls(trace: TraceData) -> t.Bools:
    """By poll."""
    table = trace.polls
    return _beyond(trace, trace.task_table.process[table.task - 1], table.end_ns, table.ended)


def awaits(trace: TraceData) -> t.Bools:
    """By await."""
    table = trace.awaits
    return _beyond(trace, trace.task_table.process[table.task - 1], table.end_ns, table.ended)


def tasks(trace: TraceData) -> t.Bools:
    """By task."""
    table = trace.task_table
    return _beyond(trace, table.process, table.end_ns, table.ended)


def holds(trace: TraceData) -> t.Bools:
    """By hold."""
    table = trace.holds
    return _beyond(trace, trace.resources.process[table.resource], table.end_ns, table.ended)


def _beyond(trace: TraceData, process: t.Small, end_ns: t.Ints, ended: t.Bools) -> t.Bools:
    until = np.array([2**63 - 1 if one.whole else one.end_ns for one in trace.processes])
    found: t.Bools = ~ended & (end_ns >= until[process])
    return found
