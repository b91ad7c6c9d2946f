"""The recordings after their program's end: what only somebody outside can put right.

Knows the header's fields and where a recording's last slot is.  Does not read events.  A recording is never cut while
anybody may still map it.
"""

import contextlib
import fcntl
import os
import struct
from collections.abc import Collection
from pathlib import Path

from async_inspect import events as ev

BLOCK = 1 << 20


def recordings(folder: Path) -> set[Path]:
    """The recordings in this folder."""
    return set(folder.glob("*.rec"))


def root(found: Collection[Path], pid: int) -> Path | None:
    """Of one run's recordings the one that its reports are about: the target's own.

    A program that execs another leaves two with its pid: the later one is what it became.  A command that is no Python
    itself (make, a shell) leaves none: then it is the first of its children.
    """
    own = [path for path in found if path.name.split("-")[1].removesuffix(".rec") == str(pid)]
    if own:
        return max(own, key=_began)
    return min(found, key=_began, default=None)


def finish(path: Path, ended_ns: int = 0) -> None:
    """Cut off what was reserved and not used; note the end, if it was seen and the program did not say it itself."""
    with contextlib.suppress(OSError, ValueError, struct.error), open(path, "r+b", buffering=0) as file:
        fd = file.fileno()
        header = _header(fd)
        if ended_ns and not header["end_ns"]:
            os.pwrite(fd, ended_ns.to_bytes(8, "little"), ev.END_NS_OFFSET)
            os.pwrite(fd, ev.CLOSED_OUTSIDE.to_bytes(4, "little"), ev.STATE_OFFSET)
        if _nobody_else_has(fd):
            end = _end_of_slots(fd, header["header_size"])
            if end < os.fstat(fd).st_size:
                os.ftruncate(fd, end)


def _end_of_slots(fd: int, header_size: int) -> int:
    """Where the last used slot ends: a slot's last byte is its kind, which is never 0, and all behind it is zero."""
    at = os.fstat(fd).st_size
    while at > header_size:
        begin = max(header_size, at - BLOCK)
        used = os.pread(fd, at - begin, begin).rstrip(b"\0")
        if used:  # what was begun and not finished has its last byte elsewhere, and is cut with the rest
            return header_size + (begin + len(used) - header_size) // ev.RECORD_SIZE * ev.RECORD_SIZE
        at = begin
    return header_size


def _nobody_else_has(fd: int) -> bool:
    """Whether no process has the file open or mapped: the kernel gives a write lease on no other terms."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except (OSError, AttributeError):  # somebody has, or this file system knows no leases: then it stays as it is
        return False
    return True


def _header(fd: int) -> dict[str, int]:
    fields = struct.unpack(ev.HEADER_FORMAT, os.pread(fd, struct.calcsize(ev.HEADER_FORMAT), 0))
    if fields[0] != ev.MAGIC:
        raise ValueError("not a recording")
    return dict(zip(ev.HEADER_FIELDS[1:], fields[1:], strict=True))


def _began(path: Path) -> int:
    try:
        with open(path, "rb", buffering=0) as file:
            return _header(file.fileno())["start_ns"]
    except (OSError, ValueError, struct.error):
        return 0
