"""Calling functions in a stopped thread of another process, and restoring the thread afterwards.

Knows ptrace(2) and the registers of two machines (aarch64: written by the manual, not tested).  Knows nothing of
Python.  What makes it safe: all registers are saved and restored; a called function returns to address 0, whose fault
we catch, so no instruction of the program is changed; signals are blocked meanwhile; and as long as a thread is not
restored, no signal can end us (``undisturbed``).
"""

import contextlib
import ctypes
import os
import platform
import signal
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, Self

_SEIZE, _INTERRUPT, _CONT, _DETACH = 0x4206, 0x4207, 7, 17
_GETREGSET, _SETREGSET, _GETSIGMASK, _SETSIGMASK = 0x4204, 0x4205, 0x420A, 0x420B
_WALL = 0x40000000
_GENERAL = 1  # the regset of the general registers
_BELOW = 1024  # bytes left alone under the stack pointer: a leaf function may use some (the red zone)
# Caused by what the thread itself does: these can't be blocked.
_OF_THE_THREAD = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Machine(NamedTuple):
    """Where a machine keeps things: indices into the kernel's array of general registers."""

    registers: int
    pc: int
    sp: int
    result: int
    arguments: tuple[int, ...]
    syscall: int  # its number, while one goes on
    link: int | None  # the return address, if that is no word on the stack
    others: int  # the regset of all other registers
    waits: frozenset[int]  # system calls that only wait, and hold no lock of the C library's meanwhile


MACHINES = {
    "x86_64": Machine(
        registers=27,
        pc=16,
        sp=19,
        result=10,
        arguments=(14, 13, 12, 11, 9, 8),
        syscall=15,
        link=None,
        others=0x202,
        # read poll select pause nanosleep accept recvfrom recvmsg wait4 rt_sigtimedwait clock_nanosleep epoll_wait
        # waitid pselect6 ppoll epoll_pwait accept4 epoll_pwait2
        waits=frozenset({0, 7, 23, 34, 35, 43, 45, 47, 61, 128, 230, 232, 247, 270, 271, 281, 288, 441}),
    ),
    "aarch64": Machine(
        registers=34,
        pc=32,
        sp=31,
        result=0,
        arguments=(0, 1, 2, 3, 4, 5),
        syscall=8,
        link=30,
        others=2,
        # epoll_pwait read pselect6 ppoll waitid nanosleep clock_nanosleep rt_sigtimedwait accept recvfrom recvmsg
        # accept4 wait4 epoll_pwait2
        waits=frozenset({22, 63, 72, 73, 95, 101, 115, 137, 202, 207, 212, 242, 260, 441}),
    ),
}
NO_SYSCALL = 2**64 - 1


class DiedError(Exception):
    """The process ended meanwhile."""


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """All signals are blocked: if we died between two calls, the process would crash."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Stopped:
    """A thread, stopped as long as the block runs.  OSError: it can't be traced."""

    def __init__(self, pid: int, tid: int) -> None:
        self.pid, self.tid = pid, tid
        self.machine = MACHINES[platform.machine()]

    def __enter__(self) -> Self:
        self._ptrace(_SEIZE)
        try:
            self._ptrace(_INTERRUPT)
            self._wait()
            self._registers = self._get(_GENERAL)
            self._others = self._get(self.machine.others)
            self._mask = ctypes.create_string_buffer(8)
            self._ptrace(_GETSIGMASK, 8, ctypes.addressof(self._mask))
            held = sum(1 << (number - 1) for number in signal.valid_signals() if number not in _OF_THE_THREAD)
            most = ctypes.create_string_buffer(struct.pack("<Q", held), 8)
            self._ptrace(_SETSIGMASK, 8, ctypes.addressof(most))
        except (OSError, DiedError) as exc:
            with contextlib.suppress(OSError):
                self._ptrace(_DETACH)
            raise DiedError from exc
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        with contextlib.suppress(OSError):  # it is dead, then
            self._set(self.machine.others, self._others)
            self._set(_GENERAL, self._registers)
            self._ptrace(_SETSIGMASK, 8, ctypes.addressof(self._mask))
            self._ptrace(_DETACH)

    @property
    def waits(self) -> bool:
        """Whether it was in a system call that only waits."""
        number = self._word(self._registers, self.machine.syscall)
        return number != NO_SYSCALL and number in self.machine.waits

    def call(self, function: int, *arguments: int) -> int:
        """What the function at this address returns, however long that takes."""
        machine = self.machine
        words = list(struct.unpack(f"<{machine.registers}Q", self._registers))
        sp = (words[machine.sp] - _BELOW) & ~15
        if machine.link is None:
            sp -= 8
            with open(f"/proc/{self.tid}/mem", "r+b", buffering=0) as memory:
                memory.seek(sp)
                memory.write(bytes(8))
            words[machine.syscall] = NO_SYSCALL  # or the kernel would begin it anew
        else:
            words[machine.link] = 0
        words[machine.sp], words[machine.pc] = sp, function
        words[machine.result] = 0
        for register, value in zip(machine.arguments, arguments, strict=False):
            words[register] = value & NO_SYSCALL
        self._set(_GENERAL, struct.pack(f"<{machine.registers}Q", *words))
        sent = 0
        while True:
            self._ptrace(_CONT, 0, sent)
            stopped = self._wait()
            now = self._get(_GENERAL)
            number, sent = os.WSTOPSIG(stopped), 0
            if number == signal.SIGSEGV:
                if self._word(now, machine.pc) == 0:
                    return self._word(now, machine.result)
                raise OSError(0, f"a fault at {self._word(now, machine.pc):#x} in what was called")
            if stopped >> 16 == 0 and number != signal.SIGTRAP:
                sent = number  # its own affair (SIGSTOP and SIGKILL can't be made to wait)

    def _ptrace(self, request: int, address: int = 0, data: int = 0) -> None:
        if _libc.ptrace(request, self.tid, address, data) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def _wait(self) -> int:
        status = os.waitpid(self.tid, _WALL)[1]
        if not os.WIFSTOPPED(status):
            raise DiedError
        return status

    def _get(self, regset: int) -> bytes:
        buffer = ctypes.create_string_buffer(1 << 14)
        vector = _Vector(ctypes.addressof(buffer), len(buffer))
        self._ptrace(_GETREGSET, regset, ctypes.addressof(vector))
        return buffer.raw[: vector.length]

    def _set(self, regset: int, data: bytes) -> None:
        buffer = ctypes.create_string_buffer(data, len(data))
        vector = _Vector(ctypes.addressof(buffer), len(data))
        self._ptrace(_SETREGSET, regset, ctypes.addressof(vector))

    def _word(self, registers: bytes, index: int) -> int:
        return int(struct.unpack_from("<Q", registers, 8 * index)[0])
