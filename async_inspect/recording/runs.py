"""Finding recordings, and which of them belong to one run: a program with all its child processes.

Knows run ids, and which process started which.  Reads no events and imports no numpy, so it is safe before a fork.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ..errors import USAGE, UserError
from .header import FOLDER, SUFFIX, Head, head, number


def heads(paths: Iterable[Path]) -> list[Head]:
    """The heads of those paths that are recordings, in the order in which they began."""
    found = []
    for path in paths:
        try:
            found.append(head(path))
        except UserError:
            continue
    return sorted(found, key=lambda one: (one.header.start_ns, one.path))


def run_at(place: str | os.PathLike[str]) -> list[Head]:
    """The recordings that a path stands for, in the order in which they began: a file for itself alone; a folder (one
    of recordings, or that of ``attach -o``) for its newest run, with all its processes.

    Recordings without a run id (made under ``env``, or by a program that records itself) are grouped by parent pid.
    UserError: nothing there, not a recording, of a newer version, can't be read.
    """
    path = Path(place)
    if not os.path.isdir(path):  # Path's raises for a name that is too long, or behind a folder that is closed to us
        return [head(path)]
    folder = path / FOLDER if os.path.isdir(path / FOLDER) else path
    found = heads(folder.glob(f"*{SUFFIX}"))
    if not found:
        logs = sorted(folder.glob("*.log"))
        raise UserError(f"{place}: no recording there" + (f"; why, says {logs[-1]}" if logs else ""))
    runs: dict[str, list[Head]] = defaultdict(list)
    for one in found:
        runs[one.run].append(one)
    if unnamed := runs.pop("", None):
        families = {family[0].path: family for family in _families(unnamed)}
        runs[""] = families[_newest([family[0] for family in families.values()]).path]
    return max(runs.values(), key=lambda run: run[0].header.start_unix_ns)


def _families(heads: Sequence[Head]) -> list[list[Head]]:
    """Recordings (in the order in which they began) grouped into process trees: each child with its parent's."""
    families: list[list[Head]] = []
    last: dict[int, tuple[Head, list[Head]]] = {}  # of each pid the last, and its family
    for one in heads:
        became = last.get(one.header.pid)  # by exec: nobody saw the first one's end
        if became and (became[0].header.end_ns or _parent(became[0]) != _parent(one)):
            became = None
        above = last.get(_parent(one))
        if above and 0 < above[0].header.end_ns < one.header.start_ns:
            above = None
        if found := became or above:
            family = found[1]
        else:
            family = []
            families.append(family)
        family.append(one)
        last[one.header.pid] = one, family
    return families


def of_processes(run: Sequence[Head], pids: Collection[int]) -> list[Head]:
    """The recordings of these processes; all where ``pids`` is empty.  UserError: one of them isn't in the run."""
    pids_of_run = dict.fromkeys(one.header.pid for one in run)
    if missing := set(pids) - set(pids_of_run):
        raise UserError(f"no process {min(missing)} in this run; there are {', '.join(map(str, pids_of_run))}", USAGE)
    return [one for one in run if not pids or one.header.pid in pids]


def root_recording(run: Sequence[Head]) -> Head:
    """The root process's recording: the first of those whose parents aren't recorded, of the newest run.

    A program that execs another leaves two recordings with its pid: the later one counts.
    """
    pids = {one.header.pid for one in run}
    return _newest([one for one in run if _parent(one) not in pids - {one.header.pid}] or run)


def _newest(tops: Sequence[Head]) -> Head:
    """Of root recordings, that of the newest run.  A run is over when its root process has ended: what began before
    that (below a shell, say) is part of it."""
    chosen, *others = sorted(tops, key=lambda one: one.header.start_unix_ns)
    for one in others:
        # Where nobody saw the end, the file's last change stands in for it.
        first = chosen.header
        ended = first.end_ns - first.start_ns + first.start_unix_ns if first.end_ns else _changed(chosen.path)
        if one.header.pid == first.pid or (not one.run and one.header.start_unix_ns > ended):
            chosen = one
    return chosen


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # it is gone by now
        return 0


def _parent(one: Head) -> int:
    return number(one.first("ppid"))
