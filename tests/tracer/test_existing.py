"""What was there before the recording: tasks that are made of steps of async generators, coroutines begun by hand."""

import asyncio
import types
from collections.abc import AsyncGenerator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from async_inspect.model import Trace, load
from async_inspect.model.entities import Task
from async_inspect.model.invariants import violations
from async_inspect.tracer import pycore
from async_inspect.tracer.pycore import introspect
from async_inspect.tracer.settings import DETAILS

from . import ticks

pytestmark = pytest.mark.tracer


class Late:
    """A loop that runs something, then something else that is recorded."""

    def __init__(self, core: types.ModuleType, path: Path, detail: str) -> None:
        self.core = core
        self.detail = detail
        self.path = path
        self.loop = asyncio.new_event_loop()

    def unseen(self, main: Coroutine[Any, Any, object]) -> None:
        self.loop.run_until_complete(main)

    def seen(self, main: Coroutine[Any, Any, object]) -> Trace:
        tasks = asyncio.all_tasks(self.loop)

        def program() -> None:
            self.loop.run_until_complete(main)

        run = ticks.record(self.core, program, self.path, sources=ticks.ALL, tasks=tasks, detail=self.detail)
        assert (run.header.lost, run.damaged) == (0, 0)
        run.close()
        trace = load(self.path)
        assert violations(trace) == []
        return trace


@pytest.fixture(params=DETAILS)
def late(request: pytest.FixtureRequest, core_module: types.ModuleType, tmp_path: Path) -> Iterator[Late]:
    late = Late(core_module, tmp_path / "run.rec", request.param)
    yield late
    late.unseen(late.loop.shutdown_asyncgens())
    late.loop.close()


def task_of(trace: Trace, name: str) -> Task:
    found = [task for task in trace.tasks if task.name == name]
    assert len(found) == 1, [task.name for task in trace.tasks]
    return found[0]


async def items(gate: "asyncio.Future[None]") -> AsyncGenerator[int, None]:
    await gate
    yield 1
    yield 2


async def wait(gate: "asyncio.Future[None]") -> None:
    await gate


async def let_all_end(gates: "list[asyncio.Future[None]]", made: "list[asyncio.Task[None]]") -> None:
    for gate in gates:
        gate.set_result(None)
    await asyncio.wait(made)


async def begin_step(gate: "asyncio.Future[None]", made: "list[asyncio.Task[int]]") -> None:
    made.append(asyncio.ensure_future(items(gate).__anext__()))
    made[0].set_name("first")
    await asyncio.sleep(0)


def test_a_step_that_waits_is_a_task(late: Late) -> None:
    gate = late.loop.create_future()
    made: list[asyncio.Task[int]] = []

    async def rest() -> None:
        await asyncio.sleep(0)
        gate.set_result(None)
        assert await made[0] == 1

    late.unseen(begin_step(gate, made))
    task = task_of(late.seen(rest()), "first")
    assert (task.kind, task.state, task.created_before_recording, task.polls) == ("task", "Completed", True, 1)
    assert task.kind_name.endswith("items")
    assert [wake.woken_by for wake in task.wakes] == ["task"] and task.ready_ns is not None


def test_a_step_that_waits_for_ever_is_blocked(late: Late) -> None:
    gate = late.loop.create_future()
    made: list[asyncio.Task[int]] = []

    late.unseen(begin_step(gate, made))
    task = task_of(late.seen(asyncio.sleep(0)), "first")
    assert (task.kind, task.state, task.polls) == ("task", "Blocked", 0)
    assert task.await_point is not None and "test_existing.py:" in task.await_point
    made[0].cancel()
    late.unseen(asyncio.wait(made))


def test_a_step_that_has_not_run_is_pending_and_then_runs(late: Late) -> None:
    gate = late.loop.create_future()
    gate.set_result(None)
    made: list[asyncio.Task[int]] = []

    async def before() -> None:
        made.append(asyncio.ensure_future(items(gate).__anext__()))
        made[0].set_name("first")
        late.loop.stop()

    async def rest() -> None:
        assert await made[0] == 1

    late.loop.create_task(before())
    late.loop.run_forever()
    task = task_of(late.seen(rest()), "first")
    assert (task.kind, task.state, task.created_before_recording, task.polls) == ("task", "Completed", True, 1)


def test_which_of_several_steps_drives_the_generator(late: Late) -> None:
    """The one that waits for a future; the other fails as it begins, and nothing is made up of it."""
    gate = late.loop.create_future()
    made: list[asyncio.Task[int]] = []

    async def before() -> None:
        generator = items(gate)
        made.append(asyncio.ensure_future(generator.__anext__()))
        await asyncio.sleep(0)
        made[0].set_name("first")
        made.append(asyncio.ensure_future(generator.__anext__()))
        made[1].set_name("second")
        late.loop.stop()

    async def rest() -> list[object]:
        late.loop.call_soon(gate.set_result, None)
        return await asyncio.gather(*made, return_exceptions=True)

    late.loop.create_task(before())
    late.loop.run_forever()
    trace = late.seen(rest())
    task = task_of(trace, "first")
    assert (task.kind, task.state, task.polls) == ("task", "Completed", 1)
    assert "second" not in [each.name for each in trace.tasks if each.polls]


def test_a_coroutine_begun_by_hand_is_the_tasks_it_is_made(core_module: types.ModuleType, tmp_path: Path) -> None:
    async def begun() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def main() -> None:
        coro = begun()
        coro.send(None)
        await asyncio.create_task(coro, name="one")

    ticks.record(core_module, lambda: asyncio.run(main()), tmp_path / "run.rec", sources=ticks.ALL).close()
    trace = load(tmp_path / "run.rec")
    assert violations(trace) == []
    assert [(task.name, task.kind, task.state, task.polls) for task in trace.tasks][:2] == [
        (main.__qualname__, "task", "Completed", 2),
        ("one", "task", "Completed", 3),
    ]


def test_who_is_found_after_one_that_gathers_makes_time_not_go_back(late: Late) -> None:
    """Several tasks that gather or have a group, with others found before and after each."""
    gate = late.loop.create_future()
    made: list[asyncio.Task[Any]] = []

    async def group() -> None:
        async with asyncio.TaskGroup() as members:
            members.create_task(wait(gate), name="member")

    async def gather() -> None:
        await asyncio.gather(wait(gate), wait(gate))

    async def begin() -> None:
        for n in range(4):
            made.append(asyncio.ensure_future(gather()))
            made.append(asyncio.ensure_future(group()))
            made.append(asyncio.create_task(wait(gate), name=f"alone {n}"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    late.unseen(begin())
    trace = late.seen(let_all_end([gate], made))
    before = [task for task in trace.tasks if task.created_before_recording]
    assert [task.name for task in before].count("member") == 4
    [moment] = {task.created_ns for task in before}
    edges = trace.edges
    since = edges.since_ns[np.isin(edges.task, [task.id for task in before])]
    assert len(since) == 4 * 2 + 4
    assert set(since.tolist()) == {moment}, "what is there is there at one moment, and so is who awaits whom"
    assert {task.state for task in trace.tasks} == {"Completed"}


def test_whoever_waits_for_a_shielded_task_waits_for_that(late: Late) -> None:
    gate = late.loop.create_future()
    made: list[asyncio.Task[None]] = []

    async def look(outer: "asyncio.Future[None]") -> None:
        await outer

    async def begin() -> None:
        made.append(asyncio.create_task(wait(gate), name="inner"))
        outer = asyncio.shield(made[0])
        made.extend(asyncio.create_task(look(outer), name=f"outer {number}") for number in range(3))
        await asyncio.sleep(0)

    late.unseen(begin())
    trace = late.seen(let_all_end([gate], made))
    inner = task_of(trace, "inner")
    assert set(inner.awaiters) >= {task_of(trace, f"outer {number}").id for number in range(3)}


@pytest.mark.parametrize("shared", [True, False])
def test_a_future_that_many_wait_for_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """To look at all that wait for it, each time, takes minutes of a program that stands meanwhile."""
    looked: list[object] = []
    monkeypatch.setattr(introspect, "shielded", looked.append)
    late = Late(pycore, tmp_path / "run.rec", "calls")
    gates = [late.loop.create_future()] if shared else [late.loop.create_future() for _ in range(20)]
    made: list[asyncio.Task[None]] = []

    async def begin() -> None:
        made.extend(asyncio.create_task(wait(gates[number % len(gates)])) for number in range(20))
        await asyncio.sleep(0)

    late.unseen(begin())
    late.seen(let_all_end(gates, made))
    late.loop.close()
    assert len(looked) == len(gates) and {*looked} == {*gates}
