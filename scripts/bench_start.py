"""What starting the tool costs, and ending a run: two tables of ``scripts/bench``.

Knows the commands, the limits and what a format says beforehand of itself.  CPU times, of the tool and what it starts.
"""

import inspect
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator

from scripts.bench_loads import BIN, LOADS, PYTHON

STARTS = {  # CPU seconds at most; 0: no limit
    "version": 0.12,
    "attach -q -f json -c pass": 0.33,
    "attach -c pass": 0,  # with all that it writes by itself
}
START_HEAD = ["command", "CPU", "of which Python's own start", "target"]
US_AN_EVENT = {"json": 3, "csv:events": 3, "chrome": 8, "perfetto": 8}  # at most
FORMATS_HEAD = ["of", "CPU", "µs an event", "MB", "told beforehand", "target"]
TOOL = f"{BIN}/async-inspect"


def start_rows(rounds: int) -> Iterator[list[str]]:
    """Each command beside a Python that does nothing, in alternation.  Their first run, which may compile, is not
    counted."""
    for words, target in STARTS.items():
        ours, bare = [], []
        with tempfile.TemporaryDirectory() as folder:
            for number in range(rounds + 1):
                both = _cpu([TOOL, *words.split()], folder), _cpu([PYTHON, "-c", "pass"], folder)
                if number:
                    ours.append(both[0])
                    bare.append(both[1])
        median = statistics.median(ours)
        limit = _limit(median, target, "s") if target else ""
        yield [f"`async-inspect {words}`", f"{median:.3f} s", f"{statistics.median(bare):.3f} s", limit]


def _cpu(command: list[str], folder: str) -> float:
    """The CPU seconds of a command and of what it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env={**os.environ, "ASYNC_INSPECT_CORE": "c"}, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def format_rows(size: int) -> Iterator[list[str]]:
    """What reading a recording of await chains takes, then what each format of it does."""
    from async_inspect import api
    from async_inspect.formats import FORMATS, writing

    for row in FORMATS.values():
        inspect.signature(row.write)  # imports it: that is not counted

    with tempfile.TemporaryDirectory() as folder:
        command = [TOOL, "attach", "-q", "-f", "folded", "-o", folder, str(LOADS / "await_chains.py"), str(size)]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, check=True)
        start = time.process_time()
        trace = api.load(folder)
        reading, events = time.process_time() - start, len(trace.events)
        yield [f"reading {events:,} events", f"{reading:.2f} s", f"{reading / events * 1e6:.2f}", "", "", ""]
        for row in FORMATS.values():
            start = time.process_time()
            written = sum(map(len, writing.chunks(trace, row.name)))
            seconds = time.process_time() - start
            each = seconds / events * 1e6
            limit = _limit(each, US_AN_EVENT[row.name], "µs") if row.name in US_AN_EVENT else ""
            if row.name == "html":
                limit = _limit(seconds, reading / 2, "s")
            told = row.estimate(trace) if row.estimate else None
            said = f"{told.bytes / 1e6:.1f} MB, {told.us / 1e6:.2f} s" if told else ""
            yield [row.name, f"{seconds:.2f} s", f"{each:.2f}", f"{written / 1e6:.1f}", said, limit]


def _limit(is_: float, most: float, unit: str) -> str:
    return f"≤ {most:.3g} {unit} {'✓' if is_ <= most else '✗'}"
