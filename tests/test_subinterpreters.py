"""Programs that make subinterpreters: what they say is the same, the main interpreter's record is right, and that the
others' is missing is said.

On 3.12 and 3.13.0 asyncio in a subinterpreter with a GIL of its own can corrupt CPython's memory by itself (gh-116510):
there such a one runs less.
"""

import subprocess
from pathlib import Path

import pytest

from async_inspect.model.invariants import violations

from .tools import TARGET, Attach, run

pytestmark = pytest.mark.e2e

PROGRAM = """
import asyncio, sys

ASYNCIO = "import asyncio\\nasyncio.run(asyncio.sleep(0.001))\\nprint('inside', flush=True)"
PLAIN = "print('inside', sum(range(100)), flush=True)"
NEW = sys.version_info >= (3, 13)
module = __import__("_interpreters" if NEW else "_xxsubinterpreters")
safe = ASYNCIO if sys.version_info >= (3, 14) else PLAIN

async def work(n):
    await asyncio.sleep(0.001)
    return n

async def both(first):
    print(await asyncio.gather(*(asyncio.create_task(work(first + n)) for n in range(3))), flush=True)

for own_gil, code in ((True, safe), (False, PLAIN)):
    asyncio.run(both(10 * own_gil))
    number = module.create("isolated" if own_gil else "legacy") if NEW else module.create(isolated=own_gil)
    print(own_gil, module.run_string(number, code), flush=True)
    module.destroy(number)
    asyncio.run(both(10 * own_gil + 100))

if sys.version_info >= (3, 14):
    from concurrent import interpreters
    from concurrent.futures import InterpreterPoolExecutor

    one = interpreters.create()
    one.exec(ASYNCIO)
    one.close()

    async def elsewhere():
        loop = asyncio.get_running_loop()
        with InterpreterPoolExecutor(2) as pool:
            print(await asyncio.gather(*(loop.run_in_executor(pool, abs, -n) for n in range(4))), flush=True)

    asyncio.run(elsewhere())
"""
CHILD = """
import _interpreters as module
number = module.create()
module.run_string(number, "import sys; print('_core' in ' '.join(sys.modules), sys.monitoring.get_tool(3), flush=True)")
module.destroy(number)
"""


def version() -> tuple[int, ...]:
    done = subprocess.run(
        [TARGET, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=True
    )
    return tuple(map(int, done.stdout.split()))


def test_the_main_interpreter_is_recorded_alone(core: str, attach: Attach, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    bare = run([TARGET, program], cwd=tmp_path)
    seen = attach(program, core=core, options=["-f", "json", "-q"])
    assert (seen.status, seen.stdout) == (bare.status, bare.stdout) == (0, bare.stdout)
    assert "a subinterpreter began; it is not recorded" in seen.stderr
    works = [task for task in seen.trace.tasks if task.kind_name == "work"]
    assert len(works) == 12
    assert {task.state for task in works} == {"Completed"}
    boths = [task for task in seen.trace.tasks if task.kind_name == "both"]
    assert len(boths) == 4
    assert seen.trace.meta.lost == 0
    assert violations(seen.trace) == []


def test_no_core_is_loaded_there(core: str, attach: Attach, tmp_path: Path) -> None:
    if version() < (3, 13):
        return  # they have another name there
    program = tmp_path / "program.py"
    program.write_text(CHILD, encoding="utf-8")
    assert attach(program, core=core, options=["-q"]).stdout == "False None\n"
