"""Coroutines that end while events are off: nothing says so until another is in the memory of one of them."""

import asyncio
import gc
import os
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from async_inspect import events as ev
from async_inspect.model import load
from async_inspect.model.invariants import violations
from async_inspect.tracer import pycore
from async_inspect.tracer.pycore.tape import Tape

from . import ticks

pytestmark = pytest.mark.tracer
OTHER_TOOL = 3
IS_USED_AGAIN = not os.environ.get("PYTHONMALLOC")  # memory: a sanitizer's allocator waits with that


@pytest.fixture(autouse=True)
def only_what_is_new_is_collected() -> Iterator[None]:
    """All that the test process has imported would be looked at each time, a hundred times a second."""
    gc.freeze()
    yield
    gc.unfreeze()


class Circle:
    """What only the collector can find."""

    def __init__(self, holds: object) -> None:
        self.holds = holds
        self.itself = self


async def inner() -> None:
    await asyncio.sleep(0)


async def outer() -> None:
    await inner()


def leave_suspended() -> None:
    coro = outer()
    coro.send(None)
    Circle(coro)


def collect() -> None:
    """A function of which another tool is told."""


def program(between: Callable[[], object]) -> None:
    async def works() -> None:
        for _ in range(10):
            leave_suspended()
            between()
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(works() for _ in range(3)))

    asyncio.run(main())


def vanished(core: types.ModuleType, run: Callable[[], object], path: Path) -> int:
    """How many ended unseen; of each chain all did, or none."""
    recording = ticks.record(core, run, path, sources=ticks.ALL)
    with recording:
        number = ticks.kinds(recording).count("VANISH")
    trace = load(path)
    assert violations(trace) == []
    assert {(task.kind, task.state) for task in trace.tasks} <= {
        ("task", "Completed"), ("driven", "Cancelled"), ("driven", "Blocked"),
    }  # fmt: skip
    return number


def test_in_a_callback_of_another_tool(core_module: types.ModuleType, tmp_path: Path) -> None:
    events, code = sys.monitoring.events, collect.__code__
    sys.monitoring.use_tool_id(OTHER_TOOL, "other")
    try:
        sys.monitoring.register_callback(OTHER_TOOL, events.PY_START, lambda code, offset: gc.collect())
        sys.monitoring.set_local_events(OTHER_TOOL, code, events.PY_START)
        number = vanished(core_module, lambda: program(collect), tmp_path / "run.rec")
    finally:
        sys.monitoring.set_local_events(OTHER_TOOL, code, 0)
        sys.monitoring.register_callback(OTHER_TOOL, events.PY_START, None)
        sys.monitoring.free_tool_id(OTHER_TOOL)
    # Of 90 in all, and asyncio.sleep's; seen to be gone as far as their memory was used again.
    assert number > 60 or not IS_USED_AGAIN


def test_in_one_of_the_python_cores_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Tape.put_raw

    def put_raw(*args: Any) -> None:
        gc.collect()
        write(*args)

    monkeypatch.setattr(Tape, "put_raw", put_raw)
    number = vanished(pycore, lambda: program(lambda: None), tmp_path / "run.rec")
    assert number > 60 or not IS_USED_AGAIN


def test_amid_a_record_that_is_made_outside_of_any_callback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what the collector finalizes there come events: they are lost, not written in the midst of another record."""
    write = Tape.put_raw

    def put_raw(*args: Any) -> None:
        if args[-1] == ev.POINT:
            gc.collect()
        write(*args)

    monkeypatch.setattr(Tape, "put_raw", put_raw)
    recording = ticks.record(
        pycore, lambda: program(lambda: pycore.point("here", "")), tmp_path / "run.rec", sources=ticks.ALL
    )
    with recording:
        assert ticks.kinds(recording).count("POINT") == 30
        assert recording.header.lost > 0
    assert violations(load(tmp_path / "run.rec")) == []
