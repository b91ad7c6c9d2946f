"""tasks.csv and events.csv: RFC 4180, for spreadsheets and pandas.

The columns are data.json's keys, in its order and units, but for what is there alone (``reason``, and the lists
``wakes`` and ``holds``): times are milliseconds since the recording began, with all
their digits.  What isn't known is an empty field.  Text is as it is, quoted where it must be, with one exception: a
spreadsheet would take a field that begins with = + - @, a tab or a line end for a formula and do what it says, so such
a text has an apostrophe before it, and so has one that begins with an apostrophe: a field's first is not its own.
"""

import csv
import io
from collections.abc import Iterable, Iterator

from ..model.entities import Task
from ..model.metadata import known_until
from ..model.trace import Trace
from .shared.rows import BLOCK, event_rows

type Row = tuple[object, ...]

FORMULAS = ("'", "=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last: full-width

TASKS = (
    "id", "name", "state", "created_at_ms", "duration_ms", "poll_count", "run_time_ms", "parent_id",
    "wait_time_ms", "ready_time_ms", "ready_min_ms", "ready_max_ms", "ended_at_ms", "kind", "kind_name",
    "location", "await_point", "awaiting", "error", "awaiters", "closed", "created_before_recording",
    "created_at_first_step", "pid", "tags", "exact",
)  # fmt: skip
EVENTS = ("event_id", "task_id", "timestamp_ms", "kind", "details")


def tasks(trace: Trace) -> Iterator[bytes]:
    """One row a task, and what is to be known of all of them in each row."""
    said = of_all(trace)
    rows = ((*_task(trace.task(number)), *said.values()) for number in range(1, len(trace.task_table) + 1))
    yield from _text((*TASKS, *said), rows)


def of_all(trace: Trace) -> dict[str, str]:
    """The last columns of tasks: of a filtered trace how it is filtered, of one that is not known up to its end up to
    when it is."""
    said = {"filter": trace.meta.filter} if trace.meta.filters else {}
    if until := known_until(trace):
        said["known_until"] = until
    return said


def events(trace: Trace) -> Iterator[bytes]:
    """One row an event."""
    yield from _text(EVENTS, _events(trace))


def _text(head: Row, rows: Iterable[Row]) -> Iterator[bytes]:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(head)
    for number, row in enumerate(rows, 1):
        writer.writerow([_field(value) for value in row])
        if number % BLOCK == 0:
            yield _taken(out)
    yield _taken(out)


def _field(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def _taken(out: io.StringIO) -> bytes:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text.encode("utf-8", "replace")


def _task(task: Task) -> Row:
    return (
        task.id,
        task.name,
        task.state,
        task.created_ns / 1e6,
        task.lifetime_ns / 1e6,
        task.polls,
        task.run_ns / 1e6,
        task.parent,
        task.wait_ns / 1e6,
        None if task.ready_ns is None else task.ready_ns / 1e6,
        task.ready_least_ns / 1e6,
        task.ready_most_ns / 1e6,
        None if task.ended_ns is None else task.ended_ns / 1e6,
        task.kind,
        task.kind_name,
        task.location,
        task.await_point,
        task.awaiting,
        task.error,
        " ".join(map(str, task.awaiters)),
        str(task.closed).lower(),
        str(task.created_before_recording).lower(),
        str(task.created_at_first_step).lower(),
        task.pid,
        " ".join(task.tags),
        str(task.exact).lower(),
    )


def _events(trace: Trace) -> Iterator[Row]:
    for number, task, ts, kind, details in event_rows(trace):
        yield number, task or None, ts / 1e6, kind, details
