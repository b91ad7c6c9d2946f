"""Identity of other processes: whether a pid still means the same process.

Knows ``/proc``.  Where there is none, a process counts as ended.
"""

import os
import time
from pathlib import Path


def began(pid: int) -> str:
    """A process's start time as the kernel counts it, which tells it from a later one with its pid; "": there is
    none."""
    try:
        return _stat(pid)[19]
    except OSError:
        return ""


def still_runs(pid: int, recorded_unix_ns: int) -> bool:
    """Whether the process that began a recording at this time still runs, and not a later one with its pid."""
    try:
        stat = _stat(pid)
        since, state = int(stat[19]), stat[0]
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return False
    age = uptime - since / os.sysconf("SC_CLK_TCK")
    return state not in "ZX" and time.time() - age <= recorded_unix_ns / 1e9 + 1


def _stat(pid: int) -> list[str]:
    """The fields after the command's name, which may hold anything: from the state on.  OSError: there is none."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
