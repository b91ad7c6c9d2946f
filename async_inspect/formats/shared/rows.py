"""Events one by one, for the formats that list them.

Knows how to walk the columns in blocks, so that a million events take a few megabytes.  Knows nothing of how a row
looks in a file.
"""

from collections.abc import Iterator

from ...model import tables as t
from ...model.trace import Trace

BLOCK = 10_000  # rows a chunk


def event_rows(trace: Trace) -> Iterator[tuple[int, int, int, str, str]]:
    """(event id, task or 0, ns since the recording began, kind, details), in order of time."""
    events, describe, kinds = trace.events, trace.describe, t.EVENT_KINDS
    for begin in range(0, len(events), BLOCK):
        block = slice(begin, begin + BLOCK)
        columns = (events.kind[block], events.task[block], events.ts_ns[block], events.row[block])
        for number, (kind, task, ts, row) in enumerate(zip(*(c.tolist() for c in columns), strict=True), begin):
            yield number, task, ts, kinds[kind], describe(kind, task, row)
