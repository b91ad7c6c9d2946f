"""What both details know is the same: of random programs, and of those in ``fixtures`` whose runs are all alike.

At ``calls`` a chain is told by its coroutines' own events, at ``awaits`` it is read off the frames (the C core), or
told by the same events and written otherwise (its twin).
"""

import asyncio
import runpy
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from async_inspect import events as ev
from async_inspect.recording.reader import Recording
from async_inspect.tracer.settings import DETAILS

from ..tools import ROOT, examples
from . import test_twins, ticks
from .levels import Row, known

pytestmark = pytest.mark.tracer

# Not those that have threads or real time, or end the process.
OTHERS = {"threads", "to_thread", "timeouts", "known_waits", "queue_and_lock", "wait_for", "pending"}
PROGRAMS = [
    *(path for path in sorted((ROOT / "fixtures" / "programs").glob("*.py")) if path.stem not in OTHERS),
    ROOT / "fixtures" / "runtimes" / "own_driver.py",
]


def views(core: types.ModuleType, program: Callable[[], object]) -> list[list[Row]]:
    found = []
    for detail in DETAILS:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = ticks.record(core, program, Path(folder) / "run.rec", sources=ticks.ALL, detail=detail)
            assert run.header.lost == 0
            assert kinds_fit(run, detail)
            found.append(known(run))
            run.close()
    return found


def kinds_fit(run: Recording, detail: str) -> bool:
    """No record says what is not known at this detail."""
    records = run.records
    if detail == "calls":
        return not (records["kind"] == ev.CHAIN).any()
    starts = records[records["kind"] == ev.START]
    suspends = records[records["kind"] == ev.SUSPEND]
    return (
        not (records["kind"] == ev.LINK).any()
        and not starts["aux"].any()
        and bool((suspends["flags"] & ev.IN_CHAIN).all())
        and bool(suspends["off"].all())
    )


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(source=test_twins.programs())
@pytest.mark.parametrize("core", ticks.CORES)
def test_random_programs(core: str, source: str) -> None:
    module = ticks.CORES[core]
    if module is None:
        pytest.skip("no C core (Debian: apt-get install gcc libc6-dev python3-dev)")

    def program() -> None:  # of code of its own each time
        test_twins.runner(source, {"__name__": "program"})()

    if sys.version_info >= (3, 15):
        source = test_twins.with_none_closed(source)
    calls, awaits = views(module, program)
    assert calls == awaits


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs(core_module: types.ModuleType, path: Path) -> None:
    def program() -> None:
        argv, sys.argv = sys.argv, [str(path)]
        try:
            runpy.run_path(str(path), run_name="__main__")
        except BaseException as error:  # some end so
            assert not isinstance(error, (AssertionError, MemoryError))
        finally:
            sys.argv = argv

    calls, awaits = views(core_module, program)
    assert any(row[0] == "SUSPEND" for row in calls) or path.stem == "synchronous"
    assert calls == awaits


def test_what_was_awaited_is_made_a_task(core_module: types.ModuleType) -> None:
    def program() -> None:
        async def inner() -> None:
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        async def outer(it: Coroutine[None, None, None]) -> None:
            await it

        async def main() -> None:
            it = inner()
            by_hand = outer(it)
            by_hand.send(None)
            await asyncio.create_task(it)
            by_hand.close()

        asyncio.run(main())

    calls, awaits = views(core_module, program)
    starts = [row[2][1].rpartition(".")[2] for row in awaits if row[0] == "START"]
    assert starts[:3] == ["main", "outer", "inner"]
    told = [[row for row in rows if row[0] in ("RESUME", "RETURN", "RAISE")] for rows in (calls, awaits)]
    assert told[0] == told[1]
