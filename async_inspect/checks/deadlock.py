"""Tasks that wait for each other in a cycle, so that none of them can ever go on.

Looks for: cycles of tasks that await one another (directly, gathered, in a task group) or a Lock that the next one
holds; a task that awaits itself or a Lock that it has; a semaphore all of whose holders wait for one more.

Evidence: at one moment each of them is in such a wait and none was woken.  The moment at the recording's end, or just
before Ctrl-C, is examined completely.  A cycle that broke up earlier (by a timeout, by a cancellation) is found where
it closed, following each wait's chain for HOPS tasks; it counts as none if a task outside of it released the lock, or
if it lasted less than LEAST_NS: then its end was on the way.  The same where the recording is broken off less than
LEAST_NS after it closed.

Cannot see: cycles over queues, events and bare futures, since it is not known which task would set them; over the first
of several tasks (``wait``, ``as_completed``); over other locks than asyncio's and trio's.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import numpy as np

from ..model import tables as t
from ..model.figures.moment import LOCKS, Moment, last_moments
from ..model.finding import Finding
from ..model.grouping import Ordered
from ..model.text import many, ms, who
from ..model.trace import Trace

NAME = "deadlock"
ABOUT = "tasks that wait for each other in a cycle"
HOPS: Final = 64
LEAST_NS: Final = 1_000_000
MOMENTS: Final = 10  # at which cycles that broke up again are looked for
SEMAPHORES: Final = ("asyncio.locks.Semaphore", "asyncio.locks.BoundedSemaphore")


def find(trace: Trace) -> Iterator[Finding]:
    seen: set[frozenset[int]] = set()
    for last in last_moments(trace):
        for cycle in last.cycles:
            if not last.is_last and last.at_ns - _closed_at(last, cycle) < LEAST_NS:
                continue
            seen.add(frozenset(cycle))
            yield _cycle_finding(last, cycle, None)
        if last.is_last:
            yield from _exhausted_semaphores(last)
    for at, process in _closings(trace):
        moment = Moment(trace, at, process)
        for cycle in moment.cycles:
            members = frozenset(cycle)
            over = min(_woken(trace, moment.awaits[task]) for task in cycle)
            itself = trace.awaits.awaited_task[moment.awaits[cycle[0]]] == cycle[0]  # asyncio refuses that at once
            if members in seen or (over - at < LEAST_NS and not itself):
                continue
            if not _broken_by_others(moment, cycle, over):
                seen.add(members)
                yield _cycle_finding(moment, cycle, over)


# --- in words --------------------------------------------------------------------------------------------------------


def _cycle_finding(moment: Moment, cycle: tuple[int, ...], over: int | None) -> Finding:
    trace, awaits = moment.trace, moment.trace.awaits
    since = _closed_at(moment, cycle)
    until = moment.at_ns if over is None else over
    lasted = f"since {ms(since)}" if over is None else f"from {ms(since)} on, for {ms(over - since)}"
    places = [trace.place(int(awaits.location[moment.awaits[task]])) or "?" for task in cycle]
    if len(cycle) == 1:
        what = trace.resource(int(awaits.resource[moment.awaits[cycle[0]]]))
        has = f"{what}, which it holds" if what else "itself"
        text = f"{who(trace, cycle[0])} waits at {places[0]} for {has}, {lasted}"
    else:
        names = " → ".join(f"{who(trace, task)} at {place}" for task, place in zip(cycle, places, strict=True))
        text = f"{many(len(cycle), 'task')} wait for each other, {lasted}: {names} → task {cycle[0]}"
    behind = [task for task in moment.blocked_by if task not in cycle and set(moment.blocked_by[task]) & set(cycle)]
    evidence = [_member(moment, task, cycle) for task in cycle]
    if behind:
        evidence.append(f"behind them {'waits' if len(behind) == 1 else 'wait'} {many(len(behind), 'more task')}")
    return Finding(
        check=NAME, severity="error", text=text, place=places[0], task=cycle[0], tasks=cycle, evidence=tuple(evidence),
        weight_ns=(until - since) * len(cycle),
    )  # fmt: skip


def _closed_at(moment: Moment, cycle: tuple[int, ...]) -> int:
    """When a cycle closed: the last of its tasks began to wait."""
    return max(int(moment.trace.awaits.start_ns[moment.awaits[task]]) for task in cycle)


def _member(moment: Moment, task: int, cycle: tuple[int, ...]) -> str:
    """A line about one task of a cycle: what it waits for, and where the holder of that took it."""
    trace, row = moment.trace, moment.awaits[task]
    head = f"{who(trace, task)} waits at {trace.place(int(trace.awaits.location[row]))} for"
    for hold in moment.holders(task):
        holder = int(trace.holds.task[hold])
        if holder in cycle and moment.is_lock(int(trace.awaits.resource[row])):
            place = trace.place(int(trace.holds.location[hold]))
            itself = "it" if holder == task else who(trace, holder)
            return f"{head} {trace.resource(int(trace.awaits.resource[row]))}, which {itself} took at {place}"
    following = next(other for other in moment.blocked_by[task] if other in cycle)
    return f"{head} {'itself' if following == task else who(trace, following)}"


def _exhausted_semaphores(moment: Moment) -> Iterator[Finding]:
    """Semaphores all of whose holders wait for one more."""
    trace = moment.trace
    waiting: dict[int, list[int]] = defaultdict(list)
    for task, row in moment.awaits.items():
        resource = int(trace.awaits.resource[row])
        if resource >= 0 and trace.resources.kind[resource] in SEMAPHORES and moment.ready_since(task) is None:
            waiting[resource].append(task)
    for resource, tasks in waiting.items():
        holds = moment.held.get(resource, [])
        holders = {int(trace.holds.task[row]) for row in holds}
        if holds and holders <= set(tasks):
            since = max(int(trace.awaits.start_ns[moment.awaits[task]]) for task in holders)
            name = trace.resource(resource)
            first = min(holders)
            yield Finding(
                check=NAME,
                severity="error",
                text=f"all that hold {name} wait for one more of it: {many(len(holders), 'task')}, since {ms(since)}",
                place=trace.place(int(trace.awaits.location[moment.awaits[first]])),
                task=first,
                tasks=tuple(sorted(holders)),
                evidence=tuple(
                    f"{who(trace, int(trace.holds.task[row]))} took it at {trace.place(int(trace.holds.location[row]))}"
                    for row in holds
                ),
                weight_ns=(moment.at_ns - since) * len(tasks),
            )  # fmt: skip


# --- cycles that broke up again ---------------------------------------------------------------------------------------


def _woken(trace: Trace, row: int) -> int:
    """When a wait was over: its task was woken, or ran."""
    awaits = trace.awaits
    return int(awaits.end_ns[row] - max(awaits.ready_ns[row], 0))


def _broken_by_others(moment: Moment, cycle: tuple[int, ...], over: int) -> bool:
    """Whether a cycle broke up because a task that does not hold a lock of it released that lock."""
    holds = moment.trace.holds
    rows = [row for task in cycle for row in moment.holders(task)]
    return any(
        holds.ended[row] and holds.end_ns[row] <= over and holds.given_by[row] != holds.task[row] for row in rows
    )


def _closings(trace: Trace) -> list[tuple[int, int]]:
    """(moment, process) at which cycles closed: a wait began from which the waits of that moment lead back to its task.

    Follows all waits at once, one hop a round.  Of a task that gathers several, only whether the first task is one of
    them is looked at.
    """
    awaits, holds, edges = trace.awaits, trace.holds, trace.edges
    if not len(awaits):
        return []
    lock = np.array([*(kind.partition(" ")[0] in LOCKS for kind in trace.resources.kind), False], np.bool_)
    waits_lock = lock[awaits.resource]
    waits = Ordered(awaits.task, awaits.start_ns)
    taken = Ordered(holds.resource, holds.start_ns)
    words, codes = trace.reasons
    several = np.array([word in ("", "gather", "task group") for word in words], np.bool_)[codes] & ~waits_lock
    pairs = np.unique(edges.task.astype(np.int64) << 32 | edges.awaited)
    over = awaits.end_ns - np.maximum(awaits.ready_ns, 0)

    def holder(resource: t.Ints, at: t.Ints) -> t.Ints:
        if not len(holds):
            return np.zeros(len(at), np.int64)
        row = taken.order[np.maximum(taken.before(resource, at, "right") - 1, 0)]
        good = (holds.resource[row] == resource) & (holds.start_ns[row] <= at) & (holds.end_ns[row] > at)
        return np.where(good, holds.task[row], 0).astype(np.int64)

    def following(row: t.Ints, at: t.Ints, goal: t.Ints) -> t.Ints:
        """The task that each of these waits depends on at that time; 0: none."""
        found = awaits.awaited_task[row].astype(np.int64)
        by_lock = waits_lock[row]
        found[by_lock] = holder(awaits.resource[row[by_lock]].astype(np.int64), at[by_lock])
        other = np.flatnonzero((found == 0) & several[row])
        among = np.isin(awaits.task[row[other]].astype(np.int64) << 32 | goal[other], pairs)
        found[other[among]] = goal[other[among]]
        return found

    first = np.flatnonzero((waits_lock | (awaits.awaited_task > 0)) & (over > awaits.start_ns))
    origin = [first]
    current = [following(first, awaits.start_ns[first], awaits.task[first].astype(np.int64))]
    # Who begins to wait for several: each of them leads on.
    began = waits.before(edges.task, edges.since_ns, "right") - 1
    inside = np.flatnonzero((began >= 0) & (awaits.task[began] == edges.task) & (awaits.end_ns[began] > edges.since_ns))
    inside = inside[(awaits.awaited_task[began[inside]] == 0) & (over[began[inside]] > awaits.start_ns[began[inside]])]
    origin.append(began[inside])
    current.append(edges.awaited[inside].astype(np.int64))
    begin, at_task = np.concatenate(origin), np.concatenate(current)

    process = trace.task_table.process
    found: set[tuple[int, int]] = set()
    for _ in range(HOPS):
        going = at_task > 0
        begin, at_task = begin[going], at_task[going]
        if not len(begin):
            break
        back = at_task == awaits.task[begin]
        closed = begin[back]
        found |= {*zip(awaits.start_ns[closed].tolist(), process[awaits.task[closed] - 1].tolist(), strict=True)}
        begin, at_task = begin[~back], at_task[~back]
        at = awaits.start_ns[begin]
        row = waits.before(at_task, at, "right") - 1
        goes_on = (row >= 0) & (awaits.task[row] == at_task) & (over[row] > at)
        begin, row, at = begin[goes_on], row[goes_on], at[goes_on]
        at_task = following(row, at, awaits.task[begin].astype(np.int64))
    return sorted(found)[:MOMENTS]
