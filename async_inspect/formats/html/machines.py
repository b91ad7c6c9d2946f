"""Coroutines as state machines: the lines on which a function awaits as states, and how often one followed another.

Knows: what a state, a beginning and an end is.  Knows nothing of how a machine is drawn.

A machine is of one function, whatever calls it, and its states are lines of its own frame.  A state is entered once
an await, however often what is awaited suspends meanwhile; an await that never suspends is not seen.  Where only roots
were heard there is none: whether what is awaited is the same as before isn't known.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np

from ...model import tables as t
from ...model.grouping import MOST, LastBefore, counts, find, group, sums
from ...model.trace import Trace
from ...model.transform.select import select
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
    if not trace.calls_heard.all():  # of the others it isn't known how often an await suspended
        trace = select(trace, trace.calls_heard[1:])
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
    runs = _runs(trace, shown)
    rows = _pieces(trace, runs)
    call = entries.call[rows.entry].astype(np.int64)
    order = np.argsort(call * max(len(awaits), 1) + rows.first, kind="stable")
    if np.any((np.diff(call[order]) == 0) & (np.diff(awaits.start_ns[rows.first[order]]) < 0)):  # of several tasks
        order = np.lexsort((rows.first, awaits.start_ns[rows.first], call))
    rows, call = rows.taken(order), call[order]
    location, child, start = rows.location, rows.child, awaits.start_ns[rows.first]

    # An await goes on where its frame stands at the same line, and what it awaits is in the same entry.
    same = (call[1:] == call[:-1]) & (location[1:] == location[:-1]) & (child[1:] == child[:-1]) & (child[1:] >= 0)
    at = np.flatnonzero(same)
    inner = [runs.entry_of(rows.below[which], start[which]) for which in (at, at + 1)]
    same[at] = (inner[0] == inner[1]) & (inner[0] >= 0)
    new = np.concatenate([[True], ~same])[: len(call)]
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(call))[: len(first)] - 1

    order = np.argsort(entries.call, kind="stable")
    lengths = (entries.end_ns - entries.start_ns)[order]
    before = np.empty(len(entries), np.int64)  # for how long calls had been entered
    before[order] = np.cumsum(lengths) - lengths
    begun = before[rows.entry] - entries.start_ns[rows.entry]
    functions = np.append(nodes.function, -1)
    return Visits(
        call=call[first],
        location=location[first],
        begin=begun[first] + start[first],
        end=begun[last] + np.minimum(awaits.end_ns[rows.last[last]], entries.end_ns[rows.entry[last]]),
        wait=sums(np.cumsum(new) - 1, rows.wait, len(first)),
        child=functions[child[first]].astype(np.int64),
    )


@dataclass(frozen=True)
class Runs:
    """Awaits of one task that follow one another with one stack, as one; and the frames of each, one a row."""

    first: t.Ints  # by run: its awaits
    last: t.Ints
    run: t.Ints  # by frame
    node: t.Small
    location: t.Small
    child: t.Small  # the node of the frame that it awaits (-1: of the leaf)
    of_frame: t.Ints  # the number of (task, node); -1: nothing was ever entered there
    below: t.Ints  # and that of (task, child)
    entry_of: Callable[[t.Ints, t.Ints], t.Ints]  # (number, when) -> the entry; -1: none


@dataclass(frozen=True)
class Pieces:
    """The awaits ``first`` to ``last`` of one entry's frame, at one line: one await of what it awaits, or a part."""

    first: t.Ints
    last: t.Ints
    entry: t.Ints
    location: t.Ints
    child: t.Ints
    below: t.Ints
    wait: t.Ints

    def taken(self, rows: t.Ints) -> "Pieces":
        return Pieces(*(getattr(self, field.name)[rows] for field in fields(self)))


def _runs(trace: Trace, shown: t.Bools) -> Runs:
    awaits, entries = trace.awaits, trace.entries
    frames, begin, which = _frames(trace, shown)
    new = np.flatnonzero(np.diff(awaits.task, prepend=-1) | np.diff(which, prepend=-1))
    last = np.append(new[1:], len(awaits))[: len(new)] - 1
    count = np.diff(begin)[which[new]]
    run = np.repeat(np.arange(len(new)), count)
    at = np.repeat(begin[which[new]] - (np.cumsum(count) - count), count) + np.arange(len(run))
    node, location, child = frames[at].T
    task, width = awaits.task[new][run].astype(np.int64), len(trace.nodes) + 1
    keys, of_entries = np.unique(entries.task.astype(np.int64) * width + entries.node + 1, return_inverse=True)
    entry_of = LastBefore(of_entries, entries.start_ns, len(keys))
    of_frame, below = find(keys, task * width + node + 1), find(keys, task * width + child + 1)

    def entry(number: t.Ints, when: t.Ints) -> t.Ints:
        return np.where(number < 0, -1, entry_of(np.maximum(number, 0), when)) if len(keys) else number

    return Runs(new, last, run, node, location, child, of_frame, below, entry)


def _pieces(trace: Trace, runs: Runs) -> Pieces:
    """Of each frame of each run one piece where that goes on all the time, else one an await."""
    awaits, entries = trace.awaits, trace.entries
    start, end, none = awaits.start_ns, awaits.end_ns, np.empty(0, np.int64)
    first, last = runs.first[runs.run], runs.last[runs.run]
    entry, inner = runs.entry_of(runs.of_frame, start[first]), runs.entry_of(runs.below, start[first])
    several = last > first
    stays = ~several
    some = np.flatnonzero(several)
    stays[some] = runs.entry_of(runs.of_frame[some], start[last[some]]) == entry[some]
    over = end.copy()
    over[runs.last] = np.iinfo(np.int64).min
    latest = np.maximum.reduceat(over, runs.first)[runs.run] if len(runs.first) else none  # but for the last one's
    whole = stays & ~several
    some = np.flatnonzero(stays & several & (runs.child >= 0) & (inner >= 0))
    goes_on = runs.entry_of(runs.below[some], start[last[some]]) == inner[some]
    whole[some] = goes_on & (latest[some] <= entries.end_ns[entry[some]])
    whole &= entry >= 0
    waits = end - start
    waits[runs.last] = 0
    waited = sums(np.repeat(np.arange(len(runs.first)), runs.last - runs.first + 1), waits, len(runs.first))

    one = np.flatnonzero(whole)
    each = np.flatnonzero(~whole & ~(stays & (entry < 0)))
    number = last[each] - first[each] + 1
    frame = np.repeat(each, number)
    row = np.repeat(first[each] - (np.cumsum(number) - number), number) + np.arange(len(frame))
    of_row = entry[frame]
    changing = np.flatnonzero(~stays[frame])
    of_row[changing] = runs.entry_of(runs.of_frame[frame[changing]], start[row[changing]])
    kept = np.flatnonzero(of_row >= 0)
    frame, row, of_row = frame[kept], row[kept], of_row[kept]
    frames = np.concatenate([one, frame])
    lasts, of = np.concatenate([last[one], row]), np.concatenate([entry[one], of_row])
    ending = np.minimum(end[lasts], entries.end_ns[of]) - start[lasts]
    before = np.concatenate([waited[runs.run[one]], np.zeros(len(row), np.int64)])
    return Pieces(
        first=np.concatenate([first[one], row]),
        last=lasts,
        entry=of,
        location=runs.location[frames],
        child=runs.child[frames],
        below=runs.below[frames],
        wait=before + np.minimum(ending, MOST - before),
    )


def _frames(trace: Trace, shown: t.Bools) -> tuple[t.Small, t.Ints, t.Ints]:
    """The stacks of awaits, each once: the frames whose functions are shown (node, location, the node of the frame that
    it awaits, -1: of the leaf), where each stack's begin, and which stack each await has."""
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
    return np.array(frames, np.int32).reshape(-1, 3), np.array(first, np.int64), which
