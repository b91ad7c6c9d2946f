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

LOADS = Path(__file__).resolve().parent.parent / "fixtures" / "bench"
BIN = Path(sys.executable).parent
PYTHON = sys.executable


class Load(NamedTuple):
    title: str
    file: str
    target: float  # at most this, with the C core and no source but tasks
    size: int  # for --quick, and for counting instructions
    target_all: float = 0  # with all sources on; 0: none is set


class Tool(NamedTuple):
    title: str
    command: Callable[[str], list[str]]  # what comes before the program, given a folder for what the tool writes
    core: str = ""


class Sample(NamedTuple):
    seconds: float
    memory_mb: float


TABLE = [
    Load("await chains of depth 6 that only yield", "await_chains.py", 1.6, 10, 1.8),
    Load("coroutine calls that never suspend", "coroutine_calls.py", 1.8, 5000),
    Load("queues with locks", "queues_and_locks.py", 1.4, 50, 1.6),
    Load("synchronous CPU work in a coroutine", "synchronous.py", 1.0, 5000),
    Load("synchronous code that raises and catches", "exceptions.py", 1.15, 5000),
    Load("aiohttp demo, server and clients", "aiohttp_shop.py", 1.25, 4, 1.4),
]
BARE = Tool("bare", lambda _: [PYTHON])


def attach(folder: str) -> list[str]:
    return [f"{BIN}/async-inspect", "attach", "--quiet", "--python", PYTHON, "-f", "folded", "-o", folder]


TOOLS = [
    Tool("ours (C)", attach, "c"),
    Tool("ours (Python)", attach, "python"),
    Tool(
        "viztracer",
        lambda folder: [f"{BIN}/viztracer", "--quiet", "--log_async", "-o", f"{folder}/viztracer.json", "--"],
    ),
    Tool("yappi", lambda folder: [PYTHON, "-m", "yappi", "-c", "wall", "-f", "pstat", "-o", f"{folder}/yappi"]),
    Tool("cProfile", lambda folder: [PYTHON, "-m", "cProfile", "-o", f"{folder}/cprofile"]),
    Tool("pyinstrument", lambda folder: [PYTHON, "-m", "pyinstrument", "-o", f"{folder}/pyinstrument.txt"]),
]


def run(tool: Tool, load: Load, size: int | None) -> Sample:
    """One run of a load under a tool."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*tool.command(folder), str(LOADS / load.file), *([str(size)] if size else [])]
        # Each run finds the same hash seed: the same work, in the same order.
        env = {**os.environ, "PYTHONHASHSEED": "0"} | ({"ASYNC_INSPECT_CORE": tool.core} if tool.core else {})
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    found = re.findall(r"^(\d+\.\d+) (\d+\.\d+)$", done.stdout, re.MULTILINE)
    if done.returncode or not found:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-500:]}{done.stderr[-2000:]}"
        )
    return Sample(*map(float, found[-1]))


# --- time ------------------------------------------------------------------------------------------------------------


def time_row(load: Load, rounds: int, size: int | None) -> list[str]:
    """A row of the first table: in each round everything once, bare first and last."""
    ratios: dict[str, list[float]] = {tool.title: [] for tool in TOOLS}
    bare, spread, memory = [], [], []
    for number in range(rounds):
        before = run(BARE, load, size)
        order = TOOLS if number % 2 == 0 else TOOLS[::-1]
        samples = {tool.title: run(tool, load, size) for tool in order}
        after = run(BARE, load, size)
        middle = (before.seconds + after.seconds) / 2
        bare += [before.seconds, after.seconds]
        spread.append(after.seconds / before.seconds)
        memory.append(samples["ours (C)"].memory_mb - (before.memory_mb + after.memory_mb) / 2)
        for title, sample in samples.items():
            ratios[title].append(sample.seconds / middle)
        print(f"  {load.file}: round {number + 1} of {rounds}", file=sys.stderr)
    medians = {title: statistics.median(values) for title, values in ratios.items()}
    ours, half = medians["ours (C)"], 1 + (medians["viztracer"] - 1) / 2
    noise = max(*spread, 1 / min(spread))  # no target is finer than bare against bare
    return [
        load.title,
        f"{statistics.median(bare) * 1000:.1f} ms",
        f"{min(spread):.2f} – {max(spread):.2f}",
        *(f"{medians[tool.title]:.2f}×" for tool in TOOLS),
        f"≤ {load.target:g}× {verdict(ours <= max(load.target, noise))}",
        f"≤ {half:.2f}× {verdict(ours <= max(half, noise))}",
        f"{statistics.median(memory):+.1f} MB",
    ]


def verdict(met: bool) -> str:
    return "✓" if met else "✗"


TIME_HEAD = [
    "load", "bare", "bare / bare", *(tool.title for tool in TOOLS), "target", "half of what viztracer adds", "memory",
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
    Tool("all and --calls", with_sources(*SOURCES, more=("--calls",)), "c"),
]


def sources_row(load: Load, rounds: int, size: int | None) -> list[str]:
    """A row of the table of sources: each alone, then all, in rounds as above."""
    ratios: dict[str, list[float]] = {tool.title: [] for tool in ALONE}
    spread = []
    for number in range(rounds):
        before = run(BARE, load, size).seconds
        order = ALONE if number % 2 == 0 else ALONE[::-1]
        seconds = {tool.title: run(tool, load, size).seconds for tool in order}
        after = run(BARE, load, size).seconds
        spread.append(after / before)
        for title, value in seconds.items():
            ratios[title].append(value * 2 / (before + after))
        print(f"  {load.file}: round {number + 1} of {rounds}", file=sys.stderr)
    medians = {title: statistics.median(values) for title, values in ratios.items()}
    noise = max(*spread, 1 / min(spread))
    met = verdict(medians["all"] <= max(load.target_all, noise)) if load.target_all else ""
    return [
        load.title,
        f"{min(spread):.2f} – {max(spread):.2f}",
        *(f"{medians[tool.title]:.2f}×" for tool in ALONE),
        f"≤ {load.target_all:g}× {met}" if load.target_all else "",
    ]


SOURCES_HEAD = ["load", "bare / bare", *(tool.title for tool in ALONE), "target for all"]


# --- instructions ----------------------------------------------------------------------------------------------------

# Both run the load as a program in a process that has just started; the first argument is the recording, or "".
ENTER = """
import contextlib, os, runpy, sys
recording, program = sys.argv[1:3]
sys.argv = sys.argv[2:]
sys.path.insert(0, os.path.dirname(program))
import async_inspect
with async_inspect.trace(recording) if recording else contextlib.nullcontext():
    runpy.run_path(program, run_name="__main__")
"""


def instructions(load: Load, size: int, core: str) -> tuple[int, int]:
    """(instructions, callbacks) of one run under callgrind; without a core, bare."""
    with tempfile.TemporaryDirectory() as folder:
        count, recording = f"{folder}/callgrind", f"{folder}/run.rec"
        program = ["-c", ENTER, recording if core else "", str(LOADS / load.file), str(size)]
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={count}", PYTHON, *program]
        env = {**os.environ, "PYTHONHASHSEED": "0", "ASYNC_INSPECT_CORE": core or "c"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode or found is None:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return int(found[1]), callbacks(recording) if core else 0


def callbacks(recording: str) -> int:
    import async_inspect

    return async_inspect.load(recording).meta.callbacks


def instructions_row(load: Load) -> list[str]:
    """What one more event costs: the difference of two sizes, so that starting and ending don't count."""
    small, large = load.size, load.size * 3
    base = instructions(load, large, "")[0] - instructions(load, small, "")[0]
    row = [load.title]
    events = 0
    for core in ("c", "python"):
        (few, seen), (many, all_seen) = instructions(load, small, core), instructions(load, large, core)
        events = all_seen - seen
        row.append(f"{(many - few - base) / events:.0f}" if events else "no events")
    print(f"  {load.file}: counted", file=sys.stderr)
    return [*row, f"{events:,}"]


INSTRUCTIONS_HEAD = ["load", "instructions an event (C)", "(Python)", "events counted"]


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
    parser.add_argument("--table", choices=("time", "sources", "checks", "instructions"), help="only this table")
    chosen = parser.parse_args()
    loads = [load for load in TABLE if not chosen.load or load.file.removesuffix(".py") in chosen.load]
    rounds = 1 if chosen.quick else chosen.rounds
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, medians of {rounds}\n")
    if chosen.table in (None, "time"):
        show(TIME_HEAD, (time_row(load, rounds, load.size if chosen.quick else None) for load in loads))
    if chosen.table in (None, "sources"):
        show(SOURCES_HEAD, (sources_row(load, rounds, load.size if chosen.quick else None) for load in loads))
    if chosen.table in (None, "checks"):
        show(CHECKS_HEAD, (checks_row(load, rounds, load.size if chosen.quick else None) for load in loads))
    if chosen.table in (None, "instructions"):
        # The demo does more of its waiting the slower it runs, so it has no two equal counts.
        steady = [load for load in loads if load.file != "aiohttp_shop.py"]
        show(INSTRUCTIONS_HEAD, (instructions_row(load) for load in steady))


if __name__ == "__main__":
    main()
