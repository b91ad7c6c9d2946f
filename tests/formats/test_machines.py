"""The visits of state machines, as a plain walk over every frame of every await has them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from async_inspect.formats.html.machines import _visits
from async_inspect.model import Trace, load
from async_inspect.model import tables as t

from ..samples import SAMPLES
from ..tools import ROOT, Attach

type Visit = tuple[int, int, int, int, int, int]  # call, location, begin, end, wait, child

PROGRAMS = ("async_generators", "async_with", "cancel_caught", "gather", "nested", "queue_and_lock", "recursion")
SHARED = """
import asyncio
async def wait(): await asyncio.sleep(0); await asyncio.sleep(0)
async def items():
    for item in range(9):
        await wait()
        yield item
async def part(shared, turn):
    for _ in range(3):
        async with turn: await anext(shared)
async def main():
    shared, turn = items(), asyncio.Lock()
    await asyncio.gather(*(part(shared, turn) for _ in range(3)))
asyncio.run(main())
"""  # three tasks have items of one generator, by turns


def frames(trace: Trace, row: int) -> Iterator[tuple[int, int, int]]:
    """(node, location, the node below or -1) of an await's frames, from the leaf up."""
    nodes, chains = trace.nodes, trace.chains
    places, chain = [], int(trace.awaits.stack[row])
    while chain >= 0:
        places.append(int(chains.location[chain]))
        chain = int(chains.inner[chain])
    node, child = int(trace.awaits.leaf_node[row]), -1
    for place in reversed(places):
        if node < 0 or nodes.function[node] != trace.locations.function[place]:
            return
        yield node, place, child
        node, child = int(nodes.parent[node]), node


def walked(trace: Trace, shown: t.Bools) -> list[Visit]:
    """Await after await, from the leaf up, and then along each call."""
    awaits, entries, nodes = trace.awaits, trace.entries, trace.nodes
    entered: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)  # (task, node): (start, entry)
    for row in range(len(entries)):
        entered[int(entries.task[row]), int(entries.node[row])].append((int(entries.start_ns[row]), row))

    def entry_of(task: int, node: int, when: int) -> int:
        rows = sorted(entered.get((task, node), ()))
        at = bisect_right(rows, (when, 1 << 62))
        return rows[at - 1][1] if at else -1

    found = []  # call, start, await, location, child, entry, entry of the child
    for row in range(len(awaits)):
        task, start = int(awaits.task[row]), int(awaits.start_ns[row])
        for node, place, child in frames(trace, row):
            entry = entry_of(task, node, start)
            if shown[nodes.function[node]] and entry >= 0:
                below = entry_of(task, child, start) if child >= 0 else -1
                found.append((int(entries.call[entry]), start, row, place, child, entry, below))
    before, passed = {}, 0  # for how long calls had been entered
    for row in sorted(range(len(entries)), key=lambda row: (int(entries.call[row]), row)):
        before[row] = passed - int(entries.start_ns[row])
        passed += int(entries.end_ns[row] - entries.start_ns[row])
    visits: list[Visit] = []
    last = None
    for call, start, row, place, child, entry, below in sorted(found, key=lambda one: one[:3]):
        until = min(int(awaits.end_ns[row]), int(entries.end_ns[entry]))
        key = (call, place, child, below)
        if key == last and below >= 0:
            *same, wait, function = visits.pop()
            visits.append((same[0], same[1], same[2], before[entry] + until, wait + until - start, function))
        else:
            function = int(nodes.function[child]) if child >= 0 else -1
            visits.append((call, place, before[entry] + start, before[entry] + until, until - start, function))
        last = key
    return visits


def compared(trace: Trace) -> int:
    """How many visits there are; they are as ``walked``."""
    shown = np.array([*(True for _ in trace.functions), False])
    visits = _visits(trace, shown)
    columns = (visits.call, visits.location, visits.begin, visits.end, visits.wait, visits.child)
    got: list[Visit] = list(zip(*(column.tolist() for column in columns), strict=True))
    assert got == walked(trace, shown)
    return len(got)


@pytest.mark.e2e
@pytest.mark.parametrize("detail", ["calls", "awaits"])
@pytest.mark.parametrize("program", [*PROGRAMS, "shared"])
def test_of_programs(program: str, detail: str, attach: Attach, tmp_path: Path) -> None:
    path = ROOT / "fixtures" / "programs" / f"{program}.py"
    if program == "shared":
        path = tmp_path / "shared.py"
        path.write_text(SHARED)
    done = attach(path, options=["-q", "-f", "folded", "--detail", detail])
    trace = load(done.folder)
    assert compared(trace) > 0 or not len(trace.entries)


@pytest.mark.parametrize("sample", SAMPLES)
def test_of_samples(sample: str, tmp_path: Path) -> None:
    compared(load(SAMPLES[sample]().write(tmp_path / "a.rec")))
