"""Errors of which the runtime only warns: coroutines never awaited, exceptions never retrieved, tasks destroyed while
pending.

Looks for: what Python and asyncio themselves say of these, each kind once a place.

Evidence: where the coroutine was dropped, which exception, whose task.

Cannot see: what the garbage collector had not come to when the recording ended.
"""

from collections.abc import Iterator

from ..model import tables as t
from ..model.figures.runtime_warnings import RuntimeWarningFigures, runtime_warning_figures
from ..model.finding import Finding
from ..model.text import ms
from ..model.trace import Trace

NAME = "runtime warning"
ABOUT = "never awaited, never retrieved, destroyed while pending"


def find(trace: Trace) -> Iterator[Finding]:
    for row in runtime_warning_figures(trace):
        first = row.first
        function = int(trace.task_table.function[first.task - 1]) if first.task else -1
        home = trace.functions[function] if function >= 0 else None
        spawned = trace.place(int(trace.task_table.location[first.task - 1])) if first.task else None
        of_task = f"task {first.task} ({first.name})" if first.task else "a task that is not known"
        times = f", {row.count:,} times" if row.count > 1 else ""
        texts = {
            t.NEVER_AWAITED: f"{first.function} ({first.defined}) was called and never awaited"
            f"{f', dropped at {first.place}' if first.place else ''}{times}",
            t.NEVER_RETRIEVED: f"{_error(trace, row)} of {of_task} was never retrieved{times}",
            t.DESTROYED: f"{of_task} was destroyed while it was pending{times}: keep a reference to it",
        }
        place = first.place or first.defined or (f"{home.file}:{home.line}" if home else None)
        evidence = [f"first at {ms(first.at_ns)}"]
        if spawned and not first.function:
            evidence.append(f"the task was made at {spawned}")
        yield Finding(
            check=NAME,
            severity="error",
            text=texts[t.RUNTIME_WARNINGS.index(first.kind)],
            place=place,
            task=first.task,
            tasks=(first.task,) if first.task else (),
            evidence=tuple(evidence),
            weight_ns=row.count,
        )


def _error(trace: Trace, row: RuntimeWarningFigures) -> str:
    """The exception, with its message where that is known."""
    first = row.first
    message = trace.task_table.error.get(first.task - 1) if first.task else None
    return message or first.error or "an exception"
