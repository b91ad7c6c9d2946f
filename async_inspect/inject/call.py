"""A line of Python, run in a process that was not asked: by ptrace, in a thread where that does no harm.

Knows where CPython may be called from outside.  The ways, in this order:

1. a Python thread that waits in the kernel (epoll, poll, a sleep …), without the GIL: it takes the GIL, runs the line,
   gives the GIL back, and waits on.  An idle event loop always does that.
2. the main thread is asked to run the line at its next chance, as signals' handlers are: what it runs is Python.
3. the main thread waits for a lock for good (``join()``): any thread is asked to, at its next chance.

A thread that waits for a lock is never used for the first: it may be the GIL's own.
"""

import os
from contextlib import suppress
from pathlib import Path
from time import sleep

from async_inspect.inject.process import Process
from async_inspect.inject.ptrace import Stopped, undisturbed

PARKED_SECONDS = 0.2
_PAGE = 4096
_FUTEX = {"202", "98"}  # on x86-64, on aarch64
_READ_WRITE, _PRIVATE_ANONYMOUS = 3, 0x22


class Asked:
    """A line that a process is asked to run: by whoever of it comes first, so it must do no harm a second time."""

    def __init__(self, process: Process, line: str) -> None:
        """OSError: no thread of it may be had.  DiedError: it is gone."""
        self._process, self._text = process, line.encode() + b"\0"
        self._ran = self._run()
        self._anybody = False
        if not self._ran:
            self._anybody = _is_parked(process.pid)
            self._queue()

    def remind(self) -> None:
        """It has not answered: who was asked may have gone to wait just before, and then one that waits is free."""
        if self._ran:
            return
        with suppress(OSError):
            self._ran = self._run()
            if not self._ran and not self._anybody and _is_parked(self._process.pid):
                self._anybody = True
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
    from async_inspect.inject.ptrace import MACHINES

    waits = MACHINES[os.uname().machine].waits
    found = []
    for tid in sorted(map(int, os.listdir(f"/proc/{pid}/task")), key=lambda tid: (tid != pid, tid)):
        number = _syscall(tid).partition(" ")[0]
        if number.isdecimal() and int(number) in waits:
            found.append(tid)
    return found


def _is_parked(tid: int) -> bool:
    """Whether a thread waits for a lock, and not for its turn with the GIL: for that it wakes up all the time."""
    before = _syscall(tid), _switches(tid)
    if before[0].partition(" ")[0] not in _FUTEX:
        return False
    sleep(PARKED_SECONDS)
    return (_syscall(tid), _switches(tid)) == before


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
