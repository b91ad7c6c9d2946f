"""Source lines, shown beside the frames of a stack.

A recording names the file of each function, and may name any file.  Knows which files are shown: Python source that
has not changed since, and that the recording's owner can read as well, so that a recording by another user cannot make
us show a file of ours.
"""

import os
from functools import lru_cache

from ..support.files import open_regular

MOST = 2 << 20  # bytes of a file
SUFFIXES = (".py", ".pyw")
NOT_ON_A_DISK = ("/proc/", "/sys/", "/dev/")


def line(path: str, number: int, owner: int, since_ns: int) -> str:
    """Line ``number`` (from 1) of a file; "": it must not be shown, or there is none.

    ``owner``: the recording's uid.  ``since_ns``: when it began (Unix): a file that was changed later is not what ran.
    """
    lines = _lines(path, owner, since_ns)
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


@lru_cache(64)
def _lines(path: str, owner: int, since_ns: int) -> tuple[str, ...]:
    try:
        real = os.path.realpath(path)
        if not os.path.isabs(path) or real.startswith(NOT_ON_A_DISK):
            return ()
        with open(open_regular(real), "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size > MOST or status.st_mtime_ns > since_ns or not _may_read(real, status, owner):
                return ()
            data = file.read(MOST)
    except (OSError, ValueError):  # ValueError: no path at all
        return ()
    if not (real.endswith(SUFFIXES) or data.startswith(b"#!")) or b"\0" in data:
        return ()
    return tuple(data.decode("utf-8", "replace").split("\n"))


def _may_read(path: str, status: os.stat_result, owner: int) -> bool:
    """Whether that user may read this file: as its owner, or as everybody."""
    if status.st_uid == owner:
        return True
    above = path
    while (above := os.path.dirname(above)) != "/":
        if not os.stat(above).st_mode & 0o001:
            return False
    return bool(status.st_mode & 0o004)
