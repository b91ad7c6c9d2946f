"""What recording costs: loads × tools, in time and in instructions; and what checks add to reading.

Every number is a ratio to the same program bare, run in alternation with the tools on this machine.  A load times its
own inner loop (``fixtures/bench``), so no tool's start-up and no report is counted.  Tools run from the environment of
the Python that runs this.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from async_inspect.tracer.sources import SOURCES
from scripts.bench_loads import (
    BARE,
    FLOOR,
    LOADS,
    OPTIMISED,
    OURS,
    PEERS,
    PYTHON,
    TABLE,
    TWIN,
    Load,
    Tool,
    attach,
    environment,
)
from scripts.bench_reading import READING_HEAD, reading_rows
from scripts.bench_start import FORMATS_HEAD, START_HEAD, format_rows, start_rows


class Sample(NamedTuple):
    seconds: float
    cpu: float
    memory_mb: float

    def of(self, load: Load) -> float:
        return self.cpu if load.by_cpu else self.seconds


def run(tool: Tool, load: Load, size: int | None) -> Sample:
    """One run of a load under a tool."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*tool.command(folder), str(LOADS / load.file), *([str(size)] if size else [])]
        done = subprocess.run(command, env=environment(tool), capture_output=True, text=True, check=False)
    found = re.findall(r"^(\d+\.\d+) (\d+\.\d+) (\d+\.\d+)$", done.stdout, re.MULTILINE)
    if done.returncode or not found:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-500:]}{done.stderr[-2000:]}"
        )
    return Sample(*map(float, found[-1]))


# --- time ------------------------------------------------------------------------------------------------------------


def time_row(load: Load, rounds: int, size: int | None) -> list[str]:
    """A row of the first table: in each round everything once, bare first and last."""
    tools = [FLOOR, *OURS, TWIN, *PEERS]
    ratios: dict[str, list[float]] = {tool.title: [] for tool in tools}
    bare, spread, memory = [], [], []
    for number in range(rounds):
        before = run(BARE, load, size)
        order = tools if number % 2 == 0 else tools[::-1]
        samples = {tool.title: run(tool, load, size) for tool in order}
        after = run(BARE, load, size)
        middle = (before.of(load) + after.of(load)) / 2
        bare += [before.of(load), after.of(load)]
        spread.append(after.of(load) / before.of(load))
        memory.append(samples[OURS[0].title].memory_mb - (before.memory_mb + after.memory_mb) / 2)
        for title, sample in samples.items():
            ratios[title].append(sample.of(load) / middle)
        print(f"  {load.file}: round {number + 1} of {rounds}", file=sys.stderr)
    medians = {title: statistics.median(values) for title, values in ratios.items()}
    limits = dict(zip((tool.title for tool in OURS), load.limits, strict=True))
    return [
        load.title,
        f"{statistics.median(bare) * 1000:.1f} ms",
        f"{min(spread):.2f} – {max(spread):.2f}",
        *(f"{medians[tool.title]:.2f}×{stated(medians[tool.title], limits.get(tool.title))}" for tool in tools),
        f"{statistics.median(memory):+.1f} MB",
    ]


def stated(value: float, limit: float | None) -> str:
    """A limit beside what it is of; nothing where there is none."""
    return "" if limit is None else f" (≤ {limit:g} {verdict(value <= limit)})"


def verdict(met: bool) -> str:
    return "✓" if met else "✗"


TIME_HEAD = [
    "load", "bare", "bare / bare", *(tool.title for tool in (FLOOR, *OURS, TWIN, *PEERS)), "memory at calls",
]  # fmt: skip


# --- what each source costs ----------------------------------------------------------------------------------------


def with_sources(*names: str, more: tuple[str, ...] = ("--slow-poll", "0")) -> Callable[[str], list[str]]:
    off = [word for name in SOURCES if name not in names for word in ("--without", name)]
    return lambda folder: [*attach(folder), *off, *more]


ALONE = [
    Tool("none", with_sources(), "c"),
    *(Tool(name, with_sources(name), "c") for name in SOURCES),
    Tool("watchdog", with_sources(more=()), "c"),
    Tool("all", with_sources(*SOURCES, more=()), "c"),
    Tool("all and --callees", with_sources(*SOURCES, more=("--callees",)), "c"),
]


def sources_row(load: Load, rounds: int, size: int | None) -> list[str]:
    """A row of the table of sources: each alone, then all, in rounds as above."""
    ratios: dict[str, list[float]] = {tool.title: [] for tool in ALONE}
    spread = []
    for number in range(rounds):
        before = run(BARE, load, size).of(load)
        order = ALONE if number % 2 == 0 else ALONE[::-1]
        seconds = {tool.title: run(tool, load, size).of(load) for tool in order}
        after = run(BARE, load, size).of(load)
        spread.append(after / before)
        for title, value in seconds.items():
            ratios[title].append(value * 2 / (before + after))
        print(f"  {load.file}: round {number + 1} of {rounds}", file=sys.stderr)
    medians = {title: statistics.median(values) for title, values in ratios.items()}
    return [
        load.title,
        f"{min(spread):.2f} – {max(spread):.2f}",
        *(f"{medians[tool.title]:.2f}×" for tool in ALONE),
    ]


SOURCES_HEAD = ["load", "bare / bare", *(tool.title for tool in ALONE)]


# --- instructions ----------------------------------------------------------------------------------------------------

# Runs the load as a program in a process that has just started; the first argument is the recording, or "".
ENTER = """
import contextlib, os, runpy, sys
recording, detail, program = sys.argv[1:4]
sys.argv = sys.argv[3:]
sys.path.insert(0, os.path.dirname(program))
import async_inspect
with async_inspect.trace(recording, detail=detail) if recording else contextlib.nullcontext():
    runpy.run_path(program, run_name="__main__")
"""


def instructions(load: Load, size: int, detail: str) -> int:
    """The instructions of one run under callgrind; without a detail, bare."""
    with tempfile.TemporaryDirectory() as folder:
        count, recording = f"{folder}/callgrind", f"{folder}/run.rec" if detail else ""
        program = ["-c", ENTER, recording, detail, str(LOADS / load.file), str(size)]
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={count}", PYTHON, *program]
        env = {**os.environ, "PYTHONHASHSEED": "0", "ASYNC_INSPECT_CORE": "c"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode or found is None:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return int(found[1])


def instructions_row(load: Load) -> list[str]:
    """Of bare's own, with the difference of two sizes, so that starting and ending don't count."""
    small, large = load.small, load.small * 3
    grown = {
        detail: instructions(load, large, detail) - instructions(load, small, detail)
        for detail in ("", "calls", "awaits")
    }
    print(f"  {load.file}: counted", file=sys.stderr)
    return [load.title, *(f"{grown[detail] / grown['']:.2f}×" for detail in ("calls", "awaits"))]


INSTRUCTIONS_HEAD = ["load", "instructions at calls", "at awaits"]


# --- bytes -----------------------------------------------------------------------------------------------------------

REQUESTS = {"aiohttp_shop.py": 32, "fastapi_service.py": 1}  # for each of a load's size
BYTES_HEAD = ["a request of", "bytes at calls", "records", "bytes at awaits", "records"]


def recorded(load: Load, size: int, detail: str) -> tuple[int, int]:
    """Bytes and records of the recording of one run."""
    import async_inspect

    with tempfile.TemporaryDirectory() as folder:
        command = [*attach(folder, detail), str(LOADS / load.file), str(size)]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, check=True)
        files = list(Path(folder, "recording").glob("*.rec"))
        return sum(file.stat().st_size for file in files), async_inspect.load(folder).meta.records


def bytes_row(load: Load) -> list[str]:
    """What one more request takes: the difference of two sizes."""
    cells, many = [load.title], load.small * 2 * REQUESTS[load.file]
    for detail in ("calls", "awaits"):
        (few, first), (more, last) = (recorded(load, size, detail) for size in (load.small, load.small * 3))
        cells += [f"{(more - few) / many:,.0f}", f"{(last - first) / many:.1f}"]
    return cells


# --- checks ----------------------------------------------------------------------------------------------------------


def checks_row(load: Load, rounds: int, size: int | None) -> list[str]:
    """What ``check`` adds to reading the recording of a load."""
    import async_inspect
    from async_inspect import checks

    with tempfile.TemporaryDirectory() as folder:
        command = [*attach(folder), str(LOADS / load.file), *([str(size)] if size else [])]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, check=True)
        seconds = []
        for _ in range(rounds):
            trace = async_inspect.load(folder)  # afresh: what it has found out it keeps
            start = time.perf_counter()
            found = checks.run(trace)
            seconds.append(time.perf_counter() - start)
    median, events = statistics.median(seconds), len(trace.events)
    million = median / events * 1_000_000
    many = (f"{million:.2f} s", f"≤ 1 s {verdict(million <= 1)}") if events >= MANY else ("too few to tell", "")
    return [load.title, f"{events:,}", f"{len(found):,}", f"{median * 1000:.0f} ms", *many]


MANY = 50_000  # events from which on the time for a million can be told
CHECKS_HEAD = ["load", "events", "findings", "all checks", "for a million events", "target"]


# --- tables ----------------------------------------------------------------------------------------------------------


def show(head: list[str], rows: Iterator[list[str]]) -> None:
    """A markdown table; each row as soon as it is known."""
    for cells in (head, ["---"] * len(head)):
        print(f"| {' | '.join(cells)} |")
    for cells in rows:
        print(f"| {' | '.join(cells)} |", flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small loads, one round: to see that it works")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--load", action="append", help="only this load, by its file name without .py")
    parser.add_argument(
        "--table",
        choices=("time", "sources", "checks", "bytes", "instructions", "start", "formats", "reading"),
        help="only this table",
    )
    chosen = parser.parse_args()
    loads = [load for load in TABLE if not chosen.load or load.file.removesuffix(".py") in chosen.load]
    rounds = 1 if chosen.quick else chosen.rounds
    kind = "optimised" if OPTIMISED else "not optimised"
    print(f"Python {sys.version.split()[0]} ({kind}), {os.cpu_count()} cores, medians of {rounds}\n")
    if chosen.table in (None, "time"):
        show(TIME_HEAD, (time_row(load, rounds, load.small if chosen.quick else None) for load in loads))
    if chosen.table in (None, "sources"):
        show(SOURCES_HEAD, (sources_row(load, rounds, load.small if chosen.quick else None) for load in loads))
    if chosen.table in (None, "checks"):
        show(CHECKS_HEAD, (checks_row(load, rounds, load.small if chosen.quick else None) for load in loads))
    if chosen.table in (None, "bytes"):
        show(BYTES_HEAD, (bytes_row(load) for load in loads if load.file in REQUESTS))
    if chosen.table in (None, "instructions"):
        # A service does more of its waiting the slower it runs, so it has no two equal counts.
        steady = [load for load in loads if load.file not in REQUESTS]
        show(INSTRUCTIONS_HEAD, (instructions_row(load) for load in steady))
    if chosen.table in (None, "start"):
        show(START_HEAD, start_rows(rounds))
    if chosen.table in (None, "formats"):
        show(FORMATS_HEAD, format_rows(100 if chosen.quick else 1000))
    if chosen.table in (None, "reading"):
        show(READING_HEAD, reading_rows(chosen.quick))


if __name__ == "__main__":
    main()
