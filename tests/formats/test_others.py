"""Formats of other packages, by the entry point group: a tiny package, as an installer leaves it on disk."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from async_inspect import Trace, checks, load
from async_inspect.checks import runtime_warnings
from async_inspect.errors import UserError
from async_inspect.formats import GROUP, members, writing
from async_inspect.formats.options import describe

from ..samples import contention
from ..tape import two_tasks
from ..tools import TOOL, run

MODULE = """
from async_inspect.formats import Format

def write(trace, *, upper: bool = False):
    for task in trace.tasks:
        line = f"{task.name} {task.state}"
        yield ((line.upper() if upper else line) + "\\n").encode()

FORMAT = Format("names", "names.txt", write, compact=True)

def wrong(trace, survey, *, upper: bool = False):
    for one in survey.findings:
        yield f"{one.severity} {one.check}: {one.text}\\n".encode()

WRONG = Format("wrong", "wrong.txt", wrong, compact=True, findings=True)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on sys.path with the package ``tiny`` 1.0 installed in it."""
    folder = tmp_path / "site"
    info = folder / "tiny-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n", encoding="utf-8")
    entries = (
        "names = tiny:FORMAT\nbroken = tiny.missing:FORMAT\nodd = tiny:write\njson = tiny:FORMAT\nwrong = tiny:WRONG\n"
    )
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}", encoding="utf-8")
    (folder / "tiny.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("tiny", None)


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return load(two_tasks().write(tmp_path / "a.rec"))


def test_a_tiny_package(site: Path, trace: Trace, tmp_path: Path) -> None:
    trace.export("names", tmp_path / "x.txt", upper=True)
    assert (tmp_path / "x.txt").read_text() == "MAIN COMPLETED\nW;1 FAILED\n"
    assert [file.name for file in writing.write(trace, tmp_path / "out", ["names", "json"])] == [
        "names.txt",
        "data.json",
    ]
    assert (tmp_path / "out" / "names.txt").read_text() == "main Completed\nw;1 Failed\n"
    assert (tmp_path / "out" / "data.json").read_text().startswith("{"), "no other package replaces a format of ours"
    assert "names.txt" not in {file.name for file in writing.write(trace, tmp_path / "all")}, (
        "only when it is asked for"
    )


def test_one_that_shows_findings_is_handed_them(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found once, for all who show them, and an option is none of them."""
    trace = load(contention().write(tmp_path / "a.rec"))
    looks = 0

    def find(_: object) -> Iterator[checks.Finding]:
        nonlocal looks
        looks += 1
        yield from runtime_warnings.find(trace)

    monkeypatch.setattr(checks, "CHECKS", (SimpleNamespace(NAME="counted", ABOUT="", find=find),))
    writing.write(trace, tmp_path / "out", ["wrong", "html", "json"])
    text = "".join(f"{one.severity} {one.check}: {one.text}\n" for one in trace.survey.findings)
    assert (tmp_path / "out" / "wrong.txt").read_text() == text != ""
    assert looks == 1
    assert list(describe(members("wrong")[0].write)) == ["upper"]


def test_on_the_command_line(site: Path, trace: Trace, tmp_path: Path) -> None:
    command = [*TOOL, "export", "a.rec", "-f", "names", "-O", "upper=yes", "-o", "-"]
    done = run(command, cwd=tmp_path, env={"PYTHONPATH": str(site)})
    assert (done.status, done.stdout, done.stderr) == (0, "MAIN COMPLETED\nW;1 FAILED\n", "")


def test_what_is_wrong_with_it_is_said(site: Path, trace: Trace, tmp_path: Path) -> None:
    for name, says in (
        ("broken", r"format 'broken' \(tiny.missing:FORMAT\) can't be loaded \(ModuleNotFoundError: No module"),
        ("odd", r"format 'odd' \(tiny:write\) is no async_inspect.formats.Format"),
        ("nope", r"no format 'nope'; there are json, csv, .*, broken, names, odd, wrong$"),
    ):
        with pytest.raises(UserError, match=says):
            trace.export(name, tmp_path / "x")
    assert [row.file for row in members("json")] == ["data.json"]
