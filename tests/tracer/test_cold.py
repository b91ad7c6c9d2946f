"""What is rare, and done in Python for both cores: whose an error is that comes up there, and what is written then."""

import asyncio
import gc
import signal
import types
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from async_inspect import events as ev
from async_inspect.tracer import actions, cold

from . import ticks

pytestmark = pytest.mark.tracer


async def nothing() -> None: ...


def never_await() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _ = nothing()
        del _


def runtime_warnings(core: types.ModuleType, program: Callable[[], object], path: Path) -> tuple[int, int]:
    """How many such records there are, and how many were lost."""
    run = ticks.record(core, program, path, sources=ticks.ALL)
    with run:
        return ticks.kinds(run).count("RUNTIME_WARNING"), run.header.lost


def test_what_it_cannot_do_costs_that_record_alone(
    core_module: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(core: types.ModuleType, frame: types.FrameType) -> None:
        _ = 1 / 0

    assert runtime_warnings(core_module, never_await, tmp_path / "whole.rec") == (1, 0)
    ours = types.FunctionType(broken.__code__, vars(cold))  # a function of that module
    monkeypatch.setitem(cold.ACTIONS, actions.NEVER, ours)
    assert runtime_warnings(core_module, never_await, tmp_path / "broken.rec") == (0, 1)


@pytest.mark.parametrize("error", [TimeoutError, KeyboardInterrupt, asyncio.CancelledError])
def test_what_a_signals_handler_raises_just_then_is_the_programs(
    core_module: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """The handler runs while our code does, which raises it into the function that the program called."""
    seen: list[list[str]] = []

    def raises(number: int, frame: types.FrameType | None) -> None:
        raise error("the program's")

    def interrupted(core: types.ModuleType, frame: types.FrameType) -> None:
        signal.raise_signal(signal.SIGUSR1)

    def program() -> None:
        loop = asyncio.new_event_loop()
        try:
            loop.call_exception_handler({"message": "none of ours"})
        except error as exc:
            step = exc.__traceback__
            names = []
            while step is not None:
                names.append(step.tb_frame.f_code.co_name)
                step = step.tb_next
            seen.append(names)
        finally:
            loop.close()

    monkeypatch.setitem(cold.ACTIONS, actions.HANDLER, interrupted)
    before = signal.signal(signal.SIGUSR1, raises)
    try:
        runtime_warnings(core_module, program, tmp_path / "run.rec")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(seen) == 1 and seen[0][:2] == ["program", "call_exception_handler"] and seen[0][-1] == "raises"


def test_it_keeps_nothing_alive(core_module: types.ModuleType, tmp_path: Path) -> None:
    kept: list[weakref.ref[object]] = []

    class Unheard(Exception): ...

    async def fails() -> None:
        exc = Unheard()
        kept.append(weakref.ref(exc))
        raise exc

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        await asyncio.wait([asyncio.create_task(fails())])
        coro = nothing()
        kept.append(weakref.ref(coro))

    def program() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asyncio.run(main())
        gc.collect()
        assert [ref() for ref in kept] == [None, None]

    assert runtime_warnings(core_module, program, tmp_path / "run.rec") == (2, 0)


def test_nothing_is_written_when_nothing_is_recorded(core_module: types.ModuleType) -> None:
    core_module.put(ev.RUNTIME_WARNING, 0, 0, 0, 0)
    core_module.edge(None, None)
    core_module.lose()
    assert core_module.get(nothing, "__name__") == "nothing"
    assert core_module.get(nothing, "no_such_thing") is None
