"""A recording at one moment: which moment that is in each of its processes, and a title for it.

Knows that a part of a recording is read as though it had ended then.  The state at a moment is in
``model/figures/moment.py``.
"""

import time
from collections.abc import Iterable
from dataclasses import replace
from os import PathLike
from pathlib import Path

from ..recording.ending import text
from ..support.processes import still_runs
from ..support.settings import Rule
from .data import TraceData
from .entities import Process
from .figures.moment import Moment, Now, interrupted, now
from .filters import Filter
from .loading import load_data, read
from .text import many, ms
from .transform.merge import merge


def snapshot(
    recording: str | PathLike[str],
    at_ms: float | None = None,
    wanted: Filter | None = None,
    rules: Iterable[Rule] = (),
) -> tuple[Now, str]:
    """The state ``at_ms`` after the recording began, by default at its last moment, and a title.  Of a run: of each
    process that was alive; without ``at_ms`` each at its own last moment.

    ``rules``: the user's, for reasons.  The recording is read as though it had ended then: of waits that do not go on
    after that, the whole stack is known.
    UserError: there is no recording, or none that can be read.
    """
    trace = load_data(recording, wanted=wanted, rules=rules)
    meta, cancelled = trace.meta, interrupted(trace)
    at_ns = None if at_ms is None else round(at_ms * 1e6)
    shown = []
    for row, process in enumerate(trace.processes):
        at, when, running = _when(trace, process, at_ns, cancelled.get(row))
        alive_then = process.start_ns <= at and (running or at_ns is None or at <= process.end_ns)
        shown.append((process, at if running else min(at, process.end_ns), when, alive_then))
    shown = [one for one in shown if one[-1]] or [one for one in shown if one[0].start_ns <= one[1]] or shown[:1]
    if len(shown) < len(trace.processes) or any(at < process.end_ns for process, at, *_ in shown):
        parts = [
            read(Path(process.path), (0, max(at - process.start_ns, 1) if at < process.end_ns else None), meta.cwd)
            for process, at, *_ in shown
        ]
        trace = replace(merge(parts, meta.clock_ns), rules=trace.rules)
    moments = [Moment(trace, at, row) for row, (_, at, *_) in enumerate(shown)]
    found = now(trace, moments, [when for _, _, when, _ in shown])
    if len(shown) == 1:
        return found, f"{trace.processes[0].path} (process {meta.pid}) at {ms(shown[0][1])}{shown[0][2]}"
    return found, f"{meta.path}: {many(len(shown), 'process')}{'' if at_ns is None else f' at {ms(at_ns)}'}"


def _when(trace: TraceData, process: Process, at_ns: int | None, cancelled: int | None) -> tuple[int, str, bool]:
    """The moment to show of a process, a remark about it, and whether the process still runs."""
    running = not process.finished and still_runs(process.pid, trace.meta.started_unix_ns + process.start_ns)
    running = running and not process.broken_off  # or nobody knows what it does
    last = f", the last that is known of it: {text(process.ending)}"
    if at_ns is not None:
        late = process.broken_off and process.end_ns < at_ns and at_ns <= (process.ended_ns or at_ns)
        return (process.end_ns, last, False) if late else (at_ns, "", running)
    if cancelled is not None:
        return cancelled, ", just before a signal cancelled its tasks", running
    if running:  # nothing may have happened in it for long
        now_ns = time.time_ns() - trace.meta.started_unix_ns
        return max(process.end_ns, now_ns), ", now: it runs still", running
    if process.broken_off:
        return process.end_ns, last, False
    return process.end_ns, ", its end" if process.end_seen else ", the last that was seen of it", running
