"""Running a script in another process by the protocol that CPython has since 3.14 (PEP 768).

It stops no thread, so it works while a debugger holds the process; but an idle event loop has to be woken for it
(``wake``), and a main thread that waits for a lock does not notice.  The protocol is implemented here, since Python's
own ``sys.remote_exec`` supports its own version only.
"""

import contextlib
import ctypes
import os
import struct
from typing import Self

from async_inspect.errors import UserError
from async_inspect.launcher.inject import wake
from async_inspect.launcher.inject.process import Process, read_memory

_COOKIE = b"xdebugpy"
_PLEASE_STOP = 1 << 5  # the bit of the eval breaker that makes a thread check for requests
_PATH_SIZE = 512

_libc = ctypes.CDLL(None, use_errno=True)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Offsets:
    """Offsets in its structures, as CPython publishes them at the beginning of ``_PyRuntime``."""

    def __init__(self, one: Process) -> None:
        raw = read_memory(one.pid, one.symbols["_PyRuntime"], 1600)
        words = struct.unpack("<200Q", raw)
        # The block about debuggers is found by its shape: … pending at 0, path at 4, 512 bytes of path.
        at = next((i for i in range(3, 190) if words[i : i + 3] == (0, 4, _PATH_SIZE)), 0)
        if raw[:8] != _COOKIE or not at:
            raise UserError(f"process {one.pid} has no way in that is known (PEP 768)")
        self.interpreters = words[5]
        self.threads, self.main = words[9], words[10]
        self.breaker, self.support, self.enabled = words[at - 3 : at]


class RemoteScript:
    """A request to its main thread to run the file at this path; withdrawn at the end of the block."""

    def __init__(self, one: Process, script: str) -> None:
        """UserError: it does not support that.  OSError: its memory may not be written."""
        path = os.fsencode(script) + b"\0"
        if len(path) > _PATH_SIZE:
            raise UserError(f"{script}: a path for the process to read may have {_PATH_SIZE - 1} bytes at most")
        self._pid = one.pid
        offsets = _Offsets(one)
        interpreter = _word(one.pid, one.symbols["_PyRuntime"] + offsets.interpreters)
        if struct.unpack("<i", read_memory(one.pid, interpreter + offsets.enabled, 4))[0] != 1:
            raise UserError(f"process {one.pid} has that switched off (PYTHON_DISABLE_REMOTE_DEBUG)")
        thread = _word(one.pid, interpreter + offsets.main)
        if not thread:
            raise UserError(f"process {one.pid} has no main thread that runs Python")
        self._breaker, self._pending = thread + offsets.breaker, thread + offsets.support
        _write(one.pid, self._pending + 4, path)
        _write(one.pid, self._pending, struct.pack("<i", 1))

    def retry(self) -> None:
        """Make the main thread check for the request.  To be repeated: its own write to the same word may undo ours."""
        if struct.unpack("<i", read_memory(self._pid, self._pending, 4))[0]:
            breaker = read_memory(self._pid, self._breaker, 1)[
                0
            ]  # its low byte alone: other bits are written by others
            _write(self._pid, self._breaker, bytes([breaker | _PLEASE_STOP]))
            wake.loops(self._pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Withdraw the request: the process would print an error about a file that is gone."""
        with contextlib.suppress(OSError):
            _write(self._pid, self._pending, struct.pack("<i", 0))


def _word(pid: int, address: int) -> int:
    return int(struct.unpack("<Q", read_memory(pid, address, 8))[0])


def _write(pid: int, address: int, data: bytes) -> None:
    buffer = ctypes.create_string_buffer(data, len(data))
    ours, its = _Vector(ctypes.addressof(buffer), len(data)), _Vector(address, len(data))
    _libc.process_vm_writev.restype = ctypes.c_ssize_t
    done = _libc.process_vm_writev(pid, ctypes.byref(ours), 1, ctypes.byref(its), 1, 0)
    if done != len(data):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
