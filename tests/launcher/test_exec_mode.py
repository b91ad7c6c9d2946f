"""``attach --exec``: the target is the very process that was started, and its reports come all the same."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from async_inspect import events as ev
from async_inspect.recording.reader import open_recording

from ..tools import ROOT, TARGET, TOOL, Tool, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.launcher]

# What a program sees of where it stands.
PROGRAM = """
import json, os
with open("/proc/self/status") as file:
    status = {line.split()[0]: line.split()[1:] for line in file}
with open(f"/proc/self/task/{os.getpid()}/children") as file:
    children = file.read()
names = "SigBlk:", "SigIgn:", "SigCgt:"
print(json.dumps({
    "pid": os.getpid(), "parent": os.getppid(), "group": os.getpgrp(), "session": os.getsid(0),
    "children": children, "files": sorted(os.listdir("/proc/self/fd")), "signals": [status[name] for name in names],
    "streams": [os.readlink(f"/proc/self/fd/{fd}") for fd in range(3)],
    "listen": os.environ.get("LISTEN_PID"), "input": os.read(0, 99).decode(),
}), flush=True)
raise SystemExit(3)
"""

# Becomes a command, without a recorder; the watcher tells of itself.
BECOME = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from async_inspect.launcher import exec_mode

def afterwards(pid, at_ns):
    with open("/proc/self/stat") as file:
        terminal = file.read().rpartition(")")[2].split()[4]
    print(pid, terminal, os.getsid(0) not in (0, session), os.getppid() not in (pid, parent))
    for name in os.listdir("/proc/self/fd")[:-1]:  # the last is the listing's own
        print(os.readlink(f"/proc/self/fd/{{name}}"), end=" ")
    print(sys.argv[1])

session, parent = os.getsid(0), os.getppid()
exec_mode.run(sys.argv[2:], dict(os.environ), Path(sys.argv[1]), afterwards)
"""


def under(folder: Path, *options: str) -> list[str]:
    return [*TOOL, "attach", "--exec", "-f", "json", "-o", str(folder), "--python", TARGET, *options]


def until(path: Path, text: str) -> str:
    """What a file says, once it says that."""
    return wait_until(lambda: said if path.exists() and text in (said := path.read_text("utf-8")) else "", lambda: path)


def test_the_target_is_the_process_that_was_started(tmp_path: Path) -> None:
    log = tmp_path / "log"
    told = []
    for prefix in [], [sys.executable, "-I", "-c", BECOME, str(log)]:
        # As systemd starts a service that is given sockets.
        line = f"LISTEN_PID=$$ exec {shlex.join([*prefix, sys.executable, '-I', '-c', PROGRAM])}"
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with subprocess.Popen(["sh", "-c", line], cwd=tmp_path, **streams) as process:  # type: ignore[call-overload]
            out, err = process.communicate(b"hello")
        assert (process.returncode, err) == (3, b"")
        found = json.loads(out)
        assert found.pop("pid") == process.pid == int(found.pop("listen"))
        theirs = found.pop("streams")
        told.append(found)
    bare, become = told
    assert bare == become
    assert (become["parent"], become["children"]) == (os.getpid(), "")
    who, files = until(log, str(log)).splitlines()
    assert who == f"{process.pid} 0 True True", "no terminal, a session of its own, nobody's child whom they know"
    assert os.devnull in files.split()
    assert not set(files.split()) & set(theirs)


def test_reports_come_when_it_has_ended(tmp_path: Path) -> None:
    code = "import asyncio, os, sys; asyncio.run(asyncio.sleep(0)); print(os.getpid()); sys.exit(3)"
    with subprocess.Popen([*under(tmp_path), "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.communicate() == (b"%d\n" % process.pid, b"")
    assert process.returncode == 3
    assert "Completed" in until(tmp_path / "summary.txt", "written:")
    assert (tmp_path / "data.json").exists()
    [path] = tmp_path.glob("recording/*.rec")
    assert path.stem.split("-")[1] == str(process.pid)
    assert not list(tmp_path.glob("recording/*.log"))


@pytest.mark.parametrize("closed", ["", "<&- >&- 2>&-"], ids=["open", "closed"])
def test_what_cannot_be_executed(closed: str, tmp_path: Path) -> None:
    line = f"{shlex.join([*under(tmp_path)[:-2], '--', './missing'])} {closed}"
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
    assert done.returncode == 127
    assert done.stderr == ("" if closed else "async-inspect: ./missing: No such file or directory\n")
    assert not (tmp_path / "summary.txt").exists()
    assert not list((tmp_path / "state").rglob("[0-9]*")), "it is on no list"


def test_without_any_open_file(tmp_path: Path) -> None:
    line = f"{shlex.join([*under(tmp_path), '-c', 'import asyncio; asyncio.run(asyncio.sleep(0))'])} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], check=False).returncode == 0
    until(tmp_path / "summary.txt", "written:")


def test_killed(tmp_path: Path) -> None:
    code = (
        "import os, asyncio\nasync def main():\n print(1, flush=True)\n await asyncio.sleep(600)\nasyncio.run(main())"
    )
    with subprocess.Popen([*under(tmp_path), "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    until(tmp_path / "summary.txt", "written:")
    [path] = tmp_path.glob("recording/*.rec")
    with open_recording(path) as recording:
        assert recording.header.state == ev.CLOSED_OUTSIDE


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--exec", "--live", "-c", ""], 2, "--exec leaves nobody here who could show anything"),
        (["--exec"], 2, "nothing to run"),
        (["--exec", "missing.py"], 2, "can't open 'missing.py'"),
    ],
)
def test_what_is_refused(words: Sequence[str], status: int, said: str, tool: Tool) -> None:
    done = tool("attach", *words)
    assert done.status == status
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_only_itself(tmp_path: Path) -> None:
    """--no-children with --exec: the pid is known before."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'pass']); print(1)"
    assert subprocess.run([*under(tmp_path), "--no-children", "-c", code], check=False).returncode == 0
    until(tmp_path / "summary.txt", "written:")
    assert len(list(tmp_path.glob("recording/*.rec"))) == 1
