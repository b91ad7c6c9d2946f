"""Why tasks wait, against programs that know: every program of ``fixtures/why``, on both cores.

What their tables say is in ``truth.py``.
"""

from pathlib import Path

import numpy as np
import pytest

from async_inspect.model import tables
from async_inspect.model.figures.long_polls import blocking_polls, slow_polls
from async_inspect.model.figures.waiting import resource_figures
from async_inspect.model.invariants import violations

from .tools import ROOT, TARGET, Attach, run
from .truth import Program, check

PROGRAMS = ROOT / "fixtures" / "why"
ALL = sorted(path.stem for path in PROGRAMS.glob("[!_]*.py"))

pytestmark = [pytest.mark.e2e, pytest.mark.meaning]


@pytest.mark.parametrize("name", ALL)
def test_why(name: str, core: str, attach: Attach, tmp_path: Path) -> None:
    program = Program(PROGRAMS / f"{name}.py")
    assert program.rows("Why"), "a program without a truth proves nothing"
    bare = run([TARGET, program.path], cwd=tmp_path)
    traced = attach(program.path, core=core, options=["--quiet"])
    assert (traced.status, traced.stdout, traced.stderr) == (bare.status, bare.stdout, bare.stderr)
    check(program, traced.trace)


@pytest.mark.parametrize("name", ALL)
def test_why_at_awaits(name: str, core: str, attach: Attach) -> None:
    traced = attach(PROGRAMS / f"{name}.py", core=core, options=["--quiet", "--detail", "awaits"])
    assert (traced.status, traced.trace.meta.detail) == (0, "awaits")
    check(Program(PROGRAMS / f"{name}.py"), traced.trace)


@pytest.mark.parametrize("name", ["locks", "queues", "gathering", "outside", "late"])
def test_why_with_tasks_in_python(name: str, core: str, attach: Attach) -> None:
    traced = attach(PROGRAMS / "_python_tasks.py", PROGRAMS / f"{name}.py", core=core, options=["--quiet"])
    assert traced.status == 0, traced.stderr
    check(Program(PROGRAMS / f"{name}.py"), traced.trace)


@pytest.mark.parametrize("name", ["queues", "gathering", "outside"])
def test_why_with_eager_tasks(name: str, core: str, attach: Attach) -> None:
    """``main`` is awaited by the coroutine that chose such tasks, and has no task of its own."""
    traced = attach(PROGRAMS / "_eager.py", PROGRAMS / f"{name}.py", core=core, options=["--quiet"])
    assert traced.status == 0, traced.stderr
    check(Program(PROGRAMS / f"{name}.py"), traced.trace)


def test_locks_that_are_alike_are_one_row(core: str, attach: Attach, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        """
import asyncio

async def user(lock):
    async with lock:
        await asyncio.sleep(0)

async def main():
    locks = [asyncio.Lock() for _ in range(3)]
    await asyncio.gather(*(user(lock) for lock in locks * 2))

asyncio.run(main())
""",
        encoding="utf-8",
    )
    (row,) = resource_figures(attach(program, core=core, options=["--quiet"]).trace, 10)
    assert (row.name, row.number, row.taken, row.wait.count) == ("Lock ×3 (made at program.py:9)", 3, 6, 3)


def test_a_lock_that_a_dataclass_makes_was_made_where_that_was_called(
    core: str, attach: Attach, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        """
import asyncio, dataclasses

@dataclasses.dataclass
class Shop:
    lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)

async def main():
    shop = Shop()
    async with shop.lock:
        pass

asyncio.run(main())
""",
        encoding="utf-8",
    )
    (row,) = resource_figures(attach(program, core=core, options=["--quiet"]).trace, 10)
    assert row.name == "Lock 1 (made at program.py:9)"


def test_how_long_a_task_could_have_run_and_did_not(core: str, attach: Attach) -> None:
    """``late.py``: what is ready behind a poll is ready until that ends; exactly, so the numbers of the trace agree."""
    trace = attach(PROGRAMS / "late.py", core=core, options=["--quiet", "--slow-poll", "50"]).trace
    named = {task.name: task for task in trace.tasks}
    (blocking,) = np.flatnonzero(trace.polls.end_ns - trace.polls.start_ns > 190e6).tolist()
    began, ended = int(trace.polls.start_ns[blocking]), int(trace.polls.end_ns[blocking])
    waits = {trace.task(int(task)).name: row for row, task in enumerate(trace.awaits.task.tolist())}
    slept, woken = trace.await_at(waits["sleeper"]), trace.await_at(waits["woken"])
    assert slept.due_ns is not None and began < slept.due_ns < ended  # 10 ms are over while the loop is blocked
    assert slept.ready_ns == slept.end_ns - slept.due_ns >= 180e6
    assert woken.ready_ns is not None and 100e6 <= woken.ready_ns < 200e6  # since the middle of that poll
    assert named["sleeper"].ready_ns is not None and named["sleeper"].ready_ns >= slept.ready_ns
    (found,) = blocking_polls(trace, slow_polls(trace, 50_000_000))
    assert found.task == named["blocker"].id
    assert {victim.task for victim in found.victims} == {named["sleeper"].id, named["woken"].id}
    assert found.seen_by == "stack"
    assert tables.WAKERS[trace.awaits.woken_by[waits["sleeper"]]] == "timer"


def test_what_is_switched_off_is_unknown(core: str, attach: Attach) -> None:
    off = [word for name in ("wakes", "locks", "edges") for word in ("--without", name)]
    trace = attach(PROGRAMS / "locks.py", core=core, options=["--quiet", "--slow-poll", "0", *off]).trace
    assert violations(trace) == []
    assert trace.meta.sources == ("tasks", "scopes", "warnings")
    rows = [trace.await_at(row) for row in range(len(trace.awaits))]
    assert {row.woken_by for row in rows} == {None, "itself"}  # who only yields needs nobody
    assert {row.resource for row in rows} == {None}
    assert {row.reason for row in rows} >= {"lock", "timer", "gather"}  # the frames say so
    assert not len(trace.holds)


def test_a_source_that_is_not_there(attach: Attach) -> None:
    done = attach(PROGRAMS / "locks.py", options=["--without", "lock"])
    assert done.status == 2
    there = "tasks, wakes, edges, locks, scopes, warnings"
    assert done.stderr == f"async-inspect: --without lock: there is no such source; there are {there}\n"


def test_calls_say_what_a_poll_was_in(core: str, attach: Attach) -> None:
    options = ["--quiet", "--callees", "--slow-poll", "0"]
    trace = attach(PROGRAMS / "late.py", core=core, options=options).trace
    (found,) = blocking_polls(trace, slow_polls(trace, 150_000_000))
    assert found.seen_by == "calls"
    assert found.doing is not None and found.doing.startswith("time.sleep")
    assert found.call_ns is not None and found.call_ns >= 100e6
