"""Running a line of Python in another process without its cooperation: by ptrace, in a thread where it is safe.

Knows where CPython may be called from outside.  The ways, in this order:

1. a Python thread that waits in the kernel (epoll, poll, a sleep …), without the GIL: it takes the GIL, runs the line,
   releases the GIL, and goes on waiting.  An idle event loop is always such a thread.
2. a pending call of the main thread, which runs it between two bytecodes, as it runs signal handlers.
3. where the main thread waits for a lock for good (``join()``): a pending call that any thread may run.

A thread that waits for a lock is never used for the first way: the lock may be the GIL itself.
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


class InjectedCall:
    """A line of Python that a process is to run.  It may be run by several threads, so it must be idempotent."""

    def __init__(self, process: Process, line: str) -> None:
        """OSError: none of its threads can be stopped.  DiedError: it is gone."""
        self._process, self._text = process, line.encode() + b"\0"
        self._main = self._anybody = False  # where the line is queued: with the main thread, with any thread
        self._lock_wait_seen: _Wait | None = None  # the main thread's wait for a lock, when it was looked at last
        self._ran = self._run()
        if not self._ran:
            self._ask_a_thread()
        self._next = time.monotonic() + AGAIN_SECONDS

    def retry(self) -> None:
        """No answer yet: try again.  The thread with the pending call may have begun to wait since; then the first way
        is open.  At most every AGAIN_SECONDS: stopping a thread slows its answer down."""
        if self._ran or time.monotonic() < self._next:
            return
        with suppress(OSError):
            self._ran = self._run()
            if not self._ran:
                self._ask_a_thread()
        self._next = time.monotonic() + AGAIN_SECONDS

    def _ask_a_thread(self) -> None:
        """Queue the line with the main thread; with any thread where the main one is stuck waiting for a lock.

        A thread that waits for the GIL wakes up all the time; it is stuck where its context switches don't count on.
        """
        before, self._lock_wait_seen = self._lock_wait_seen, _lock_wait(self._process.pid)
        if self._lock_wait_seen is not None and self._lock_wait_seen == before:
            if not self._anybody:
                self._anybody = True
                self._queue()
        elif not self._main and (self._lock_wait_seen is None or before is not None):
            self._main = True
            self._queue()

    def _run(self) -> bool:
        """The first way; whether a thread was found for it."""
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
            # The text stays allocated: nothing says when it was read. It is one page for each attach this way.
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
    """Its threads that are in a system call that only waits, as far as /proc shows; the main one first."""
    from async_inspect.launcher.inject.ptrace import MACHINES

    waits = MACHINES[os.uname().machine].waits
    found = []
    for tid in sorted(map(int, os.listdir(f"/proc/{pid}/task")), key=lambda tid: (tid != pid, tid)):
        number = _syscall(tid).partition(" ")[0]
        if number.isdecimal() and int(number) in waits:
            found.append(tid)
    return found


def _lock_wait(tid: int) -> _Wait | None:
    """(system call, context switches) of a thread that waits for a lock: equal only for one and the same wait; None: it
    doesn't wait for a lock."""
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
