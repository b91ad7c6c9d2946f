"""What the cores know by address goes with what is there: after waves of which few live at once, each table is small.

The program shows that no two waves had their objects in the same places: it puts others of the same size there.
"""

import asyncio
import gc
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import ticks

pytestmark = [pytest.mark.tracer, pytest.mark.timeout(300)]

WAVES, WAVE = 100, 400
SMALL = 16 * WAVE  # a shield is two handles, too


async def fails() -> None:
    raise ValueError("nobody looks")


class Waves:
    """Makes things in waves; in the place of each that went stays another of its size, which no source hears of."""

    def __init__(self, core: types.ModuleType) -> None:
        self.core = core
        self.places: set[int] = set()
        self.stay: list[object] = []
        self.most: dict[str, int] = {}

    async def run(self, wave: Callable[[], list[object]], other: Callable[[], object]) -> None:
        for _ in range(WAVES):
            things = wave()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.places |= {id(each) for each in things}
            del things
            gc.collect(0)
            self.stay += [other() for _ in range(WAVE)]
            for table, size in self.core.kept().items():
                self.most[table] = max(size, self.most.get(table, 0))


def locks() -> list[object]:
    return [asyncio.Lock() for _ in range(WAVE)]


def handles() -> list[object]:
    loop = asyncio.get_running_loop()
    return [loop.call_soon(int) for _ in range(WAVE)]


def cancelled() -> list[object]:
    made = handles()
    for handle in made:
        handle.cancel()  # type: ignore[attr-defined]
    return made


def scopes() -> list[object]:
    return [asyncio.timeout(None) for _ in range(WAVE)]


def shields() -> list[object]:
    future = asyncio.get_running_loop().create_future()
    made: list[object] = [asyncio.shield(future) for _ in range(WAVE)]
    future.cancel()
    return made


@pytest.mark.parametrize(
    ("wave", "cls"),
    [
        (locks, asyncio.Lock),
        (handles, asyncio.Handle),
        (cancelled, asyncio.Handle),
        (scopes, asyncio.Timeout),
        (shields, asyncio.Future),
    ],
)
def test_what_is_known_of_an_object_goes_with_it(
    core_module: types.ModuleType, tmp_path: Path, wave: Callable[[], list[object]], cls: Any
) -> None:
    waves = Waves(core_module)
    run = ticks.record(
        core_module,
        lambda: asyncio.run(waves.run(wave, lambda: cls.__new__(cls))),
        tmp_path / "run.rec",
        sources=ticks.ALL,
    )
    run.close()
    assert len(waves.places) > WAVES * WAVE // 2
    assert max(waves.most.values()) < SMALL, waves.most
    assert run.header.lost == 0


def test_what_is_known_of_a_task_goes_with_it(core_module: types.ModuleType, tmp_path: Path) -> None:
    """Failed ones, that is: asyncio may say of each until it goes that nobody looked."""

    def wave() -> list[object]:
        made: list[object] = [fails() for _ in range(WAVE)]
        for coro in made:
            tasks.append(asyncio.ensure_future(coro))  # type: ignore[call-overload]
            tasks[-1].add_done_callback(asyncio.Task.exception)
        tasks.clear()
        return made

    def other() -> object:
        closed = fails()
        closed.close()
        return closed

    tasks: list[asyncio.Task[None]] = []
    waves = Waves(core_module)
    run = ticks.record(
        core_module, lambda: asyncio.run(waves.run(wave, other)), tmp_path / "run.rec", sources=ticks.ALL
    )
    run.close()
    assert len(waves.places) > WAVES * WAVE // 2
    assert max(waves.most.values()) < SMALL, waves.most
    assert run.header.lost == 0
