"""The loads of ``bench.py`` with what recording them may cost, and the tools that it compares.

A limit is for one of two kinds of Python: as one builds it oneself, or optimised (``--enable-optimizations``), as
distributions ship it: there the program is faster, so the same cost weighs more.
"""

import importlib.util
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

LOADS = Path(__file__).resolve().parent.parent / "fixtures" / "bench"
SCRIPTS = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
PYTHON = sys.executable
# Debian optimises in its own way, past configure.
OPTIMISED = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "") or sys.base_prefix == "/usr"


class Limits(NamedTuple):
    """At most so many times the program bare, at either detail, all sources on."""

    calls: float
    awaits: float


class Load(NamedTuple):
    title: str
    file: str
    small: int  # its size for --quick, and for counting instructions
    plain: Limits
    optimised: Limits
    by_cpu: bool = False  # what counts is the CPU time of the process, not how long it takes

    @property
    def limits(self) -> Limits:
        return self.optimised if OPTIMISED else self.plain


class Tool(NamedTuple):
    title: str
    command: Callable[[str], list[str]]  # what comes before the program, given a folder for what the tool writes
    core: str = ""


_RAISING = 1.03 if sys.version_info >= (3, 15) else 1.10  # since 3.15 exceptions of plain code are heard no more


def _load(title: str, file: str, small: int, *limits: tuple[float, float], by_cpu: bool = False) -> Load:
    """With limits for Pythons as built, and for optimised ones, if those are others."""
    return Load(title, file, small, Limits(*limits[0]), Limits(*limits[-1]), by_cpu)


TABLE = [
    _load("await chains of depth 6 that only yield", "await_chains.py", 10, (1.48, 1.20), (1.55, 1.22)),
    _load("coroutine calls that never suspend", "coroutine_calls.py", 5000, (1.65, 1.27), (1.85, 1.27)),
    _load("queues with locks", "queues_and_locks.py", 50, (1.38, 1.22), (1.42, 1.25)),
    _load("short tasks: made, sleep(0), end", "short_tasks.py", 5, (1.35, 1.22), (1.45, 1.28)),
    _load("synchronous CPU work in a coroutine", "synchronous.py", 5000, (1.02, 1.02)),
    _load("synchronous code that raises and catches", "exceptions.py", 5000, (_RAISING, _RAISING)),
    _load("aiohttp, server and clients in one process: CPU", "aiohttp_shop.py", 4, (1.10, 1.05), by_cpu=True),
    _load("FastAPI under uvicorn: the server's CPU", "fastapi_service.py", 160, (1.10, 1.04), by_cpu=True),
]


def attach(folder: str, detail: str = "calls") -> list[str]:
    ours = [f"{BIN}/async-inspect", "attach", "--quiet", "--python", PYTHON, "--detail", detail]
    return [*ours, "-f", "folded", "-o", folder]


def floor(folder: str) -> list[str]:
    """C callbacks that do nothing, on the same events."""
    built = Path(folder) / "floor.so"
    include = sysconfig.get_path("include")
    command = ["cc", "-O2", "-shared", "-fPIC", f"-I{include}", str(SCRIPTS / "bench_floor.c"), "-o", str(built)]
    subprocess.run(command, check=True)
    return [PYTHON, str(SCRIPTS / "bench_floor.py"), str(built)]


BARE = Tool("bare", lambda _: [PYTHON])
OURS = [
    Tool("calls (C)", attach, "c"),
    Tool("awaits (C)", lambda folder: attach(folder, "awaits"), "c"),
]
TWIN = Tool("calls (Python)", attach, "python")
FLOOR = Tool("floor", floor)
_PEERS = {
    "viztracer": lambda folder: [
        f"{BIN}/viztracer", "--quiet", "--log_async", "-o", f"{folder}/viztracer.json", "--",
    ],
    "yappi": lambda folder: [PYTHON, "-m", "yappi", "-c", "wall", "-f", "pstat", "-o", f"{folder}/yappi"],
    "cProfile": lambda folder: [PYTHON, "-m", "cProfile", "-o", f"{folder}/cprofile"],
    "pyinstrument": lambda folder: [PYTHON, "-m", "pyinstrument", "-o", f"{folder}/pyinstrument.txt"],
    "profiling.sampling": lambda folder: [
        PYTHON, "-m", "profiling.sampling", "run", "--async-aware", "--collapsed", "-o", f"{folder}/stacks.txt",
    ],
}  # fmt: skip


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


PEERS = [Tool(name, command) for name, command in _PEERS.items() if _is_there(name)]


def environment(tool: Tool) -> dict[str, str]:
    """Each run finds the same hash seed: the same work, in the same order."""
    return {**os.environ, "PYTHONHASHSEED": "0"} | ({"ASYNC_INSPECT_CORE": tool.core} if tool.core else {})
