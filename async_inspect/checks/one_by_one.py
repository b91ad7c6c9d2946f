"""Hint: a coroutine awaits several calls one after another that might be awaited concurrently.

Looks for: a coroutine of the program's own that awaited several others (not the standard library's), each of which
waited, and no two of which ever waited for the same lock, queue or stream.

Evidence: how long each of them waited.  Concurrently they would have waited at least as long as the longest of them:
the rest is the most that can be gained.

Cannot see: whether one needs another's result, or must come after it.  So it is a hint.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from ..model import tables as t
from ..model.finding import Finding
from ..model.grouping import sums
from ..model.text import many, ms
from ..model.trace import Trace

NAME = "one by one"
ABOUT = "awaits one after another that might run together"
OF_CALLS = True
LEAST_NS: Final = 10_000_000  # to gain, for a hint
SHARE: Final = 20  # and that part of the recording
CHILDREN: Final = 20  # more are a loop over many items


def find(trace: Trace) -> Iterator[Finding]:
    calls = trace.calls
    counted = np.array([not f.file.startswith("<stdlib>/") for f in trace.functions] + [False], np.bool_)
    users = np.array([f.user for f in trace.functions] + [False], np.bool_)
    wait = calls.end_ns - calls.start_ns - calls.run_ns
    rows = np.flatnonzero((calls.awaiter >= 0) & (calls.outcome == t.RETURNED) & (wait > 0) & counted[calls.function])
    rows = rows[calls.outcome[calls.awaiter[rows]] == t.RETURNED]
    above = calls.awaiter[rows]
    total, longest = sums(above, wait[rows], len(calls)), np.zeros(len(calls), np.int64)
    np.maximum.at(longest, above, wait[rows])
    number = np.bincount(above, minlength=len(calls))
    gain = np.where((number > 1) & (number <= CHILDREN) & users[calls.function], total - longest, 0)
    least = max(LEAST_NS, trace.meta.duration_ns // SHARE)
    parents = np.flatnonzero(gain >= least)
    parents = parents[np.lexsort((-gain[parents], calls.function[parents]))]
    order = rows[np.argsort(above, kind="stable")]
    for function in np.unique(calls.function[parents]).tolist():
        alike = parents[calls.function[parents] == function]
        best = int(alike[0])
        first, last = np.searchsorted(calls.awaiter[order], [best, best + 1]).tolist()
        children = order[first:last]
        if _share_resource(trace, children):
            continue
        yield _finding(trace, best, children[np.argsort(calls.start_ns[children])], wait, int(gain[best]), len(alike))


def _finding(trace: Trace, parent: int, children: t.Ints, wait: t.Ints, gain: int, count: int) -> Finding:
    calls = trace.calls
    made = trace.functions[calls.function[parent]]
    names = list(dict.fromkeys(trace.functions[f].name for f in calls.function[children].tolist()))
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    text = f"{made.name} awaited {many(len(children), 'call')} one after another ({shown})"
    task = int(calls.task[parent])
    return Finding(
        check=NAME,
        severity="hint",
        text=f"{text}: together, if none needs another's result, at most {ms(gain)} to gain"
        + (f"; {count:,} such calls" if count > 1 else ""),
        place=f"{made.file}:{made.line}",
        task=task,
        tasks=(task,),
        evidence=tuple(
            f"{trace.functions[calls.function[row]].name} waited {ms(int(wait[row]))}" for row in children[:5].tolist()
        ),
        gain_ns=gain,
        weight_ns=gain,
    )


def _share_resource(trace: Trace, children: t.Ints) -> bool:
    """Whether two of these calls waited for the same resource."""
    awaits, calls = trace.awaits, trace.calls
    seen: set[int] = set()
    for call in children.tolist():
        first, last = np.searchsorted(awaits.task, [calls.task[call], calls.task[call] + 1]).tolist()
        start = awaits.start_ns[first:last]
        begin, end = np.searchsorted(start, [calls.start_ns[call], calls.end_ns[call]]).tolist()
        waited_for = {resource for resource in awaits.resource[first + begin : first + end].tolist() if resource >= 0}
        if waited_for & seen:
            return True
        seen |= waited_for
    return False
