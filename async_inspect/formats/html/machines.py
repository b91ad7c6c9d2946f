"""Coroutines as state machines: the lines on which a function awaits as states, and how often one followed another.

Knows: what a state, a beginning and an end is.  Knows nothing of how a machine is drawn.

A machine is of one function, whatever calls it, and its states are lines of its own frame.  A state is entered once
an await, however often what is awaited suspends meanwhile; an await that never suspends is not seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...model import tables as t
from ...model.grouping import LastBefore, counts, group, sums
from ...model.trace import Trace
from .pack import numbers

START = -1  # a state: nothing was awaited yet
EARLIER = -2  # likewise, for a call that had begun before the recording
END = -3  # and down: END - a row of ENDS
ENDS = (*t.OUTCOMES, "cancelled", "closed")
LOWEST = END - len(ENDS)
RAISED_AS = {"asyncio.exceptions.CancelledError": 4, "trio.Cancelled": 4, "GeneratorExit": 5}  # rows of ENDS


@dataclass(frozen=True)
class Visits:
    """Awaits in a call's own frame, ordered by call and time.  ``begin`` and ``end`` are on a clock of the time for
    which calls were entered, all calls one after the other: the time of a generator's consumer doesn't count."""

    call: t.Ints
    location: t.Ints
    begin: t.Ints
    end: t.Ints
    wait: t.Ints
    child: t.Ints  # the function that is awaited, -1


def machines(trace: Trace) -> Iterator[bytes]:
    """The blocks: transitions between states with their counts and run times; states, and what is awaited there; the
    lines at which a function never waited."""
    shown = np.array([*(f.user for f in trace.functions), False], np.bool_)
    shown[trace.task_table.function] = True
    shown[-1] = False  # what isn't known
    visits = _visits(trace, shown)
    yield from _moves(trace, shown, visits)
    (location,), which = group(visits.location)
    yield numbers("states.location", location, delta=True)
    yield numbers("states.count", counts(which, len(location)))
    yield numbers("states.wait_ns", sums(which, visits.wait, len(location)))
    yield numbers("states.run_ns", sums(which, visits.end - visits.begin - visits.wait, len(location)))
    (location, child), which = group(visits.location, visits.child + 1)
    yield numbers("awaited.location", location, delta=True)
    yield numbers("awaited.function", child - 1)
    yield numbers("awaited.count", counts(which, len(location)))
    yield from _never(trace, visits, np.unique(trace.calls.function[shown[trace.calls.function]]))


def _moves(trace: Trace, shown: t.Bools, visits: Visits) -> Iterator[bytes]:
    calls, entries = trace.calls, trace.entries
    total = sums(entries.call, entries.end_ns - entries.start_ns, len(calls))
    base = np.cumsum(total) - total
    ending = calls.outcome.astype(np.int64)
    for text, row in RAISED_AS.items():
        if text in trace.strings:
            ending[calls.error == trace.strings.index(text)] = row
    ending = END - ending
    before = np.append(False, trace.task_table.before)[calls.task]
    begun = np.where(before & (calls.awaiter < 0), EARLIER, START)

    new = np.diff(visits.call, prepend=-1) > 0
    first, inner = np.flatnonzero(new), np.flatnonzero(~new)
    last = np.append(first[1:], len(new))[: len(first)] - 1
    busy = visits.call[first]
    idle = shown[calls.function]
    idle[busy] = False
    (machine, begin, end), which = group(
        calls.function[np.concatenate([busy, visits.call[inner], busy, np.flatnonzero(idle)])],
        np.concatenate([begun[busy], visits.location[inner - 1], visits.location[last], begun[idle]]) - LOWEST,
        np.concatenate([visits.location[first], visits.location[inner], ending[busy], ending[idle]]) - LOWEST,
    )
    ran = np.concatenate([
        visits.begin[first] - base[busy],
        visits.begin[inner] - visits.end[inner - 1],
        (base + total)[busy] - visits.end[last],
        total[idle],
    ])  # fmt: skip
    yield numbers("moves.function", machine, delta=True)
    yield numbers("moves.from", begin + LOWEST)
    yield numbers("moves.to", end + LOWEST)
    yield numbers("moves.count", counts(which, len(machine)))
    yield numbers("moves.run_ns", sums(which, ran, len(machine)))


def _never(trace: Trace, visits: Visits, machines: t.Small) -> Iterator[bytes]:
    """The await lines of each machine at which it never waited; and the functions whose await lines are not known."""
    lines: dict[int, set[int]] = {}
    for location in np.unique(visits.location).tolist():
        lines.setdefault(int(trace.locations.function[location]), set()).add(int(trace.locations.line[location]))
    never, unknown = [], []
    for row in machines.tolist():
        awaits = trace.functions[row].awaits
        if awaits is None:
            unknown.append(row)
        never += [(row, line) for line in awaits or () if line not in lines.get(row, ())]
    yield numbers("never.function", np.array([row for row, _ in never], np.int64), delta=True)
    yield numbers("never.line", np.array([line for _, line in never], np.int64))
    yield numbers("unsaid.function", np.array(unknown, np.int64), delta=True)


def _visits(trace: Trace, shown: t.Bools) -> Visits:
    awaits, entries, nodes = trace.awaits, trace.entries, trace.nodes
    row, node, location, child = _frames(trace, shown)
    task, start = awaits.task[row], awaits.start_ns[row]
    keys, which = group(
        np.concatenate([entries.task, task, task]), np.concatenate([entries.node, node, child]).astype(np.int64) + 1
    )
    of_entries, of_frame, below = np.split(which, [len(entries), len(entries) + len(row)])
    entry_of = LastBefore(of_entries, entries.start_ns, len(keys[0]))
    entry = entry_of(of_frame, start)
    known = np.flatnonzero(entry >= 0)
    known = known[np.lexsort((start[known], entries.call[entry[known]]))]
    row, location, child, below, entry, start = (c[known] for c in (row, location, child, below, entry, start))
    call = entries.call[entry].astype(np.int64)

    # An await goes on where its frame stands at the same line, and what it awaits is in the same entry.
    same = (call[1:] == call[:-1]) & (location[1:] == location[:-1]) & (child[1:] == child[:-1]) & (child[1:] >= 0)
    at = np.flatnonzero(same)
    inner = [entry_of(below[which], start[which]) for which in (at, at + 1)]
    same[at] = (inner[0] == inner[1]) & (inner[0] >= 0)
    new = np.concatenate([[True], ~same])[: len(row)]
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(row))[: len(first)] - 1

    order = np.argsort(entries.call, kind="stable")
    lengths = (entries.end_ns - entries.start_ns)[order]
    before = np.empty(len(entries), np.int64)  # for how long calls had been entered
    before[order] = np.cumsum(lengths) - lengths
    begun = before[entry] - entries.start_ns[entry]
    end = np.minimum(awaits.end_ns[row], entries.end_ns[entry])
    functions = np.append(nodes.function, -1)
    return Visits(
        call=call[first],
        location=location[first],
        begin=begun[first] + start[first],
        end=begun[last] + end[last],
        wait=sums(np.cumsum(new) - 1, end - start, len(first)),
        child=functions[child[first]].astype(np.int64),
    )


def _frames(trace: Trace, shown: t.Bools) -> tuple[t.Ints, t.Ints, t.Ints, t.Ints]:
    """The frames of all awaits whose functions are shown: the await's row, the frame's node and location, and the node
    of the frame that it awaits (-1: of the leaf)."""
    awaits, nodes, chains = trace.awaits, trace.nodes, trace.chains
    (leaf, stack), which = group(awaits.leaf_node + 1, awaits.stack + 1)
    frames: list[tuple[int, int, int]] = []
    first = [0]
    for bottom, top in zip((leaf - 1).tolist(), (stack - 1).tolist(), strict=True):
        node, chain, places = bottom, top, list[int]()
        while chain >= 0:
            places.append(int(chains.location[chain]))
            chain = int(chains.inner[chain])
        inside = -1
        for location in reversed(places):
            if node < 0 or nodes.function[node] != trace.locations.function[location]:
                break  # past the cap on nodes
            if shown[nodes.function[node]]:
                frames.append((node, location, inside))
            node, inside = int(nodes.parent[node]), node
        first.append(len(frames))
    table = np.array(frames, np.int64).reshape(-1, 3)
    begin = np.array(first, np.int64)
    count = np.diff(begin)[which]
    row = np.repeat(np.arange(len(awaits)), count)
    at = np.repeat(begin[which] - (np.cumsum(count) - count), count) + np.arange(len(row))
    node_, location_, inside_ = table[at].T
    return row, node_, location_, inside_
