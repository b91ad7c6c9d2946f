"""Between the target and whoever started us: signals, terminals, statuses, as if we were not there."""

import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from async_inspect.errors import UserError
from async_inspect.launcher import child

from ..tools import PATIENCE_S, ROOT, needs_terminal

pytestmark = [pytest.mark.e2e, pytest.mark.launcher]

# The launcher alone, without a recorder: what it does has nothing to do with what it runs.
LAUNCH = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from async_inspect.launcher import child
from async_inspect.errors import UserError
try:
    ended = child.run(sys.argv[1:], dict(os.environ))
except UserError as exc:
    sys.exit(exc.status)
child.mirror(ended)
"""
UNDER = [sys.executable, "-I", "-c", LAUNCH]


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-c", code]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit(255)", 255),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.kill(os.getpid(), 15)", -15),
        ("import os, time; os.kill(os.getpid(), 2)\nwhile True: time.sleep(0.01)", -2),
        ("import os; os.abort()", -6),
        ("import os, signal; signal.signal(13, signal.SIG_DFL); os.kill(os.getpid(), 13)", -13),
    ],
)
def test_status_is_mirrored(code: str, status: int, tmp_path: Path) -> None:
    done = subprocess.run([*UNDER, *python(code)], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == status
    assert not list(tmp_path.iterdir()), "no second core dump"


@pytest.mark.parametrize(
    ("name", "status"), [("no-such-command", 127), ("./missing", 127), ("./plain", 126), (".", 126)]
)
def test_what_cannot_be_executed(name: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").write_text("no program")
    assert subprocess.run([*UNDER, name], cwd=tmp_path, check=False).returncode == status
    monkeypatch.chdir(tmp_path)
    handlers = [(number, signal.getsignal(number)) for number in (*child.FROM_TERMINAL, *child.FORWARDED)]
    try:
        with pytest.raises(UserError) as raised:
            child.run([name], dict(os.environ))
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)
    assert name in raised.value.message
    assert raised.value.status == status


@pytest.mark.parametrize("number", child.FORWARDED, ids=lambda number: number.name)
def test_signals_are_forwarded(number: signal.Signals) -> None:
    code = f"import signal, sys, time\nsignal.signal({number}, lambda *_: sys.exit(44))\n"
    code += f"signal.alarm({PATIENCE_S})\n"  # it ends if it hears nothing else
    code += "print(1, flush=True)\nwhile True: time.sleep(0.01)"  # pause() would wait for one that came just before
    with subprocess.Popen([*UNDER, *python(code)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(number)
        assert process.wait() == 44


def test_default_action_of_a_forwarded_signal_is_mirrored() -> None:
    with subprocess.Popen(
        [*UNDER, *python("print(1, flush=True)\nimport signal; signal.pause()")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.terminate()
        assert process.wait() == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM])
def test_inherited_ignored_signals_stay_ignored(number: signal.Signals) -> None:
    """What nohup and a shell's "&" do."""
    code = f"import signal; print(signal.getsignal({number}) is signal.SIG_IGN)"
    command = shlex.join([*UNDER, *python(code)])
    done = subprocess.run(["sh", "-c", f"trap '' {number}; {command}"], capture_output=True, text=True, check=False)
    assert done.stdout == "True\n"


def test_dispositions_mask_and_group_are_as_bare() -> None:
    code = (
        "import os, signal\n"
        "for name in 'SigBlk', 'SigIgn', 'SigCgt':\n"
        "    print([line for line in open('/proc/self/status') if line.startswith(name)])\n"
        "print(os.getpgrp() - int(os.environ['GROUP']), os.getsid(0) == os.getsid(os.getppid()))\n"
    )
    env = {**os.environ, "GROUP": str(os.getpgrp())}
    bare, under = (
        subprocess.run([*prefix, *python(code)], capture_output=True, text=True, env=env, check=True).stdout
        for prefix in ([], UNDER)
    )
    assert under == bare


def test_descriptors_are_inherited_and_none_added() -> None:
    code = "import os; print(sorted(os.listdir('/proc/self/fd')), os.read(0, 99))"
    reads, writes = os.pipe()
    bare, under = (
        subprocess.run([*prefix, *python(code)], input=b"in", pass_fds=[writes], stdout=subprocess.PIPE, check=True)
        for prefix in ([], UNDER)
    )
    os.close(reads)
    os.close(writes)
    assert under.stdout == bare.stdout


# --- on a terminal ---------------------------------------------------------------------------------------------------


class Terminal:
    """A session of its own on a pty, with a command in the foreground."""

    def __init__(self, command: list[str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)
        self.said = b""

    def type(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def until(self, text: bytes) -> None:
        while text not in self.said:
            assert select.select([self.fd], [], [], PATIENCE_S)[0], self.said
            try:
                data = os.read(self.fd, 4096)
            except OSError:  # Linux's end of file, once the other side is closed
                data = b""
            assert data, self.said
            self.said += data

    def end(self) -> int:
        status = os.waitpid(self.pid, 0)[1]
        while True:
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                break
            if not data:
                break
            self.said += data
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def on_terminal(command: list[str], play: Callable[[Terminal], None]) -> tuple[int, bytes]:
    terminal = Terminal(command)
    play(terminal)
    return terminal.end(), terminal.said


COUNT_INTERRUPTS = """
import os, signal, time
count = 0
def handler(*_):
    global count
    count += 1
    os.write(1, b"got %d" % count)
signal.signal(signal.SIGINT, handler)
os.write(1, b"ready")
while not count:  # no call that a signal just before it leaves waiting
    time.sleep(0.01)
os.read(0, 1)
os.write(1, b"counted %d" % count)
"""


@needs_terminal
def test_ctrl_c_reaches_the_target_once() -> None:
    def play(terminal: Terminal) -> None:
        terminal.until(b"ready")
        terminal.type(b"\x03")
        terminal.until(b"got 1")
        terminal.type(b"\n")
        terminal.until(b"counted")

    bare, under = (on_terminal([*prefix, *python(COUNT_INTERRUPTS)], play) for prefix in ([], UNDER))
    assert under == bare
    assert b"counted 1" in under[1]


@needs_terminal
@pytest.mark.parametrize(("key", "status"), [(b"\x03", -signal.SIGINT), (b"\x1c", -signal.SIGQUIT)])
def test_keys_that_end_it(key: bytes, status: int) -> None:
    def play(terminal: Terminal) -> None:
        terminal.until(b"ready")
        terminal.type(key)

    code = (
        "import asyncio\nasync def main():\n print('ready', flush=True)\n await asyncio.Future()\nasyncio.run(main())"
    )
    (bare, said_bare), (under, said_under) = (on_terminal([*prefix, *python(code)], play) for prefix in ([], UNDER))
    assert bare == under == status
    assert said_bare.splitlines()[-1] == said_under.splitlines()[-1]


SHELL = """
import os, pathlib, signal, sys, time
def all_stopped():  # one of the group that has not seen the Ctrl-Z yet could still read what is typed next
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group, *_ = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if group == str(pid) and state != "T":
            return False
    return True
# A small shell with job control: run in a group of its own in the foreground, tell when it stops, continue it.
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    status = os.waitpid(pid, os.WUNTRACED)[1]
    if not os.WIFSTOPPED(status):
        break
    os.tcsetpgrp(0, os.getpgrp())
    while not all_stopped():
        time.sleep(0.01)
    print("stopped", flush=True)
    input()
    os.tcsetpgrp(0, pid)
    os.killpg(pid, signal.SIGCONT)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@needs_terminal
@pytest.mark.parametrize("how", ["key", "itself"])
def test_job_control(how: str) -> None:
    stop = "os.kill(os.getpid(), signal.SIGSTOP)" if how == "itself" else "pass"
    code = (
        f"import os, signal\nprint('ready', flush=True)\n{stop}\nraise SystemExit(5 if input('? ') == 'hello' else 6)"
    )

    def play(terminal: Terminal) -> None:
        terminal.until(b"ready")
        if how == "key":
            terminal.until(b"?")
            terminal.type(b"\x1a")
        terminal.until(b"stopped")
        terminal.type(b"\n")
        terminal.type(b"hello\n")

    status, said = on_terminal([sys.executable, "-c", SHELL, *UNDER, *python(code)], play)
    assert status == 5, said
    assert said.count(b"stopped") == 1


# --- signals of others -----------------------------------------------------------------------------------------------

COUNT_ALL = """
import os, signal, sys
counts = {}
def handler(number, _):
    counts[number] = counts.get(number, 0) + 1
    os.write(1, b"got %d\\n" % number)
for number in int(sys.argv[1]), signal.SIGCONT:
    signal.signal(number, handler)
os.write(1, b"%d\\n" % os.getpid())
os.read(0, 1)
print(counts)
"""


class Piped:
    """The launcher, or nothing, over a program that says its pid first and waits for a key."""

    def __init__(self, prefix: list[str], code: str, *arguments: str) -> None:
        command = [*prefix, *python(code), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0)
        self.target = int(self.line())

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().decode().strip()

    def end(self) -> tuple[str, int]:
        out = self.process.communicate(b"x", timeout=PATIENCE_S)[0]
        return out.decode().strip(), self.process.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP])
def test_a_signal_to_our_pid_reaches_the_target_once(number: signal.Signals) -> None:
    """``docker stop`` with STOPSIGNAL SIGINT, supervisord: what bare would have reached the program itself."""
    for prefix in [], UNDER:
        piped = Piped(prefix, COUNT_ALL, str(int(number)))
        piped.process.send_signal(number)
        assert piped.line() == f"got {number}"
        assert piped.end() == (f"{{{number}: 1}}", 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM])
def test_a_signal_that_we_were_started_to_ignore_reaches_a_target_that_does_not(number: signal.Signals) -> None:
    """uvicorn started by a script's ``&`` (SIGINT), gunicorn by nohup (SIGHUP): they set handlers of their own."""
    ignoring = ["/bin/sh", "-c", f"trap '' {int(number)}; exec \"$@\"", "sh"]
    for prefix in ignoring, [*ignoring, *UNDER]:
        piped = Piped(prefix, COUNT_ALL, str(int(number)))
        piped.process.send_signal(number)
        assert piped.line() == f"got {number}"
        assert piped.end() == (f"{{{number}: 1}}", 0)


def until_state(pid: int, stopped: bool) -> None:
    while (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T") != stopped:
        time.sleep(0.01)


@pytest.mark.parametrize("whom", ["target", "us"])
def test_a_target_stopped_and_continued_by_somebody_else(whom: str) -> None:
    piped = Piped(UNDER, COUNT_ALL, str(int(signal.SIGTERM)))
    us = piped.process.pid
    for _ in range(2):
        os.kill(piped.target, signal.SIGSTOP)
        until_state(us, stopped=True)
        os.kill(piped.target if whom == "target" else us, signal.SIGCONT)
        assert piped.line() == f"got {signal.SIGCONT}"
        until_state(us, stopped=False)
    piped.process.terminate()
    assert piped.line() == f"got {signal.SIGTERM}", "the launcher hears again"
    assert piped.end() == (f"{{{signal.SIGCONT}: 2, {signal.SIGTERM}: 1}}", 0)


def test_stopped_and_killed_by_somebody_else() -> None:
    piped = Piped(UNDER, COUNT_ALL, "15")
    os.kill(piped.target, signal.SIGSTOP)
    until_state(piped.process.pid, stopped=True)
    os.kill(piped.target, signal.SIGKILL)
    assert piped.end() == ("", -signal.SIGKILL)


def test_a_signal_to_the_whole_group_ends_the_target_alone() -> None:
    """``timeout`` sends it to its child and then to all of the group; the launcher still says how the target ended."""
    piped = Piped(UNDER, "import os, signal\nprint(os.getpid(), flush=True)\nsignal.pause()")
    os.killpg(piped.process.pid, signal.SIGTERM)
    assert piped.end() == ("", -signal.SIGTERM)


def test_where_children_leave_no_status() -> None:
    """Whoever started us ignores SIGCHLD, which is inherited."""
    code = "import signal, sys; print(signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN); sys.exit(7)"
    command = [
        sys.executable,
        "-c",
        "import os, signal, sys; signal.signal(17, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])",
    ]
    done = subprocess.run([*command, *UNDER, *python(code)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("True\n", 7)
