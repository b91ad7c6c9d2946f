"""The options that take a part of a recording: every command has them, and every report says so."""

import csv
import json
from pathlib import Path

import pytest

from ..samples import contention
from ..tape import two_tasks
from ..tools import Attach, Tool

WORDS = ("--task", "w*", "--until", "0.000075", "--exclude", "stdlib")
SAID = "--task 'w*' --until 7.5e-05 --exclude stdlib"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return two_tasks().write(tmp_path / "a.rec")


def test_export(tool: Tool, recording: Path) -> None:
    data = json.loads(tool("export", recording, "-f", "json", "-o", "-", *WORDS).stdout)
    assert data["metadata"]["filter"] == SAID
    assert [(task["name"], task["state"]) for task in data["tasks"]] == [("w;1", "Running")]
    (row,) = csv.DictReader(tool("export", recording, "-f", "csv:tasks", "-o", "-", *WORDS).stdout.splitlines())
    assert (row["name"], row["filter"]) == ("w;1", f"'{SAID}")
    assert json.loads(tool("export", recording, "-f", "json", "-o", "-").stdout)["metadata"]["filter"] is None


def test_report_and_stats(tool: Tool, recording: Path, tmp_path: Path) -> None:
    done = tool("report", recording, "-o", "out", "-f", "chrome", *WORDS)
    assert f"only {SAID}" in done.stderr
    data = json.loads((tmp_path / "out" / "trace.json").read_text(encoding="utf-8"))
    assert data["otherData"]["filter"] == SAID
    assert json.loads(tool("stats", recording, "--json", *WORDS).stdout)["tasks"] == 1
    wrong = tool("stats", recording, "--state", "Lost")
    assert (wrong.status, wrong.stderr.count("\n")) == (2, 1)
    assert wrong.stderr.startswith("async-inspect: no state 'Lost'; there are Pending, ")


@pytest.mark.e2e
def test_attach_records_all_the_same(attach: Attach, tool: Tool, tmp_path: Path) -> None:
    code = "import asyncio\nasync def main():\n await asyncio.create_task(asyncio.sleep(0), name='one')\n"
    program = tmp_path / "program.py"
    program.write_text(f"{code}asyncio.run(main())\n", encoding="utf-8")
    done = attach(program, options=["-f", "json", "--task", "one"])
    assert [task["name"] for task in json.loads((done.folder / "data.json").read_text(encoding="utf-8"))["tasks"]] == [
        "one"
    ]
    assert {task.name for task in done.trace.tasks} >= {"main", "one"}
    assert attach(program, options=["--state", "lost"]).status == 2


def test_from_where_on_a_poll_blocks(tool: Tool, tmp_path: Path) -> None:
    recording = contention().write(tmp_path / "c.rec")
    for words, count in (((), 1), (("--slow-poll", "151"), 0), (("--slow-poll", "1"), 7)):
        assert json.loads(tool("stats", recording, "--json", *words).stdout)["blocking"]["count"] == count
    assert "blocking polls, of 1.00 ms and more" in tool("stats", recording, "--detailed", "--slow-poll", "1").stdout
