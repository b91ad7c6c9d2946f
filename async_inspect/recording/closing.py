"""Closing recordings when their program has ended: its end, and its recorder's log, are seen from outside only.

Knows how recordings are named, and that child processes may outlive the program.  Does not read events.
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


def own_recording(found: Collection[Path], pid: int) -> Path | None:
    """The target's own recording among those of its run, given the target's pid.

    A program that execs another leaves two with its pid: the later one counts.  A command that is no Python itself
    (make, a shell) leaves none: then it is the recording of its first child.  ``runs.root_recording`` answers the same
    where nobody knows the pid.
    """
    own = [path for path in found if is_of_process(path, pid)]
    return max(own, key=_began) if own else min(found, key=_began, default=None)


def is_of_process(path: Path, pid: int) -> bool:
    """Whether this recording is of the process with this pid."""
    return path.stem.split("-")[1:2] == [str(pid)]


def logged_errors(folder: Path, pid: int) -> list[str]:
    """The errors in the log of this process's recorder: each once, with how often it occurs and in which file."""
    errors = []
    for log in sorted([*folder.glob(f"*-{pid}.log"), *folder.glob(f"{pid}.log")]):
        try:
            lines = read(log, MAX_LOG).decode("utf-8", "replace").splitlines()
        except OSError:  # somebody else's, or gone
            continue
        texts = [line.partition(": ")[2] for line in lines if not line.startswith(" ")]  # "TIME pid PID: TEXT"
        errors += [f"{text} (log: {log}, {texts.count(text)}×)" for text in dict.fromkeys(texts)]
    return errors


def close_recordings(run: Sequence[Head], ended_pid: int, ended_ns: int) -> list[Head]:
    """Note the ends of a run's processes once its first one has ended, at ``ended_ns``; the recordings that still grow.

    The others get GRACE_SECONDS to end, too.  Of a process that is gone and left no end time, only that it is over is
    noted: nobody saw when.
    """
    until = time.monotonic() + GRACE_SECONDS
    own = [one for one in run if one.header.pid == ended_pid]
    if own:
        note_end(own[-1].path, ended_ns)
    running = [one for one in run if one not in own[-1:] and one.header.state == ev.RUNNING]
    while True:
        still_running = [
            one
            for one in running
            if one.header.pid != ended_pid and still_runs(one.header.pid, one.header.start_unix_ns)
        ]
        for one in running:
            if one not in still_running:
                note_end(one.path, 0)
        if not still_running or time.monotonic() > until:
            return still_running
        running = still_running
        time.sleep(0.01)


def note_end(path: Path, ended_ns: int) -> None:
    """Write the process's end into its recording, unless it did so itself; 0: it is over, but the time is not known."""
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
