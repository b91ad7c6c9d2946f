"""The picture of one moment: states, who waits for whom, cycles, and how it looks as text."""

import json
import os
import time
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_inspect import events as ev
from async_inspect.model import load
from async_inspect.model.figures.moment import Moment, _cycles, interrupted, now
from async_inspect.model.snapshot import snapshot
from async_inspect.terminal import picture

from ..checks.locks import crossed
from ..samples import MS, SAMPLES, contention
from ..tape import Tape, at
from ..tools import Tool

MOMENTS = {"two_tasks": (0.00005,), "kitchen": (0.5, 12.0, 20.0), "deep": (1.5,), "contention": (1.5, 100.0, 157.5)}


@pytest.mark.parametrize("name", SAMPLES)
def test_pictures(name: str, tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    recording = SAMPLES[name]().write(tmp_path / "a.rec")
    parts = []
    for moment in (*MOMENTS.get(name, ()), None):
        then, title = snapshot(recording, moment)
        parts += [*picture.lines(then, title.replace(f"{tmp_path}/", "")), ""]
    golden(f"pictures/{name}.txt", "\n".join(parts))


def test_a_moment_is_what_a_recording_that_ends_then_has(tmp_path: Path) -> None:
    trace = load(contention().write(tmp_path / "a.rec"))
    for cut in range(1, 160):
        ended = trace.filter(until_ms=cut + 0.25)
        cold = now(ended, [Moment(ended, ended.meta.duration_ns)])
        warm = now(trace, [Moment(trace, cut * MS + MS // 4)])
        short = {"stack"}  # of what goes on, it is known from its await point down
        assert [one.model_dump(exclude=short) for one in warm.tasks] == [
            one.model_dump(exclude=short) for one in cold.tasks
        ]


def test_cycles(tmp_path: Path) -> None:
    then, _ = snapshot(crossed().trace(tmp_path, 100).meta.path)
    assert then.cycles == ((1, 2),)
    assert [(one.state, one.cycle, one.holders, one.waits_for) for one in then.tasks] == [
        ("Blocked", 0, (2,), ()),
        ("Blocked", 0, (1,), ()),
    ]
    assert [hold.place for one in then.tasks for hold in one.holds] == ["app.py:11", "app.py:21"]


@given(st.dictionaries(st.integers(0, 5), st.sets(st.integers(0, 5), min_size=1).map(tuple)))
def test_a_cycle_is_found_where_there_is_one(graph: dict[int, tuple[int, ...]]) -> None:
    found = list(_cycles(graph))
    for cycle in found:
        assert all(following in graph[task] for task, following in zip(cycle, (*cycle[1:], cycle[0]), strict=True))
    members = [task for cycle in found for task in cycle]
    assert len(set(members)) == len(members)
    rest = {task: {other for other in whom if other not in members} for task, whom in graph.items()}
    for size in range(1, 4):  # none is left among the others
        for some in permutations([task for task in graph if task not in members], size):
            assert not all(following in rest[task] for task, following in zip(some, (*some[1:], some[0]), strict=True))


def test_the_moment_before_ctrl_c(tmp_path: Path) -> None:
    tape = Tape()
    main, future = tape.code("main", 10), tape.string("asyncio.Future")
    node, error = tape.node(0, main), tape.string("CancelledError")
    tape.put(ev.SPAWN, 0, coro=1, aux=main)
    tape.put(ev.START, 10, coro=1, off=main, node=node, task=1, flags=ev.IS_TASK)
    tape.put(ev.SUSPEND, 20, coro=1, aux=future, off=4)
    tape.put(ev.WAKE, 500, coro=1, flags=ev.BY_SIGNAL)
    tape.put(ev.THROW, 510, coro=1, aux=error, node=node, task=1)
    tape.put(ev.RAISE, 520, coro=1, aux=error, flags=ev.CANCELLED)
    tape.end_ns = 600
    recording = tape.write(tmp_path / "a.rec")
    assert interrupted(load(recording)) == {0: 499}
    then, title = snapshot(recording)
    assert title.endswith("at 499 ns, just before a signal cancelled its tasks")
    assert [(one.state, one.place, one.since_ns) for one in then.tasks] == [("Blocked", "app.py:12", 20)]
    tape.slots[-1] = tape.slots[-1][:30] + b"\0" + tape.slots[-1][31:]  # it ended by itself: a signal is no Ctrl-C
    assert interrupted(load(tape.write(tmp_path / "b.rec"))) == {}


def test_a_process_that_runs_still(tmp_path: Path) -> None:
    """Nothing may have happened in it for long: it is the clock that says how long its tasks wait."""
    tape = SAMPLES["unfinished"]()
    tape.header |= {"pid": os.getpid(), "start_unix_ns": time.time_ns() - 500_000_000}
    then, title = snapshot(tape.write(tmp_path / "a.rec"))
    assert title.endswith(", now: it runs still")
    assert then.at_ns >= 500_000_000 > then.duration_ns == 70_000
    assert [one.state for one in then.tasks] == ["Blocked", "Blocked", "Pending", "Running"]
    tape.header["start_unix_ns"] = 1_700_000_000_000_000_000  # before this process was there: it was another's number
    then, title = snapshot(tape.write(tmp_path / "b.rec"))
    assert title.endswith(", the last that was seen of it")
    assert then.at_ns == 70_000


def test_many_that_are_alike(tmp_path: Path) -> None:
    tape = Tape()
    main, work = tape.code("main", 10), tape.code("work", 20)
    at_main, at_work, gathered = tape.node(0, main), tape.node(0, work), tape.string("asyncio.tasks._GatheringFuture")
    future = tape.string("asyncio.Future")
    tape.put(ev.SPAWN, 0, coro=1, aux=main)
    tape.put(ev.START, 1, coro=1, off=main, node=at_main, task=1, flags=ev.IS_TASK)
    for number in range(2, 30):
        tape.put(ev.SPAWN, 2, coro=number, aux=work, node=at_main, task=1)
    tape.put(ev.SUSPEND, 3, coro=1, aux=gathered, off=2)
    for number in range(2, 30):
        tape.put(ev.EDGE, 3, coro=1, aux=number)
    for number in range(2, 30):
        tape.put(ev.START, 4, coro=number, off=work, node=at_work, task=number, flags=ev.IS_TASK)
        tape.put(ev.SUSPEND, 5, coro=number, aux=future, off=2)
        tape.put(ev.TIMER, 5, coro=number, **at(1_000_005))
    tape.end_ns = 500_005
    text = list(picture.lines(*snapshot(tape.write(tmp_path / "a.rec"))))
    assert text[1:] == [
        "29 tasks: 29 Waiting",
        "",
        "task 1 (main)  Waiting for 500 µs: gather",
        "  │ main (app.py:11)",
        *(
            line
            for task in (2, 3, 4)
            for line in (
                f"  ├─ task {task} (work)  Waiting for 500 µs: sleeping for 1.00 ms",
                "  │    work (app.py:21)",
            )
        ),
        "  └─ … and 25 more like task 4 (work)",
    ]


def test_the_command(tool: Tool, tmp_path: Path) -> None:
    contention().write(tmp_path / "async_inspect_exports" / "a.rec")
    text, data = tool("dump", "--at", "100"), tool("dump", "--json", "--at", "100")
    assert text.stdout.splitlines()[:3] == [
        "async_inspect_exports/a.rec (process 7) at 100 ms",
        "4 tasks: 1 Ready, 1 Waiting, 1 Running, 1 Pending",
        "",
    ]
    assert [one["state"] for one in json.loads(data.stdout)["tasks"]] == ["Ready", "Blocked", "Running", "Pending"]
    assert "task 4 (idler)  Ready" in tool("dump").stdout
    assert "python: '3.12.1'" in tool("dump", "async_inspect_exports", "--header").stdout
    assert tool("dump", "gone").status == 1
