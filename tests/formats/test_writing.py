"""Reports in a folder, the summary, and the library's way to both."""

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import async_inspect
from async_inspect import Trace, load
from async_inspect import events as ev
from async_inspect.errors import UserError
from async_inspect.formats import FORMATS, writing
from async_inspect.formats.shared.cost import Cost
from async_inspect.model import stats
from async_inspect.terminal import reports, summary
from async_inspect.terminal.printing import Console

from ..samples import SAMPLES
from ..tape import Tape, two_tasks
from ..tools import ROOT, TOOL, Tool


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return load(two_tasks().write(tmp_path / "a.rec"))


def test_all_formats(trace: Trace, tmp_path: Path) -> None:
    told: list[str] = []
    files = writing.write(trace, tmp_path / "new" / "out", progress=lambda name, _: told.append(name))
    assert [file.name for file in files] == [format.file for format in FORMATS.values()]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert sorted(path.name for path in files[0].parent.iterdir()) == sorted(file.name for file in files)
    assert set(told) == set(FORMATS)


def test_reports_of_other_formats_are_old(trace: Trace, tmp_path: Path) -> None:
    writing.write(trace, tmp_path / "out")
    writing.write(trace, tmp_path / "out", ["json"])
    others = [f"{format.file}.old" for format in FORMATS.values() if format.name != "json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(["data.json", *others])


def test_many_events(
    trace: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What lists them is left out where it would be too much, and the last lines say how to get it."""
    compact = [format.file for format in FORMATS.values() if format.compact]
    all_ = [format.file for format in FORMATS.values()]
    size, us = writing.growth(trace)
    for most, files in (
        (Cost(size, us), all_),
        (Cost(size - 1, us), compact),
        (Cost(size, us - 1), compact),
    ):
        monkeypatch.setattr(writing, "MOST", most)
        assert [file.name for file in writing.write(trace, tmp_path / "out")] == files
        capsys.readouterr()
        assert reports.report(trace, tmp_path / "out", None, quiet=False) == 0
        told = capsys.readouterr().err
        lines = [line for line in told[told.index("written:") :].splitlines() if line]
        commands = [line.strip() for line in lines if line.strip().startswith("async-inspect ")]
        assert commands == [
            f"async-inspect report {tmp_path / 'a.rec'} -o {tmp_path / 'out'} -f all",
            f"async-inspect export {tmp_path / 'a.rec'} -f json -o data.json",
        ] * (files == compact)
    assert [file.name for file in writing.write(trace, tmp_path / "out", ["json"])] == ["data.json"]
    assert [file.name for file in writing.write(trace, tmp_path / "out", ["all"])] == all_


def test_the_summary_comes_first(trace: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any file; and one that fails costs no report."""
    told: list[str] = []
    write = writing.write
    monkeypatch.setattr(summary, "render", lambda *_: told.append("summary"))

    def writes(*given: Any) -> list[Path]:
        told.append("files")
        return write(*given)

    monkeypatch.setattr(writing, "write", writes)
    assert reports.report(trace, tmp_path / "out", ["json"], quiet=False) == 0
    assert told == ["summary", "files"]
    assert reports.report(trace, tmp_path / "out", ["json"], quiet=True) == 0
    assert told[2:] == ["files"]

    def fails(_: Trace) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr(summary, "render", fails)
    (tmp_path / "out" / "data.json").unlink()
    with pytest.raises(writing.IncompleteError, match="the summary failed") as failed:
        reports.report(trace, tmp_path / "out", ["json"], quiet=False)
    assert failed.value.files == [tmp_path / "out" / "data.json"]
    assert failed.value.files[0].exists()


@pytest.mark.parametrize("where", ["the one that is exported", "another, which is cut off"])
def test_a_report_replaces_no_recording(trace: Trace, tmp_path: Path, where: str) -> None:
    path = tmp_path / "a.rec"
    if "another" in where:
        path = tmp_path / "b.rec"
        path.write_bytes((tmp_path / "a.rec").read_bytes()[:100])
    before = path.read_bytes()
    with pytest.raises(UserError, match="is a recording, which a report must not replace"):
        trace.export("json", path)
    assert path.read_bytes() == before


def test_a_link_to_a_recording_is_replaced_as_any_link(trace: Trace, tmp_path: Path) -> None:
    before = (tmp_path / "a.rec").read_bytes()
    (tmp_path / "data.json").symlink_to(tmp_path / "a.rec")
    trace.export("json", tmp_path / "data.json")
    assert json.loads((tmp_path / "data.json").read_bytes())
    assert (tmp_path / "a.rec").read_bytes() == before


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc")
def test_an_open_file_is_written_to_and_not_replaced(trace: Trace, tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as out:
        trace.export("json", f"/proc/self/fd/{out.fileno()}")
    assert json.loads((tmp_path / "out").read_bytes())
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.rec", "out"]


def test_a_file_is_replaced_only_when_complete(trace: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.json"
    path.write_text("before")

    def fails(_: Trace) -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(FORMATS, "json", FORMATS["json"]._replace(write=fails))
    with pytest.raises(UserError, match="No space left"):
        trace.export("json", path)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == []


def test_what_cannot_be_written(trace: Trace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError):
            writing.write(trace, folder)
    with pytest.raises(UserError, match="no format 'nope'"):
        trace.export("nope", tmp_path / "x")
    with pytest.raises(UserError, match="No such file"):
        trace.export("json", tmp_path / "missing" / "x")


def shown(trace: Trace, files: list[Path]) -> str:
    out = io.StringIO()
    console = Console(file=out, width=80, highlight=False)
    summary.render(trace, console)
    told = out.getvalue()
    summary.render_files(trace, files, console=console)
    assert all(len(line) <= 80 for line in told.splitlines())
    return out.getvalue()


def test_summary(trace: Trace, tmp_path: Path) -> None:
    text = shown(trace, [tmp_path / "data.json"])
    states, places = ("2 tasks: 1 Completed, 1 Failed", "at most 2 at once"), ("app.py:13", "app.py:21", "sleep")
    for part in (*states, *places, "longest poll", "nothing lost", "the Python core", "data.json"):
        assert part in text


def test_summary_of_nothing(tmp_path: Path) -> None:
    assert "no tasks" in shown(load(Tape().write(tmp_path / "x.rec")), [])


def test_stats(trace: Trace) -> None:
    figures = stats(trace)
    assert (figures.tasks, figures.tasks_by_state) == (2, {"Completed": 1, "Failed": 1})
    assert (figures.peak_concurrency, figures.run_ns, figures.duration_ns) == (2, 60, 110)
    assert [(row.place, row.reasons, row.wait.total_ns) for row in figures.top_awaits] == [
        ("app.py:13", ("task",), 50),
        ("app.py:21", ("timer",), 10),
    ]
    assert [(row.function, row.run_self_ns) for row in figures.top_coroutines] == [
        ("main", 40),
        ("work", 13),
        ("sleep", 7),
    ]
    poll = figures.longest_polls[0]
    assert (poll.task, poll.duration_ns, poll.since, poll.until) == (1, 30, None, "app.py:13")
    assert (figures.polls.p50_ns, figures.polls.max_ns, figures.polls.total_ns) == (10, 30, 60)


def test_commands(tool: Tool, tmp_path: Path) -> None:
    recording = two_tasks().write(tmp_path / "recording" / "a.rec")
    assert json.loads(tool("export", tmp_path, "-f", "json", "-o", "-").stdout)["metadata"]["total_tasks"] == 2
    exported = tool("export", recording, "-f", "folded", "-o", tmp_path / "x.txt")
    assert (exported.status, exported.stdout, exported.stderr) == (0, "", "")
    assert (tmp_path / "x.txt").exists()
    report = tool("report", recording.parent, "-o", tmp_path / "out")
    assert (report.status, report.stdout) == (0, "")
    assert "2 tasks" in report.stderr
    assert (tmp_path / "out" / "speedscope.json").exists()
    assert "longest polls" in tool("stats", recording, "--detailed").stdout
    assert json.loads(tool("stats", recording, "--json").stdout)["tasks"] == 2
    assert " SUSPEND coro=1" in tool("dump", recording, "--records").stdout
    for wrong in (("export", recording, "-f", "nope", "-o", "x"), ("stats", tmp_path / "missing")):
        failed = tool(*wrong)
        assert failed.status in (1, 2)
        assert failed.stderr.count("\n") == 1
        assert failed.stderr.startswith("async-inspect: ")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("stats", 0), ("stats --detailed", 0), ("stats --json", 0), ("critical-path", 0), ("critical-path --json", 0),
        ("check", 3), ("check --json", 3), ("dump", 0), ("dump --records", 0),
    ],
)  # fmt: skip
def test_a_reader_that_has_enough_is_no_error(command: str, status: int, tmp_path: Path) -> None:
    """As ``head -1``, and also one that reads nothing."""
    tape = two_tasks()
    tape.put(ev.RUNTIME_WARNING, 190, coro=1, aux=tape.string("ValueError"), flags=ev.NEVER_RETRIEVED)
    recording = tape.write(tmp_path / "a.rec")
    name, *options = command.split()
    source, sink = os.pipe()
    os.close(source)
    try:
        run = [*TOOL, name, str(recording), *options]
        done = subprocess.run(run, stdout=sink, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(sink)
    assert (done.returncode, done.stderr) == (status, b"")


def test_what_was_asked_for_and_is_large_is_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = load(two_tasks().write(tmp_path / "a.rec"))
    assert writing.announced(trace, ["chrome", "csv"]) == ""
    monkeypatch.setattr(writing, "MOST", Cost(1000, 1e6))
    assert writing.announced(trace, ["chrome", "folded"]) == "trace.json: about 0 MB and 0 s"
    assert writing.announced(trace, ["csv"]).startswith("tasks.csv, events.csv: about ")
    assert writing.announced(trace, ["folded"]) == ""


def test_a_closed_pipe_is_one_line(tmp_path: Path) -> None:
    tape = two_tasks()
    for n in range(30_000):
        tape.put(ev.POINT, 200 + n)  # inspection points, without texts
    recording = tape.write(tmp_path / "a.rec")
    command = [*TOOL, "export", str(recording), "-f", "json", "-o", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(), said) == (1, b"async-inspect: stdout: Broken pipe\n")


@pytest.mark.tracer
def test_library(tmp_path: Path) -> None:
    async def main() -> None:
        async_inspect.inspection_point("here", "now")
        await asyncio.sleep(0)

    async_inspect.inspection_point("nobody listens")
    with async_inspect.trace(tmp_path / "run.rec"):
        asyncio.run(main())
    trace = async_inspect.load(tmp_path / "run.rec")
    assert isinstance(trace, async_inspect.Trace)
    assert trace.tasks[0].name.endswith("main")
    assert trace.points.label == ["here"]
    trace.export("json", tmp_path / "data.json")
    assert json.loads((tmp_path / "data.json").read_text())["tasks"]


def test_importing_it_is_light() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import async_inspect; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True, check=True)
    assert not {"numpy", "pydantic", "rich", "typer", "async_inspect.model"} & set(done.stdout.split())


def test_a_list_that_is_cut_says_of_how_many(tmp_path: Path) -> None:
    """Whatever ``top`` is, each list has that many rows at most, and the number beside it is that of the whole one."""
    for name, sample in SAMPLES.items():
        trace = load(sample().write(tmp_path / f"{name}.rec"))
        whole, two = stats(trace, 10**6), stats(trace, 2)
        cut = [key.removesuffix("_in_all") for key in type(whole).model_fields if key.endswith("_in_all")]
        assert len(cut) == 6
        for key in cut:
            in_all = len(getattr(whole, key))
            assert getattr(whole, f"{key}_in_all") == getattr(two, f"{key}_in_all") == in_all, (name, key)
            assert getattr(two, key) == getattr(whole, key)[:2]


@pytest.mark.parametrize(
    ("core", "reason", "said"),
    [
        ("python", "no C compiler found; Debian: …", "the Python core (no C compiler found; Debian: …)"),
        ("python", "asked for by ASYNC_INSPECT_CORE", "the Python core"),
        ("c", "the C core fits this Python", "the C core"),
        ("c, python", "the C core fits this Python", "the C core and the Python core"),
    ],
)
def test_the_summary_says_why_the_python_core_recorded(core: str, reason: str, said: str, tmp_path: Path) -> None:
    trace = load(Tape().write(tmp_path / "a.rec"))
    meta = trace.meta.model_copy(update={"core": core, "extra": {"core_reason": (reason,)}})
    out = io.StringIO()
    summary.render(replace(trace, meta=meta), console=Console(file=out, width=200))
    assert out.getvalue().rstrip().endswith(f", {said}")
