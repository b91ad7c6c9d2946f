"""A line of Python, run in a process that was not asked: by ptrace, in a thread where that does no harm.

Knows where CPython may be called from outside.  The ways, in this order:

1. a Python thread that waits in the kernel (epoll, poll, a sleep …), without the GIL: it takes the GIL, runs the line,
   gives the GIL back, and waits on.  An idle event loop always does that.
2. the main thread is asked to run the line at its next chance, as signals' handlers are: what it runs is Python.
3. the main thread waits for a lock for good (``join()``): any thread is asked to, at its next chance.

A thread that waits for a lock is never used for the first: it may be the GIL's own.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from async_inspect.launcher.inject.process import Process
from async_inspect.launcher.inject.ptrace import Stopped, undisturbed

AGAIN_SECONDS = 0.25  # a wait for the GIL never lasts so long without a wake-up
_PAGE = 4096
_FUTEX = {"202", "98"}  # on x86-64, on aarch64
_READ_WRITE, _PRIVATE_ANONYMOUS = 3, 0x22

type _Wait = tuple[str, list[str]]


class Asked:
    """A line that a process is asked to run: by whoever of it comes first, so it must do no harm a second time."""

    def __init__(self, process: Process, line: str) -> None:
        """OSError: no thread of it may be had.  DiedError: it is gone."""
        self._process, self._text = process, line.encode() + b"\0"
        self._main = self._anybody = False  # who was asked to
        self._waits: _Wait | None = None  # for a lock, as the main thread did when we looked last
        self._ran = self._run()
        if not self._ran:
            self._ask()
        self._next = time.monotonic() + AGAIN_SECONDS

    def remind(self) -> None:
        """It has not answered: who was asked may have gone to wait just before, and then one that waits is free.

        Not at once: who answers is slowed down by being looked at.
        """
        if self._ran or time.monotonic() < self._next:
            return
        with suppress(OSError):
            self._ran = self._run()
            if not self._ran:
                self._ask()
        self._next = time.monotonic() + AGAIN_SECONDS

    def _ask(self) -> None:
        """The main thread, unless it waits for a lock, and not for its turn with the GIL: for that it wakes up all the
        time.  Where it stands as it stood the last time, anybody."""
        before, self._waits = self._waits, _lock_wait(self._process.pid)
        if self._waits is not None and self._waits == before:
            if not self._anybody:
                self._anybody = True
                self._queue()
        elif not self._main and (self._waits is None or before is not None):
            self._main = True
            self._queue()

    def _run(self) -> bool:
        """The first way, if it can be gone."""
        process = self._process
        for tid in _waiting(process.pid):
            with undisturbed(), Stopped(process.pid, tid) as thread:
                if thread.waits and _is_python_without_gil(process, thread):
                    with _Text(process, thread, self._text) as address:
                        held = thread.call(process.symbols["PyGILState_Ensure"])
                        thread.call(process.symbols["PyRun_SimpleString"], address)
                        thread.call(process.symbols["PyGILState_Release"], held & 0xFFFFFFFF)
                    return True
        return False

    def _queue(self) -> None:
        """The second way, or the third."""
        process = self._process
        with undisturbed(), Stopped(process.pid, process.pid) as thread:
            # The text stays: nobody says when it was read. A page for each attach that came this way.
            address = _Text(process, thread, self._text).put()
            run_it = process.symbols["PyRun_SimpleString"]
            if self._anybody:
                main = thread.call(process.symbols["PyInterpreterState_Main"])
                full = thread.call(process.symbols["_PyEval_AddPendingCall"], main, run_it, address, 0)
            else:
                full = thread.call(process.symbols["Py_AddPendingCall"], run_it, address)
        if full & 0xFFFFFFFF:
            raise BlockingIOError("its queue of pending calls is full")


class _Text:
    """A text in the memory of the process."""

    def __init__(self, process: Process, thread: Stopped, text: bytes) -> None:
        self._process, self._thread, self._text = process, thread, text
        self._size = -(-len(text) // _PAGE) * _PAGE
        self._address = 0

    def put(self) -> int:
        mmap = self._process.symbols["mmap"]
        self._address = self._thread.call(mmap, 0, self._size, _READ_WRITE, _PRIVATE_ANONYMOUS, -1, 0)
        if self._address >= 2**64 - _PAGE:
            raise MemoryError(f"process {self._process.pid} has no memory left")
        with open(f"/proc/{self._process.pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(self._address)
            memory.write(self._text)
        return self._address

    def __enter__(self) -> int:
        return self.put()

    def __exit__(self, *exc: object) -> None:
        self._thread.call(self._process.symbols["munmap"], self._address, self._size)


def _is_python_without_gil(process: Process, thread: Stopped) -> bool:
    known = thread.call(process.symbols["PyGILState_GetThisThreadState"])
    return bool(known) and not thread.call(process.symbols["PyGILState_Check"]) & 0xFFFFFFFF


def _waiting(pid: int) -> list[int]:
    """Its threads that are in a system call that only waits, as far as that is seen from here; the main one first."""
    from async_inspect.launcher.inject.ptrace import MACHINES

    waits = MACHINES[os.uname().machine].waits
    found = []
    for tid in sorted(map(int, os.listdir(f"/proc/{pid}/task")), key=lambda tid: (tid != pid, tid)):
        number = _syscall(tid).partition(" ")[0]
        if number.isdecimal() and int(number) in waits:
            found.append(tid)
    return found


def _lock_wait(tid: int) -> _Wait | None:
    """What tells a thread's wait for a lock from every other wait of it; None: it doesn't wait for one."""
    syscall = _syscall(tid)
    return (syscall, _switches(tid)) if syscall.partition(" ")[0] in _FUTEX else None


def _syscall(tid: int) -> str:
    try:
        return Path(f"/proc/{tid}/syscall").read_text(encoding="ascii")
    except OSError:
        return ""


def _switches(tid: int) -> list[str]:
    try:
        lines = Path(f"/proc/{tid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if "ctxt_switches" in line]
