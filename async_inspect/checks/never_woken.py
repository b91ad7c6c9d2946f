"""Tasks that still wait when all is over, for something that nobody did.

Looks for: at the recording's end, or just before Ctrl-C, tasks that wait for an event, a condition, a queue, a
semaphore, a barrier, a lock, or a bare future.  Who waits for a task waits for what that one waits for, and is named
with it; cycles are ``deadlock``'s.

Evidence: the wait; who woke such waits before and who worked at the same queue, and whether these are still there.
It is a warning where all of those are over and one of them failed; else a hint: to wait for good may be how the program
stays up, and what comes from outside is seen by nobody.

Cannot see: who would have woken a wait like which there was none before; anything where the recording is broken off, as
that is not the end.  Waits for timers, I/O, threads, processes and
other programs end by themselves, and are not looked at.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import numpy as np

from ..model import tables as t
from ..model.data import TraceData
from ..model.figures.moment import Moment, last_moments
from ..model.finding import Finding
from ..model.reasons import coded
from ..model.text import ms, several, who
from ..model.trace import Trace

NAME = "never woken"
ABOUT = "tasks that still wait at the end for something that nobody did"
REASONS: Final = (
    "", "event", "condition", "queue get", "queue put", "queue join", "semaphore", "barrier", "lock"
)  # fmt: skip
USERS_FUTURE: Final = ("asyncio.Future", "_asyncio.Future", "asyncio.futures.Future")


def find(trace: Trace) -> Iterator[Finding]:
    for moment in last_moments(trace):
        if moment.is_last:
            yield from _of_process(trace, moment)


def _of_process(trace: Trace, moment: Moment) -> Iterator[Finding]:
    stuck = {task for cycle in moment.cycles for task in cycle}
    kinds: dict[tuple[int, int], list[int]] = defaultdict(list)  # by resource and location
    for task, row in moment.awaits.items():
        if _counts(moment, task, row) and task not in stuck:
            at = int(trace.awaits.location[row])
            kinds[int(trace.awaits.resource[row]), at].append(task)
    behind = _behind(moment)
    for (resource, location), tasks in kinds.items():
        yield _finding(moment, resource, location, tasks, behind)


def _counts(moment: Moment, task: int, row: int) -> bool:
    trace = moment.trace
    if trace.task_table.driven[task - 1] or moment.ready_since(task) is not None or moment.waits_for.get(task):
        return False
    table = trace.task_table
    holders = trace.holds.task[moment.holders(task)].tolist()
    if any(other and not table.ended[other - 1] for other in holders):
        return False  # it waits for these, and they are named for themselves
    if int(trace.awaits.due_ns[row]) >= 0 or moment.reason(task) not in REASONS:
        return False
    if int(trace.awaits.resource[row]) >= 0:
        return bool(moment.reason(task))
    # A bare future: only where the program's own code awaits it, else it is a library's matter.
    kind, leaf = int(trace.awaits.awaited[row]), int(trace.awaits.leaf_location[row])
    return kind >= 0 and trace.strings[kind] in USERS_FUTURE and trace.frame(leaf).function.user


def _behind(moment: Moment) -> dict[int, set[int]]:
    """By task who waits for it, over any number of others."""
    awaiters: dict[int, list[int]] = defaultdict(list)
    for task, whom in moment.waits_for.items():
        for other in whom:
            awaiters[other].append(task)
    found = {}
    for task in moment.awaits:
        if task in awaiters and task not in moment.waits_for:
            seen, stack = set(), list(awaiters[task])
            while stack:
                if (other := stack.pop()) not in seen:
                    seen.add(other)
                    stack += awaiters[other]
            found[task] = seen
    return found


def _finding(moment: Moment, resource: int, location: int, tasks: list[int], behind: dict[int, set[int]]) -> Finding:
    trace, awaits = moment.trace, moment.trace.awaits
    first = tasks[0]
    row = moment.awaits[first]
    place, reason = trace.place(location), moment.reason(first)
    what = trace.resource(resource) or "a future"
    more = set().union(*(behind.get(task, set()) for task in tasks)) - set(tasks)
    partners = _partners(trace, resource, reason) - set(tasks)
    table = trace.task_table
    over = [task for task in sorted(partners) if table.ended[task - 1] and table.end_ns[task - 1] <= moment.at_ns]
    failed = [task for task in over if table.state[task - 1] == t.FAILED]
    gone = bool(failed) and len(over) == len(partners)
    since = min(int(awaits.start_ns[moment.awaits[task]]) for task in tasks)
    waits = f"{several(trace, tasks)} still {'waits' if len(tasks) == 1 else 'wait'} at {place} for {what}"
    text = f"{waits}{f' ({reason})' * bool(reason)}, since {ms(since)}"
    if gone:
        text += f", and {who(trace, failed[0])}, which it hung on, failed: {table.error.get(failed[0] - 1, '?')}"
    evidence = []
    if more:
        evidence.append(f"{several(trace, sorted(more))} {'waits' if len(more) == 1 else 'wait'} for that in turn")
    for task in sorted(partners)[:5]:
        state = t.SHOWN_STATES[table.state[task - 1]] if task in over else "still there"
        evidence.append(f"{who(trace, task)} had to do with it before: {state}")
    if not partners:
        evidence.append("nobody is known who woke such a wait before")
    if not gone:
        evidence.append("all is well if something from outside is to end this wait, or nothing at all")
    return Finding(
        check=NAME,
        severity="warning" if gone else "hint",
        text=text,
        place=place,
        task=first,
        tasks=(*tasks, *sorted(more)),
        evidence=tuple(evidence),
        weight_ns=moment.at_ns - int(awaits.start_ns[row]) if more or gone else 0,
    )


def _partners(trace: TraceData, resource: int, reason: str) -> set[int]:
    """Who woke waits for this before; of a queue that is joined, also who took from it."""
    if resource < 0:
        return set()
    awaits = trace.awaits
    rows = np.flatnonzero(awaits.resource == resource)
    found = set(awaits.waker[rows].tolist())
    if reason == "queue join":
        words, codes = coded(trace)
        found |= {int(awaits.task[row]) for row in rows.tolist() if words[codes[row]] == "queue get"}
    return found - {0}
