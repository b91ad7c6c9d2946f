"""What must hold holds: for recordings made by hand, and for programs that do everything at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import async_inspect
from async_inspect.model import load
from async_inspect.model.invariants import violations

from ..tape import Tape, two_tasks
from ..tools import examples


def test_by_hand(tmp_path: Path) -> None:
    trace = load(two_tasks().write(tmp_path / "a.rec"))
    assert violations(trace) == []
    assert violations(load(Tape().write(tmp_path / "b.rec"))) == []
    longer = replace(trace, polls=replace(trace.polls, end_ns=trace.polls.end_ns + 1))
    assert violations(longer)[0] == "a task runs as long as its polls: row 0, 2 in all"


async def items(count: int) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(0)
        yield number


async def iterate(plan: list[int], leave_early: bool) -> None:
    async for _ in items(2):
        if leave_early:
            break
        await step(plan[:2])


async def step(plan: list[int]) -> None:
    """Do what the plan says, one digit at a time; the rest of it is for whom it calls."""
    for at, what in enumerate(plan):
        rest = plan[at + 1 :]
        if what == 0:
            await asyncio.sleep(0)
        elif what == 1:
            await step(rest)
            return
        elif what == 2:
            await asyncio.gather(step(rest), step(rest[1:]), return_exceptions=True)
            return
        elif what in (3, 7):
            await iterate(rest, leave_early=what == 7)
        elif what == 4:
            task = asyncio.create_task(step(rest))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        elif what == 5:
            raise ValueError(what)
        elif what == 6:
            asyncio.create_task(step(rest)).add_done_callback(lambda task: task.cancelled() or task.exception())


@pytest.mark.tracer
@settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.integers(0, 7), max_size=10))
def test_of_any_program(plan: list[int], tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    path.unlink(missing_ok=True)
    with async_inspect.trace(path):
        asyncio.run(guarded(plan))
    trace = load(path)
    assert violations(trace) == []
    for task in trace.tasks:
        trace.task_tree(task.id)
    for line in range(len(trace.events)):
        trace.details(line)


async def guarded(plan: list[int]) -> None:
    try:
        await step(plan)
    except ValueError:
        pass
