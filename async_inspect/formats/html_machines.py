"""Coroutines as state machines: await points as states, and how often one followed another.

Knows: what a state, a beginning and an end is.  Knows nothing of how a machine is drawn.

A machine is a function's: of a task's root coroutine it has every await point of the task, wherever below the root it
stands; of any other coroutine function those in its own frame, call by call.
"""

from collections.abc import Iterator

import numpy as np

from ..model import tables as t
from ..model.columns import LastBefore, counts, group, sums
from ..model.trace import Trace
from .html_pack import numbers

START = -1  # a state: nothing was awaited yet
END = -2  # and down: END - how it ended (a row of STATES for roots, of OUTCOMES for others)

type Moves = tuple[t.Ints, t.Ints, t.Ints, t.Ints]  # machine, from, to, ns between them
type Waits = tuple[t.Ints, t.Ints, t.Ints]  # machine, location, row of Awaits


def machines(trace: Trace) -> Iterator[bytes]:
    """Two tables: how often a machine went from one state to another and what ran in between; and its states."""
    of_tasks, of_calls = _of_tasks(trace), _of_calls(trace)
    for name, moves, waits in (("roots", *of_tasks), ("others", *of_calls)):
        lowest = END - len(t.STATES)
        (machine, begin, end), which = group(moves[0], moves[1] - lowest, moves[2] - lowest)
        yield numbers(f"{name}.function", machine, delta=True)
        yield numbers(f"{name}.from", begin + lowest)
        yield numbers(f"{name}.to", end + lowest)
        yield numbers(f"{name}.count", counts(which, len(machine)))
        yield numbers(f"{name}.run_ns", sums(which, moves[3], len(machine)))
        (machine, location), which = group(waits[0], waits[1])
        wait = trace.awaits.end_ns[waits[2]] - trace.awaits.start_ns[waits[2]]
        yield numbers(f"{name}_states.function", machine, delta=True)
        yield numbers(f"{name}_states.location", location)
        yield numbers(f"{name}_states.count", counts(which, len(machine)))
        yield numbers(f"{name}_states.wait_ns", sums(which, wait, len(machine)))


def _of_tasks(trace: Trace) -> tuple[Moves, Waits]:
    table, awaits, polls = trace.task_table, trace.awaits, trace.polls
    begin = table.created_ns.copy()
    firsts = np.flatnonzero(np.diff(polls.task, prepend=0))
    begin[polls.task[firsts] - 1] = polls.start_ns[firsts]  # what came before is no running
    known = table.function >= 0
    rows = np.flatnonzero(known[awaits.task - 1]) if len(awaits) else np.empty(0, np.int64)
    unit = awaits.task[rows].astype(np.int64) - 1
    moves = _chained(trace, rows, unit, begin, table.end_ns, END - table.state.astype(np.int64), np.flatnonzero(known))
    machine = table.function.astype(np.int64)
    return (machine[moves[0]], *moves[1:]), (machine[unit], awaits.location[rows].astype(np.int64), rows)


def _of_calls(trace: Trace) -> tuple[Moves, Waits]:
    awaits, calls, entries, nodes = trace.awaits, trace.calls, trace.entries, trace.nodes
    rows = np.flatnonzero(awaits.node >= 0)
    rows = rows[nodes.parent[awaits.node[rows]] >= 0]
    rows = rows[nodes.function[awaits.node[rows]] >= 0]
    if not len(rows) or not len(entries):
        none = np.empty(0, np.int64)
        return (none, none, none, none), (none, none, none)
    width = len(nodes) + 1
    (key,), which = group(
        np.concatenate([entries.task * np.int64(width) + entries.node + 1,
                        awaits.task[rows] * np.int64(width) + awaits.node[rows] + 1])
    )  # fmt: skip
    entry_of = LastBefore(which[: len(entries)], entries.start_ns, len(key), trace.meta.duration_ns + 1)
    entry = entry_of(which[len(entries) :], awaits.start_ns[rows])
    rows, entry = rows[entry >= 0], entry[entry >= 0]
    call = entries.call[entry].astype(np.int64)
    order = np.lexsort((awaits.start_ns[rows], call))
    rows, call = rows[order], call[order]
    used = np.unique(call)
    over = END - calls.outcome.astype(np.int64)
    moves = _chained(trace, rows, call, calls.start_ns, calls.end_ns, over, used)
    machine = calls.function.astype(np.int64)
    return (machine[moves[0]], *moves[1:]), (machine[call], awaits.location[rows].astype(np.int64), rows)


def _chained(
    trace: Trace, rows: t.Ints, unit: t.Ints, begin: t.Ints, end: t.Ints, over: t.Ints, units: t.Ints
) -> Moves:
    """From each unit's start over its awaits (``rows``, in order of unit and time) to its end.  ``begin``, ``end`` and
    ``over`` (which end) are by unit, ``units`` those that count.  The machine of a move is its unit, for now."""
    awaits = trace.awaits
    state, start, stop = awaits.location[rows].astype(np.int64), awaits.start_ns[rows], awaits.end_ns[rows]
    first = np.flatnonzero(np.diff(unit, prepend=-1))
    last = np.append(first[1:], len(rows))[: len(first)] - 1
    inner = np.setdiff1d(np.arange(len(rows)), first, assume_unique=True)
    idle = np.setdiff1d(units, unit)  # those that never awaited anything
    return (
        np.concatenate([unit[first], unit[inner], unit[last], idle]),
        np.concatenate([np.full(len(first), START), state[inner - 1], state[last], np.full(len(idle), START)]),
        np.concatenate([state[first], state[inner], over[unit[last]], over[idle]]),
        np.concatenate([
            start[first] - begin[unit[first]],
            start[inner] - stop[inner - 1],
            end[unit[last]] - stop[last],
            end[idle] - begin[idle],
        ]),
    )  # fmt: skip
