"""How much memory there is to be had: of the machine, of a container, of a limit that was set.

Knows Linux's files about that; where they aren't there, nothing is known.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_ADDRESSES: Final = "Max address space "
_NO_LIMIT: Final = 1 << 60  # version 1 writes a number that is more


def available(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int | None:
    """Bytes that this process can still have, swap space among them; None: not known."""
    return min((max(some, 0) for some in _limits(proc, cgroups)), default=None)


def _limits(proc: Path, cgroups: Path) -> Iterator[int]:
    known = dict(line.split(":", 1) for line in _lines(proc / "meminfo") if ":" in line)
    machine = [_number(known.get(name, "").removesuffix("kB")) for name in ("MemAvailable", "SwapFree")]
    if machine[0] is not None:
        yield (machine[0] + (machine[1] or 0)) * 1024
    for line in _lines(proc / "self/cgroup"):
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0":
            yield from _of_groups(cgroups, path, ("memory.max", "memory.current"))
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            yield from _of_groups(cgroups / "memory", path, names)
    of_process = dict(line.split(":", 1) for line in _lines(proc / "self/status") if ":" in line)
    size = _number(of_process.get("VmSize", "").removesuffix("kB"))
    for line in _lines(proc / "self/limits"):
        most = _number(line.removeprefix(_ADDRESSES).split()[0]) if line.startswith(_ADDRESSES) else None
        if most is not None and size is not None:
            yield most - size * 1024


def _of_groups(root: Path, path: str, names: tuple[str, str]) -> Iterator[int]:
    """What is left to a group and to all above it.  Its cache of files counts as used, and can be had all the same."""
    group = root / path.strip("/")
    for place in (group, *group.parents):
        most, used = (_number("".join(_lines(place / name))) for name in names)
        if most is not None and used is not None and most < _NO_LIMIT:
            kept = dict(line.split(" ", 1) for line in _lines(place / "memory.stat") if " " in line)
            cache = _number(kept.get("inactive_file", kept.get("total_inactive_file", ""))) or 0
            yield most - used + cache
        if place == root:
            return


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("ascii", "replace").splitlines()
    except OSError:
        return []


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isdecimal() else None
