"""Where a recording breaks off, at its bound or since its file can't grow: from then on nothing is heard.

The program itself looks, as it goes on, which events are set and how often the core was called.
"""

import asyncio
import os
import resource
import signal
import sys
import threading
import types
from pathlib import Path

import pytest

import async_inspect
from async_inspect import events as ev
from async_inspect.model import stats
from async_inspect.recording.ending import ending
from async_inspect.recording.reader import Recording
from async_inspect.terminal.summary import summary
from async_inspect.tracer.settings import DETAILS

from ..samples import SAMPLES
from ..tools import wait_until
from . import ticks

pytestmark = pytest.mark.tracer

BOUND = 2 * ev.HEADER_SIZE + ev.TAIL_SIZE + 2 * ev.BLOCK_SIZE


async def leaf() -> None:
    await asyncio.sleep(0)


async def worker(times: int) -> None:
    for _ in range(times):
        await leaf()


def watched() -> dict[str, int]:
    """The events that are set for our tool: of all code, and of code that has some of its own."""
    codes = {one.__name__: one.__code__ for one in (leaf, worker, asyncio.Handle._run, asyncio.sleep)}
    own = {name: sys.monitoring.get_local_events(ticks.TOOL_ID, code) for name, code in codes.items()}
    return {"": sys.monitoring.get_events(ticks.TOOL_ID)} | own


class Seen:
    """What the program saw of the core."""

    def __init__(self) -> None:
        self.before: dict[str, int] = {}
        self.after: list[dict[str, int]] = []


async def until_the_bound(path: Path, seen: Seen) -> None:
    """Works until the recording has broken off, and as much again after that."""
    await asyncio.create_task(worker(10))
    seen.before = watched()
    while header(path)["broken_off"] == ev.IT_GROWS:
        await asyncio.gather(*(worker(50) for _ in range(8)))
    calls = []
    for _ in range(3):
        await asyncio.gather(*(worker(50) for _ in range(8)))
        seen.after.append(watched())
        calls.append(header(path)["callbacks"])
    assert calls[0] == calls[-1]


def header(path: Path) -> dict[str, int]:
    with Recording(path) as recording:
        return {name: value for name, value in recording.header._asdict().items() if isinstance(value, int)}


@pytest.mark.parametrize("detail", DETAILS)
def test_from_the_bound_on_nothing_is_heard(core_module: types.ModuleType, detail: str, tmp_path: Path) -> None:
    path, seen = tmp_path / "a.rec", Seen()
    run = ticks.record(
        core_module, lambda: asyncio.run(until_the_bound(path, seen)), path, BOUND, ticks.ALL, detail=detail
    )
    assert {name for name, bits in seen.before.items() if bits} >= {"", "worker"}
    assert all(not any(events.values()) for events in seen.after), seen.after
    assert (ending(run), run.header.lost, run.header.state) == ("bound reached", 1, ev.STOPPED)
    assert path.stat().st_size <= BOUND


@pytest.mark.parametrize("detail", DETAILS)
def test_what_was_recorded_until_then_is_as_without_a_bound(
    core_module: types.ModuleType, detail: str, tmp_path: Path
) -> None:
    def program() -> None:
        asyncio.run(worker(20_000))

    whole = ticks.record(core_module, program, tmp_path / "whole.rec", detail=detail)
    cut = ticks.record(core_module, program, tmp_path / "cut.rec", BOUND, detail=detail)
    again = ticks.record(core_module, program, tmp_path / "again.rec", detail=detail)
    assert ending(whole) == "stopped"
    assert ending(cut) == "bound reached"
    assert ticks.text(whole).startswith(ticks.text(cut))
    assert ticks.text(again) == ticks.text(whole)  # who records next hears all of it


def test_a_file_that_can_not_grow_ends_it_likewise(core_module: types.ModuleType, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path, seen = tmp_path / "a.rec", Seen()

    def program() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (BOUND, before[1]))
        asyncio.run(until_the_bound(path, seen))

    try:
        run = ticks.record(core_module, program, path, sources=ticks.ALL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert all(not any(events.values()) for events in seen.after), seen.after
    assert (ending(run), run.header.broken_off) == ("disk full", ev.NO_ROOM)


def test_from_whichever_thread(core_module: types.ModuleType, tmp_path: Path) -> None:
    """Several loops run on in their own threads; each goes to its end."""
    path, ended = tmp_path / "a.rec", []

    def loop(number: int) -> None:
        async def main() -> int:
            while header(path)["broken_off"] == ev.IT_GROWS:
                await asyncio.gather(*(worker(20) for _ in range(8)))
            await asyncio.gather(*(worker(20) for _ in range(8)))
            return number

        ended.append(asyncio.run(main()))

    def program() -> None:
        threads = [threading.Thread(target=loop, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not any(watched().values())

    run = ticks.record(core_module, program, path, BOUND, ticks.ALL)
    assert sorted(ended) == [0, 1, 2, 3]
    assert (ending(run), run.header.lost) == ("bound reached", 1)


def threads() -> set[str]:
    return {*os.listdir("/proc/self/task")}


def test_the_watchdog_ends_too(core_module: types.ModuleType, tmp_path: Path) -> None:
    """By itself: nobody waited for it when it broke off."""
    before = threads()

    async def main() -> None:
        await worker(1)
        (watchdog,) = threads() - before
        while header(tmp_path / "a.rec")["broken_off"] == ev.IT_GROWS:
            await worker(500)
        await worker(1)
        wait_until(lambda: watchdog not in threads())

    with async_inspect.trace(tmp_path / "a.rec", max_size="512KB", core=core_module.NAME, slow_poll_ms=8):
        asyncio.run(main())
    with async_inspect.trace(tmp_path / "b.rec", core=core_module.NAME):
        asyncio.run(worker(10))
    first, second = (async_inspect.load(tmp_path / f"{name}.rec") for name in "ab")
    assert (first.meta.ending, first.meta.core) == ("bound reached", core_module.NAME)
    assert (second.meta.ending, second.meta.lost, len(second.tasks)) == ("stopped", 0, 3)  # two are asyncio.run's
    assert second.inexact == ()


def test_a_record_that_is_lost_from_the_midst_is_not_the_end(tmp_path: Path) -> None:
    """As where memory was short for a moment: it is known to its end, but no figure is exact."""
    for name, broken_off, how in (("new", ev.IT_GROWS, "stopped"), ("old", 0, "disk full")):
        tape = SAMPLES["two_tasks"]()
        tape.header |= {"lost": 3, "broken_off": broken_off}
        tape.meta.append(("max_size", str(1 << 40)))
        trace = async_inspect.load(tape.write(tmp_path / f"{name}.rec"))
        assert trace.meta.ending == how
        assert (trace.inexact == ("3 records could not be written",)) == (how == "stopped")
        told = "\n".join(map(str, summary(trace, stats(trace))))
        assert ("no figure is exact: 3 records could not be written" in told) == (how == "stopped")
        assert ("what came later is lost" in told) == (how == "disk full")
