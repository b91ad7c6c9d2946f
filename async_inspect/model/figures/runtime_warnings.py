"""Errors of which the runtime only warns: coroutines never awaited, exceptions never retrieved, tasks destroyed while
pending.

Knows the trace's table ``runtime_warnings`` and what its rows refer to.
"""

import numpy as np

from .. import tables as t
from ..data import TraceData
from ..entities import Frozen
from ..grouping import counts, group


class RuntimeWarningInfo(Frozen):
    """One runtime warning."""

    kind: str  # tables.RUNTIME_WARNINGS
    at_ns: int
    task: int | None  # that failed, that was destroyed; that ran when the coroutine was dropped
    name: str | None  # the task's
    function: str | None  # what was never awaited
    defined: str | None  # "file:line" of its definition
    place: str | None  # "file:line" where it was dropped
    error: str | None  # of what was never retrieved: the exception's type


class RuntimeWarningFigures(Frozen):
    """Runtime warnings that are alike."""

    first: RuntimeWarningInfo
    count: int


def runtime_warnings(trace: TraceData) -> tuple[RuntimeWarningInfo, ...]:
    """All of them, in the order in which they were recorded."""
    return tuple(_runtime_warning(trace, row) for row in range(len(trace.runtime_warnings)))


def runtime_warning_figures(trace: TraceData) -> tuple[RuntimeWarningFigures, ...]:
    """All of them; those of one kind at one place, or of tasks of one function, are one row."""
    table = trace.runtime_warnings
    function = np.concatenate([[-1], trace.task_table.function])[table.task]
    function = np.where(table.kind == t.NEVER_AWAITED, table.function, function)
    (kind, *_), which = group(table.kind, function + 1, table.location + 1, table.error + 1)
    count = counts(which, len(kind)).tolist()
    _, first = np.unique(which, return_index=True)
    found = [
        RuntimeWarningFigures(first=_runtime_warning(trace, row), count=n)
        for row, n in zip(first.tolist(), count, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-one.count, one.first.at_ns)))


def _runtime_warning(trace: TraceData, row: int) -> RuntimeWarningInfo:
    table = trace.runtime_warnings
    task, function, error = int(table.task[row]), int(table.function[row]), int(table.error[row])
    made = trace.functions[function] if function >= 0 else None
    return RuntimeWarningInfo(
        kind=t.RUNTIME_WARNINGS[table.kind[row]],
        at_ns=int(table.ts_ns[row]),
        task=task or None,
        name=trace.task_table.name[task - 1] if task else None,
        function=made.name if made else None,
        defined=f"{made.file}:{made.line}" if made else None,
        place=trace.place(int(table.location[row])),
        error=trace.strings[error] if error >= 0 else None,
    )
