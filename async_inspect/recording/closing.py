"""The recordings after their program's end: what only somebody outside can know.

Knows how recordings are named, and that processes may go on.  Does not read events.
"""

import os
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from async_inspect import events as ev
from async_inspect.errors import UserError
from async_inspect.recording.header import Head, head, read_header
from async_inspect.support.files import open_regular, read
from async_inspect.support.processes import still_runs

MAX_LOG = 1 << 24  # bytes
GRACE_SECONDS = 0.5  # for processes that end a moment after the first


def recordings(folder: Path) -> set[Path]:
    """The recordings in this folder."""
    return set(folder.glob("*.rec"))


def root(found: Collection[Path], pid: int) -> Path | None:
    """Of one run's recordings the target's own, which is shown while it runs.

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
        try:
            lines = read(log, MAX_LOG).decode("utf-8", "replace").splitlines()
        except OSError:  # somebody else's, or gone
            continue
        said = [line.partition(": ")[2] for line in lines if not line.startswith(" ")]  # "TIME pid PID: TEXT"
        told += [f"{text} (log: {log}, {said.count(text)}×)" for text in dict.fromkeys(said)]
    return told


def settle(run: Sequence[Head], ended_pid: int, ended_ns: int) -> list[Head]:
    """Put a run's recordings in order once its first process has ended, then; which processes run still.

    Those that are about to end, as that one did, get a moment for it.  When a process ended that is gone without a word
    nobody saw: that it is over is all that is noted.
    """
    until = time.monotonic() + GRACE_SECONDS
    own = [one for one in run if one.header.pid == ended_pid]
    if own:
        note_end(own[-1].path, ended_ns)
    going = [one for one in run if one not in own[-1:] and one.header.state == ev.RUNNING]
    while True:
        there = [
            one for one in going if one.header.pid != ended_pid and still_runs(one.header.pid, one.header.start_unix_ns)
        ]
        for one in going:
            if one not in there:
                note_end(one.path, 0)
        if not there or time.monotonic() > until:
            return there
        going = there
        time.sleep(0.01)


def note_end(path: Path, ended_ns: int) -> None:
    """Write the process's end into its recording, unless it did so itself; 0: it is over, nobody knows since when."""
    try:
        with open(open_regular(path, os.O_RDWR, follow=False), "r+b", buffering=0) as file:
            header, _ = read_header(file, path)
            if header.magic == ev.MAGIC and header.version and header.end_ns == 0:
                for at, data in (
                    (ev.END_NS_OFFSET, ended_ns.to_bytes(8, "little")),
                    (ev.STATE_OFFSET, ev.CLOSED_OUTSIDE.to_bytes(4, "little")),
                ):
                    file.seek(at)
                    file.write(data)
    except (OSError, UserError):
        pass  # a recording without its end is still one


def _began(path: Path) -> int:
    try:
        return head(path).header.start_ns
    except UserError:
        return 0
