"""Recordings at the detail "awaits": what both details know is the same, and what it doesn't know is not known."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from async_inspect import Trace, load
from async_inspect.checks import not_looked_for
from async_inspect.formats import FORMATS
from async_inspect.model import tables as t
from async_inspect.model.figures.stats import top_coroutines
from async_inspect.model.invariants import violations
from async_inspect.model.transform.merge import merge
from async_inspect.model.transform.select import select
from async_inspect.recording.reader import Recording

from ..levels import same
from ..tools import ROOT, TARGET, examples, run
from ..tracer import ticks
from ..tracer.test_twins import programs, runner
from ..trees import ran
from .conftest import AT_AWAITS, RECORDED


@pytest.mark.parametrize("name", RECORDED)
def test_both_say_the_same(name: str, recorded: dict[str, Recording]) -> None:
    calls, awaits = load(recorded[name].path), load(recorded[name + AT_AWAITS].path)
    assert violations(awaits) == violations(calls) == []
    assert awaits.meta.damaged == 0
    same(calls, awaits)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(programs(), st.sets(st.sampled_from(ticks.ALL)))
def test_random_programs(tmp_path_factory: pytest.TempPathFactory, source: str, without: set[str]) -> None:
    """On both cores: readings of the clock, which counts them, are compared by their order.

    Where nobody hears that a task is made, one of a step of an async generator which began for an awaiter is heard
    late at "awaits", and taken for one that was there before.
    """
    assume("tasks" not in without or "create_task(it." not in source)
    folder = tmp_path_factory.mktemp("programs")
    for name, core in ticks.CORES.items():
        if core is None:
            pytest.skip("no C core (Debian: apt-get install gcc libc6-dev python3-dev)")
        traces = list[Trace]()
        for detail in ("calls", "awaits"):
            path, space = Path(folder) / f"{name}-{detail}.rec", dict[str, Any]({"__name__": "program"})
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ticks.record(core, runner(source, space), path, sources=set(ticks.ALL) - without, detail=detail).close()
            traces.append(load(path))
            assert violations(traces[-1]) == []
        same(traces[0], traces[1], times=False)


def test_a_run_of_both_details(recorded: dict[str, Recording]) -> None:
    """Of tasks and nodes of either process is known what its detail knows; of sums over both, what both know."""
    parts = [load(recorded[name].path) for name in ("gather", "gather" + AT_AWAITS)]
    trace = merge(parts)
    assert violations(trace) == []
    assert trace.meta.detail == "calls, awaits"
    assert [one.detail for one in trace.processes] == ["calls", "awaits"]
    assert ran(trace.tree) == sum(int(part.task_table.self_ns.sum()) for part in parts)
    (root,) = (node for node in trace.tree if node.function == "main")
    (whole,) = (node for node in parts[0].tree if node.function == "main")
    assert (root.calls, root.run_self_ns) == (2 * (whole.calls or 0), None)
    assert {node.function for _, node in root.walk()} == {t.NOT_DIVIDED.name, *(n.function for _, n in whole.walk())}
    assert [one.divided for one in top_coroutines(trace)].count(False) == len(top_coroutines(parts[1]))
    assert not_looked_for(parts[0]) == ""
    assert "of some processes" in not_looked_for(trace)
    heard = len(parts[0].task_table)
    assert len(select(trace, trace.calls_heard[1:]).task_table) == heard
    for format in FORMATS:
        assert trace.to_bytes(format) or format == "folded:filtered", "what is short is not in that one"


def test_filtered(recorded: dict[str, Recording]) -> None:
    """Frames that are folded away take what isn't known with them; what isn't divided stays below its root."""
    calls, awaits = (load(recorded[name].path) for name in ("gather", "gather" + AT_AWAITS))
    for wanted in ({"exclude": "stdlib"}, {"include": "*gather.py"}, {"task": "*"}, {"state": "Completed"}):
        of_calls, of_awaits = calls.filter(**wanted), awaits.filter(**wanted)  # type: ignore[arg-type]
        assert violations(of_awaits) == violations(of_calls) == []
        assert ran(of_awaits.tree) == ran(of_calls.tree)
        assert [task.name for task in of_awaits.tasks] == [task.name for task in of_calls.tasks]
        known = [(node.function, node.wait_ns, node.awaits) for root in of_awaits.tree for _, node in root.walk()]
        theirs = [(node.function, node.wait_ns, node.awaits) for root in of_calls.tree for _, node in root.walk()]
        assert {row for row in known if row[0] != t.NOT_DIVIDED.name} <= {*theirs}
        for root in of_awaits.tree:
            assert root.run_self_ns is None
            assert root.calls is not None
            assert [node.function for node in root.children].count(t.NOT_DIVIDED.name) == 1


ADOPTED = """
import asyncio, sys
import async_inspect
from async_inspect.tracer import existing

async def inner(gate):
    await gate.wait()
    await asyncio.sleep(0)

async def work(lock, gate):
    async with lock:
        await inner(gate)

async def main(detail):  # without timers: how long it takes to begin changes nothing
    lock, gate = asyncio.Lock(), asyncio.Event()
    tasks = [asyncio.create_task(work(lock, gate), name=f"work {number}") for number in range(3)]
    await asyncio.sleep(0)
    with async_inspect.trace(f"{sys.argv[1]}/{detail}.rec", detail=detail):
        asyncio.get_running_loop().call_soon(gate.set)
        await inner(gate)
        await asyncio.gather(*tasks)

of_sets = existing.tasks  # in the order of addresses
existing.tasks = lambda: sorted(of_sets(), key=lambda task: task.get_name())
for detail in ("calls", "awaits"):
    asyncio.run(main(detail))
"""


def test_what_was_there_before(tmp_path: Path) -> None:
    """The picture with which a recording begins is the same, and of these roots all is known as of others."""
    run([TARGET, "-c", ADOPTED, tmp_path], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    calls, awaits = (load(tmp_path / f"{detail}.rec") for detail in ("calls", "awaits"))
    assert [task.created_before_recording for task in awaits.tasks] == [True] * 4
    assert violations(awaits) == []
    same(calls, awaits, times=False)
