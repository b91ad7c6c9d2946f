"""What reading a recording takes, from its file to the Trace: a table of ``scripts/bench``.

Knows the loads and the limits.  Each recording is read three times, in processes of their own; the least CPU time
counts, since other work on a machine only adds to it.  Run as a module, it reads one.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from scripts.bench_loads import BIN, LOADS, PYTHON

READING_HEAD = ["recording", "records", "records/s of CPU", "bytes a record", "ten times as many take"]
ROUNDS: Final = 3
LEAST_A_SECOND: Final = 3_000_000
MOST_BYTES: Final = 80
MOST_TIMES: Final = 11


class Reading(NamedTuple):
    records: int
    seconds: float
    memory: int  # bytes at its peak, beyond what a recording without records takes


_BOTH: Final = ("calls", "awaits")
LOADS_READ: Final = (  # its size (ten times as much is read, too), and at which details there is much to read
    ("coroutine_calls.py", 160_000, ("calls",)),
    ("await_chains.py", 300, _BOTH),
    ("queues_and_locks.py", 700, _BOTH),
    ("short_tasks.py", 200, _BOTH),
    ("aiohttp_shop.py", 48, _BOTH),
)


def reading_rows(quick: bool) -> Iterator[list[str]]:
    """A row for each load at each detail."""
    for file, size, details in LOADS_READ:
        for detail in details:
            few, many = (_reading(file, detail, max(size * times // (50 if quick else 1), 1)) for times in (1, 10))
            speed, each = many.records / many.seconds, many.memory / many.records
            longer = many.seconds / few.seconds * few.records * 10 / many.records
            yield [
                f"`{file}` at {detail}",
                f"{many.records / 1e6:.1f} M",
                f"{speed / 1e6:.1f} M {_verdict(speed >= LEAST_A_SECOND)}",
                f"{each:.0f} {_verdict(each <= MOST_BYTES)}",
                f"{longer:.1f} times as long {_verdict(longer <= MOST_TIMES)}",
            ]


def _reading(file: str, detail: str, size: int) -> Reading:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _record(place / "empty", detail, "-c", "pass")
        _record(place / "load", detail, str(LOADS / file), str(size))
        found = [_apart(place) for _ in range(ROUNDS)]
    return min(found, key=lambda one: one.seconds)


def _record(folder: Path, detail: str, *program: str) -> None:
    tool = [f"{BIN}/async-inspect", "attach", "-q", "--python", PYTHON, "--max-size", "8GB", "--detail", detail]
    command = [*tool, "-f", "folded", "-o", str(folder), *program]
    subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, check=True)


def _apart(folder: Path) -> Reading:
    command = [f"{BIN}/python", "-m", "scripts.bench_reading", str(folder)]
    words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return Reading(int(words[0]), float(words[1]), int(words[2]))


def _verdict(met: bool) -> str:
    return "✓" if met else "✗"


def main() -> None:
    """Read the recording in a folder, after an empty one that has everything imported."""
    from async_inspect.model import load

    folder = Path(sys.argv[1])
    load(folder / "empty")
    before = resource.getrusage(resource.RUSAGE_SELF)
    trace = load(folder / "load")
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(trace.meta.records, seconds, (after.ru_maxrss - before.ru_maxrss) * 1024)


if __name__ == "__main__":
    main()
