"""The list of this user's programs that are being recorded: a small file for each, so that ``monitor`` finds them.

Knows where these files are and when one is stale.  Raises nothing: a program that can't be registered isn't listed.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from async_inspect.recording import closing
from async_inspect.support import files, processes

MOST = 1 << 20  # bytes of one of its files


class RunningProgram(NamedTuple):
    """A program that is being recorded."""

    pid: int
    began: str  # the kernel's start time: tells it from a later process with the same pid
    folder: Path  # where its recordings lie
    title: str


def place(environ: Mapping[str, str]) -> Path:
    """The folder of the list."""
    state = environ.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else Path(environ.get("HOME") or "/") / ".local" / "state"
    return base / "async-inspect" / "running"


def registration(
    environ: Mapping[str, str], folder: Path, title: str
) -> tuple[Callable[[int], None], Callable[[], None]]:
    """(register, unregister): the first puts a program on the list once its pid is known, the second takes it off."""
    files_: list[Path] = []

    def register(pid: int) -> None:
        began = processes.began(pid)
        if not began:
            return
        try:
            path = files.private_folder(place(environ)) / f"{pid}-{began}"
            with files.replacing(path) as file:
                file.write(os.fsencode(f"{folder}\n{' '.join(title.split())}\n"))
            files_.append(path)
        except OSError:
            pass

    def unregister() -> None:
        for file in files_:
            try:
                file.unlink(missing_ok=True)
            except OSError:
                pass

    return register, unregister


def running_programs(environ: Mapping[str, str]) -> list[RunningProgram]:
    """The programs on the list, the newest first; what is stale is taken off."""
    found = []
    for file in place(environ).glob("*-*"):
        try:
            pid, _, began = file.name.partition("-")
            if not pid.isdecimal() or processes.began(int(pid)) != began or not began:
                file.unlink()
                continue
            folder, title = os.fsdecode(files.read(file, MOST)).split("\n")[:2]
            found.append((file.stat().st_mtime_ns, RunningProgram(int(pid), began, Path(folder), title)))
        except (OSError, ValueError):
            continue
    return [run for _, run in sorted(found, reverse=True)]


def recording(run: RunningProgram) -> Path | None:
    """Its recording, as soon as there is one."""
    found = [path for path in closing.recordings(run.folder) if closing.is_of_process(path, run.pid)]
    return closing.own_recording(found, run.pid)
