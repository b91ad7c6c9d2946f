"""``--tag``: which request a task belongs to, in every report and as a filter, on both cores."""

import csv
import json
from pathlib import Path

import pytest

from async_inspect.model.holds import violations

from .tools import Attach, Tool

pytestmark = pytest.mark.e2e

SERVES = """
import asyncio, contextvars, uuid

request = contextvars.ContextVar("request_id", default="nobody asked for it")
who = contextvars.ContextVar("who")

class Odd(str):
    def __str__(self): raise SystemExit("the program's code ran")
    __hash__ = None

async def query():
    await asyncio.sleep(0)

async def answer():
    return 1

async def handle(value):
    token = request.set(value)
    try:
        if value == 3:
            await answer()  # never suspends while it is set
        else:
            await asyncio.create_task(query(), name=f"query of {str.__str__(value) if type(value) is Odd else value}")
    finally:
        request.reset(token)

async def connection():
    for value in "a", "b", "a":
        request.set(value)
        await asyncio.sleep(0)

async def main():
    await asyncio.sleep(0)
    for number, value in enumerate((1, 3, "x" * 200, uuid.UUID(int=7), True, 1.5, None, Odd("odd"))):
        await asyncio.create_task(handle(value), name=f"handle {number}")
    await asyncio.create_task(connection(), name="connection")

asyncio.run(main())
"""

TRUTH = {
    "handle 0": ["request_id=1"],
    "query of 1": ["request_id=1"],
    "handle 1": ["request_id=3"],
    "handle 2": ["request_id=" + "x" * 100],
    "query of " + "x" * 200: ["request_id=" + "x" * 100],
    "handle 3": ["request_id=00000000-0000-0000-0000-000000000007"],
    "query of 00000000-0000-0000-0000-000000000007": ["request_id=00000000-0000-0000-0000-000000000007"],
    "connection": ["request_id=a", "request_id=b"],
}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(SERVES, encoding="utf-8")
    return path


def test_tags(core: str, attach: Attach, tool: Tool, program: Path) -> None:
    options = [
        "--quiet",
        "--tag",
        "request_id",
        "--tag",
        "who",
        "-f",
        "json",
        "-f",
        "csv",
        "-f",
        "chrome",
        "-f",
        "html",
    ]
    traced = attach(program, core=core, options=options)
    assert (traced.status, traced.stderr) == (0, "")
    assert violations(traced.trace) == []
    assert {task.name: list(task.tags) for task in traced.trace.tasks if task.tags} == TRUTH
    found = json.loads((traced.folder / "data.json").read_text())
    assert {task["name"]: task["tags"] for task in found["tasks"] if task["tags"]} == TRUTH
    with (traced.folder / "tasks.csv").open(newline="") as lines:
        assert {row["name"]: row["tags"].split() for row in csv.DictReader(lines) if row["tags"]} == TRUTH
    assert '"tags":"request_id=a request_id=b"' in (traced.folder / "trace.json").read_text()
    stats = tool("stats", traced.folder, "--task", "tag:request_id=1")
    assert stats.stdout.count("\n2 tasks: 2 Completed") == 1, stats.stdout
    assert traced.trace.filter(task="tag:*=b").task_table.name == ["connection"]
    assert traced.trace.filter(task="tag:who=*").task_table.name == []


def test_nobody_asked_for_tags(core: str, attach: Attach, program: Path) -> None:
    traced = attach(program, core=core, options=["--quiet", "-f", "folded"])
    assert not traced.trace.task_table.tags


@pytest.mark.parametrize(
    ("names", "said"),
    [((("",)), "--tag '': not the name of a context variable"), ("abcdefghi", "--tag: at most 8 variables")],
)
def test_what_is_no_tag(tool: Tool, names: tuple[str, ...], said: str) -> None:
    done = tool("attach", *(word for name in names for word in ("--tag", name)), "-c", "")
    assert (done.status, done.stderr.strip()) == (2, f"async-inspect: {said}")
