"""One format, one check, one plugin that fails costs itself alone; no error ends in a traceback."""

import json
import stat
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import async_inspect
from async_inspect import checks, formats
from async_inspect.checks import Finding
from async_inspect.cli.main import main
from async_inspect.formats import FORMATS, Format, writing
from async_inspect.support import internal
from async_inspect.terminal import progress
from async_inspect.tui.background import finding_lines

from .samples import kitchen


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return kitchen().write(tmp_path / "a.rec")


class Entry:
    """An entry point of somebody else's."""

    def __init__(self, name: str, load: Callable[[], object]) -> None:
        self.name, self.value, self.load = name, f"theirs:{name}", load


class Entries(list[Entry]):
    def select(self, name: str) -> list[Entry]:
        return [one for one in self if one.name == name]

    @property
    def names(self) -> set[str]:
        return {one.name for one in self}


def raises(error: BaseException) -> Callable[..., Any]:
    def call(*_: object, **__: object) -> Any:
        raise error

    return call


def midway(error: BaseException, first: object) -> Callable[..., Iterator[Any]]:
    def call(*_: object) -> Iterator[Any]:
        yield first
        raise error

    return call


def status(*arguments: str | Path) -> object:
    with pytest.raises(SystemExit) as ended:
        main([str(one) for one in arguments])
    return ended.value.code


BAD_FORMATS: dict[str, Callable[[], object]] = {
    "import": raises(ImportError("no such thing")),
    "exit": raises(SystemExit(4)),
    "nothing": lambda: None,
    "raises": lambda: Format("x", "x.txt", raises(ValueError("a plugin's bug")), True),
    "leaves": lambda: Format("x", "x.txt", raises(SystemExit("gone")), True),
    "midway": lambda: Format("x", "x.txt", midway(ValueError("a plugin's bug"), b"half"), True),
    "text": lambda: Format("x", "x.txt", lambda _: iter(["text"]), True),  # type: ignore[list-item]
    "none": lambda: Format("x", "x.txt", lambda _: None, True),  # type: ignore[arg-type,return-value]
    "memory": lambda: Format("x", "x.txt", midway(MemoryError(), b"half"), True),
    "outside": lambda: Format("x", "../x.txt", lambda _: iter([b"x"]), True),
    "mine": lambda: Format("x", "data.json", lambda _: iter([b"x"]), True),
}


@pytest.mark.parametrize("kind", BAD_FORMATS)
def test_a_format_that_fails_costs_itself_alone(
    kind: str, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = Entries([Entry("bad", BAD_FORMATS[kind])])
    monkeypatch.setattr(formats, "entry_points", lambda group: theirs)
    out = tmp_path / "out"
    assert status("report", recording, "-o", out, "-q", "-f", "json", "-f", "bad", "-f", "folded") == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "'bad'" in said[0]
    assert {"data.json", "flamegraph.txt"} <= {one.name for one in out.iterdir()}
    assert not [one for one in tmp_path.rglob("*") if one.name == "x.txt" or one.suffix == ".part"]
    assert json.loads((out / "data.json").read_text())["metadata"]["total_tasks"] == 9
    for file in out.glob(f"{internal.PREFIX}*"):
        assert str(file) in said[0]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "Traceback" in file.read_text()

    trace = async_inspect.load(recording)
    with pytest.raises(writing.IncompleteError) as failed:
        trace.export_all(tmp_path / "again", ["bad", "json"])
    assert [one.name for one in failed.value.files] == ["data.json"]


def test_formats_of_one_file_are_not_written_over_each_other(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Entries([Entry(name, lambda: Format("x", "x.txt", lambda _: iter([b"x"]), True)) for name in ("a", "b")])
    monkeypatch.setattr(formats, "entry_points", lambda group: mine)
    with pytest.raises(writing.IncompleteError, match="'a' and 'b' have one file") as failed:
        writing.write(async_inspect.load(recording), tmp_path / "out", ["a", "b"])
    assert [one.name for one in failed.value.files] == ["x.txt"]


def test_one_of_our_own_formats_that_fails(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    writing.write(async_inspect.load(recording), out)
    monkeypatch.setitem(FORMATS, "html", FORMATS["html"]._replace(write=midway(KeyError("bug"), b"<p>")))
    with pytest.raises(writing.IncompleteError, match="the format 'html' failed") as failed:
        writing.write(async_inspect.load(recording), out)
    assert len(failed.value.files) == len(FORMATS) - 1
    assert not (out / "report.html").exists()  # that is another run's
    assert (out / "report.html.old").exists()


def test_a_full_disk_costs_what_does_not_fit(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pour(chunks: Iterator[bytes], file: Any, progress: object) -> None:
        if len(data := b"".join(chunks)) > 5_000:
            raise OSError(28, "No space left on device")
        file.write(data)

    monkeypatch.setattr(writing, "_write_chunks", pour)
    out = tmp_path / "out"
    assert status("report", recording, "-o", out) == 1
    err = capsys.readouterr().err
    assert "could not be written: No space left on device" in err
    assert "29.3 ms recorded" in err  # the summary
    assert "data.json" in err
    assert (out / "flamegraph.txt").exists()
    assert (out / "tasks.csv").exists()
    assert not (out / "data.json").exists()


FINDING = Finding(check="theirs", severity="hint", text="something", place=None, weight_ns=1)
BAD_CHECKS: dict[str, Callable[[], object]] = {
    "import": raises(ImportError("no such thing")),
    "exit": raises(SystemExit(4)),
    "nothing": lambda: None,
    "raises": lambda: types.SimpleNamespace(NAME="bad", ABOUT="", find=raises(ValueError("a plugin's bug"))),
    "leaves": lambda: types.SimpleNamespace(NAME="bad", ABOUT="", find=raises(SystemExit(0))),
    "midway": lambda: types.SimpleNamespace(NAME="bad", ABOUT="", find=midway(ValueError("a bug"), FINDING)),
    "text": lambda: types.SimpleNamespace(NAME="bad", ABOUT="", find=lambda _: ["text"]),
    "none": lambda: types.SimpleNamespace(NAME="bad", ABOUT="", find=lambda _: None),
    "name": lambda: types.SimpleNamespace(NAME="deadlock", ABOUT="", find=lambda _: []),
    "number": lambda: types.SimpleNamespace(NAME=7, ABOUT="", find=lambda _: []),
}


@pytest.mark.parametrize("kind", BAD_CHECKS)
def test_a_check_that_fails_costs_itself_alone(
    kind: str, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = async_inspect.load(recording).survey
    assert sound.failed == ()
    theirs = [Entry("bad", BAD_CHECKS[kind])]
    monkeypatch.setattr(checks, "entry_points", lambda group: theirs)
    survey = async_inspect.load(recording).survey
    assert tuple(one for one in survey.findings if one.check != "theirs") == sound.findings
    assert (FINDING in survey.findings) == (kind == "midway")
    assert len(survey.failed) == 1
    assert "bad" in survey.failed[0]

    assert status("report", recording, "-o", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "bad" in said
    assert "Traceback" not in said
    assert len(list((tmp_path / "out").glob("*"))) == len(FORMATS)
    assert status("check", recording, "--json") in (1, 3)
    out = capsys.readouterr().out
    assert len(json.loads(out)["failed"]) == 1
    assert any("bad" in line and style == "bad" for line, style in finding_lines(1, out, ""))


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ZeroDivisionError("two\nlines"), 1, "an internal error (ZeroDivisionError: two lines); details: "),
        (RecursionError(), 1, "an internal error (RecursionError); details: "),
        (MemoryError(), 1, "--until MS"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit("as text"), 1, "as text"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (OSError(5, "Input/output error", "/a/b"), 1, "Input/output error"),
    ],
)
def test_no_error_ends_in_a_traceback(
    error: BaseException,
    code: int,
    said: str,
    recording: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(progress, "load", raises(error))
    assert status("stats", recording) == code
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1
    if "details: " in err:
        file = Path(err.rpartition("details: ")[2].strip())
        text = file.read_text()
        file.unlink()
        assert type(error).__name__ in text
        assert "numpy" in text
        assert "command line:" in text


def test_details_go_where_they_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert str(tmp_path / internal.PREFIX) in internal.explained("it failed", ValueError("x"), tmp_path / "nowhere")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "nowhere"))
    assert internal.explained("it failed", ValueError("x"), tmp_path / "nowhere") == "it failed (ValueError: x)"
