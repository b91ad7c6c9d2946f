"""The live view on a terminal: what it shows, what it leaves behind, and that no viewer disturbs a program."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from async_inspect.launcher import registry
from async_inspect.recording.reader import open_recording

from ..tmux import Tmux
from ..tools import TARGET, TOOL, Attach, Tool, wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.launcher,
    pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed (Debian: tmux)"),
]

# Runs until the file "go" is there, then says whether it was interrupted.
PROGRAM = """
import asyncio, os, sys
async def work(number, event):
    await event.wait()
async def main():
    print("out", sys.stdout.isatty(), flush=True)
    print("err", sys.stderr.isatty(), file=sys.stderr)
    print("in", repr(sys.stdin.read()), flush=True)
    event = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(work(number, event), name=f"worker {number}")
        while not os.path.exists("go"):
            await asyncio.sleep(0.01)
        event.set()
    print("end", "x" * 200_000, flush=True)
    open("ended", "w").close()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(7)
sys.exit(3)
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Tmux]:
    (tmp_path / "app.py").write_text(PROGRAM)
    with Tmux(tmp_path) as found:
        yield found


def live(*options: str | Path) -> list[str | Path]:
    return [*TOOL, "attach", "-q", "-f", "json", "--python", TARGET, "--live", *options, "app.py"]


def wait_for(path: Path) -> None:
    wait_until(path.exists, lambda: path)


def launcher(tmp_path: Path, word: str) -> int:
    """The pid of the tool that runs in this folder with this word on its command line (the first: it may fork)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if os.readlink(entry / "cwd") == str(tmp_path) and word.encode() in words:
                began = (entry / "stat").read_text().rpartition(")")[2].split()[19]
                found.append((int(began), int(entry.name)))
        except OSError:
            continue
    assert found, f"no {word} runs"
    return min(found)[1]


def test_attach_live(terminal: Tmux, tmp_path: Path) -> None:
    terminal.start(live())
    shown = terminal.until("worker 4")
    assert "app.py:4" in shown
    assert terminal.other_screen
    for part in ("out True", "err True", "in ''"):
        terminal.until(part)
    terminal.keys("Down", "Enter")
    assert "await event.wait()" in terminal.until("work app.py:4")
    for key, text in (("3", "by parent"), ("4", "where it waited"), ("5", "longest polls"), ("Tab", "as of ")):
        terminal.keys(key)
        terminal.until(text)
    terminal.keys("1", "/", "3", "Enter")
    assert "worker 2" not in terminal.until("1 tasks")
    terminal.keys("Escape", "?")
    terminal.until("Ctrl-C")
    terminal.keys("x", "e")
    terminal.until("reports of now are in")
    assert (tmp_path / "async_inspect_exports" / "data.json").exists()
    (tmp_path / "go").touch()
    terminal.until("ended: exit status 3")
    terminal.keys("q")
    assert terminal.ended() == 3
    log = (tmp_path / "async_inspect_exports" / "target.log").read_text()
    assert sorted(log.split("\n")) == sorted(["out True", "err True", "in ''", "end " + "x" * 200_000, ""])
    assert "async_inspect_exports/target.log" in terminal.screen()
    assert not list((tmp_path / "state").rglob("[0-9]*-*"))


def test_exit_and_stdin(terminal: Tmux, tmp_path: Path) -> None:
    (tmp_path / "words").write_text("hello")
    terminal.start(live("--exit", "--stdin", "words"))
    terminal.until("in 'hello'")
    (tmp_path / "go").touch()
    assert terminal.ended() == 3


def test_ctrl_c(terminal: Tmux) -> None:
    """The first is the program's; once that has ended, the view's."""
    terminal.start(live())
    terminal.until("worker 4")
    terminal.keys("C-c")
    terminal.until("ended: exit status 7")
    terminal.keys("C-c")
    assert terminal.ended() == 7


def test_the_view_can_be_left(terminal: Tmux, tmp_path: Path) -> None:
    terminal.start(live())
    terminal.until("worker 4")
    terminal.keys("q")
    terminal.until("the program goes on")
    assert not terminal.other_screen
    (tmp_path / "go").touch()
    terminal.until("xxxx")
    assert terminal.ended() == 3


def test_sigterm_is_the_programs_and_ends_the_view(terminal: Tmux, tmp_path: Path) -> None:
    terminal.start(live())
    terminal.until("worker 4")
    os.kill(launcher(tmp_path, "attach"), signal.SIGTERM)
    assert terminal.ended() == 128 + signal.SIGTERM


def test_a_stopped_view_holds_nothing_up(terminal: Tmux, tmp_path: Path) -> None:
    terminal.start(live())
    terminal.until("worker 4")
    pid = launcher(tmp_path, "attach")
    os.kill(pid, signal.SIGSTOP)
    (tmp_path / "go").touch()
    wait_for(tmp_path / "ended")  # after more output than any pty takes
    os.kill(pid, signal.SIGCONT)
    terminal.until("ended: exit status 3")
    terminal.keys("q")
    assert terminal.ended() == 3


def test_a_killed_view_disturbs_nobody(terminal: Tmux, tmp_path: Path) -> None:
    terminal.start(live())
    terminal.until("worker 4")
    os.kill(launcher(tmp_path, "attach"), signal.SIGKILL)
    (tmp_path / "go").touch()
    wait_for(tmp_path / "ended")
    folder = tmp_path / "async_inspect_exports"
    wait_until(lambda: open_recording(folder).header.end_ns)
    recording = open_recording(folder)
    assert recording.header.lost == 0
    wait_until(lambda: "x" * 200_000 in (folder / "target.log").read_text())  # another process writes it


def test_a_killed_program(terminal: Tmux, tmp_path: Path) -> None:
    """Nobody wrote its end: the view knows it from its parent."""
    terminal.start(live())
    terminal.until("worker 4")
    with open_recording(tmp_path / "async_inspect_exports") as recording:
        os.kill(recording.header.pid, signal.SIGKILL)
    first = terminal.until("ended: SIGKILL").splitlines()[0]
    for key, shown in ("?", "  keys"), ("?", "worker 4"):  # it draws anew, later
        terminal.keys(key)
        assert terminal.until(shown).splitlines()[0] == first, "its time stands still"
    terminal.keys("q")
    assert terminal.ended() == 128 + signal.SIGKILL


def test_a_command_that_is_no_python(terminal: Tmux, tmp_path: Path) -> None:
    words = [*TOOL, "attach", "-q", "-f", "json", "--live", "--", "sh", "-c", f"{TARGET} app.py; exit 9"]
    terminal.start(words)
    terminal.until("worker 4")
    (tmp_path / "go").touch()
    terminal.until("ended: exit status 9")
    terminal.keys("q")
    assert terminal.ended() == 9


def test_a_view_that_fails(terminal: Tmux, tmp_path: Path) -> None:
    """It says so, and the program's output goes on where the view was."""
    broken = "import async_inspect.tui.frame as f\ndef compose(*_): raise ValueError('oh')\n"
    broken += "import async_inspect.tui.screen as s\n"
    code = (
        TOOL[2]
        .replace("main()", "main([*sys.argv[1:]])")
        .replace("from async_inspect.cli", f"exec({broken + 's.compose = compose'!r}); from async_inspect.cli")
    )
    terminal.start([sys.executable, "-c", code, *live()[3:]])
    terminal.until("the view failed (ValueError: oh); the program goes on")
    (tmp_path / "go").touch()
    assert terminal.ended() == 3


def test_resize_storm(terminal: Tmux, tmp_path: Path) -> None:
    terminal.start(live())
    terminal.until("worker 4")
    for number in range(40):
        terminal.resize(40 + number * 7 % 160, 10 + number * 5 % 50)
    terminal.resize(100, 30)
    terminal.keys("4")
    terminal.until("where it waited")
    wait_until(lambda: terminal.screen().splitlines()[29].startswith(" ? help"), terminal.screen)  # tmux takes its time
    assert terminal.screen().startswith("async-inspect")
    (tmp_path / "go").touch()
    terminal.until("ended: exit status 3")
    terminal.keys("q")
    assert terminal.ended() == 3


def test_monitor(terminal: Tmux, tmp_path: Path) -> None:
    """Alone it finds what runs; it is looked at, ended by a signal, and the program goes on to its own end."""
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    command = [*TOOL, "attach", "-q", "-f", "json", "--python", TARGET, "app.py"]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdin=subprocess.DEVNULL) as process:
        wait_for(tmp_path / "state" / "async-inspect" / "running")
        terminal.start([*TOOL, "monitor"])
        terminal.until("worker 4")
        terminal.keys("Space")
        terminal.until("PAUSED")
        terminal.keys("Down", "Enter")
        terminal.until("awaits, from its root")
        os.kill(launcher(tmp_path, "monitor"), signal.SIGTERM)
        assert terminal.ended() == 128 + signal.SIGTERM
        assert process.poll() is None
        (tmp_path / "go").touch()
        assert process.wait() == 3


def test_monitor_a_finished_one(terminal: Tmux, tmp_path: Path, attach: Attach) -> None:
    (tmp_path / "go").touch()
    assert attach("app.py", options=["-q", "-f", "json"]).status == 3
    terminal.start([*TOOL, "monitor", "async_inspect_exports", "--replay", "0.1"])
    terminal.until("REPLAY ×0.1")
    terminal.keys(">")
    terminal.until("REPLAY ×0.25")
    terminal.keys("C-c")
    assert terminal.ended() == 0


def test_without_a_terminal(attach: Attach, tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print('here')")
    done = attach("app.py", options=["--live", "-q", "-f", "json"])
    assert done.status == 0
    assert done.stdout == "here\n"
    assert "--live needs a terminal" in done.stderr
    done = tool("monitor", "async_inspect_exports")
    assert done.status == 1
    assert "on a terminal" in done.stderr
    done = attach("app.py", options=["--exit"])
    assert done.status == 2


def test_the_list_of_what_runs(tmp_path: Path) -> None:
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    register, unregister = registry.registration(environ, tmp_path / "folder", "app.py  --flag\nx")
    register(os.getpid())
    (run,) = registry.running_programs(environ)
    assert (run.pid, run.folder, run.title) == (os.getpid(), tmp_path / "folder", "app.py --flag x")
    stale = registry.place(environ) / f"{os.getpid()}-1"  # another process that had this pid
    stale.write_text("/folder\nold\n")
    (registry.place(environ) / "nonsense-1").write_text("")
    assert registry.running_programs(environ) == [run]
    assert not stale.exists()
    unregister()
    assert registry.running_programs(environ) == []
    assert registry.place({"HOME": "/h", "XDG_STATE_HOME": "not/absolute"}) == Path(
        "/h/.local/state/async-inspect/running"
    )


def test_nobody_can_be_listed(tmp_path: Path) -> None:
    """Then it runs all the same."""
    (tmp_path / "file").touch()
    register, unregister = registry.registration({"XDG_STATE_HOME": str(tmp_path / "file")}, tmp_path, "app.py")
    register(os.getpid())
    unregister()
    assert registry.running_programs({"XDG_STATE_HOME": str(tmp_path / "file")}) == []


DEADLOCK = """
import asyncio
async def takes(one, other):
    async with one:
        await asyncio.sleep(0.1)
        async with other: pass
async def main():
    a, b = asyncio.Lock(), asyncio.Lock()
    async with asyncio.TaskGroup() as group:
        group.create_task(takes(a, b), name="first")
        group.create_task(takes(b, a), name="second")
        while True:
            await asyncio.sleep(0.05)
asyncio.run(main())
"""


def test_a_deadlock_shows_while_it_happens(terminal: Tmux, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(DEADLOCK)
    terminal.start(live("--exit"))
    terminal.until("second")
    terminal.keys("6")
    screen = " ".join(terminal.until("deadlock").split())
    assert "2 tasks wait for each other" in screen
    assert "Lock 2 (made at app.py:8), which task" in screen
    terminal.keys("C-c")
    assert terminal.ended() == 128 + signal.SIGINT
