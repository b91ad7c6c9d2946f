"""Run a command unchanged, and be to it and to whoever started us as if we were not there.

Knows processes, signals, terminals and exit statuses.  Knows nothing of recordings.  Fork and exec, not
``subprocess``: inherited files, dispositions and the process group stay exactly as they are, so the terminal's Ctrl-C
reaches the target once and by itself.
"""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn, Protocol

from async_inspect import system
from async_inspect.errors import UserError

FROM_TERMINAL = system.signals("SIGINT", "SIGQUIT")  # the terminal sends these to the target too: we only outlive them
FORWARDED = system.signals("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
IGNORED_BY_PYTHON = system.signals("SIGPIPE", "SIGXFSZ")  # in us; a program expects them as they were


@dataclass(frozen=True)
class Ended:
    """How the target ended."""

    pid: int
    status: int  # as waitpid gives it
    at_ns: int  # CLOCK_MONOTONIC

    @property
    def code(self) -> int:
        """The exit code, or minus the signal."""
        return os.waitstatus_to_exitcode(self.status)


class Beside(Protocol):
    """Who has something to do while the target runs."""

    def files(self) -> tuple[int, ...]:
        """Called before the fork: what becomes the target's first descriptors."""

    def watch(self, pid: int) -> int:
        """Called once it runs: returns when there is nothing more to do, and says when the target ended
        (CLOCK_MONOTONIC; 0: nobody saw that).  Does not reap it."""


def run(
    argv: list[str],
    environ: dict[str, str],
    beside: Beside | None = None,
    started: Callable[[int], None] | None = None,
    pid_in: str = "",
) -> Ended:
    """Run it to its end.  Afterwards SIGINT stays without effect until somebody sets it anew.

    ``started`` hears the pid; the variable ``pid_in`` tells it to the target.  Raises UserError (127, 126) when it
    cannot be executed.
    """
    if hasattr(os, "fork"):
        return _fork(argv, environ, beside, started, pid_in)
    return _spawn(argv, environ, started, pid_in)


def _fork(
    argv: list[str],
    environ: dict[str, str],
    beside: Beside | None,
    started: Callable[[int], None] | None,
    pid_in: str,
) -> Ended:
    pid = seen = 0
    files = beside.files() if beside else ()

    def forward(number: int, _frame: FrameType | None) -> None:
        if pid:
            os.kill(pid, number)

    # Nothing is delivered until both sides know what to do with it: what arrives meanwhile waits.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*FROM_TERMINAL, *FORWARDED})
    handled = [number for number in (*FROM_TERMINAL, *FORWARDED) if signal.getsignal(number) != signal.SIG_IGN]
    for number in handled:  # a handler, not SIG_IGN, which the target would inherit; an inherited SIG_IGN (nohup) stays
        signal.signal(number, forward if number in FORWARDED else _outlive)
    hears, says = os.pipe()  # both close-on-exec: the end of file means that the exec went well
    flush()
    pid = os.fork()
    if pid == 0:
        _become(argv, telling(environ, pid_in), handled, before, says, files)
    os.close(says)
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        with open(hears, "rb") as pipe:
            failed = pipe.read()
        if started and not failed:
            started(pid)
        if beside and not failed:
            seen = beside.watch(pid)
        status = _wait(pid)
    finally:
        ended_pid, pid = pid, 0
        for number in handled:
            if number in FORWARDED:
                signal.signal(number, signal.SIG_DFL)
    if failed:
        raise not_executed(argv, int(failed))
    return Ended(ended_pid, status, seen or time.monotonic_ns())


def mirror(ended: Ended) -> NoReturn:
    """End as the target ended."""
    flush()
    if ended.code < 0:
        import resource  # where there are signals, there is this

        number = -ended.code
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the core dump was the target's to leave
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
        os._exit(128 + number)  # a container's first process survives its own signals
    sys.exit(ended.code)


def _spawn(argv: list[str], environ: dict[str, str], started: Callable[[int], None] | None, pid_in: str) -> Ended:
    """Run it where there is no fork: the terminal's Ctrl-C reaches the target by itself there, too."""
    if pid_in:
        system.require("--no-children", "fork")
    before = signal.signal(signal.SIGINT, _outlive)
    try:
        process = subprocess.Popen(argv, env=environ)
    except OSError as exc:
        signal.signal(signal.SIGINT, before)
        raise not_executed(argv, exc.errno) from exc
    if started:
        started(process.pid)
    code = process.wait()
    return Ended(process.pid, code << 8 if code >= 0 else -code, time.monotonic_ns())


def flush() -> None:
    """What we said, before there is a copy of us, or none."""
    for stream in sys.stdout, sys.stderr:
        if stream is not None:  # we were started without
            stream.flush()


def telling(environ: dict[str, str], pid_in: str) -> dict[str, str]:
    """This environment, with this process's pid in the variable ``pid_in``, if there is to be one."""
    return {**environ, pid_in: str(os.getpid())} if pid_in else environ


def not_executed(argv: list[str], reason: int | None) -> UserError:
    """What there is to say, and how to end, when a command cannot be executed."""
    reason = reason or errno.ENOEXEC
    return UserError(f"{argv[0]}: {os.strerror(reason)}", 127 if reason in {errno.ENOENT, errno.ENOTDIR} else 126)


def _become(
    argv: list[str],
    environ: dict[str, str],
    handled: list[signal.Signals],
    mask: set[int],
    says: int,
    files: tuple[int, ...],
) -> NoReturn:
    """In the child: be the target."""
    try:
        for number, fd in enumerate(files):
            os.dup2(fd, number)
        for number in (*handled, *IGNORED_BY_PYTHON):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execvpe(argv[0], argv, environ)
    except OSError as exc:
        os.write(says, str(exc.errno).encode())
    finally:
        os._exit(126)


def _wait(pid: int) -> int:
    """The target's wait status.  Where it stops (a debugger's trick, its own Ctrl-Z), we stop with it."""
    while True:
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
        # The terminal's Ctrl-Z stops us too: by now the target may run again, and the stop is old news (0).
        done, status = os.waitpid(pid, os.WUNTRACED | (os.WNOHANG if hasattr(os, "waitid") else 0))
        if not done:
            continue
        if not os.WIFSTOPPED(status):
            return status
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(pid, signal.SIGCONT)


def _outlive(_number: int, _frame: FrameType | None) -> None:
    pass
