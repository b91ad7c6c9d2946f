"""Which programs are being recorded now, by this user: a small file for each, so that ``monitor`` finds them.

Knows where these lie and when one is stale.  Raises nothing: a program that can't be registered isn't
listed.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from async_inspect.recording import closing
from async_inspect.support import files, processes

MOST = 1 << 20  # bytes of one of its files


class Run(NamedTuple):
    """A program that is being recorded."""

    pid: int
    began: str  # as the kernel counts, so that another process of this pid is another
    folder: Path  # where its recordings lie
    title: str


def place(environ: Mapping[str, str]) -> Path:
    """The folder of the list."""
    state = environ.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else Path(environ.get("HOME") or "/") / ".local" / "state"
    return base / "async-inspect" / "running"


def lister(environ: Mapping[str, str], folder: Path, title: str) -> tuple[Callable[[int], None], Callable[[], None]]:
    """What puts a program on the list once its pid is known, and what takes it off."""
    mine: list[Path] = []

    def put(pid: int) -> None:
        began = processes.began(pid)
        if not began:
            return
        try:
            path = files.private_folder(place(environ)) / f"{pid}-{began}"
            with files.replacing(path) as file:
                file.write(os.fsencode(f"{folder}\n{' '.join(title.split())}\n"))
            mine.append(path)
        except OSError:
            pass

    def take() -> None:
        for file in mine:
            try:
                file.unlink(missing_ok=True)
            except OSError:
                pass

    return put, take


def runs(environ: Mapping[str, str]) -> list[Run]:
    """The programs on the list, the newest first; what is stale is taken off."""
    found = []
    for file in place(environ).glob("*-*"):
        try:
            pid, _, began = file.name.partition("-")
            if not pid.isdecimal() or processes.began(int(pid)) != began or not began:
                file.unlink()
                continue
            folder, title = os.fsdecode(files.read(file, MOST)).split("\n")[:2]
            found.append((file.stat().st_mtime_ns, Run(int(pid), began, Path(folder), title)))
        except (OSError, ValueError):
            continue
    return [run for _, run in sorted(found, reverse=True)]


def recording(run: Run) -> Path | None:
    """Its recording, as soon as there is one."""
    found = [path for path in closing.recordings(run.folder) if closing.is_of(path, run.pid)]
    return closing.root(found, run.pid)
