"""data.json: tasks, events, metadata and the merged await tree, for jq, pandas and one's own tools.

``schema_version`` counts changes that break readers; new keys don't.  Times are milliseconds since the recording
began, with all their digits: ``round(ms * 1e6)`` is the nanosecond.

``tree`` is flat, since trees may be deeper than parsers go: ``parent`` is the row of the awaiter's node, or null.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from .._version import __version__
from ..model.trace import Trace
from .rows import BLOCK, event_rows

SCHEMA_VERSION = 1


def write(trace: Trace) -> Iterator[bytes]:
    """The whole file, a few rows at a time."""
    yield b'{\n"tasks": ['
    yield from _rows(_tasks(trace))
    yield b'\n],\n"events": ['
    yield from _rows(_events(trace))
    yield b'\n],\n"tree": ['
    yield from _rows(_tree(trace))
    yield b'\n],\n"metadata": ' + json.dumps(_metadata(trace), indent=2).encode() + b"\n}\n"


def _rows(rows: Iterator[str]) -> Iterator[bytes]:
    block: list[str] = []
    lead = "\n"
    for row in rows:
        block.append(row)
        if len(block) == BLOCK:
            yield (lead + ",\n".join(block)).encode()
            lead, block = ",\n", []
    if block:
        yield (lead + ",\n".join(block)).encode()


def _tasks(trace: Trace) -> Iterator[str]:
    for number in range(1, len(trace.task_table) + 1):
        task = trace.task(number)
        yield json.dumps(
            {
                "id": task.id,
                "name": task.name,
                "state": task.state,
                "created_at_ms": task.created_ns / 1e6,
                "duration_ms": task.lifetime_ns / 1e6,
                "poll_count": task.polls,
                "run_time_ms": task.run_ns / 1e6,
                "parent_id": task.parent,
                "wait_time_ms": task.wait_ns / 1e6,
                "ready_time_ms": None if task.ready_ns is None else task.ready_ns / 1e6,
                "ended_at_ms": None if task.ended_ns is None else task.ended_ns / 1e6,
                "kind": task.kind,
                "kind_name": task.kind_name,
                "location": task.location,
                "await_point": task.await_point,
                "awaiting": task.awaiting,
                "reason": task.reason,
                "error": task.error,
                "awaiters": task.awaiters,
                "closed": task.closed,
                "created_before_recording": task.created_before_recording,
                "created_at_first_step": task.created_at_first_step,
            }
        )


def _events(trace: Trace) -> Iterator[str]:
    for number, task, ts, kind, details in event_rows(trace):
        yield (
            f'{{"event_id": {number}, "task_id": {task or "null"}, "timestamp_ms": {ts / 1e6!r}, '
            f'"kind": "{kind}", "details": {quoted(details)}}}'
        )


def _tree(trace: Trace) -> Iterator[str]:
    numbers = iter(range(1 << 62))
    stack = [(None, root) for root in reversed(trace.tree)]
    while stack:
        parent, node = stack.pop()
        number: Any = next(numbers)
        yield json.dumps(
            {
                "parent": parent,
                "function": node.function,
                "file": node.file,
                "line": node.line,
                "calls": node.calls,
                "segments": node.segments,
                "run_time_ms": node.run_ns / 1e6,
                "run_self_ms": node.run_self_ns / 1e6,
                "wait_time_ms": node.wait_ns / 1e6,
                "wait_self_ms": node.wait_self_ns / 1e6,
                "awaits": [
                    {"file": a.file, "line": a.line or None, "count": a.count, "wait_time_ms": a.wait_ns / 1e6}
                    for a in node.awaits
                ],
            }
        )
        stack += [(number, child) for child in reversed(node.children)]


def _metadata(trace: Trace) -> dict[str, object]:
    meta = trace.meta
    second, ns = divmod(meta.started_unix_ns, 10**9)
    return {
        "version": __version__,
        "schema_version": SCHEMA_VERSION,
        "timestamp": f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{ns // 1000:06d}Z",
        "total_tasks": len(trace.task_table),
        "total_events": len(trace.events),
        "duration_ms": meta.duration_ns / 1e6,
        "finished": meta.finished,
        "records": meta.records,
        "lost": meta.lost,
        "tracer_cost_ms": None if meta.cost_ns is None else meta.cost_ns / 1e6,
        "core": meta.core,
        "python": meta.python,
        "pid": meta.pid,
        "filter": meta.filter or None,
    }
