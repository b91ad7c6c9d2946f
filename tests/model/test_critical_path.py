"""The critical path: hop by hop for recordings made by hand, and that it adds up for whatever ran."""

import asyncio
import json
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

import async_inspect
from async_inspect.errors import UserError
from async_inspect.model import load
from async_inspect.model.figures.critical_path import CriticalPath, critical_path

from ..samples import MS, SAMPLES, contention
from ..tape import two_tasks
from ..tools import Tool


def told(path: CriticalPath | None) -> list[tuple[object, ...]]:
    assert path is not None
    return [(hop.kind, hop.task, hop.start_ns, hop.end_ns, hop.place) for hop in path.hops]


def test_over_two_tasks(tmp_path: Path) -> None:
    """Nobody recorded who woke main; it awaited task 2, which ended."""
    trace = load(two_tasks().write(tmp_path / "a.rec"))
    assert told(critical_path(trace)) == [
        ("ready", 1, 0, 10, None),
        ("run", 1, 10, 30, "app.py:13"),
        ("ready", 2, 30, 50, None),
        ("run", 2, 50, 60, "app.py:21"),
        ("wait", 2, 60, 70, "app.py:21"),
        ("run", 2, 70, 80, None),
        ("loop", 1, 80, 90, "app.py:13"),
        ("run", 1, 90, 100, None),
    ]
    assert told(critical_path(trace, 2))[0] == ("ready", 2, 30, 50, None), "of a task: since it was made"


def test_over_a_lock(tmp_path: Path) -> None:
    """The worker waited for the lock, which main gave back late: its timer was due, but the loop was blocked."""
    path = critical_path(load(contention().write(tmp_path / "a.rec")), 2)
    assert (
        told(path)
        == [
            ("ready", 1, 0, 0, None),
            ("run", 1, 0, MS, "app.py:14"),
            ("timer", 1, MS, 4 * MS, "app.py:14"),
            ("ready", 1, 4 * MS, 155 * MS, "app.py:14"),
            ("run", 1, 155 * MS, 155_500_000, None),
            ("ready", 2, 155_500_000, 156 * MS, "app.py:21"),
            ("run", 2, 156 * MS, 157 * MS, None),
        ][1:]
    )
    assert path is not None
    assert [(row.place, row.reason, row.count, row.ns) for row in path.awaits] == [("app.py:14", "timer", 1, 3 * MS)]
    assert (path.run_ns, path.ready_ns) == (2_500_000, 151_500_000)


@pytest.mark.parametrize("name", SAMPLES)
def test_it_adds_up(name: str, tmp_path: Path) -> None:
    """In every window, for every task, and no moment belongs to two hops: pydantic looks that up."""
    whole = load(SAMPLES[name]().write(tmp_path / "a.rec"))
    for trace in (whole, whole.filter(since_ms=whole.meta.duration_ns / 3e6, until_ms=whole.meta.duration_ns / 2e6)):
        for task in range(1, len(trace.task_table) + 1):
            path = critical_path(trace, task)
            assert path is not None
            assert sum(hop.end_ns - hop.start_ns for hop in path.hops) == path.end_ns - path.start_ns
    path = critical_path(whole)
    assert path is not None
    with pytest.raises(ValidationError):
        CriticalPath.model_validate({**path.model_dump(), "end_ns": path.end_ns + 1})


@pytest.mark.tracer
def test_of_a_real_run(tmp_path: Path) -> None:
    async def cook(gate: asyncio.Event) -> None:
        await asyncio.sleep(0.01)
        gate.set()

    async def eat(gate: asyncio.Event) -> None:
        await gate.wait()
        await asyncio.to_thread(time.sleep, 0.3)  # not over before it is awaited

    async def main() -> None:
        gate = asyncio.Event()
        await asyncio.gather(cook(gate), eat(gate))

    with async_inspect.trace(tmp_path / "a.rec"):
        asyncio.run(main())
    trace = async_inspect.load(tmp_path / "a.rec")
    path = critical_path(trace)
    assert path is not None
    assert sum(hop.end_ns - hop.start_ns for hop in path.hops) == path.end_ns == trace.task(path.task).end_ns
    kinds = [trace.task(hop.task).kind_name.rpartition(".")[2] for hop in path.hops if hop.task and hop.kind == "run"]
    assert list(dict.fromkeys(kinds)) == ["main", "cook", "eat"]
    assert {"timer", "thread"} <= {hop.kind for hop in path.hops}


def test_the_command(tool: Tool, tmp_path: Path) -> None:
    contention().write(tmp_path / "a.rec")
    done = tool("critical-path", "a.rec", "--task", "worker")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[:2] == [
        "critical path 157 ms up to the end of task 2 (worker), 6 hops",
        "2.50 ms run (1.6%), 152 ms ready (96.5%), 3.00 ms waiting (1.9%)",
    ]
    assert "3.00 ms 1.9% 1 app.py:14 timer" in lines
    assert "4.00 ms 151 ms 96.2% ready 1 main app.py:14" in lines
    assert len(json.loads(tool("critical-path", "a.rec", "--task", "2", "--json").stdout)["hops"]) == 6
    assert tool("critical-path", "a.rec", "--task", "nobody").status == 2
    with pytest.raises(UserError):
        load(tmp_path / "a.rec").find("99")
