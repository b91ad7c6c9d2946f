"""data.json: tasks, events, the await tree, locks, blocking polls, metadata: for jq, pandas and the user's own tools.

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
from ..model import fields
from ..model.figures.cancelled_waits import cancelled_wait_figures
from ..model.figures.long_polls import blocking_polls, slow_polls
from ..model.figures.processes import process_figures
from ..model.figures.runtime_warnings import runtime_warnings
from ..model.trace import Trace
from ..support.names import whole
from .shared.cost import Cost, cost
from .shared.rows import BLOCK, event_rows

SCHEMA_VERSION = 2
MOST_BLOCKING = 1000  # polls: the longest


def write(trace: Trace) -> Iterator[bytes]:
    """The whole file, a few rows at a time."""
    yield b'{\n"tasks": ['
    yield from _rows(_tasks(trace))
    yield b'\n],\n"events": ['
    yield from _rows(_events(trace))
    yield b'\n],\n"tree": ['
    yield from _rows(_tree(trace))
    for name, rows in (
        ("processes", _processes(trace)),
        ("resources", _resources(trace)),
        ("holds", _holds(trace)),
        ("blocking_polls", _blocking(trace)),
        ("cuts", _cancelled_waits(trace)),
        ("runtime_warnings", _runtime_warnings(trace)),
    ):
        yield f'\n],\n"{name}": ['.encode()
        yield from _rows(map(json.dumps, rows))
    yield b'\n],\n"metadata": ' + json.dumps(_metadata(trace), indent=2).encode() + b"\n}\n"


def estimate(trace: Trace) -> Cost:
    """What ``write`` would write."""
    return cost(
        (len(trace.task_table), 1100, 20),
        (trace.event_count, 165, 1.9),
        (len(trace.nodes), 320, 15),
        (len(trace.resources), 130, 3),
        (len(trace.holds), 140, 2),
        (len(trace.runtime_warnings), 200, 3),
    )


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
    readers = [(field.key, field.reader(trace)) for field in fields.TASK]
    for number in range(1, len(trace.task_table) + 1):
        task = trace.task(number)
        yield json.dumps({key: value(task) for key, value in readers})


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
                "run_time_ms": _ms(node.run_ns),
                "run_self_ms": _ms(node.run_self_ns),
                "wait_time_ms": node.wait_ns / 1e6,
                "wait_self_ms": node.wait_self_ns / 1e6,
                "awaits": [
                    {"file": a.file, "line": a.line or None, "count": a.count, "wait_time_ms": a.wait_ns / 1e6}
                    for a in node.awaits
                ],
                "await_lines": node.await_lines,
            }
        )
        stack += [(number, child) for child in reversed(node.children)]


def _ms(ns: int | None) -> float | None:
    """None: not known."""
    return None if ns is None else ns / 1e6


def _processes(trace: Trace) -> Iterator[dict[str, object]]:
    for one, figures in zip(trace.processes, process_figures(trace), strict=True):
        yield {
            "pid": one.pid,
            "ppid": one.ppid,
            "argv": one.argv,
            "python": one.python,
            "core": one.core,
            "detail": one.detail,
            "from_ms": one.start_ns / 1e6,
            "to_ms": one.end_ns / 1e6,
            "ended_ms": _ms(one.ended_ns),
            "ending": one.ending,
            "end_seen": one.end_seen,
            "finished": one.finished,
            "tasks": figures.tasks,
            "poll_count": figures.polls,
            "run_time_ms": figures.run_ns / 1e6,
            "wait_time_ms": figures.wait_ns / 1e6,
            "longest_poll_ms": figures.longest_poll_ns / 1e6,
            "records": one.records,
            "lost": one.lost,
            "missing": one.missing,
            "damaged": one.damaged,
        }


def _resources(trace: Trace) -> Iterator[dict[str, object]]:
    table = trace.resources
    for row in range(len(table)):
        pid = trace.processes[table.process[row]].pid
        number, kind, place = int(table.number[row]), table.kind[row], trace.place(int(table.location[row]))
        yield {"id": number, "name": trace.resource(row, made=False), "type": kind, "made_at": place, "pid": pid}


def _holds(trace: Trace) -> Iterator[dict[str, object]]:
    table = trace.holds
    for row in range(len(table)):
        yield {
            "task_id": int(table.task[row]) or None,
            "resource_id": int(trace.resources.number[table.resource[row]]),
            "from_ms": int(table.start_ns[row]) / 1e6,
            "to_ms": int(table.end_ns[row]) / 1e6 if table.ended[row] else None,
            "taken_at": trace.place(int(table.location[row])),
            "given_by": int(table.given_by[row]) or None,
        }


def _blocking(trace: Trace) -> Iterator[dict[str, object]]:
    for poll in blocking_polls(trace, slow_polls(trace, trace.meta.slow_poll_ns)[:MOST_BLOCKING]):
        process = int(trace.task_table.process[poll.task - 1])
        yield {
            "task_id": poll.task,
            "start_ms": poll.start_ns / 1e6,
            "duration_ms": poll.duration_ns / 1e6,
            "at_least": poll.at_least,
            "pid": trace.processes[process].pid,
            "thread": poll.thread - trace.processes[process].thread,
            "since": poll.since,
            "until": poll.until,
            "seen_by": poll.seen_by,
            "held_interpreter": poll.held_interpreter,
            "doing": poll.doing,
            "doing_since_ms": _ms(poll.doing_since_ns),
            "call_ms": _ms(poll.call_ns),
            "stack": poll.stack,
            "processor_ms": _ms(poll.processor_ns),
            "on_cpu_ms": _ms(poll.on_cpu_ns),
            "no_cpu_ms": _ms(poll.no_cpu_ns),
            "asleep_ms": _ms(poll.asleep_ns),
            "victims": [{"task_id": v.task, "held_up_ms": v.held_up_ns / 1e6} for v in poll.victims],
            "maybe": poll.maybe,
            "suspended": poll.suspended,
        }


def _cancelled_waits(trace: Trace) -> Iterator[dict[str, object]]:
    for one in cancelled_wait_figures(trace):
        yield {
            "scope": one.scope,
            "made_at": one.made_at,
            "count": one.wait.count,
            "wait_time_ms": one.wait.total_ns / 1e6,
        }


def _runtime_warnings(trace: Trace) -> Iterator[dict[str, object]]:
    for one, process in zip(runtime_warnings(trace), trace.runtime_warnings.process.tolist(), strict=True):
        yield {
            "kind": one.kind,
            "at_ms": one.at_ns / 1e6,
            "task_id": one.task,
            "function": one.function,
            "defined_at": one.defined,
            "dropped_at": one.place,
            "error": one.error,
            "pid": trace.processes[process].pid,
        }


def _metadata(trace: Trace) -> dict[str, object]:
    meta = trace.meta
    second, ns = divmod(meta.started_unix_ns, 10**9)
    return {
        "version": __version__,
        "schema_version": SCHEMA_VERSION,
        "timestamp": f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{ns // 1000:06d}Z",
        "total_tasks": len(trace.task_table),
        "total_events": trace.event_count,
        "duration_ms": meta.duration_ns / 1e6,
        "ending": meta.ending,
        "finished": meta.finished,
        "records": meta.records,
        "lost": meta.lost,
        "missing": meta.missing,
        "damaged": meta.damaged,
        "inexact": trace.inexact,
        "inexact_tasks": int(trace.task_table.inexact.sum()),
        "violations": [one.model_dump() for one in trace.violations],
        "tracer_cost_ms": _ms(meta.cost_ns),
        "core": meta.core,
        "python": meta.python,
        "pid": meta.pid,
        "detail": meta.detail,
        "sources": meta.sources,
        "slow_poll_ms": meta.slow_poll_ns / 1e6,
        "blocking_polls_in_all": len(slow_polls(trace, meta.slow_poll_ns)),  # more than MOST_BLOCKING are not listed
        "filter": meta.filter or None,
        "left_out": [one.model_dump() | {"path": whole(one.path)} for one in trace.left_out],
    }
