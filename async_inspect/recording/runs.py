"""Where recordings lie, and which of them are one run: a program with all the processes that came of it.

Knows run ids, and which process started which.  Reads no events, and needs no numpy: whoever is about to fork may ask.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ..errors import USAGE, UserError
from .header import FOLDER, SUFFIX, Head, head, number


def heads(paths: Iterable[Path]) -> list[Head]:
    """Of those that are recordings, in the order in which they began."""
    found = []
    for path in paths:
        try:
            found.append(head(path))
        except UserError:
            continue
    return sorted(found, key=lambda one: (one.header.start_ns, one.path))


def run_at(place: str | os.PathLike[str]) -> list[Head]:
    """The recordings that are meant by a path, in the order in which they began: a file is that one alone; a folder (in
    which recordings lie, or that ``attach -o`` was given) its newest run, with all its processes.

    Where no run is named (below ``env``, or a program that records itself) it is a process with all that came from it.
    UserError: nothing there, not a recording, of a newer version, can't be read.
    """
    path = Path(place)
    if not os.path.isdir(path):  # Path's raises for a name that is too long, or behind a folder that is closed to us
        return [head(path)]
    folder = path / FOLDER if os.path.isdir(path / FOLDER) else path
    found = heads(folder.glob(f"*{SUFFIX}"))
    if not found:
        raise UserError(f"{place}: no recording there")
    runs: dict[str, list[Head]] = defaultdict(list)
    for one in found:
        runs[one.run].append(one)
    if unnamed := runs.pop("", None):
        families = {family[0].path: family for family in _families(unnamed)}
        runs[""] = families[_newest([family[0] for family in families.values()]).path]
    return max(runs.values(), key=lambda run: run[0].header.start_unix_ns)


def _families(heads: Sequence[Head]) -> list[list[Head]]:
    """Recordings, in the order in which they began, by who started whom while it was recorded."""
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
    """Those of a run that are of these processes; none: all.  UserError: one of them isn't there."""
    there = dict.fromkeys(one.header.pid for one in run)
    if missing := set(pids) - set(there):
        raise UserError(f"no process {min(missing)} in this run; there are {', '.join(map(str, there))}", USAGE)
    return [one for one in run if not pids or one.header.pid in pids]


def root(run: Sequence[Head]) -> Head:
    """Of recordings that of the process which all others come from: of those whose parents aren't recorded the first.

    Where they are of several runs it is the newest.  A run is over when that process has ended: what began before
    (below a shell, say) is part of it.  A program that execs another leaves two recordings with its pid: the later one
    is what it became.
    """
    pids = {one.header.pid for one in run}
    return _newest([one for one in run if _parent(one) not in pids - {one.header.pid}] or run)


def _newest(tops: Sequence[Head]) -> Head:
    """Of these, none of which comes from another, that of the newest run."""
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
