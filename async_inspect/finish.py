"""The recordings after their program's end: what only somebody outside can know.

Knows the header's fields and how recordings are named.  Does not read events.
"""

import struct
from collections.abc import Collection
from io import FileIO
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


def complaints(folder: Path, pid: int) -> list[str]:
    """What the recorder of this process wrote into its log, each but once, with how often and where."""
    told = []
    for log in sorted([*folder.glob(f"*-{pid}.log"), *folder.glob(f"{pid}.log")]):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        said = [line.partition(": ")[2] for line in lines if not line.startswith(" ")]  # "TIME pid PID: TEXT"
        told += [f"{text} (log: {log}, {said.count(text)}×)" for text in dict.fromkeys(said)]
    return told


def note_end(path: Path, ended_ns: int) -> None:
    """Write the program's end into the recording, unless it did so itself."""
    try:
        with open(path, "r+b", buffering=0) as file:
            if _header(file)["end_ns"] == 0:
                for at, data in (
                    (ev.END_NS_OFFSET, ended_ns.to_bytes(8, "little")),
                    (ev.STATE_OFFSET, ev.CLOSED_OUTSIDE.to_bytes(4, "little")),
                ):
                    file.seek(at)
                    file.write(data)
    except (OSError, ValueError):
        pass  # a recording without its end is still one


def _header(file: FileIO) -> dict[str, int]:
    raw = file.read(struct.calcsize(ev.HEADER_FORMAT))
    if not raw.startswith(ev.MAGIC) or len(raw) < struct.calcsize(ev.HEADER_FORMAT):
        raise ValueError("not a recording")
    return dict(zip(ev.HEADER_FIELDS[1:], struct.unpack(ev.HEADER_FORMAT, raw)[1:], strict=True))


def _began(path: Path) -> int:
    try:
        with open(path, "rb", buffering=0) as file:
            return _header(file)["start_ns"]
    except (OSError, ValueError):
        return 0
