"""Event loops in several threads at once: each is recorded as if it were alone.

On a free-threaded Python the threads really run at once; with a GIL it is handed over as often as it can be.
"""

from collections import Counter
from pathlib import Path

import pytest

from async_inspect.model.invariants import violations

from .tools import TARGET, Attach, run

pytestmark = pytest.mark.e2e

THREADS, TASKS = 6, 40
PROGRAM = f"""
import asyncio, sys, threading

sys.setswitchinterval(1e-5)
done = {{}}

def thread(number):
    lock = None

    async def leaf(n):
        async with lock:
            await asyncio.sleep(0.0005)
        if n % 5 == 0:
            raise ValueError(n)
        return n

    async def items():
        for item in range(3):
            await asyncio.sleep(0)
            yield item

    async def work(n):
        total = 0
        async for item in items():
            total += item
        try:
            return total + await leaf(n)
        except ValueError:
            return total

    async def main():
        nonlocal lock
        lock = asyncio.Lock()
        made = [asyncio.create_task(work(n), name=f"{{number}}-{{n}}") for n in range({TASKS})]
        async with asyncio.TaskGroup() as group:
            for n in range(4):
                group.create_task(leaf(1))
        return sum(await asyncio.gather(*made))

    done[number] = asyncio.run(main())

threads = [threading.Thread(target=thread, args=(number,)) for number in range({THREADS})]
for each in threads:
    each.start()
for each in threads:
    each.join()
print(sorted(done.items()), getattr(sys, "_is_gil_enabled", lambda: True)())
"""


def test_loops_in_threads_do_not_mix(core: str, attach: Attach, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    bare = run([TARGET, program], cwd=tmp_path)
    seen = attach(program, core=core, options=["-q", "-f", "json"])
    assert (seen.status, seen.stdout, seen.stderr) == (0, bare.stdout, bare.stderr)

    trace = seen.trace
    assert trace.meta.lost == 0
    assert violations(trace) == []
    tasks = [task for task in trace.tasks if task.kind_name.startswith("thread.")]
    assert Counter((task.kind_name.rpartition(".")[2], task.state) for task in tasks) == {
        ("main", "Completed"): THREADS,
        ("work", "Completed"): THREADS * TASKS,
        ("leaf", "Completed"): THREADS * 4,
    }
    names = {f"{thread}-{n}" for thread in range(THREADS) for n in range(TASKS)}
    works = [task for task in tasks if task.kind_name.endswith(".work")]
    assert {task.name for task in works} == names
    parents = {task.id: task for task in tasks if task.kind_name.endswith(".main")}
    children = Counter(task.parent for task in works)
    assert children == dict.fromkeys(parents, TASKS), "each by the main task of its own thread"
    for parent in parents:
        made = {task.name.partition("-")[0] for task in works if task.parent == parent}
        assert len(made) == 1
