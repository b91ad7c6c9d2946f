"""Commands as people type them: servers with their workers, pytest, pipelines.  Each Python among them is recorded."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import async_inspect
from async_inspect.model.invariants import violations
from async_inspect.recording.reader import open_recording

from .servers import free_port
from .tools import PATIENCE_S, ROOT, TARGET, TOOL, Tool, run, wait_until

BIN = Path(sys.executable).parent
SERVICE = ROOT / "fixtures" / "service.py"
REQUESTS = 20

SERVERS = {
    "uvicorn workers": ["uvicorn", "service:app", "--workers", "2", "--port"],
    "uvicorn workers uvloop": ["uvicorn", "service:app", "--workers", "2", "--loop", "uvloop", "--port"],
    "gunicorn": ["gunicorn", "service:app", "-w", "2", "-k", "uvicorn.workers.UvicornWorker", "-b"],
    "gunicorn preload": ["gunicorn", "service:app", "-w", "2", "-k", "asgi", "--preload", "-b"],
}


class Served:
    """A server under the tool, or bare."""

    def __init__(self, folder: Path, words: list[str], bare: bool) -> None:
        self.folder, self.told, self.log = folder, folder / "told", folder / "log"
        shutil.copy(SERVICE, folder)
        self.told.touch()
        self.port = free_port()
        where = f"127.0.0.1:{self.port}" if words[-1] == "-b" else str(self.port)
        under = () if bare else (*TOOL, "attach", "-q", "-f", "json", "-o", str(folder), "--")
        command = [*under, str(BIN / words[0]), *words[1:], where]
        with self.log.open("wb") as log:
            env = {**os.environ, "TOLD": str(self.told), "NO_COLOR": "1"}
            self.process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)

    def until(self, reached: Callable[[], bool]) -> None:
        def said() -> str:
            return self.log.read_text(encoding="utf-8", errors="replace")

        assert wait_until(lambda: reached() or self.process.poll() is not None, said)
        assert self.process.poll() is None, said()

    def workers(self) -> list[int]:
        """The workers that have served, ever."""
        return [int(line) for line in self.told.read_text().splitlines()]

    def ask(self) -> int:
        """One request; the pid that answered."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=PATIENCE_S) as answer:
            found: int = json.load(answer)["pid"]
            return found

    def recorded(self) -> dict[int, int]:
        """The processes that are recorded, with their parents."""
        found = {}
        for path in self.folder.glob("recording/*.rec"):
            with open_recording(path) as recording:
                found[int(recording.first("pid"))] = int(recording.first("ppid"))
        return found


@contextmanager
def served(folder: Path, words: list[str], bare: bool = False) -> Iterator[Served]:
    server = Served(folder, words, bare)
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait(PATIENCE_S)


@pytest.mark.parametrize("name", SERVERS)
def test_servers_and_their_workers(name: str, tmp_path: Path) -> None:
    with served(tmp_path, SERVERS[name]) as server:
        server.until(lambda: len(server.workers()) == 2)
        answered = [server.ask() for _ in range(REQUESTS)]
    said = server.log.read_text(encoding="utf-8", errors="replace")
    assert server.process.returncode == 0, said
    assert set(answered) <= set(server.workers())
    recorded = server.recorded()
    [main] = [pid for pid, parent in recorded.items() if parent == server.process.pid]
    assert recorded.keys() == {main, *server.workers()}, "and no helper of multiprocessing's"
    assert not list(tmp_path.glob("recording/*.log"))
    for pid in set(answered):
        [path] = tmp_path.glob(f"recording/*-{pid}.rec")
        trace = async_inspect.load(path)
        assert answered.count(pid) == sum(function_calls(trace, "who")), "each request's coroutine is there"
    data = json.loads((tmp_path / "data.json").read_text(encoding="utf-8"))
    assert {row["pid"] for row in data["processes"]} == recorded.keys(), "the reports are of all"
    assert [task["id"] for task in data["tasks"]] == list(range(1, len(data["tasks"]) + 1))
    assert {task["pid"] for task in data["tasks"]} >= set(answered)
    together = async_inspect.load(tmp_path)
    assert violations(together) == []
    assert sum(function_calls(together, "who")) == REQUESTS


def function_calls(trace: async_inspect.Trace, name: str) -> Iterator[bool]:
    for function in trace.calls.function.tolist():
        yield trace.functions[function].name == name


def test_reload(tmp_path: Path) -> None:
    with served(tmp_path, ["uvicorn", "service:app", "--reload", "--port"]) as server:
        server.until(lambda: len(server.workers()) == 1)
        first = server.ask()
        service = tmp_path / "service.py"
        service.write_text(service.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        server.until(lambda: len(server.workers()) == 2)
        assert server.ask() != first
    recorded = server.recorded()
    [main] = [pid for pid, parent in recorded.items() if parent == server.process.pid]
    assert recorded.keys() == {main, *server.workers()}


TESTS = """
import asyncio

async def job():
    await asyncio.sleep(0.001)

def test_right():
    asyncio.run(job())

def test_wrong():
    assert asyncio.run(job()) == 1
"""


def test_pytest(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")
    done = tool("attach", "-q", "-f", "json", "--", BIN / "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    assert done.status == 1, "pytest's own status"
    assert "1 failed, 1 passed" in done.stdout
    assert [task.name for task in done.trace.tasks].count("job") == 2


def test_pipeline(tool: Tool, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import asyncio, os\nprint(os.getpid())\nasyncio.run(asyncio.sleep(0))\n", encoding="utf-8")
    line = f"{TARGET} {program} | cat; {TARGET} {program} && exit 7"
    done = tool("attach", "-q", "-f", "json", "--", "sh", "-c", line)
    assert (done.status, done.stderr) == (7, "")
    recorded = {path.stem.split("-")[1] for path in done.folder.glob("recording/*.rec")}
    assert recorded == set(done.stdout.split())


def test_console_script(tool: Tool) -> None:
    """One that says which Python it wants in its first line."""
    bare = subprocess.run([BIN / "uvicorn", "--version"], capture_output=True, text=True, check=True)
    done = tool("attach", "-q", "-f", "json", "--", BIN / "uvicorn", "--version")
    assert (done.status, done.stdout, done.stderr) == (0, bare.stdout, bare.stderr)


def test_ctrl_c_on_a_server(tmp_path: Path) -> None:
    """It ends in its own good order and with its own status, and then the reports are written."""
    statuses = {}
    for bare in True, False:
        folder = tmp_path / str(bare)
        folder.mkdir()
        with served(folder, ["uvicorn", "service:app", "--port"], bare) as server:
            server.until(lambda: len(server.workers()) == 1)
            os.kill(server.workers()[0], signal.SIGINT)
            statuses[bare] = server.process.wait(PATIENCE_S)
        assert "Application shutdown complete" in server.log.read_text(encoding="utf-8")
    assert statuses[True] == statuses[False]
    assert (tmp_path / "False" / "data.json").exists()


def test_an_interrupt_while_it_is_imported_is_no_traceback(tmp_path: Path) -> None:
    code = """
import sys
class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == "async_inspect.cli.main":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupts())
from async_inspect.__main__ import main
main()
"""
    done = run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert (done.status, done.stderr) == (-signal.SIGINT, "")
