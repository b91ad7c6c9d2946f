"""Why tasks wait in programs of libraries that are where the tests are: aiohttp under load, uvloop."""

from pathlib import Path

import pytest

from async_inspect.model import Trace, tables
from async_inspect.model.invariants import violations

from .tools import ROOT, Attach

pytestmark = pytest.mark.meaning

SHUTDOWN = ("BaseEventLoop.shutdown_asyncgens", "BaseEventLoop.shutdown_default_executor")


def test_a_service_under_load_adds_up(core: str, attach: Attach) -> None:
    """aiohttp's server and its clients: ready is part of wait, each wake-up has its cause, nobody keeps a lock."""
    trace = attach(ROOT / "fixtures" / "aiohttp_demo.py", core=core, options=["--quiet", "-f", "folded"]).trace
    assert violations(trace) == []
    awaits, table = trace.awaits, trace.task_table
    unknown = awaits.ended & (awaits.woken_by == 0)
    shutdown = {row for row, name in enumerate(table.name, 1) if name in SHUTDOWN}
    assert set(awaits.task[unknown].tolist()) <= shutdown
    causes = {tables.WAKERS[code] for code in awaits.woken_by[awaits.ended].tolist()} - {""}
    assert causes == {"task", "timer", "I/O", "itself"}
    assert (awaits.waker[awaits.woken_by == tables.WAKERS.index("task")] > 0).all()
    assert len(trace.holds) > 100 and trace.holds.ended.all()
    assert not [task.id for task in trace.tasks if task.holds]


ON_ANY_LOOP = """
import asyncio, sys

async def user(lock, seconds):
    async with lock:
        await asyncio.sleep(seconds)

async def main():
    asyncio.current_task().set_name("main")
    lock = asyncio.Lock()
    async with asyncio.TaskGroup() as group:
        group.create_task(user(lock, 0.02), name="first")
        group.create_task(user(lock, 0), name="second")

if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


def test_what_uvloop_hides_is_unknown(core: str, attach: Attach, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(ON_ANY_LOOP, encoding="utf-8")
    traces = {}
    for loop in "asyncio", "uvloop":
        traced = attach(program, loop, core=core, options=["--quiet", "-f", "folded"])
        assert traced.status == 0, traced.stderr
        traces[loop] = traced.trace
        assert violations(traced.trace) == []

    def seen(trace: Trace) -> set[tuple[str, str | None, str | None]]:
        rows = map(trace.await_at, range(len(trace.awaits)))
        return {(trace.task(row.task).name, row.reason, row.resource) for row in rows}

    wanted = {("first", "timer"), ("second", "lock"), ("main", "task group")}
    for trace in traces.values():  # what coroutines and locks say is the same on both
        assert wanted <= {(name, reason) for name, reason, _ in seen(trace)}
        assert {name for name, _, resource in seen(trace) if resource} == {"second"}
        main = next(task for task in trace.tasks if task.name == "main")
        assert {task.name for task in trace.tasks if main.id in task.awaiters} == {"first", "second"}
    known = {loop: set(trace.awaits.woken_by.tolist()) for loop, trace in traces.items()}
    itself = tables.WAKERS.index("itself")
    assert known["uvloop"] <= {0, itself} < known["asyncio"] | {0}
