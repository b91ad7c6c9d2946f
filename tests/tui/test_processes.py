"""Runs of several processes in the live view: which there are, and from one to the next."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from async_inspect import events as ev
from async_inspect.model.live import LiveSnapshot
from async_inspect.tui import monitor as screens
from async_inspect.tui import processes
from async_inspect.tui.processes import Processes
from async_inspect.tui.screen import View

from ..launcher.inject.running import waits
from ..samples import contention
from ..tape import two_tasks
from ..tmux import Tmux
from ..tools import TARGET, TOOL

needs_tmux = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed (Debian: tmux)")

SERVES = """
import asyncio, multiprocessing, os
async def work():
    while not os.path.exists("go"):
        await asyncio.sleep(0.01)
async def main(name):
    await asyncio.create_task(work(), name=name)
def run(name):
    asyncio.run(main(name))
if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=run, args=("of the child",))
    worker.start()
    run("of the parent")
    worker.join()
"""


OWN_RULE = """
[[tool.async-inspect.reasons]]
file = "app.py"
functions = ["work"]
reason = "a file"
"""


def recorded(folder: Path, pid: int, run: str, begins_ns: int = 1_000) -> Path:
    tape = two_tasks()
    tape.header |= {"pid": pid, "start_ns": begins_ns}
    tape.meta += [("run", run), ("argv", f"of {pid}")]
    return tape.write(folder / f"0-{pid}.rec")


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look into the folder is one."""
    monkeypatch.setattr(processes, "SCAN_SECONDS", 0.0)


def test_those_of_the_run(tmp_path: Path, often: None) -> None:
    found = Processes(recorded(tmp_path, 7, "x"))
    assert found.place == (1, 1, 7)
    assert found.whole == tmp_path / "0-7.rec"
    (tmp_path / "0-5.rec").touch()  # begins
    recorded(tmp_path, 8, "x", 1_001)
    recorded(tmp_path, 9, "another", 1_001)
    found.scan_folder()
    assert found.place == (1, 2, 7)
    assert found.whole == tmp_path
    (tmp_path / "0-5.rec").unlink()
    recorded(tmp_path, 5, "x", 1_002)
    found.scan_folder()
    assert [one.header.pid for one in found.recordings()] == [7, 8, 5]
    assert found.turn(-1) == ""
    assert (found.place, found.title) == ((3, 3, 5), "app.py of 5")
    found.current.step()
    assert len(LiveSnapshot(found.current.live, found.current.now).live.tasks) > 1
    assert found.turn(1) == ""
    assert found.current is found.first
    assert found.place == (1, 3, 7)
    found.close()


def test_only_these(tmp_path: Path, often: None) -> None:
    for pid in 7, 8, 9:
        recorded(tmp_path, pid, "x", 1_000 + pid)
    found = Processes(tmp_path / "0-7.rec", pids=[7, 9])
    found.scan_folder()
    assert [one.header.pid for one in found.recordings()] == [7, 9]
    found.close()
    found = Processes(tmp_path / "0-7.rec", alone=True)
    found.scan_folder()
    assert found.place == (1, 1, 7)
    found.close()


def test_one_that_is_gone(tmp_path: Path, often: None) -> None:
    found = Processes(recorded(tmp_path, 7, "x"))
    gone = recorded(tmp_path, 8, "x", 1_001)
    found.scan_folder()
    gone.unlink()
    assert "No such file" in found.turn(1)
    assert found.current is found.first
    found.close()


@pytest.mark.parametrize("shown_by", ["monitor", "watch"])
def test_the_users_own_rules(shown_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task waits for what a report says, by the table of the current folder: its word, and the resource with its
    holder."""
    tape, found = contention(), list[str]()
    tape.slots = tape.slots[: next(n for n, slot in enumerate(tape.slots) if slot[31] == ev.SELECT)]
    path = tape.write(tmp_path / "0-7.rec")
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.async-inspect.reasons]]\nfile = "app.py"\nfunctions = ["work*", "main"]\nreason = "my service"\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(screens, "has_terminal", lambda: True)
    monkeypatch.setattr(screens, "Terminal", lambda *_: nullcontext())

    def show(view: View, terminal: object, leave_at_end: bool = False) -> None:
        view._advance()
        found.extend("".join(text for text, _ in line) for line in view.lines(200, 20))

    monkeypatch.setattr(View, "show", show)
    if shown_by == "monitor":
        assert screens.monitor(path, None) == 0
    else:
        screens.watch(path, tmp_path, "", str)
    worker = next(line for line in found if " worker " in line)
    assert "my service Lock 1, held by task 1" in worker
    assert "sleeping" not in next(line for line in found if " main " in line)  # that is its frames' own word
    assert "socket read" in next(line for line in found if " blocker " in line)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Tmux]:
    (tmp_path / "app.py").write_text(SERVES)
    (tmp_path / "pyproject.toml").write_text(OWN_RULE)
    with Tmux(tmp_path) as found:
        yield found


@needs_tmux
@pytest.mark.e2e
def test_attach_live(terminal: Tmux, tmp_path: Path) -> None:
    terminal.start([*TOOL, "attach", "-q", "-f", "json", "--python", TARGET, "--live", "app.py"], width=120)
    terminal.until("process 1 of 2")
    terminal.until("of the parent")
    terminal.until(" a file ")
    terminal.keys("]")
    shown = terminal.until("of the child")
    assert "process 2 of 2" in shown
    assert "of the parent" not in shown
    terminal.keys("6")
    terminal.until("as of ")
    terminal.keys("[", "1")
    terminal.until("of the parent")
    terminal.keys("e")
    terminal.until("reports of now are in")
    assert '"name": "of the child"' in (tmp_path / "async_inspect_exports" / "data.json").read_text()
    (tmp_path / "go").touch()
    terminal.until("ended: exit status 0")
    terminal.keys("q")
    assert terminal.ended() == 0


@needs_tmux
@pytest.mark.e2e
@pytest.mark.parametrize("key", ["q", "C-c"])
def test_a_process_that_runs_already(terminal: Tmux, tmp_path: Path, key: str) -> None:
    with waits() as running:
        terminal.start([*TOOL, "attach", "--pid", str(running.pid), "-f", "json"], width=120)
        terminal.until("request")
        terminal.keys("Down", "Enter")
        terminal.until("awaits, from its root")
        running.say("go")
        assert running.line() == "answer 42"
        terminal.keys(key)
        assert terminal.ended() == 0
        assert (tmp_path / "async_inspect_exports" / "data.json").exists()
        assert "async-inspect" not in running.facts()["tools"]
        running.say("end")
        assert running.line() == "ended"


@needs_tmux
@pytest.mark.e2e
def test_a_process_that_ends_meanwhile(terminal: Tmux, tmp_path: Path) -> None:
    with waits() as running:
        terminal.start([*TOOL, "attach", "--pid", str(running.pid), "-f", "json"], width=120)
        terminal.until("request")
        os.kill(running.pid, signal.SIGKILL)
        running.process.wait()
        assert terminal.ended() == 0
        assert (tmp_path / "async_inspect_exports" / "data.json").exists()
