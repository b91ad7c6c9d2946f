"""Programs of several processes under the tool: each is recorded, and the reports are of all."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from async_inspect import Trace
from async_inspect.model.invariants import violations

from .tools import TARGET, Attach, Run, Tool

WORK = """
import asyncio, os, sys
async def inner(n):
    await asyncio.sleep(0.01)
    return n
"""
POOL = f"""{WORK}
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
def work(n):
    return asyncio.run(inner(n))
async def main():
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(sys.argv[1])) as pool:
        print(await asyncio.gather(*(loop.run_in_executor(pool, work, n) for n in range(4))))
if __name__ == "__main__":
    asyncio.run(main())
"""
CHILDREN = f"""{WORK}
async def child():
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, "child", stdout=-1)
    return (await process.communicate())[0]
async def main():
    print(sorted(await asyncio.gather(*(child() for _ in range(3)))))
if sys.argv[1:]:
    print(asyncio.run(inner(7)))
else:
    asyncio.run(main())
"""
BECOMES = f"""{WORK}
asyncio.run(inner(1))
if len(sys.argv) < 2:
    os.execv(sys.executable, [sys.executable, __file__, "again"])
"""
KILLED = f"""{WORK}
import signal
if not (pid := os.fork()):
    async def hang():
        os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(0)
    asyncio.run(hang())
os.waitpid(pid, 0)
asyncio.run(inner(1))
"""
DAEMON = f"""{WORK}
reads, writes = os.pipe()
if not os.fork():
    os.setsid()
    async def stay():
        os.write(writes, b"x")
        os.close(writes)
        await asyncio.sleep(6)
    os.close(1); os.close(2)
    asyncio.run(stay())
    os._exit(0)
os.read(reads, 1)
asyncio.run(inner(1))
"""


def program(folder: Path, text: str) -> str:
    (folder / "program.py").write_text(text, encoding="utf-8")
    return "program.py"


def kinds(trace: Trace) -> Counter[tuple[int, str]]:
    """How many tasks there are of each process and function."""
    return Counter((task.pid, task.kind_name) for task in trace.tasks)


def checked(run: Run) -> Trace:
    """The trace of a run that went well, in which all holds that must."""
    assert run.status == 0, run.stderr
    trace = run.trace
    assert violations(trace) == []
    assert trace.left_out == ()
    return trace


@pytest.mark.e2e
@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_a_process_pool(how: str, attach: Attach, tmp_path: Path, core: str) -> None:
    run = attach(program(tmp_path, POOL), how, core=core, options=["-f", "json", "-f", "csv:tasks"])
    assert run.stdout == "[0, 1, 2, 3]\n"
    trace = checked(run)
    root = trace.processes[0]
    assert [task.kind_name for task in trace.tasks if task.pid == root.pid][0] == "main"
    workers = {pid for pid, kind in kinds(trace) if kind == "inner"}
    assert root.pid not in workers
    assert len(workers) in (1, 2), "one may have been quick enough for all"
    assert sum(count for (_, kind), count in kinds(trace).items() if kind == "inner") == 4
    if how != "forkserver":  # whose own server is not recorded
        assert {process.ppid for process in trace.processes if process.pid in workers} == {root.pid}
    said = json.loads((run.folder / "data.json").read_text(encoding="utf-8"))
    assert [task["id"] for task in said["tasks"]] == list(range(1, len(trace.task_table) + 1))
    assert [task["pid"] for task in said["tasks"]] == [task.pid for task in trace.tasks]
    assert {row["pid"] for row in said["processes"]} == {process.pid for process in trace.processes}
    with (run.folder / "tasks.csv").open(encoding="utf-8", newline="") as lines:
        assert [int(row["pid"]) for row in csv.DictReader(lines)] == [task.pid for task in trace.tasks]
    assert f"{len(trace.processes)} processes" in run.stderr
    assert all(f" {pid} " in run.stderr for pid in {root.pid, *workers})


@pytest.mark.e2e
def test_children_of_a_loop(attach: Attach, tool: Tool, tmp_path: Path) -> None:
    run = attach(program(tmp_path, CHILDREN), options=["-f", "folded"])
    trace = checked(run)
    root, *children = trace.processes
    assert len(children) == 3
    assert {child.ppid for child in children} == {root.pid}
    assert [child.argv[-1] for child in children] == ["child"] * 3
    assert [count for (pid, kind), count in kinds(trace).items() if kind == "inner"] == [1, 1, 1]
    assert kinds(trace)[root.pid, "child"] == 3
    assert all(root.start_ns <= child.start_ns and child.end_seen for child in children)
    one = children[0].pid
    alone = json.loads(tool("export", run.folder, "-f", "json", "-o", "-", "--pid", str(one)).stdout)
    assert {task["pid"] for task in alone["tasks"]} == {one}
    assert [row["pid"] for row in alone["processes"]] == [one]
    assert alone["metadata"]["filter"] == f"--pid {one}"
    wrong = tool("stats", run.folder, "--pid", "1")
    assert wrong.status == 2
    assert wrong.stderr.startswith(f"async-inspect: no process 1 in this run; there are {root.pid}, ")


@pytest.mark.e2e
def test_a_program_that_becomes_another(attach: Attach, tmp_path: Path) -> None:
    trace = checked(attach(program(tmp_path, BECOMES), options=["-f", "folded"]))
    first, second = trace.processes
    assert first.pid == second.pid
    assert (first.finished, first.end_seen) == (True, False), "nobody saw when it became the other"
    assert (second.argv[-1], second.end_seen) == ("again", True)
    assert kinds(trace)[first.pid, "inner"] == 2


@pytest.mark.e2e
def test_a_child_that_is_killed(attach: Attach, tool: Tool, tmp_path: Path) -> None:
    run = attach(program(tmp_path, KILLED), options=["-f", "folded"])
    trace = checked(run)
    root, child = trace.processes
    assert (child.finished, child.end_seen) == (True, False)
    assert [task.state for task in trace.tasks if task.pid == child.pid] == ["Running"]
    assert "was not seen" not in run.stderr
    picture = tool("dump", run.folder).stdout.splitlines()
    assert any(
        line.startswith(f"process {child.pid} ") and line.endswith("the last that was seen of it") for line in picture
    )
    assert any(line.startswith(f"process {root.pid} ") for line in picture) or picture[-1] == "1 process without a task"


@pytest.mark.e2e
def test_a_daemon_that_stays(attach: Attach, tmp_path: Path) -> None:
    run = attach(program(tmp_path, DAEMON), options=["-f", "folded"])
    trace = checked(run)
    daemon = trace.processes[1]
    assert not daemon.finished
    assert f"the end of {daemon.pid} was not seen" in run.stderr
    last = run.stderr.splitlines()[-1]
    assert last.startswith(f"async-inspect: process {daemon.pid} (")
    assert last.endswith(") runs still, and so does its recording")


@pytest.mark.e2e
def test_children_of_no_python(tool: Tool, tmp_path: Path) -> None:
    program(tmp_path, f"{WORK}asyncio.run(inner(1))\n")
    run = tool("attach", "-f", "folded", "--", "sh", "-c", f"'{TARGET}' program.py & '{TARGET}' program.py; wait")
    trace = checked(run)
    assert len(trace.processes) == 2
    assert sorted(kinds(trace).values()) == [1] * len(kinds(trace))
