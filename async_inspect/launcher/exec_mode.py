"""``--exec``: become the target, and leave a watcher process behind that makes the reports when it has ended.

Knows processes and descriptors.  Knows nothing of recordings.  The target keeps this process's pid, parent, terminal
and files, so whoever counts on those (a container, systemd) sees no process in between.  The watcher is no child of the
target, in a session of its own, and holds none of its files.
"""

import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from async_inspect.launcher.child import IGNORED_BY_PYTHON, flush, not_executed, with_pid
from async_inspect.support.files import create

DEAF_TO = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)  # systemd's stop reaches all of a service


def run(
    argv: list[str], environ: dict[str, str], log: Path, afterwards: Callable[[int, int], None], pid_in: str = ""
) -> NoReturn:
    """Replace this process by the command (exec).  UserError (127, 126): it cannot be executed.

    ``afterwards(pid, at_ns)`` runs in the watcher once the command has ended; what it prints goes to the file ``log``.
    The command finds its pid in the variable ``pid_in``.
    """
    me = os.getpid()
    ends = os.pidfd_open(me)  # opened before the exec, so it can mean no other process
    read_end, write_end = os.pipe()  # both close-on-exec: the end of file means that the exec went well
    flush()
    first = os.fork()
    if first == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        _watch(me, ends, read_end, log, afterwards)
    os.waitpid(first, 0)
    os.close(read_end)
    try:
        for number in IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        os.execvpe(argv[0], argv, with_pid(environ, pid_in))
    except OSError as exc:
        os.write(write_end, b"failed")
        raise not_executed(argv, exc.errno) from exc


def _watch(pid: int, ends: int, read_end: int, log: Path, afterwards: Callable[[int, int], None]) -> NoReturn:
    status = 1
    try:
        for number in DEAF_TO:
            signal.signal(number, signal.SIG_IGN)
        ends, read_end = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in (ends, read_end))
        _hold_only(ends, read_end)
        if not os.read(read_end, 1):
            select.select([ends], [], [])
            at_ns = time.monotonic_ns()
            sys.stdout = sys.stderr = open(create(log), "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
            afterwards(pid, at_ns)
        status = 0
    finally:
        flush()
        os._exit(status)


def _hold_only(*kept: int) -> None:
    """Close all descriptors but these; the first three become /dev/null."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nothing, fd)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:  # the listing's own
                pass
