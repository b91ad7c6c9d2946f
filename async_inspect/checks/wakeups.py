"""Tasks that are woken again and again only to go back to the same wait.

Looks for: await points at which one task suspended at least TIMES times, at least RATE times a second, where in nine of
ten cases it did nothing since it was suspended there before: called no coroutine but the standard library's, created no
task, woke no task.

Evidence: how many wake-ups, how many of them in vain, and what woke it.  For a condition (all are notified, one can go
on) it is a warning; else a hint: it looks like polling instead of waiting for an event, but a clock that ticks looks
the same.

Cannot see: what its plain code did in between; that may have been worth it.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from ..model import tables as t
from ..model.finding import Finding
from ..model.grouping import Ordered, counts, exact_sum, group, sums
from ..model.text import ms, several
from ..model.trace import Trace

NAME = "wake-ups for nothing"
ABOUT = "tasks that are woken only to go back to the same wait"
OF_CALLS = True
TIMES: Final = 500
RATE: Final = 100  # a second
CERTAIN: Final = ("condition",)


def find(trace: Trace) -> Iterator[Finding]:
    awaits = trace.awaits
    if len(awaits) < TIMES:
        return
    idle = _in_vain(trace)
    (task, location), which = group(awaits.task, awaits.location)
    times, vain = counts(which, len(task)), sums(which, idle, len(task))
    first, last = np.full(len(task), np.iinfo(np.int64).max), np.zeros(len(task), np.int64)
    np.minimum.at(first, which, awaits.start_ns)
    np.maximum.at(last, which, awaits.end_ns)
    often = (times >= TIMES) & (vain * 10 >= times * 9) & (times * 1_000_000_000 >= RATE * (last - first))
    words, codes = trace.reasons
    for at in np.unique(location[often]).tolist():
        pairs = np.flatnonzero(often & (location == at))
        rows = np.flatnonzero(often[which] & (awaits.location == at))
        reason = words[int(codes[rows[0]])]
        by = t.WAKERS[int(np.argmax(np.bincount(awaits.woken_by[rows], minlength=len(t.WAKERS))))]
        place, span = trace.place(at), int(last[pairs].max() - first[pairs].min())
        tasks, again = task[pairs].tolist(), exact_sum(vain[pairs])
        text = f"{several(trace, tasks)} woke up {int(times[pairs].sum()):,} times in {ms(span)} at {place}"
        yield Finding(
            check=NAME,
            severity="warning" if reason in CERTAIN else "hint",
            text=f"{text}, {again:,} times only to wait there again ({reason or 'reason not known'})",
            place=place,
            task=tasks[0],
            tasks=tuple(tasks),
            evidence=(f"mostly woken by {by}",) if by else (),
            weight_ns=again,
        )


def _in_vain(trace: Trace) -> t.Bools:
    """By await, whether its task went back to the same await point and did nothing else that is recorded."""
    awaits, polls, tasks = trace.awaits, trace.polls, trace.task_table
    again = np.zeros(len(awaits), np.bool_)
    again[:-1] = (awaits.task[1:] == awaits.task[:-1]) & (awaits.location[1:] == awaits.location[:-1])
    again &= awaits.ended
    # The poll after each await: it begins when the await ends.
    starts = Ordered(polls.task, polls.start_ns)
    poll = np.minimum(starts.before(awaits.task, awaits.end_ns), len(polls) - 1)

    entries = trace.entries
    ours = np.array([not f.file.startswith("<stdlib>/") for f in trace.functions] + [True], np.bool_)
    entered = (entries.last_poll >= entries.first_poll) & ours[trace.calls.function[entries.call]]
    called = counts(entries.first_poll[entered], len(polls))

    def acts(task: t.Small, at: t.Ints) -> t.Ints:
        """By poll, how often its task did something then."""
        known = task > 0
        found = starts.before(task[known], at[known], "right") - 1
        return counts(found[found >= 0], len(polls))

    woke = acts(awaits.waker, awaits.end_ns - np.maximum(awaits.ready_ns, 0))
    made = acts(tasks.parent, tasks.created_ns)
    words, codes = trace.reasons
    passes_on = np.array([word in CERTAIN for word in words], np.bool_)[codes]  # the lock, as it waits again
    found: t.Bools = (
        again
        & trace.calls_heard[awaits.task]
        & (called[poll] == 0)
        & ((woke[poll] == 0) | passes_on)
        & (made[poll] == 0)
    )
    return found
