"""What is made of a file, and whether that can be: an oracle that knows the model's words, and none of its code.

Outcomes: ``refused`` (one line that says why), ``sound`` (nothing was said to be wrong), ``partial`` (something was,
and how much).  Anything else raises ``Wrong``, or whatever went wrong.
"""

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from async_inspect import checks
from async_inspect import events as ev
from async_inspect.errors import UserError
from async_inspect.formats import FORMATS, writing
from async_inspect.model import load, stats
from async_inspect.model.figures.critical_path import critical_path
from async_inspect.model.live import LiveSnapshot
from async_inspect.model.snapshot import snapshot
from async_inspect.model.tables import Calls, Ints
from async_inspect.model.trace import Trace
from async_inspect.recording.dump import dump_header, dump_records
from async_inspect.recording.header import SLOT_SIZES
from async_inspect.recording.reader import Recording, unrecorded_children
from async_inspect.terminal.summary import render
from async_inspect.tui.follow import Follower
from async_inspect.tui.frame import Around, compose
from async_inspect.tui.state import VIEWS, State

REFUSED, SOUND, PARTIAL = "refused", "sound", "partial"


class Wrong(AssertionError):
    """A number is shown as right that can't be."""


def judge(path: Path, thorough: bool = True) -> str:
    """The outcome for the file at ``path``.  ``thorough``: with every format, command and view; else the trace alone.

    Wrong: see above.  Any other exception: somebody would have seen a traceback.
    """
    try:
        trace = load(path)
    except UserError as error:
        _one_line(error)
        return REFUSED
    doubted = said_inexact(trace)
    for rule in broken(trace, path.read_bytes()):
        if not doubted:
            raise Wrong(rule)
    if thorough:
        everything(trace, path)
    return PARTIAL if doubted else SOUND


def said_inexact(trace: Trace) -> bool:
    """Whether whoever reads a report of this is told that it isn't all, or not exact."""
    meta = trace.meta
    return bool(trace.inexact or meta.missing or meta.lost or meta.ending == "cut off" or trace.left_out)


def everything(trace: Trace, path: Path) -> None:
    """All that is ever made of a recording, by every way that a user has."""
    for name in FORMATS:
        written = sum(map(len, writing.chunks(trace, name)))
        assert written or name.startswith("folded")
    json.dumps(stats(trace).model_dump(mode="json"))
    for task in range(1, len(trace.task_table) + 1):
        trace.task(task)
    trace.tree  # noqa: B018 - is made as it is asked for
    checks.run(trace)
    critical_path(trace)
    render(trace, console=Console(file=io.StringIO(), width=80))
    try:
        snapshot(path)
        snapshot(path, at_ms=trace.meta.duration_ns / 2e6)
        load(path.parent)
    except UserError as error:
        _one_line(error)
    with Recording(path) as recording:
        for line in (*dump_header(recording), *dump_records(recording)):
            line.encode("utf-8", "surrogateescape")
    unrecorded_children(path)
    live(path)


def live(path: Path) -> None:
    """The live view of it, replayed and at its end."""
    for replay in (False, True):
        follower = Follower(path, replay)
        try:
            follower.step(1e9)
            seen = LiveSnapshot(follower.live, follower.now)
            for view in VIEWS:
                compose(State(view=view, task=1), seen, Around(title="x"), 80, 24)
        finally:
            follower.close()


def _one_line(error: UserError) -> None:
    if "\n" in error.message or not error.message:
        raise Wrong(f"no one line: {error.message!r}")


# --- what must be ----------------------------------------------------------------------------------------------------


def broken(trace: Trace, data: bytes) -> list[str]:
    """What can't be, of the figures that a trace shows: a line each."""
    found = []

    def must(rule: str, holds: Any) -> None:
        if not np.all(holds):
            found.append(rule)

    tasks, polls, awaits, end = trace.task_table, trace.polls, trace.awaits, trace.meta.duration_ns
    n = len(tasks)
    size = SLOT_SIZES.get(int.from_bytes(data[8:12], "little"), ev.SLOT_SIZE)
    number = Counter((np.frombuffer(data, np.uint8)[size - 1 :: size] % ev.LONG).tolist())
    # Each task is spawned, or starts, or is entered; one that was before the recording is met as it goes on.
    may_be = sum(number[kind] for kind in (ev.SPAWN, ev.START, ev.ENTER, ev.RESUME, ev.THROW))
    must("there are no more tasks than records that make them known", n <= may_be)
    must("the recording is no longer than a century", 0 <= end < 100 * 365 * 86400 * 10**9)
    created, ended, run = tasks.created_ns, tasks.end_ns, tasks.run_ns
    must("a task is created in the recording", (created >= 0) & (created <= end))
    must("a task ends in it, after that", (ended >= created) & (ended <= end))
    run_of = np.zeros(n, object)
    np.add.at(run_of, polls.task - 1, (polls.end_ns - polls.start_ns).astype(object))
    must("run is the sum of polls", run_of == run.astype(object))
    must("run and wait are a life", (run >= 0) & (run <= ended - created))
    must("self is a part of run", (tasks.self_ns >= 0) & (tasks.self_ns <= run))
    for name, table in (("poll", polls), ("await", awaits)):
        of = table.task - 1
        must(f"a {name} is a task's", (of >= 0) & (of < n))
        must(f"a {name} begins and ends in the recording", (table.start_ns >= 0) & (table.end_ns <= end))
        must(f"a {name} ends after it began", table.end_ns >= table.start_ns)
        must(f"a {name} is in its task's life", (table.start_ns >= created[of]) & (table.end_ns <= ended[of]))
        same = of[1:] == of[:-1]
        must(f"a task has one {name} at a time", ~same | (table.start_ns[1:] >= table.end_ns[:-1]))
    wait = awaits.end_ns - awaits.start_ns
    must("ready is a part of wait", (awaits.ready_ns <= wait) & (awaits.ready_most_ns <= wait))
    waited = np.zeros(n, object)
    np.add.at(waited, awaits.task - 1, wait.astype(object))
    must("a task waits no longer than it lives without running", waited <= (ended - created - run).astype(object))
    for name in ("calls", "entries", "holds", "selects"):
        table = getattr(trace, name)
        must(f"{name} begin and end in the recording", (table.start_ns >= 0) & (table.end_ns <= end))
        must(f"{name} end after they began", table.end_ns >= table.start_ns)
    must("a call runs while it lives", (trace.calls.run_ns >= 0) & (trace.calls.run_ns <= _length(trace.calls)))
    must("what happens is in order", np.diff(trace.events.ts_ns) >= 0)
    must("what happens does so in the recording", (trace.events.ts_ns >= 0) & (trace.events.ts_ns <= end))
    least = np.where(trace.calls_heard[trace.node_sums.task], 0, -1)  # not known
    for name in ("self_ns", "calls", "segments"):
        must(f"sums of {name} are not negative", getattr(trace.node_sums, name) >= least)
    must("sums of waits are not negative", trace.node_sums.wait_ns >= 0)
    must("all that ran did so somewhere", np.maximum(trace.node_sums.self_ns, 0).sum() >= tasks.self_ns.sum())
    must("all waits are somewhere", trace.node_sums.wait_ns.sum() == wait.sum())
    must("a parent is another task", (tasks.parent != np.arange(1, n + 1)) & (tasks.parent <= n))
    return found


def _length(table: Calls) -> Ints:
    return table.end_ns - table.start_ns
