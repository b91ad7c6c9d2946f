"""``attach --pid`` and ``dump --pid``: real processes, whatever they do just then; and none is the worse for it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import async_inspect
from async_inspect.model.tables import COMPLETED
from async_inspect.recording.reader import open_recording

from ...test_architecture import OF_THE_PYTHON_CORE
from ...tools import PATIENCE_S, TOOL, Tool, run
from .running import PROGRAMS, attached, program, waits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="attaching to a process is for Linux")
OURS = "async_inspect_exports"


@pytest.mark.parametrize(
    "kind", [*(pytest.param(kind, marks=pytest.mark.e2e) for kind in ("idle", "busy", "timer", "join")), "uvloop"]
)
def test_nothing_is_left(kind: str, core: str, tmp_path: Path) -> None:
    with waits(kind) as running:
        before = running.facts()
        for again in range(2):
            folder = tmp_path / str(again)
            folder.mkdir()
            with attached(running.pid, folder, "--core", core):
                meanwhile = running.facts()
                assert meanwhile["tools"].count("async-inspect") == 1
                assert meanwhile["mapped"]
            after = running.settled(before["threads"])
            added = set(after.pop("modules")) - set(before["modules"])
            assert added <= (OF_THE_PYTHON_CORE if core == "python" else set())
            assert after == {key: value for key, value in before.items() if key != "modules"}
            trace = async_inspect.load(folder / OURS)
            assert trace.meta.core == core
            [request] = [task for task in trace.tasks if task.name == "request"]
            assert request.created_before_recording
            assert [frame for frame in _stack(folder, "request", tmp_path) if "stdlib" not in frame][-1].startswith(
                "query"
            )
        running.end()


def _stack(folder: Path, name: str, where: Path) -> list[str]:
    said = run([*TOOL, "dump", "--json", folder / OURS], cwd=where)
    [one] = [task for task in json.loads(said.stdout)["tasks"] if task["name"] == name]
    assert one["at_least"], "since when it waits was not seen"
    return list(one["stack"])


@pytest.mark.e2e
def test_a_request_in_flight(core: str, tmp_path: Path) -> None:
    with waits() as running:
        with attached(running.pid, tmp_path, "--core", core):
            running.say("go")
            assert running.line() == "answer 42"
        running.say("end")
        assert running.process.communicate(timeout=PATIENCE_S) == ("ended\n", "")
    trace = async_inspect.load(tmp_path / OURS)
    [request] = [task for task in trace.tasks if task.name == "request"]
    assert (request.created_before_recording, request.state) == (True, "Completed")
    assert trace.task_table.state[request.id - 1] == COMPLETED
    rows = trace.awaits.task == request.id
    assert trace.awaits.ended[rows].all() and rows.sum() == 1
    assert trace.task_table.polls[request.id - 1] == 1, "the one in which it went on; those before were not seen"
    report = json.loads((tmp_path / OURS / "data.json").read_text())
    assert "request" in json.dumps(report)


@pytest.mark.e2e
def test_the_program_ends_meanwhile(tmp_path: Path) -> None:
    with waits() as running, attached(running.pid, tmp_path) as tool:
        running.end()
        assert tool.wait(PATIENCE_S) == 0
    with open_recording(tmp_path / OURS) as recording:
        assert recording.header.end_ns
        assert recording.detail == "awaits"


@pytest.mark.e2e
def test_for_a_time(tmp_path: Path, tool: Tool) -> None:
    with waits() as running:
        done = tool("attach", "--pid", str(running.pid), "--duration", "100ms", "-f", "json", "--detail", "calls")
        assert done.status == 0
        assert done.trace.meta.detail == "calls"
        assert done.trace.meta.duration_ns >= 100e6
        running.end()


@pytest.mark.e2e
def test_a_picture_of_who_is_locked_out(tool: Tool, core: str) -> None:
    with program(PROGRAMS / "locked_out.py") as running:
        done = tool("dump", "--pid", str(running.pid), "--json", env={"ASYNC_INSPECT_CORE": core})
        assert (done.status, done.stderr) == (0, "")
        tasks = {task["name"]: task for task in json.loads(done.stdout)["tasks"]}
        for name in "first", "second":
            assert tasks[name]["state"] == "Blocked"
            assert tasks[name]["stack"][0].startswith("both (")
            assert tasks[name]["stack"][-1].startswith("Lock.acquire (")
            assert tasks[name]["resource"].startswith("Lock ")
        assert tasks["hog"]["state"] == "Running"
        assert tasks["hog"]["stack"][-1].startswith("hog (")
        assert {tasks[name]["task"] for name in ("first", "second", "hog")} == set(tasks["main"]["waits_for"])
        text = tool("dump", "--pid", str(running.pid)).stdout
        assert "at least" in text and "Lock.acquire" in text


@pytest.mark.e2e
def test_the_tool_is_killed_and_another_takes_over(tmp_path: Path) -> None:
    with waits() as running:
        before = running.facts()
        with attached(running.pid, tmp_path) as first:
            first.kill()
            first.wait()
            first.returncode = 0
            second = subprocess.run(
                [*TOOL, "attach", "--pid", str(running.pid), "--duration", "50ms", "-q"],
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
            assert second.returncode == 0, second.stderr
        assert running.facts()["tools"] == before["tools"]
        assert len(list((tmp_path / OURS / "recording").glob("*.rec"))) == 2
        running.end()


# --- refusals --------------------------------------------------------------------------------------------------------


def refused(tool: Tool, pid: int, *options: str) -> str:
    done = tool("attach", "--pid", str(pid), *options)
    assert done.status == 1
    [line] = done.stderr.splitlines()
    return line.removeprefix("async-inspect: ")


def test_no_such_process(tool: Tool) -> None:
    assert refused(tool, 2**22 + 1) == f"there is no process {2**22 + 1}"


def test_no_python(tool: Tool) -> None:
    sleeper = subprocess.Popen(["sleep", "1000"])
    try:
        assert refused(tool, sleeper.pid) == f"process {sleeper.pid} is no Python, or one that hides its functions"
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.e2e
def test_a_stopped_process(tool: Tool) -> None:
    with waits() as running:
        os.kill(running.pid, signal.SIGSTOP)
        assert "is stopped (Ctrl-Z, or a SIGSTOP); let it go on first: kill -CONT" in refused(tool, running.pid)
        os.kill(running.pid, signal.SIGCONT)
        running.end()


@pytest.mark.e2e
def test_a_thread(tool: Tool) -> None:
    with waits("join") as running:
        thread = next(tid for tid in os.listdir(f"/proc/{running.pid}/task") if int(tid) != running.pid)
        assert refused(tool, int(thread)) == f"{thread} is a thread of process {running.pid}: name that"


@pytest.mark.e2e
def test_one_that_is_being_recorded(tool: Tool, tmp_path: Path) -> None:
    with waits() as running, attached(running.pid, tmp_path):
        assert f"process {running.pid} is being recorded already, into " in refused(tool, running.pid)


@pytest.mark.e2e
def test_no_tool_id_is_free(tool: Tool, tmp_path: Path) -> None:
    script = tmp_path / "full.py"
    script.write_text(
        "import sys, time\n"
        "for number in range(2, 6): sys.monitoring.use_tool_id(number, 'other')\n"
        "print('ready', flush=True)\ntime.sleep(1000)\n",
        encoding="utf-8",
    )
    with program(script) as running:
        assert "no sys.monitoring tool id is free; they are held by 0 None" in refused(tool, running.pid)


@pytest.mark.parametrize("options", [["app.py"], ["--python", "python3"]])
def test_a_program_beside_it(tool: Tool, options: list[str]) -> None:
    done = tool("attach", "--pid", str(os.getpid()), *options)
    assert done.status == 2
    assert "--pid is about a process that runs already" in done.stderr


@pytest.mark.parametrize("text", ["soon", "0s", "-1s", "3 days"])
def test_a_duration_that_is_none(tool: Tool, text: str) -> None:
    done = tool("attach", "--pid", str(os.getpid()), f"--duration={text}")
    assert (done.status, done.stderr) == (
        2,
        f"async-inspect: --duration {text}: give a time like 30s, 500ms or 2m\n",
    )
