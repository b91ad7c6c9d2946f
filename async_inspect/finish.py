"""The recordings after their program's end: what only somebody outside can know.

Knows the header's fields and how recordings are named.  Does not read events.
"""

import os
import struct
from collections.abc import Collection
from pathlib import Path

from async_inspect import events as ev


def recordings(folder: Path) -> set[Path]:
    """The recordings in this folder."""
    return set(folder.glob("*.rec"))


def root(found: Collection[Path], pid: int) -> Path | None:
    """Of one run's recordings the one that its reports are about: the target's own.

    A program that execs another leaves two with its pid: the later one is what it became.  A command that is no Python
    itself (make, a shell) leaves none: then it is the first of its children.
    """
    own = [path for path in found if is_of(path, pid)]
    return max(own, key=_began) if own else min(found, key=_began, default=None)


def is_of(path: Path, pid: int) -> bool:
    """Whether this recording is of the process with this pid."""
    return path.stem.split("-")[1:2] == [str(pid)]


def note_end(path: Path, ended_ns: int) -> None:
    """Write the program's end into the recording, unless it did so itself."""
    try:
        with open(path, "r+b", buffering=0) as file:
            fd = file.fileno()
            if _header(fd)["end_ns"] == 0:
                os.pwrite(fd, ended_ns.to_bytes(8, "little"), ev.END_NS_OFFSET)
                os.pwrite(fd, ev.CLOSED_OUTSIDE.to_bytes(4, "little"), ev.STATE_OFFSET)
    except (OSError, ValueError):
        pass  # a recording without its end is still one


def _header(fd: int) -> dict[str, int]:
    raw = os.pread(fd, struct.calcsize(ev.HEADER_FORMAT), 0)
    if not raw.startswith(ev.MAGIC) or len(raw) < struct.calcsize(ev.HEADER_FORMAT):
        raise ValueError("not a recording")
    return dict(zip(ev.HEADER_FIELDS[1:], struct.unpack(ev.HEADER_FORMAT, raw)[1:], strict=True))


def _began(path: Path) -> int:
    try:
        with open(path, "rb", buffering=0) as file:
            return _header(file.fileno())["start_ns"]
    except (OSError, ValueError):
        return 0
