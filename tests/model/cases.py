"""Cases in which it is known why a line waits, as one program; and what a trace of it says.

A case is the body of a coroutine function.  Its line that ends in ``# here`` waits for what the case is filed under:
a reason, or several in which it waits one after the other ("DNS, connect").
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

from async_inspect import Trace
from async_inspect.model.reasons import reasons

from ..tools import ROOT, TARGET, TOOL, run

type Cases = Mapping[str, Mapping[str, str]]  # reason → what → body

RUN = """
def run():
    import inspect, sys
    for case in [value for name, value in list(globals().items()) if name.startswith("case_")]:
        asyncio.run(case())

if __name__ == "__main__":
    run()
"""


def names(cases: Cases) -> list[tuple[str, str]]:
    return [(reason, what) for reason, some in cases.items() for what in some]


def program(prelude: str, cases: Cases) -> str:
    """The program that runs all of these, each in an event loop of its own."""
    bodies = (body for some in cases.values() for body in some.values())
    functions = (f"async def case_{number}():\n    {body}\n" for number, body in enumerate(bodies))
    return "\n".join(["import asyncio", prelude, *functions, RUN])


def record(folder: Path, prelude: str, cases: Cases, *arguments: str, core: str = "") -> Trace:
    """The trace of the program that runs all of these."""
    (folder / "program.py").write_text(program(prelude, cases), encoding="utf-8")
    command = [*TOOL, "attach", "--python", TARGET, "--core", core, "--quiet", "-f", "folded", "program.py", *arguments]
    traced = run(command, cwd=folder)
    assert traced.status == 0, traced.stderr
    return traced.trace


def found(trace: Trace, prelude: str, cases: Cases) -> dict[tuple[str, str], set[str]]:
    """The reasons that the trace of that program has for the line of each case."""
    text = program(prelude, cases).split("\n")
    lines = [number for number, line in enumerate(text, 1) if line.endswith("# here")]
    case_of = {f"program.py:{line}": case for line, case in zip(lines, names(cases), strict=True)}
    result: dict[tuple[str, str], set[str]] = {case: set() for case in case_of.values()}
    for why, location in zip(reasons(trace), trace.awaits.location.tolist(), strict=True):
        if case := case_of.get(trace.place(location) or ""):
            result[case].add(why)
    return result


def of_tasks(trace: Trace) -> dict[str, set[str]]:
    """The reasons for which tasks of each kind (the root's qualified name) waited."""
    kinds = [task.kind_name for task in trace.tasks]
    result: dict[str, set[str]] = {}
    for why, task in zip(reasons(trace), trace.awaits.task.tolist(), strict=True):
        result.setdefault(kinds[task - 1], set()).add(why)
    return result


def said(filed: str) -> set[str]:
    """What a case is filed under, as a set of reasons."""
    return set(filed.split(", "))


def every(*parts: Iterable[str]) -> set[str]:
    return {one for part in parts for filed in part for one in said(filed)}


# Compiled and not imported: a package's modules may want what isn't installed.
LIST = """
import importlib.util, json, pathlib, sys

def coroutines(code):
    for inner in code.co_consts:
        if hasattr(inner, "co_qualname"):
            yield from [inner.co_qualname] * bool(inner.co_flags & 0x3A0)  # any kind of generator, too
            yield from coroutines(inner)

spec = importlib.util.find_spec(sys.argv[1])
folder = pathlib.Path(spec.origin).parent if spec else sys.exit(3)
found = {
    path.relative_to(folder).as_posix(): list(coroutines(compile(path.read_bytes(), path, "exec")))
    for path in folder.rglob("*.py")
}
print(json.dumps([found, sys.version_info[:2]]))
"""


@cache
def coroutines(package: str) -> tuple[dict[str, set[str]], tuple[int, int]]:
    """The coroutine functions of a package of the target, by file; and the target's version.  Skips if it has none."""
    done = run([TARGET, "-c", LIST, package], cwd=ROOT)
    if done.status == 3:
        pytest.skip(f"{package} is not installed for {TARGET}")
    assert done.status == 0, done.stderr
    files, (major, minor) = json.loads(done.stdout)
    return {file: set(names) for file, names in files.items()}, (major, minor)
