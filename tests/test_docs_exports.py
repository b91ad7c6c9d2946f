"""What README and docs/exports.md say of exports is tried: every row of Python, every command, every option."""

import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

import async_inspect
from async_inspect.formats import FORMATS
from async_inspect.formats.options import describe

from . import consumers
from .samples import kitchen
from .tools import ROOT, TOOL, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")


def test_every_row_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = README.partition("\n## Exports\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| [^|]+ \| `(.+)` \|$", section, re.MULTILINE)
    kitchen().write(tmp_path / "run.rec")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"trace": async_inspect.load("run.rec")}
    for row in rows:
        exec(row, names)
        for file in re.findall(r'"([\w/]+\.[\w.]+)"', row):
            assert Path(file).stat().st_size, row
    assert len(rows) == 15
    assert json.loads(names["text"])["metadata"]["total_tasks"] == 9
    assert {path.name for path in Path("exports").iterdir()} == {row.file for row in FORMATS.values()}
    named = set(re.findall(r'(?:export|to_bytes)\("([\w:]+)"', section))
    assert named == {name for name in FORMATS if name != "folded:filtered"}


def test_the_example(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "fixtures" / "export_formats.py"), "out"]
    done = run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert (done.status, done.stderr) == (0, "")
    files = {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert files == {row.file for row in FORMATS.values()} == {line.split()[0] for line in done.stdout.splitlines()}
    data = json.loads((tmp_path / "out" / "data.json").read_text(encoding="utf-8"))
    assert {task["state"] for task in data["tasks"]} == {"Completed"}
    assert sum(task["name"].startswith("fetch-") for task in data["tasks"]) == 5


def test_every_command_of_the_page(tmp_path: Path) -> None:
    for name in ("jq", "go"):
        consumers.program(name)
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "async-inspect"
    shim.write_text(f'#!/bin/sh\nexec {shlex.join(TOOL)} "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    env = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PPROF_TMPDIR": str(tmp_path)}
    commands = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    commands += re.findall(r"`((?:jq|async-inspect) [^`]+)`", PAGE)
    assert len(commands) >= 10
    for command in commands:
        done = run(["sh", "-c", command], cwd=tmp_path, env=env)
        assert done.status == 0, f"{command}: {done.stderr}"
    for file in (
        "report.html",
        "data.json",
        "tables/tasks.csv",
        "tables/events.csv",
        "flame.svg",
        "trace.json",
        "flame.txt",
    ):
        assert (tmp_path / file).stat().st_size, file


def test_every_option_is_on_the_page() -> None:
    rows = re.findall(r"^\| ([\w, ]+) \| (`[\w`, ]+) \|", PAGE.partition("## Options")[2], re.MULTILINE)
    told = {(name, key) for names, keys in rows for name in names.split(", ") for key in re.findall(r"\w+", keys)}
    mine = ("folded", "svg", "html", "pprof", "speedscope", "firefox")
    assert told == {(name, key) for name in mine for key in describe(FORMATS[name].write)}


def test_the_format_of_the_page(tmp_path: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(source, names)
    trace = async_inspect.load(kitchen().write(tmp_path / "a.rec"))
    assert b"".join(names["FORMAT"].write(trace, upper=True)).startswith(b"MAIN COMPLETED\n")
