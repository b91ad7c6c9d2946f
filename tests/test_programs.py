"""Every program of ``fixtures/programs`` against the truth in its docstring, on both cores.

A row of the truth is a task: kind name, state, polls, awaits in order, parent, and where it matters error and kind.
``awaits`` names lines by the marks in their comments: ``a>b*2`` is two suspensions at the line marked ``[b]``, under a
frame that stood at ``[a]``; ``stdlib`` is any line of the standard library.  The two tasks that every ``asyncio.run``
adds at its end are left out, unless a row names them.
"""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from async_inspect.model.entities import Task, TreeNode
from async_inspect.model.trace import Trace

from .tools import PROGRAMS, TARGET, Attach, run

ALL = sorted(path.stem for path in PROGRAMS.glob("*.py"))
SHUTDOWN = ("BaseEventLoop.shutdown_asyncgens", "BaseEventLoop.shutdown_default_executor")

pytestmark = pytest.mark.e2e


class Row(NamedTuple):
    """A task as the truth states it, or as it was found."""

    kind_name: str
    state: str
    kind: str
    polls: int
    awaits: tuple[str, ...]
    parent: str
    error: str


class Truth(NamedTuple):
    tasks: list[Row]
    frames: list[Counter[str]]  # by task: how often a frame stood at each marked line
    marks: dict[int, str]  # line number -> mark


def read_truth(program: Path) -> Truth:
    source = program.read_text(encoding="utf-8")
    marks = {}
    for number, line in enumerate(source.splitlines(), 1):
        if mark := re.search(r"# \[(\w+)\]$", line):
            marks[number] = mark[1]
    tasks, frames = [], []
    for line in source.split('"""')[1].partition("Truth::\n")[2].strip().splitlines():
        kind_name, state, *pairs = line.split()
        fields = dict(pair.split("=") for pair in pairs)
        chains = []
        for item in fields["awaits"].split(","):
            chain, _, times = item.partition("*")
            chains += [chain] * (0 if chain == "-" else int(times or 1))
        row = Row(
            kind_name,
            state,
            fields.get("kind", "task"),
            int(fields["polls"]),
            tuple(chain.split(">")[-1] for chain in chains),
            fields["parent"],
            fields.get("error", "-"),
        )
        tasks.append(row)
        frames.append(Counter(mark for chain in chains for mark in chain.split(">") if mark in marks.values()))
    assert "Truth::" in source, "a program without a truth proves nothing"
    return Truth(tasks, frames, marks)


def find(trace: Trace, task: Task, program: Path, marks: dict[int, str]) -> tuple[Row, Counter[str]]:
    """What the trace says of a task, in the words of the truth."""

    def mark(location: int) -> str:
        frame = trace.frame(location)
        if frame.function.file.startswith("<stdlib>"):
            return "stdlib"
        assert Path(frame.function.file).name == program.name
        return marks.get(frame.line, f"line {frame.line}")

    awaits = [row for row in range(len(trace.awaits)) if trace.awaits.task[row] == task.id]
    lines = [row for row in range(len(trace.line_sums)) if trace.line_sums.task[row] == task.id]
    frames: Counter[str] = Counter()
    for row in lines:
        frames[mark(int(trace.line_sums.location[row]))] += int(trace.line_sums.count[row])
    found = Row(
        task.kind_name or "?",
        task.state,
        task.kind,
        task.polls,
        tuple(mark(int(trace.awaits.location[row])) for row in awaits),
        "-" if task.parent is None else trace.task(task.parent).kind_name,
        "-" if task.error is None else task.error.partition(":")[0].rpartition(".")[2],
    )
    return found, Counter({name: count for name, count in frames.items() if name in marks.values()})


@pytest.mark.parametrize("name", ALL)
def test_truth_at_awaits(name: str, core: str, attach: Attach) -> None:
    program = PROGRAMS / f"{name}.py"
    traced = attach(program, core=core, options=["--quiet", "--detail", "awaits"])
    assert traced.trace.meta.detail == "awaits"
    assert_truth(traced.trace, program)


@pytest.mark.parametrize("name", ALL)
def test_truth(name: str, core: str, attach: Attach, golden: Callable[[str, str], None], tmp_path: Path) -> None:
    program = PROGRAMS / f"{name}.py"
    bare = run([TARGET, program], cwd=tmp_path)
    traced = attach(program, core=core, options=["--quiet"])
    assert (traced.status, traced.stdout, traced.stderr) == (bare.status, bare.stdout, bare.stderr)
    assert_truth(traced.trace, program)
    golden(f"programs/{name}.txt", trees(traced.trace))


def assert_truth(trace: Trace, program: Path) -> None:
    truth = read_truth(program)
    named = {row.kind_name for row in truth.tasks}
    tasks = [task for task in trace.tasks if task.kind_name not in SHUTDOWN or task.kind_name in named]
    found = [find(trace, task, program, truth.marks) for task in tasks]
    assert sorted(row for row, _ in found) == sorted(truth.tasks)
    assert [row for row, _ in found] == truth.tasks, "the same tasks, but not in the order of their creation"
    assert [frames for _, frames in found] == truth.frames
    assert all(task.state == "Completed" for task in trace.tasks if task.kind_name in SHUTDOWN)


def trees(trace: Trace) -> str:
    """All tasks and their await trees as text, without times. Of the standard library only what a Python upgrade
    leaves alone: its frames are left out, but for the roots."""
    lines = []
    for task in trace.tasks:
        parent = "" if task.parent is None else f", parent {task.parent}"
        lines.append(f"{task.id} {task.kind_name} {task.kind} {task.state}, polls {task.polls}{parent}")
        for root in trace.task_tree(task.id):
            lines += branch(root, 1)
    return "".join(f"{line}\n" for line in lines)


def branch(node: TreeNode, depth: int) -> list[str]:
    shown = node.user or depth == 1
    indent = "    " * depth
    lines = []
    if shown:
        lines.append(f"{indent}{node.function}  calls {node.calls}, segments {node.segments}")
        if node.user:
            rows = sorted(node.awaits, key=lambda row: (row.line, row.count))
            lines += [f"{indent}  await at line {row.line} × {row.count}" for row in rows]
    for child in sorted(node.children, key=lambda child: (child.file if child.user else "", child.line)):
        lines += branch(child, depth + shown)
    return lines
