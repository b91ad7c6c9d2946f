"""tasks.csv and events.csv: RFC 4180, for spreadsheets and pandas.

The columns of tasks are data.json's keys, in its order and units (``model/fields.py``), but for lists of things.
What isn't known is an empty field.  Text is as it is, quoted where it must be, with one exception: a
spreadsheet would take a field that begins with = + - @, a tab or a line end for a formula and do what it says, so such
a text has an apostrophe before it, and so has one that begins with an apostrophe: a field's first is not its own.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import batched

from ..model import fields
from ..model.metadata import known_until
from ..model.trace import Trace
from .shared.cost import Cost, cost
from .shared.rows import BLOCK, event_rows

type Row = tuple[object, ...]

FORMULAS = ("'", "=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last: full-width

TASKS = tuple(field for field in fields.TASK if field.csv)
EVENTS = ("event_id", "task_id", "timestamp_ms", "kind", "details")


def tasks(trace: Trace) -> Iterator[bytes]:
    """One row a task, and what is to be known of all of them in each row."""
    of_all_ = of_all(trace)
    values = [field.reader(trace) for field in TASKS]
    tasks = (trace.task(number) for number in range(1, len(trace.task_table) + 1))
    cells = ((*(_cell(value(task)) for value in values), *of_all_.values()) for task in tasks)
    rows = (tuple(map(_field, row)) for row in cells)
    yield from _text((*(field.key for field in TASKS), *of_all_), rows)


def estimate_tasks(trace: Trace) -> Cost:
    """What ``tasks`` would write."""
    return cost((len(trace.task_table), 200, 20))


def of_all(trace: Trace) -> dict[str, str]:
    """The last columns of tasks: of a filtered trace how it is filtered, of one that is not known up to its end up to
    when it is."""
    of_all_ = {"filter": trace.meta.filter} if trace.meta.filters else {}
    if until := known_until(trace):
        of_all_["known_until"] = until
    return of_all_


def events(trace: Trace) -> Iterator[bytes]:
    """One row an event."""
    yield from _text(EVENTS, _events(trace))


def estimate_events(trace: Trace) -> Cost:
    """What ``events`` would write."""
    return cost((trace.event_count, 110, 2.8))


def _text(head: Row, rows: Iterable[Row]) -> Iterator[bytes]:
    """``rows``: of what ``_field`` gives."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(head)
    for block in batched(rows, BLOCK):
        writer.writerows(block)
        yield _taken(out)
    if out.tell():
        yield _taken(out)


def _field(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def _taken(out: io.StringIO) -> bytes:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text.encode("utf-8", "replace")


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


def _events(trace: Trace) -> Iterator[Row]:
    for number, task, ts, kind, details in event_rows(trace):
        yield number, task or None, ts / 1e6, kind, _field(details)
