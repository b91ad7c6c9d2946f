"""Run a command unchanged, and stay invisible both to it and to whoever started us.

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
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol

from async_inspect.errors import UserError
from async_inspect.support import system

FROM_TERMINAL = system.signals("SIGINT", "SIGQUIT")  # keys: the terminal sends these to the target as well
FORWARDED = system.signals("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
STOPS = system.signals("SIGTSTP", "SIGTTIN", "SIGTTOU")  # by the terminal, too; we stop when the target does
IGNORED_BY_PYTHON = system.signals("SIGPIPE", "SIGXFSZ")  # in us; a program expects them as they were
SI_KERNEL = 0x80  # a signal's si_code on Linux: the terminal sent it, not another process's kill()
POLL_SECONDS = 0.05  # how often a stopped target is checked for running again


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


class Companion(Protocol):
    """Something that works beside the target while it runs: the live view."""

    def files(self) -> tuple[int, ...]:
        """Called before the fork: the descriptors that become the target's 0, 1, 2 …"""

    def watch(self, pid: int) -> int:
        """Called once the target runs; returns when there is nothing more to do: when the target ended
        (CLOCK_MONOTONIC ns; 0: not seen).  Does not reap it."""


def run(
    argv: list[str],
    environ: dict[str, str],
    companion: Companion | None = None,
    started: Callable[[int], None] | None = None,
    pid_in: str = "",
) -> Ended:
    """Run a command to its end.  Afterwards SIGINT is ignored until somebody sets a handler.

    ``started`` is called with the pid, which the target finds in the variable ``pid_in``.  UserError (127, 126): it
    cannot be executed.
    """
    if hasattr(os, "fork"):
        return _fork(argv, environ, companion, started, pid_in)
    return _spawn(argv, environ, started, pid_in)


def _fork(
    argv: list[str],
    environ: dict[str, str],
    companion: Companion | None,
    started: Callable[[int], None] | None,
    pid_in: str,
) -> Ended:
    pid = seen = 0
    files = companion.files() if companion else ()

    def forward(number: int, _frame: FrameType | None) -> None:
        if pid and (number in FORWARDED or not _has_signal_keys()):
            os.kill(pid, number)

    # Blocked until both processes have their handlers: what arrives meanwhile is pending.
    signals = {*FROM_TERMINAL, *FORWARDED, *(STOPS if _has_sigwaitinfo() and not companion else ())}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*signals, signal.SIGCHLD})
    handled = sorted(signals)
    # A handler, not SIG_IGN, which the target would inherit.  Also for what we were started to ignore (nohup, `&` in a
    # script): the target starts ignoring it, but may have a handler of its own since (uvicorn, gunicorn).
    before_us = {number: signal.signal(number, forward) for number in handled}
    # Where SIGCHLD is ignored, children leave no status.
    before_us[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ignored = [number for number, handler in before_us.items() if handler == signal.SIG_IGN]
    read_end, write_end = os.pipe()  # both close-on-exec: the end of file means that the exec went well
    flush()
    pid = os.fork()
    if pid == 0:
        _exec_target(argv, with_pid(environ, pid_in), handled, ignored, before, write_end, files)
    os.close(write_end)
    try:
        with open(read_end, "rb") as pipe:
            failed = pipe.read()
        if started and not failed:
            started(pid)
        if companion or not _has_sigwaitinfo():
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            seen = companion.watch(pid) if companion and not failed else 0
            status = _wait(pid)
        else:
            status = _wait_and_forward(pid, {*handled, signal.SIGCHLD})
    finally:
        ended_pid, pid = pid, 0
        for number in handled:
            after = _ignore if number in FROM_TERMINAL else signal.SIG_DFL
            signal.signal(number, signal.SIG_IGN if number in ignored else after)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
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
    """Run it where there is no fork.  There, too, the terminal's Ctrl-C reaches the target by itself."""
    if pid_in:
        system.require("--no-children", "fork")
    before = signal.signal(signal.SIGINT, _ignore)
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
    """Flush our output before a fork or an exit.

    Where it can't be written (a full disk, a terminal that is gone) it and all that follows is dropped: Python would
    try again at its end, and change the exit status where it fails.
    """
    for name in "stdout", "stderr":
        stream = getattr(sys, name)
        if stream is not None:  # we were started without
            try:
                stream.flush()
            except (OSError, ValueError):
                setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def with_pid(environ: dict[str, str], pid_in: str) -> dict[str, str]:
    """This environment, with this process's pid in the variable ``pid_in`` unless that is ""."""
    return {**environ, pid_in: str(os.getpid())} if pid_in else environ


def not_executed(argv: list[str], reason: int | None) -> UserError:
    """The error, with its exit status, for a command that cannot be executed."""
    reason = reason or errno.ENOEXEC
    return UserError(f"{argv[0]}: {os.strerror(reason)}", 127 if reason in {errno.ENOENT, errno.ENOTDIR} else 126)


def _exec_target(
    argv: list[str],
    environ: dict[str, str],
    handled: list[signal.Signals],
    ignored: list[signal.Signals],
    mask: set[int],
    write_end: int,
    files: tuple[int, ...],
) -> NoReturn:
    """In the child: exec the target."""
    try:
        for number, fd in enumerate(files):
            os.dup2(fd, number)
        for number in (*handled, *IGNORED_BY_PYTHON):
            signal.signal(number, signal.SIG_DFL)
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execvpe(argv[0], argv, environ)
    except OSError as exc:
        os.write(write_end, str(exc.errno).encode())
    finally:
        os._exit(126)


def _wait(pid: int) -> int:
    """The target's wait status; signals have handlers."""
    while True:
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
        # The terminal's Ctrl-Z stops us too: by now the target may run again, and the stop is old news (0).
        done, status = os.waitpid(pid, os.WUNTRACED | (os.WNOHANG if hasattr(os, "waitid") else 0))
        if done and os.WIFSTOPPED(status):
            _stop_too(pid)
        elif done:
            return status


def _has_sigwaitinfo() -> bool:
    return hasattr(signal, "sigwaitinfo")


def _wait_and_forward(pid: int, signals: set[signal.Signals]) -> int:
    """The target's wait status.  These signals are blocked, and read here, with who sent them.

    A key's signal has reached the target by itself; what another process sent to us alone is passed on.  (One that
    `kill` sent to all of our process group can't be told from that: the target gets it twice.)
    """
    while True:
        done, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if done and os.WIFSTOPPED(status):
            _stop_too(pid)
            continue
        if done:
            while signal.sigtimedwait(signals, 0):
                pass  # sent while the target was alive, so meant for it
            return status
        one = signal.sigwaitinfo(signals)
        if one.si_signo == signal.SIGCHLD:
            continue
        # A terminal that hangs up tells the session's leader alone; bare, that would be the target.
        leads = one.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()
        if one.si_code != SI_KERNEL or leads:
            os.kill(pid, one.si_signo)


def _stop_too(pid: int) -> None:
    """The target has stopped (Ctrl-Z, a debugger, its own doing): stop with it, until one of us is continued."""
    state = Path(f"/proc/{pid}/stat")
    guard = _continue_with(state) if state.exists() else 0
    os.kill(os.getpid(), signal.SIGSTOP)
    if guard:
        os.kill(guard, signal.SIGTERM)
        if os.waitpid(guard, 0)[1] == 0:
            return  # the target was continued, and may have stopped anew by now
    if not guard or _is_stopped(state):
        os.kill(pid, signal.SIGCONT)


def _continue_with(state: Path) -> int:
    """Fork a guard that continues this process, which is about to stop, once the target runs again; the guard's pid.

    It polls the target's state, and ends with status 0 when it has continued us, or on SIGTERM.
    """
    me = os.getpid()
    guard = os.fork()
    if guard:
        return guard
    status = 1
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        os.setsid()  # no signal of the terminal's, or of our group's
        os.closerange(0, _open_files())
        while os.getppid() == me and _is_stopped(state):
            if signal.sigtimedwait({signal.SIGTERM}, POLL_SECONDS):
                os._exit(status)
        status = 0
        if os.getppid() == me:
            os.kill(me, signal.SIGCONT)
    finally:
        os._exit(status)


def _open_files() -> int:
    """One more than the highest descriptor that may be open."""
    return max(map(int, os.listdir("/proc/self/fd"))) + 1


def _is_stopped(state: Path) -> bool:
    try:
        return state.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] in "Tt"
    except OSError:
        return False  # it is gone


def _has_signal_keys() -> bool:
    """Whether the terminal makes signals of keys; not while the live view has it."""
    try:
        import termios

        return bool(termios.tcgetattr(0)[3] & termios.ISIG)
    except (ImportError, OSError, termios.error):
        return False


def _ignore(_number: int, _frame: FrameType | None) -> None:
    pass
