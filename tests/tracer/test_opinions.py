"""What others say of the same programs: yappi, how often each coroutine was called; asyncio, where each task stands.

Both are asked from outside, about programs of ``fixtures/opinions``; compared is what both sides define alike.
"""

import json
import subprocess
import sys
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from async_inspect.model.trace import Trace

from ..tools import PROGRAMS, ROOT, TARGET, Attach, run

OPINIONS = ROOT / "fixtures" / "opinions"

pytestmark = [pytest.mark.e2e, pytest.mark.meaning]

# --- yappi: the number of calls --------------------------------------------------------------------------------------

# It knows a resumption from a call wherever a code object is flagged as a coroutine, an async generator or, by
# types.coroutine, a generator-based coroutine: there its ``ncall`` means what our calls mean.  (Of plain generators it
# counts every step.)  Neither counts what never began to run; both count what began by an exception thrown into it.
UNDER_YAPPI = """
import json, runpy, sys, yappi
path, program = sys.argv[1:]
yappi.set_clock_type("wall")
yappi.start()
try:
    runpy.run_path(program, run_name="__main__")
finally:
    yappi.stop()
    stats = [stat for stat in yappi.get_func_stats() if stat.module == program]
    with open(path, "w") as file:
        json.dump([(stat.name, stat.lineno, stat.ncall) for stat in stats], file)
"""
ASYNC = 0x80 | 0x100 | 0x200  # coroutine, generator-based coroutine, async generator

type Calls = Counter[tuple[str, int]]  # (function, first line)


def coroutines(code: types.CodeType) -> Iterator[tuple[str, int]]:
    if code.co_flags & ASYNC:
        yield code.co_qualname, code.co_firstlineno
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from coroutines(const)


@pytest.mark.parametrize(
    "program",
    [
        OPINIONS / "calls.py",
        *[PROGRAMS / f"{name}.py" for name in ("async_with", "driven", "eager", "exceptions", "recursion", "threads")],
    ],
    ids=lambda program: program.stem,
)
def test_yappi_counts_the_same_calls(program: Path, core: str, attach: Attach, tmp_path: Path) -> None:
    pytest.importorskip("yappi")
    counted = run([sys.executable, "-c", UNDER_YAPPI, tmp_path / "calls.json", program], cwd=tmp_path)
    traced = attach(program, core=core, options=["--quiet"])
    assert (traced.status, traced.stdout) == (counted.status, counted.stdout)
    trace = traced.trace

    by_call: Calls = Counter()
    for number in trace.calls.function.tolist():
        function = trace.functions[number]
        if Path(function.file).name == program.name:
            by_call[function.name, function.line] += 1
    in_trees: Calls = Counter()
    for root in trace.tree:
        for _, node in root.walk():
            if Path(node.file).name == program.name:
                in_trees[node.function, node.line] += node.calls or 0
    known = {*by_call, *coroutines(compile(program.read_bytes(), program, "exec"))}
    theirs: Calls = Counter()
    for name, line, calls in json.loads((tmp_path / "calls.json").read_text()):
        if (name, line) in known:
            theirs[name, line] += calls
    assert by_call == theirs
    assert in_trees == theirs


# --- asyncio.capture_call_graph: where every suspended task stands ---------------------------------------------------

type Stack = list[tuple[str, int]]  # (function, line), outermost first

# asyncio follows cr_await, so it does not see past the object between a coroutine and an async generator, nor into the
# generator-based coroutine below asyncio.sleep(0).  Ours goes on.
HIDDEN = ("items", "__sleep0")


def target_version() -> tuple[int, ...]:
    if sys.executable == TARGET:
        return sys.version_info[:2]
    code = "import sys; print(*sys.version_info[:2])"
    return tuple(int(part) for part in subprocess.check_output([TARGET, "-c", code], text=True).split())


def moments(trace: Trace) -> Iterator[dict[str, int]]:
    """For each step of the task ``watch``: every other task that is suspended then, and the row of its await."""
    names = {task.id: task.name for task in trace.tasks}
    columns = trace.awaits.task, trace.awaits.start_ns, trace.awaits.end_ns
    awaits = list(enumerate(zip(*[column.tolist() for column in columns], strict=True)))
    polls = trace.polls.task, trace.polls.start_ns, trace.polls.end_ns
    for task, begin, end in zip(*[column.tolist() for column in polls], strict=True):
        if names[task] == "watch":
            yield {
                names[who]: row for row, (who, start, stop) in awaits if who != task and start <= begin < end <= stop
            }


def path_of(trace: Trace, node: int) -> tuple[str, ...]:
    """The functions from the root to a node of the await tree."""
    found: list[str] = []
    while node >= 0:
        found.append(trace.functions[trace.nodes.function[node]].name)
        node = int(trace.nodes.parent[node])
    return tuple(reversed(found))


if target_version() >= (3, 14):

    def test_asyncio_sees_the_same_stacks(core: str, attach: Attach) -> None:
        traced = attach(OPINIONS / "stacks.py", core=core, options=["--quiet"])
        assert (traced.status, traced.stderr) == (0, "")
        trace = traced.trace
        theirs: list[dict[str, Stack]] = [json.loads(line) for line in traced.stdout.splitlines()]

        seen: dict[int, Stack] = {}  # by await
        for told, suspended in zip(theirs, moments(trace), strict=True):
            for name, stack in told.items():
                if not stack:
                    continue  # the loop closes a dropped async generator in a task of its own: this, too, is hidden
                if name not in suspended:
                    assert len(stack) == 1, f"{name} has begun and is not suspended"
                    continue
                assert seen.setdefault(suspended[name], stack) == stack, "one suspension, one stack"
            assert set(suspended) <= {*told, *HIDDEN}, "asyncio knows no such task"
        names = {name for told in theirs for name, stack in told.items() if stack}
        watched = [task.id for task in trace.tasks if task.name in names]
        assert len(watched) == len(names) == 12
        assert set(seen) == {row for row in range(len(trace.awaits)) if trace.awaits.task[row] in watched}

        # Every suspension by itself: the functions from the root to the leaf, the lines from the await point on …
        theirs_at: Counter[tuple[int, tuple[str, ...], int]] = Counter()
        for row, stack in seen.items():
            path = path_of(trace, int(trace.awaits.leaf_node[row]))
            visible = next((depth for depth, name in enumerate(path) if name in HIDDEN), len(path))
            assert tuple(name for name, _ in stack) == path[:visible]
            chain = trace.chain(row)
            outside = len(path) - len(chain)
            assert [frame.line for frame in chain[: max(visible - outside, 0)]] == [line for _, line in stack[outside:]]
            for depth, (_, line) in enumerate(stack, 1):
                theirs_at[int(trace.awaits.task[row]), path[:depth], line] += 1
        # … and all of them: how often each frame of a task stood at each line.
        ours_at: Counter[tuple[int, tuple[str, ...], int]] = Counter()
        for row in range(len(trace.line_sums)):
            task, path = int(trace.line_sums.task[row]), path_of(trace, int(trace.line_sums.node[row]))
            if task in watched and not {*HIDDEN}.intersection(path):
                line = trace.frame(int(trace.line_sums.location[row])).line
                ours_at[task, path, line] += int(trace.line_sums.count[row])
        assert ours_at == theirs_at
