"""What went wrong where nobody looked: coroutines that were never awaited, exceptions that were never retrieved, tasks
that were destroyed while they were pending.

Knows how to put a trace's ``troubles`` into words.
"""

import numpy as np

from .. import tables as t
from ..data import TraceData
from ..entities import Frozen
from ..grouping import counts, group


class Trouble(Frozen):
    """One of them."""

    kind: str  # tables.TROUBLES
    at_ns: int
    task: int | None  # that failed, that was destroyed; that ran when the coroutine was dropped
    name: str | None  # the task's
    function: str | None  # what was never awaited
    defined: str | None  # "file:line" of its definition
    place: str | None  # "file:line" where it was dropped
    error: str | None  # of what was never retrieved: the exception's type


class TroubleFigures(Frozen):
    """Such that are alike."""

    first: Trouble
    count: int


def troubles(trace: TraceData) -> tuple[Trouble, ...]:
    """All of them, as they came."""
    return tuple(_trouble(trace, row) for row in range(len(trace.troubles)))


def trouble_figures(trace: TraceData) -> tuple[TroubleFigures, ...]:
    """All of them, those that are alike once: at one place, or of tasks that do the same."""
    table = trace.troubles
    function = np.concatenate([[-1], trace.task_table.function])[table.task]
    function = np.where(table.kind == t.NEVER_AWAITED, table.function, function)
    (kind, *_), which = group(table.kind, function + 1, table.location + 1, table.error + 1)
    count = counts(which, len(kind)).tolist()
    _, first = np.unique(which, return_index=True)
    found = [TroubleFigures(first=_trouble(trace, row), count=n) for row, n in zip(first.tolist(), count, strict=True)]
    return tuple(sorted(found, key=lambda one: (-one.count, one.first.at_ns)))


def _trouble(trace: TraceData, row: int) -> Trouble:
    table = trace.troubles
    task, function, error = int(table.task[row]), int(table.function[row]), int(table.error[row])
    made = trace.functions[function] if function >= 0 else None
    return Trouble(
        kind=t.TROUBLES[table.kind[row]],
        at_ns=int(table.ts_ns[row]),
        task=task or None,
        name=trace.task_table.name[task - 1] if task else None,
        function=made.name if made else None,
        defined=f"{made.file}:{made.line}" if made else None,
        place=trace.place(int(table.location[row])),
        error=trace.strings[error] if error >= 0 else None,
    )
