"""Under CPython's JIT (3.14 and 3.15, where it is built in and PYTHON_JIT is 1; elsewhere the variable says nothing).

Code that the JIT compiled before has once ignored events (gh-109369), and has been compiled wrongly beside a tool
(gh-142448, gh-156319).  What is tried here is hot before the first coroutine, in it, and beside it.
"""

from collections import Counter
from pathlib import Path

import pytest

from .tools import TARGET, Attach, run

pytestmark = pytest.mark.e2e

PROGRAM = """
import asyncio, sys

class Thing:
    def __init__(self, name, parent):
        self.name = name
        self.parent = parent

def hot(n):
    last, raised = None, 0
    for i in range(n):
        last = Thing(i, last if i % 7 else None)
        if last.name % 3 > 1:
            try:
                raise KeyError(i)
            except KeyError:
                raised += 1
    return last.name + raised

async def leaf(n):
    if n % 50 == 0:
        await asyncio.sleep(0)
    return n

async def items(n):
    for i in range(n):
        yield i

async def work(n):
    total = 0
    for i in range(1000):
        total += await leaf(i)
    async for i in items(1000):
        total += i
    return total + hot(2000)

async def main():
    return await asyncio.gather(*(work(n) for n in range(10)))

jit = getattr(sys, "_jit", None)
print(jit is not None and jit.is_enabled(), hot(20000), sum(asyncio.run(main())), hot(20000))
"""


def test_hot_code_is_recorded_and_stays_right(core: str, attach: Attach, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    bare = run([TARGET, program], cwd=tmp_path, env={"PYTHON_JIT": "1"})
    seen = attach(program, core=core, options=["-q", "-f", "json"], env={"PYTHON_JIT": "1"})
    assert (seen.status, seen.stdout, seen.stderr) == (0, bare.stdout, bare.stderr)
    trace = seen.trace
    works = [task for task in trace.tasks if task.kind_name == "work"]
    assert [task.state for task in works] == ["Completed"] * 10
    polls = Counter(trace.polls.task.tolist())
    assert [polls[task.id] for task in works] == [21] * 10
    calls = Counter[str]()
    for node, count in zip(trace.node_sums.node.tolist(), trace.node_sums.calls.tolist(), strict=True):
        calls[trace.functions[trace.nodes.function[node]].name] += count
    assert (calls["leaf"], calls["work"], calls["main"]) == (10_000, 10, 1)
    assert trace.meta.lost == 0
