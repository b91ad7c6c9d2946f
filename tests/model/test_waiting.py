"""Sums of waits: what each task was ready, locks and who holds them, and what reports say of both."""

import json
from io import StringIO
from pathlib import Path

import pytest
from pydantic import ValidationError
from rich.console import Console

from async_inspect import Trace, load
from async_inspect.model import Builder
from async_inspect.model.entities import WakeCount
from async_inspect.model.figures.stats import stats
from async_inspect.model.figures.waiting import Holder, resource_figures, worst_ready
from async_inspect.model.invariants import violations
from async_inspect.recording.reader import open_recording
from async_inspect.terminal import summary

from ..samples import MS, US, contention


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return load(contention().write(tmp_path / "a.rec"))


def test_tasks(trace: Trace) -> None:
    """Ready: main since its timer was due at 4, the worker 1 before its first poll and 0.5 once it was woken, the
    blocker 2 before its first poll and 0.1 since the selector answered, the idler from 50 to 157, and since 158."""
    exact = [task.ready_ns for task in trace.tasks]
    assert exact == [151 * MS, 1_500 * US, 2_100 * US, 109 * MS]
    assert [task.wakes for task in trace.tasks] == [
        (WakeCount(woken_by="timer", waker=None, count=1),),
        (WakeCount(woken_by="task", waker=1, count=1),),
        (WakeCount(woken_by="I/O", waker=None, count=1),),
        (WakeCount(woken_by="itself", waker=None, count=1),),
    ]
    assert trace.task(2).awaiters == (1,), "by way of what gathers tasks"
    assert [hold.resource for hold in trace.task(2).holds] == ["Lock 1 (made at app.py:11)"]


def test_it_grows(trace: Trace, tmp_path: Path) -> None:
    """Slot by slot it is the same."""
    with open_recording(tmp_path / "a.rec") as recording:
        builder = Builder(recording)
        for at in range(recording.count):
            builder.feed(recording.records[at : at + 1])
        grown = Trace.of(builder.data())
    assert grown.tasks == trace.tasks
    assert [grown.await_at(row) for row in range(4)] == [trace.await_at(row) for row in range(4)]
    assert stats(grown) == stats(trace)


def test_in_any_window(trace: Trace) -> None:
    """What was ready, and for how long, adds up over a cut."""
    whole = sum(task.ready_least_ns for task in trace.tasks)
    for cut in range(1, 160):
        before, after = trace.filter(until_ms=cut), trace.filter(since_ms=cut)
        assert violations(before) == violations(after) == []
        ready = sum(task.ready_least_ns for task in (*before.tasks, *after.tasks))
        assert ready == whole
        assert sum(task.ready_most_ns for task in (*before.tasks, *after.tasks)) >= whole


def test_an_await_adds_up(trace: Trace) -> None:
    one = trace.await_at(0).model_dump()
    for change in ({"ready_least_ns": 152 * MS}, {"ready_most_ns": 155 * MS, "ready_ns": None}, {"ready_ns": None}):
        with pytest.raises(ValidationError):
            type(trace.await_at(0))(**{**one, **change})
    with pytest.raises(IndexError):
        trace.await_at(4)


def test_locks(trace: Trace) -> None:
    """The worker ended, and never gave it back."""
    (lock,) = resource_figures(trace, 10)
    assert (lock.name, lock.kind, lock.made_at) == ("Lock 1 (made at app.py:11)", "asyncio.locks.Lock", "app.py:11")
    assert (lock.taken, lock.longest_hold_ns, lock.wait.count, lock.wait.total_ns) == (2, 155 * MS, 1, 154 * MS)
    assert lock.holders == (
        Holder(task=2, name="worker", ended=True, since_ns=156 * MS, place="app.py:21", resource="Lock 1"),
    )
    assert lock.queue == ()
    (lock,) = resource_figures(trace.filter(until_ms=100), 10)
    assert lock.holders == (
        Holder(task=1, name="main", ended=False, since_ns=MS // 2, place="app.py:13", resource="Lock 1"),
    )
    assert lock.queue == (2,)


def test_nothing_was_ready(trace: Trace) -> None:
    assert worst_ready(trace.filter(task="nobody")) is None
    assert stats(trace.filter(task="nobody")).top_ready == ()


def text(trace: Trace, detailed: bool = False) -> str:
    out, figures = StringIO(), stats(trace)
    console = Console(file=out, width=100, highlight=False)
    for part in (*summary.summary(trace, figures), *(summary.delays(figures) if detailed else ())):
        console.print(part)
    return out.getvalue()


def test_the_summary_has_a_line_for_each(trace: Trace) -> None:
    lines = text(trace).splitlines()
    at = lines.index("longest poll  150 ms of task 3 (blocker)")
    assert lines[at + 2 : at + 6] == [
        "1 blocking poll of 100 ms and more; the longest held up 2 tasks",
        "  it was in digest (app.py:71)",
        "longest ready  151 ms of task 1 (main), app.py:14",
        "error runtime warning: worker (app.py:20) was called and never awaited, dropped at app.py:16",
    ]
    quiet = text(trace.filter(until_ms=0.9))
    assert not any(word in quiet for word in ("blocking", "ready", "runtime warning"))


def test_details(trace: Trace) -> None:
    lines = [" ".join(line.split()) for line in text(trace, detailed=True).splitlines()]
    for line in (
        "151 ms 151 ms 1 151 ms app.py:14 main",
        "107 ms 107 ms 1 107 ms app.py:40 idler, before its first poll",
        "154 ms 1 2 155 ms Lock 1 (made at app.py:11) task 2 since 156 ms at",
        "150 ms 4.00 ms 3 blocker digest (app.py:71) 150 ms of task 1 (main)",
        "104 ms of task 4 (idler)",
        "1 never awaited worker (app.py:20) dropped at app.py:16",
        "1 never retrieved ValueError, task 3 (blocker)",
    ):
        assert line in lines


def test_data_json(trace: Trace) -> None:
    data = json.loads(trace.to_bytes("json"))
    lock = {"id": 1, "name": "Lock 1", "type": "asyncio.locks.Lock", "made_at": "app.py:11", "pid": 7}
    assert data["resources"] == [lock]
    assert [(hold["task_id"], hold["from_ms"], hold["to_ms"], hold["given_by"]) for hold in data["holds"]] == [
        (1, 0.5, 155.5, 1),
        (2, 156, None, None),
    ]
    (poll,) = data["blocking_polls"]
    assert (poll["doing"], poll["stack"][-1], poll["duration_ms"]) == ("digest (app.py:71)", "blocker (app.py:35)", 150)
    assert poll["victims"] == [{"task_id": 1, "held_up_ms": 150}, {"task_id": 4, "held_up_ms": 104}]
    assert [one["kind"] for one in data["runtime_warnings"]] == ["never retrieved", "never awaited"]
    assert (data["metadata"]["sources"], data["metadata"]["slow_poll_ms"]) == (["wakes", "resources"], 100)
    worker = data["tasks"][1]
    assert (worker["ready_min_ms"], worker["ready_time_ms"], worker["ready_max_ms"]) == (1.5, 1.5, 1.5)
    assert worker["wakes"] == [{"by": "task", "task_id": 1, "count": 1}]
