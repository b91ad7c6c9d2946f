"""Async generators in every way they can be driven: who awaits them, whose task runs them, to the record."""

import asyncio
import contextlib
import types
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

from async_inspect import events as ev
from async_inspect.model import Trace, load
from async_inspect.model.invariants import violations
from async_inspect.recording.reader import Recording

from . import ticks

pytestmark = pytest.mark.tracer


type Program = Callable[[], object]
type Main = Callable[[], Coroutine[Any, Any, object]]


@pytest.fixture
def trace(core_module: types.ModuleType, tmp_path: Path) -> Callable[[Program], tuple[Recording, Trace]]:
    def run(program: Program) -> tuple[Recording, Trace]:
        recording = ticks.record(core_module, program, tmp_path / "run.rec", sources=ticks.ALL)
        assert recording.header.lost == 0
        trace = load(tmp_path / "run.rec")
        assert violations(trace) == []
        return recording, trace

    return run


def awaiters(recording: Recording) -> set[tuple[str, str]]:
    """Who was entered by whom, by name; "" for a root, and for what is not this file's."""
    names = {r["coro"]: recording.codes[r["off"]] for r in recording.records if r["kind"] == ev.START}
    shown = {coro: code.name.rpartition(".")[2] for coro, code in names.items() if code.file == __file__}
    return {
        (shown[r["coro"]], shown.get(r["aux"], ""))
        for r in recording.records
        if r["kind"] in (ev.START, ev.ENTER) and r["coro"] in shown
    }


class By:
    """Awaited, it is another's ``__await__()``: an object that is no coroutine stands between the two."""

    def __init__(self, coro: Coroutine[Any, Any, object]) -> None:
        self.coro = coro

    def __await__(self) -> Generator[Any, Any, object]:
        return self.coro.__await__()


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def task() -> None:
    await asyncio.create_task(forever())


@types.coroutine
def old() -> Generator[Any, Any, None]:
    yield from asyncio.get_running_loop().create_future()


async def future() -> None:
    """Awaits a Future itself."""
    await asyncio.get_running_loop().create_future()


WAITS = (future, forever, task, old, None)


async def items(wait: Callable[[], Any] | None) -> AsyncGenerator[int]:
    if wait is None:  # the generator itself is the leaf
        await asyncio.get_running_loop().create_future()
    else:
        await wait()
    yield 1


async def outer_items(wait: Callable[[], Any] | None) -> AsyncGenerator[int]:
    async for item in items(wait):
        yield item


@contextlib.asynccontextmanager
async def context(wait: Callable[[], Any] | None) -> AsyncIterator[int]:
    async for item in outer_items(wait):
        yield item


async def next_item(wait: Callable[[], Any] | None) -> None:
    await anext(items(wait))


async def next_item_or_none(wait: Callable[[], Any] | None) -> None:
    await anext(items(wait), None)


async def each_item(wait: Callable[[], Any] | None) -> None:
    async for _ in outer_items(wait):
        pass


async def in_context(wait: Callable[[], Any] | None) -> None:
    async with context(wait):
        pass


async def by_another(wait: Callable[[], Any] | None) -> None:
    await By(next_item(wait))


async def in_contexts(wait: Callable[[], Any] | None) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(context(wait))


async def closes(wait: Callable[[], Any] | None) -> None:
    async with contextlib.aclosing(outer_items(wait)) as all_items:
        await anext(all_items)


HOW = (next_item, next_item_or_none, each_item, in_context, by_another, in_contexts, closes)


async def deeper(coro: Coroutine[Any, Any, object]) -> None:
    await coro


def loop_run(main: Main) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(main())


def pairs(how: Callable[..., Any], wait: Callable[[], Any] | None) -> set[tuple[str, str]]:
    """Who awaits whom there."""
    leaf = {(wait.__name__, "items")} if wait else set()
    if wait is task:
        leaf |= {("forever", "")}
    outer = {("items", "outer_items")}
    found: dict[Callable[..., Any], set[tuple[str, str]]] = {
        next_item: {("items", "next_item")},
        next_item_or_none: {("items", "next_item_or_none")},
        each_item: outer | {("outer_items", "each_item")},
        in_context: outer | {("outer_items", "context"), ("context", "")},  # by __aenter__()
        by_another: {("next_item", "by_another"), ("items", "next_item")},
        in_contexts: outer | {("outer_items", "context"), ("context", "")},
        closes: outer | {("outer_items", "closes")},
    }
    return found[how] | leaf


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("how", HOW)
def test_a_cancellation_comes_along_the_chain_that_is_suspended(
    how: Callable[..., Any], wait: Callable[[], Any] | None, depth: int, trace: Any
) -> None:
    async def main() -> None:
        coro = how(wait)
        for _ in range(depth):
            coro = deeper(coro)
        cancelled = asyncio.create_task(coro)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])

    recording, traced = trace(lambda: loop_run(main))
    awaited = {(how.__name__, "deeper" if depth else "")} | ({("deeper", ""), ("deeper", "deeper")} if depth else set())
    assert awaiters(recording) == pairs(how, wait) | awaited | {("main", "")}
    assert ticks.kinds(recording).count("THROW") == 1 + (wait is task)
    assert not (recording.records["flags"][recording.records["kind"] == ev.ENTER] & ev.THROWN).any()
    states = {one.name: one.state for one in traced.tasks if not one.name.startswith(("test_", "Base"))}
    root = "deeper" if depth else how.__name__
    assert states == {root: "Cancelled"} | ({"forever": "Cancelled"} if wait is task else {})


async def counted(sleeps: bool) -> AsyncGenerator[int]:
    for number in range(3):
        if sleeps:
            await asyncio.sleep(0)
        yield number


def of_generator(trace: Trace, name: str = "counted") -> list[tuple[str, int, int, str | None]]:
    """(state, polls, awaits, error) of the tasks that the generator ran for, as they were made."""
    awaits = trace.awaits.task.tolist()
    return [(one.state, one.polls, awaits.count(one.id), one.error) for one in trace.tasks if one.name == name]


@pytest.mark.parametrize("sleeps", [False, True])
def test_each_task_of_a_generators_steps_is_one(sleeps: bool, trace: Any) -> None:
    async def main() -> None:
        numbers = counted(sleeps)
        for number in range(3):
            assert await asyncio.create_task(numbers.__anext__()) == number
        with contextlib.suppress(StopAsyncIteration):
            await asyncio.create_task(numbers.__anext__())

    recording, traced = trace(lambda: asyncio.run(main()))
    polls = 1 + sleeps
    good = ("Completed", polls, polls - 1, None)
    assert of_generator(traced) == [good, good, good, ("Failed", 1, 0, "StopAsyncIteration")]
    spawned = recording.records["coro"][recording.records["kind"] == ev.SPAWN].tolist()
    assert len(set(spawned)) == len(spawned) == len(traced.tasks)
    assert traced.task_table.created_seen.all()
    awaited = [traced.task(number).name for number in traced.awaits.awaited_task.tolist() if number]
    assert awaited == ["counted"] * 4


@pytest.mark.parametrize("kept", [False, True])
def test_the_task_that_closes_a_generator_left_open_ends_as_it_says(kept: bool, trace: Any) -> None:
    """What ``main`` drops as it ends is closed in a task that ``asyncio.run`` cancels; what is kept, not."""
    said: list[bool] = []
    left: list[object] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=loop, **options)
        if type(coro).__name__ == "async_generator_athrow":
            task.add_done_callback(lambda task: said.append(task.cancelled()))
        return task

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(factory)
        numbers = counted(False)
        left.extend([numbers] * kept)
        assert await asyncio.create_task(numbers.__anext__()) == 0

    _, traced = trace(lambda: asyncio.run(main()))
    assert said == [not kept]
    states = [state for state, *_ in of_generator(traced)]
    assert states == ["Completed", "Completed" if kept else "Cancelled"]


def test_every_step_can_be_a_task(trace: Any) -> None:
    async def main() -> None:
        for step in (
            lambda numbers: numbers.asend(None),
            lambda numbers: anext(numbers, None),
            lambda numbers: numbers.athrow(ValueError("thrown")),
            lambda numbers: numbers.aclose(),
        ):
            numbers = counted(True)
            await anext(numbers)
            await asyncio.wait([asyncio.create_task(step(numbers), name="step")])
            await numbers.aclose()

    _, traced = trace(lambda: asyncio.run(main()))
    assert of_generator(traced, "step") == [
        ("Completed", 2, 1, None),
        ("Completed", 2, 1, None),
        ("Failed", 1, 0, "ValueError: thrown"),
        ("Completed", 1, 0, None),
    ]


def test_a_step_of_one_that_runs_already_fails(trace: Any) -> None:
    async def main() -> None:
        numbers = counted(True)
        steps = [asyncio.create_task(numbers.__anext__()) for _ in range(2)]
        await asyncio.gather(*steps, return_exceptions=True)
        lonely = asyncio.create_task(numbers.__anext__()), asyncio.create_task(numbers.__anext__())
        for _ in range(4):
            await asyncio.sleep(0)
        assert str(lonely[1].exception()) == str(steps[1].exception())

    _, traced = trace(lambda: asyncio.run(main()))
    first, second, third, fourth = of_generator(traced)[:4]  # the loop closes it in one more
    assert first == third == ("Completed", 2, 1, None)
    assert second[:3] == ("Failed", 0, 0) and "already running" in str(second[3])
    assert fourth[:3] == ("Unknown", 0, 0)  # nobody waited for it, so nothing said how it ended
    assert not any(one.state == "Pending" for one in traced.tasks)


@pytest.mark.parametrize("started", [False, True])
def test_a_step_that_is_cancelled(started: bool, trace: Any) -> None:
    async def main() -> None:
        numbers = items(future)
        step = asyncio.create_task(numbers.__anext__())
        if started:
            await asyncio.sleep(0)
        step.cancel()
        await asyncio.wait([step])
        assert step.cancelled()

    _, traced = trace(lambda: asyncio.run(main()))
    assert [row[0] for row in of_generator(traced, "items")] == ["Cancelled"]


def test_a_generator_for_tasks_and_awaiters_in_turn(trace: Any) -> None:
    async def main() -> None:
        numbers = counted(True)
        await asyncio.create_task(numbers.__anext__())
        await anext(numbers)
        with contextlib.suppress(StopIteration):
            step = numbers.__anext__()
            while True:
                step.send(None)
        with contextlib.suppress(StopAsyncIteration):
            await asyncio.create_task(numbers.__anext__())

    recording, traced = trace(lambda: asyncio.run(main()))
    assert awaiters(recording) == {("counted", ""), ("counted", "main"), ("main", "")}
    kinds = [(one.kind, one.state) for one in traced.tasks if one.name == "counted"]
    assert sorted(kinds) == [("driven", "Completed"), ("task", "Completed"), ("task", "Failed")]
