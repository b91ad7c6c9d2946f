"""``--tag``: which request a task belongs to, in every report and as a filter, on both cores."""

import csv
import json
from pathlib import Path

import pytest

from async_inspect.model.invariants import violations

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
    for glob, tasks in {"tag:request_id=1": "1 task: 1", "tag+:request_id=1": "2 tasks: 2"}.items():
        stats = tool("stats", traced.folder, "--task", glob)
        assert stats.stdout.count(f"\n{tasks} Completed") == 1, stats.stdout
    assert traced.trace.filter(task="tag:*=b").task_table.name == ["connection"]
    assert traced.trace.filter(task="tag:who=*").task_table.name == []
    setters = [name for name in TRUTH if not name.startswith("query")]
    assert traced.trace.filter(task="tag:*").task_table.name == setters
    queries = traced.trace.filter(task="query*")  # without who made them they still know that they set nothing
    assert (queries.filter(task="tag:*").task_table.name, len(queries.filter(task="tag+:*").task_table)) == ([], 3)


NESTED = """
import asyncio, contextvars

request = contextvars.ContextVar("request_id")

async def leaf():
    await asyncio.sleep(0)

async def middle():
    await asyncio.create_task(leaf(), name="leaf")

async def other():
    await asyncio.sleep(0)
    request.set("b")
    await asyncio.sleep(0)

async def keeps_alive():
    for value in "a", "c":
        request.set(value)
        await asyncio.gather(
            asyncio.create_task(middle(), name="middle " + value), asyncio.create_task(other(), name="other " + value)
        )

asyncio.run(keeps_alive())
"""


def test_who_set_it_and_who_was_made_with_it(core: str, attach: Attach, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(NESTED, encoding="utf-8")
    trace = attach(program, core=core, options=["--quiet", "--tag", "request_id"]).trace

    def passing(glob: str) -> list[str]:
        return sorted(trace.filter(task=glob).task_table.name)

    (main,) = passing("tag:*=a")
    assert passing("tag:*=c") == [main]
    assert passing("tag:*=b") == ["other a", "other c"]  # it had another before
    assert passing("tag+:*=a") == sorted([main, "middle a", "leaf", "other a"])
    assert passing("tag+:*=c") == sorted([main, "middle c", "leaf", "other c"])


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
