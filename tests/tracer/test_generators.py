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
from async_inspect.model.holds import violations
from async_inspect.recording import Recording

from . import ticks

pytestmark = pytest.mark.tracer


@pytest.fixture(params=ticks.CORES)
def core(request: pytest.FixtureRequest) -> types.ModuleType:
    core = ticks.CORES[request.param]
    if core is None:
        pytest.skip("no C core was built for this Python")
    return core


type Program = Callable[[], object]
type Main = Callable[[], Coroutine[Any, Any, object]]


@pytest.fixture
def trace(core: types.ModuleType, tmp_path: Path) -> Callable[[Program], tuple[Recording, Trace]]:
    def run(program: Program) -> tuple[Recording, Trace]:
        recording = ticks.record(core, program, tmp_path / "run.rec", sources=ticks.ALL)
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
