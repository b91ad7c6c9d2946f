"""Processes that are not simply ours: another user's, in a container, without rights, forking, older."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

import async_inspect
from async_inspect.errors import UserError
from async_inspect.launcher.inject import elf, process

from ...tools import PATIENCE_S, TARGET, TOOL, Tool
from .running import PROGRAMS, Program, attached, program

OURS = "async_inspect_exports"
NOBODY = 65534
WITHOUT_PTRACE = ("--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace")
DROP = f"env LD_LIBRARY_PATH=/mnt/lib setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups"
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="attaching to a process is for Linux"),
    pytest.mark.e2e,
]
as_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may do this")
CODE = (PROGRAMS / "waits.py").read_text(encoding="utf-8")


@cache
def may_mount() -> bool:
    """Whether this machine lets us have mounts of our own (a chroot doesn't: its root is no mount point)."""
    return subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


def need_mounts() -> None:
    if not may_mount():
        pytest.skip("no mount namespaces can be had here (a container without rights, a chroot)")


def base() -> tuple[str, str]:
    """The target's Python as it was installed: its folder, and its path within that."""
    asked = "import sys; print(sys.base_prefix); print(sys._base_executable)"
    prefix, path = subprocess.run([TARGET, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    return prefix, str(Path(path).resolve().relative_to(Path(prefix).resolve()))


@contextmanager
def contained(*wrapper: str, setup: str = "true", python: str = "") -> Iterator[Program]:
    """The program in a mount namespace of its own, which ``setup`` changes; as a container's, seen from outside."""
    need_mounts()
    words = [
        "unshare",
        "--mount",
        *wrapper,
        "sh",
        "-c",
        f'{setup} && exec "$@"',
        "sh",
        python or TARGET,
        "-c",
        CODE,
        "idle",
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as started:
        found = Program(started)
        try:
            assert found.line() == "ready", started.stderr.read() if started.stderr else ""
            if wrapper:  # unshare has forked
                [found.pid] = map(int, Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split())
            yield found
        finally:
            os.kill(found.pid, signal.SIGKILL)
            started.kill()


def check(running: Program, folder: Path, core: str) -> None:
    """It is recorded and left as it was, and the recording is ours."""
    before = running.facts()
    with attached(running.pid, folder, "--core", core):
        assert running.facts()["tools"].count("async-inspect") == 1
    after = running.settled(before["threads"])
    assert [after[key] for key in ("tools", "threads", "fds", "path", "mapped")] == [
        before[key] for key in ("tools", "threads", "fds", "path", "mapped")
    ]
    [file] = (folder / OURS / "recording").glob("*.rec")
    assert file.stat().st_uid == os.geteuid()
    trace = async_inspect.load(folder / OURS)
    assert trace.meta.core == core
    assert "request" in [task.name for task in trace.tasks]
    running.say("go")
    assert running.line() == "answer 42"
    running.say("end")
    assert running.line() == "ended"


@as_root
def test_other_files(core: str, tmp_path: Path) -> None:
    with contained(setup="mount -t tmpfs none /tmp") as running:
        check(running, tmp_path, core)
        assert os.listdir(f"/proc/{running.pid}/root/tmp") == [], "the copy of the recorder is removed"


@as_root
def test_pids_of_its_own(tmp_path: Path) -> None:
    with contained("--pid", "--fork", "--mount-proc", setup="mount -t tmpfs none /tmp") as running:
        check(running, tmp_path, "c")


@as_root
def test_nowhere_to_put_the_recorder(tmp_path: Path, tool: Tool) -> None:
    readonly = " && ".join(f"mount -t tmpfs -o ro none /{place}" for place in ("tmp", "var/tmp", "dev/shm"))
    with contained(setup=readonly) as running:
        said = tool("attach", "--pid", str(running.pid))
        assert (said.status, said.stderr) == (
            1,
            f"async-inspect: process {running.pid} has other files than we, and none of tmp, var/tmp, dev/shm to put"
            " the recorder into\n",
        )


@as_root
def test_another_users(core: str, tmp_path: Path, tool: Tool) -> None:
    prefix, path = base()  # which may lie where only root looks
    setup = f"mount --bind {prefix} /mnt && mount -t tmpfs none /tmp && chmod 1777 /tmp && cd /"
    with contained(setup=f'{setup} && set -- {DROP} "$@"', python=f"/mnt/{path}") as running:
        assert Path(f"/proc/{running.pid}").stat().st_uid == NOBODY
        check(running, tmp_path, core)


@as_root
def test_as_another_user(tmp_path: Path) -> None:
    need_mounts()
    prefix, path = base()
    with program(PROGRAMS / "waits.py", "idle") as running:
        look = (
            f"import sys; sys.path.insert(0, '/mnt'); sys.path.insert(0, '/media')\n"
            f"from async_inspect.launcher.inject import process\n"
            f"try: process.inspect({running.pid})\nexcept Exception as exc: print(exc)"
        )
        shutil.copytree(Path(async_inspect.__file__).parent, tmp_path / "p" / "async_inspect")
        os.chmod(tmp_path / "p", 0o755)
        mounts = f"mount --bind {prefix} /mnt && mount --bind {tmp_path / 'p'} /media"
        words = f'{mounts} && cd / && exec {DROP} "$@"'
        said = subprocess.run(
            ["unshare", "--mount", "sh", "-c", words, "sh", f"/mnt/{path}", "-c", look],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert said.stdout == f"process {running.pid} is another user's (uid 0): attach as that user, or as root\n"


@as_root
def test_no_right(tmp_path: Path) -> None:
    """As root in a container is that was not given CAP_SYS_PTRACE, of a process that has more rights."""
    with program(PROGRAMS / "waits.py", "idle") as running:
        said = subprocess.run(
            ["setpriv", *WITHOUT_PTRACE, *TOOL, "attach", "--pid", str(running.pid)],
            capture_output=True, text=True, check=False, cwd=tmp_path, timeout=PATIENCE_S,
        )  # fmt: skip
        [line] = said.stderr.splitlines()
        assert said.returncode == 1
        assert line.startswith(f"async-inspect: process {running.pid} may not be looked into: ")
        assert line.endswith(
            "; that takes CAP_SYS_PTRACE: attach with CAP_SYS_PTRACE (a container: --cap-add=SYS_PTRACE)"
        )


@pytest.mark.parametrize("scope", ["1", "2", "3"])
def test_what_yama_forbids(scope: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "has_capability", lambda _number: False)
    monkeypatch.setattr(Path, "read_text", lambda *_args, **_kwargs: f"{scope}\n")
    said = process.why_not_allowed()
    assert f"kernel.yama.ptrace_scope is {scope}" in said
    assert ("until the next boot" in said) == (scope == "3")
    assert ("--cap-add=SYS_PTRACE" in said) == (scope != "3")


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed (Debian: strace)")
def test_a_debugger_holds_it(tmp_path: Path, tool: Tool) -> None:
    """Before 3.14 there is no other way in; from there on Python's own is taken."""
    with program(PROGRAMS / "waits.py", "idle") as running:
        tracer = subprocess.Popen(
            ["strace", "-f", "-o", "/dev/null", "-p", str(running.pid)], stderr=subprocess.PIPE, text=True
        )
        try:
            assert tracer.stderr is not None
            assert "attached" in tracer.stderr.readline()
            said = tool("attach", "--pid", str(running.pid), "--duration", "50ms", "-f", "json")
            if process.inspect(running.pid).version >= (3, 14):
                assert said.status == 0, said.stderr
                assert "request" in [task.name for task in said.trace.tasks]
            else:
                held = f"process {running.pid} is held by another debugger (process {tracer.pid})"
                assert (said.status, said.stderr) == (1, f"async-inspect: {held}\n")
        finally:
            tracer.terminate()
            tracer.wait()
        running.end()


def test_older_pythons(tool: Tool) -> None:
    older = [path for path in map(shutil.which, ("python3.11", "python3.10", "python3.9", "python2.7")) if path]
    older += ["/usr/bin/python3"] if os.path.exists("/usr/bin/python3") else []
    for path in older:
        sleeper = subprocess.Popen(
            [path, "-c", "import sys, time; print(sys.version_info[1]); sys.stdout.flush(); time.sleep(99)"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert sleeper.stdout is not None
        minor = sleeper.stdout.readline().strip()
        if minor and int(minor) < 12:
            children = Path(f"/proc/{sleeper.pid}/task/{sleeper.pid}/children").read_text().split()  # of pyenv's shim
            pid = int(children[0]) if children else sleeper.pid
            said = tool("attach", "--pid", str(pid))
            assert said.status == 1
            assert f"process {pid} runs " in said.stderr and "3.12" in said.stderr
        sleeper.kill()
        sleeper.communicate()
    with pytest.raises(UserError, match=r"process 1 runs a Python older than 3\.12"):
        process._version(1, {"Py_IsInitialized": 1})


def test_another_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    with program(PROGRAMS / "waits.py", "idle") as running:
        machines = iter(["aarch64", "x86-64"])
        monkeypatch.setattr(elf, "machine", lambda _head: next(machines))
        with pytest.raises(
            UserError, match=r"is of another architecture \(aarch64\) than this tool's Python \(x86-64\)"
        ):
            process.inspect(running.pid)


def test_what_it_forks_is_not_recorded(core: str, tmp_path: Path) -> None:
    script = tmp_path / "forks.py"
    script.write_text(
        "import os, sys\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    tools = [sys.monitoring.get_tool(number) for number in range(6)]\n"
        "    print(any(tools), '.rec' in open('/proc/self/maps').read(), flush=True)\n"
        "    os._exit(7)\n"
        "print(os.waitpid(pid, 0)[1] >> 8, flush=True)\n"
        "sys.stdin.readline()\n",
        encoding="utf-8",
    )
    with program(script) as running, attached(running.pid, tmp_path, "--core", core):
        running.say("")
        assert running.line() == "False False"
        assert running.line() == "7"
    assert len(list((tmp_path / OURS / "recording").glob("*.rec"))) == 1
    assert json.loads((tmp_path / OURS / "data.json").read_text())["processes"][0]["pid"] == running.pid
