"""Other processes of this machine: whether one is still the one that was meant.

Knows ``/proc``.  Where there is none, nobody says, and a process counts as not there.
"""

import os
import time
from pathlib import Path


def began(pid: int) -> str:
    """When a process began, as the kernel counts: another process of this pid is another.  "": there is none."""
    try:
        return _stat(pid)[19]
    except OSError:
        return ""


def still_runs(pid: int, recorded_unix_ns: int) -> bool:
    """Whether the process that began a recording then is there still, and not a younger one of its number."""
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
