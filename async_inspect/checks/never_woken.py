"""Tasks that still wait at the end, for something that never happened.

Looks for: at the recording's end, or just before Ctrl-C, tasks that wait for an event, a condition, a queue, a
semaphore, a barrier, a lock, or a bare future.  A task that waits for another task waits for the same as that one, and
is named with it; cycles are reported by ``deadlock``.

Evidence: the wait; which tasks woke such waits before or worked at the same queue, and whether these are still alive.
It is a warning where all of those have ended and one of them failed; else a hint: waiting for ever may be how the
program stays up, and what comes from outside is not recorded.

Cannot see: which task would have woken a wait of a kind that did not occur before; anything where the recording is
broken off, as that is not the end.  Waits for timers, I/O, threads, processes and other programs end by themselves, and
are not looked at.
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
        if _is_stuck(moment, task, row) and task not in stuck:
            at = int(trace.awaits.location[row])
            kinds[int(trace.awaits.resource[row]), at].append(task)
    behind = _behind(moment)
    for (resource, location), tasks in kinds.items():
        yield _finding(moment, resource, location, tasks, behind)


def _is_stuck(moment: Moment, task: int, row: int) -> bool:
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
    """By task, all tasks that wait for it, directly or through others."""
    awaiters: dict[int, list[int]] = defaultdict(list)
    for task, awaited in moment.waits_for.items():
        for other in awaited:
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
    behind_them = set().union(*(behind.get(task, set()) for task in tasks)) - set(tasks)
    partners = _partners(trace, resource, reason) - set(tasks)
    table = trace.task_table
    ended = [task for task in sorted(partners) if table.ended[task - 1] and table.end_ns[task - 1] <= moment.at_ns]
    failed = [task for task in ended if table.state[task - 1] == t.FAILED]
    partner_failed = bool(failed) and len(ended) == len(partners)
    since = min(int(awaits.start_ns[moment.awaits[task]]) for task in tasks)
    waits = f"{several(trace, tasks)} still {'waits' if len(tasks) == 1 else 'wait'} at {place} for {what}"
    text = f"{waits}{f' ({reason})' * bool(reason)}, since {ms(since)}"
    if partner_failed:
        text += f", and {who(trace, failed[0])}, which it hung on, failed: {table.error.get(failed[0] - 1, '?')}"
    evidence = []
    if behind_them:
        evidence.append(
            f"{several(trace, sorted(behind_them))} {'waits' if len(behind_them) == 1 else 'wait'} for that in turn"
        )
    for task in sorted(partners)[:5]:
        state = t.SHOWN_STATES[table.state[task - 1]] if task in ended else "still there"
        evidence.append(f"{who(trace, task)} had to do with it before: {state}")
    if not partners:
        evidence.append("nobody is known who woke such a wait before")
    if not partner_failed:
        evidence.append("all is well if something from outside is to end this wait, or nothing at all")
    return Finding(
        check=NAME,
        severity="warning" if partner_failed else "hint",
        text=text,
        place=place,
        task=first,
        tasks=(*tasks, *sorted(behind_them)),
        evidence=tuple(evidence),
        weight_ns=moment.at_ns - int(awaits.start_ns[row]) if behind_them or partner_failed else 0,
    )


def _partners(trace: TraceData, resource: int, reason: str) -> set[int]:
    """The tasks that woke waits for this resource before; of a queue that is joined, also those that took from it."""
    if resource < 0:
        return set()
    awaits = trace.awaits
    rows = np.flatnonzero(awaits.resource == resource)
    found = set(awaits.waker[rows].tolist())
    if reason == "queue join":
        words, codes = coded(trace)
        found |= {int(awaits.task[row]) for row in rows.tolist() if words[codes[row]] == "queue get"}
    return found - {0}
