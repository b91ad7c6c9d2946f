"""Names are data: a hostile set of them through every command, every view and every format."""

import csv
import io
import json
import os
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from async_inspect import Trace, load
from async_inspect.cli.main import main
from async_inspect.formats import FORMATS
from async_inspect.formats.csv import FORMULAS
from async_inspect.model.live import LiveSnapshot
from async_inspect.support import names
from async_inspect.tui.draw import THEMES
from async_inspect.tui.follow import Follower
from async_inspect.tui.frame import Around, compose
from async_inspect.tui.state import VIEWS, State
from async_inspect.tui.terminal import render

from . import consumers, hostile, report
from .tape import Tape
from .tools import Attach, Tool

FOLDER = "[bold]b[/b] {{data}} \x1b[31m \u202e =1"
COMMANDS = {
    "stats": ["stats"],
    "stats --detailed": ["stats", "--detailed", "--slow-poll", "1"],
    "check": ["check"],
    "critical-path": ["critical-path"],
    "dump": ["dump"],
    "dump --at": ["dump", "--at", "30"],
    "dump --header": ["dump", "--header"],
    "dump --records": ["dump", "--records"],
    "report": ["report", "-o", "reports"],
    "stats of a task": ["stats", "--task", "*[bold]*"],
}
JSON = [["stats", "--json"], ["check", "--json"], ["critical-path", "--json"], ["dump", "--json"]]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile.tape().write(tmp_path_factory.mktemp("hostile") / FOLDER / "run.rec")


@pytest.fixture(scope="module")
def trace(recording: Path) -> Trace:
    return load(recording)


def command(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """What the tool says in this process."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, said.out, said.err


def harmless(text: str) -> None:
    """Lines of letters: nothing that a terminal would obey, nothing that an eye would be misled by."""
    bad = {character for character in text if not character.isprintable()} - {"\n"}
    assert not bad
    assert "Traceback" not in text


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_what_is_printed(
    words: list[str],
    recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = command([words[0], str(recording), *words[1:]], capsys)
    assert status == 0
    said = out + err
    harmless(said)
    if words[0] != "dump" or "--records" not in words:
        assert len(said) < 200_000, "nobody reads a name of a megabyte"
    if words in (["stats", "--detailed", "--slow-poll", "1"], ["dump"]):
        assert "[bold]b[/b]" in said
        assert "\u241b]0;owned\u2407" in said, "a sign for each letter that is none"


@pytest.mark.parametrize("words", JSON, ids=lambda words: words[0])
def test_json_on_stdout(words: list[str], recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = command([words[0], str(recording), *words[1:]], capsys)
    assert status == 0
    assert err == ""
    assert out.isascii()
    assert not re.search(r"(?<!\\)(?:\\\\)*\\ud[c-f]..", re.sub(r"\\ud[89ab]..\\ud[c-f]..", "", out)), "half a letter"
    assert json.loads(out)


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_where_only_ascii_can_be_written(
    words: list[str], recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict") for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    with pytest.raises(SystemExit) as ended:
        main([words[0], str(recording), *words[1:]])
    assert ended.value.code == 0
    said = b""
    for stream in streams.values():
        stream.flush()
        said += stream.buffer.getvalue()
    harmless(said.decode("ascii"))
    if words == ["dump"]:
        assert b"\\x1b]0;owned\\x07" in said
        assert b"\\u0437\\u0430\\u043a\\u0430\\u0437" in said


@pytest.mark.parametrize("name", ["no such\x1b[31m[/b]\u202e.rec", "\udcff.rec"])
def test_what_is_said_of_a_path(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = command(["stats", name], capsys)
    assert (status, out, err.count("\n")) == (1, "", 1)
    harmless(err)
    assert names.clean(name) in err


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [row.name for row in FORMATS.values()])
def test_every_format_is_whole(name: str, trace: Trace, tmp_path: Path) -> None:
    trace.export(name, tmp_path / "file")
    assert (tmp_path / "file").stat().st_size


@pytest.mark.parametrize("name", ["json", "chrome", "speedscope", "firefox"])
def test_json(name: str, trace: Trace) -> None:
    data = trace.to_bytes(name)
    assert data.isascii() or name == "chrome"
    assert "\u202e" not in data.decode("utf-8")
    assert not re.search(rb"\\ud[c-f]", re.sub(rb"\\ud[89ab]..\\ud[c-f]..", b"", data))
    assert json.loads(data)


def test_json_has_the_names_themselves(trace: Trace) -> None:
    said = [task["name"] for task in json.loads(trace.to_bytes("json"))["tasks"]]
    assert said[1:] == [name.decode("utf-8", "replace") for name in hostile.NAMES.values()]


@pytest.mark.parametrize("name", ["csv:tasks", "csv:events"])
def test_csv_has_no_formula(name: str, trace: Trace) -> None:
    text = trace.to_bytes(name).decode("utf-8")
    csv.field_size_limit(1 << 24)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    for row in rows:
        assert len(row) == len(rows[0])
        for field in row:
            assert not field.startswith(FORMULAS[1:]) or re.fullmatch(r"-?[0-9.e+-]+", field)
    if name == "csv:tasks":
        own = [row[1].removeprefix("'") for row in rows[2:]]
        assert own == [name.decode("utf-8", "replace") for name in hostile.NAMES.values()], (
            "one apostrophe is not its own"
        )


def test_svg(trace: Trace) -> None:
    root = ET.fromstring(trace.to_bytes("svg"))
    assert [child.tag.partition("}")[2] for child in root].count("script") == 1
    said = "".join(root.itertext())
    assert "</title></script><script>document.title='owned'</script>" in said
    harmless(re.sub(r"[\t\r]", "", said))


def test_folded(trace: Trace) -> None:
    lines = trace.to_bytes("folded").decode("utf-8").split("\n")
    assert lines.pop() == ""
    for line in lines:
        harmless(line)
        assert re.fullmatch(r"[^;]+(;[^;]+)* [0-9]+", line)


def test_html(trace: Trace) -> None:
    page = trace.to_bytes("html")
    assert page.count(b"</html>") == page.count(b"</title>") == 1
    assert b"owned'</script>" not in page
    about, words = (report.blocks(page)[name] for name in ("about", "words"))
    harmless(json.dumps([about, words], ensure_ascii=False))
    assert names.shown(hostile.NAMES["html"].decode()) in words["names"]


def test_a_program_called_like_a_place_of_the_page(tmp_path: Path) -> None:
    made = Tape()
    made.meta = [(key, value) for key, value in made.meta if key != "argv"]
    made.meta += [("argv", "python"), ("argv", "{{data}}{{script}}</title>.py")]
    page = load(made.write(tmp_path / "x.rec")).to_bytes("html")
    assert "<title>python {{data}}{{script}}&lt;/title&gt;.py – async-inspect</title>" in page.decode()
    assert report.blocks(page)["about"]["program"] == "python {{data}}{{script}}</title>.py"


def test_the_page_in_a_browser(trace: Trace, tmp_path: Path) -> None:
    """It works, and nothing ran that is not its own."""
    trace.export("html", tmp_path / "report.html")
    with consumers.chromium() as context:
        page, heard = context.new_page(), []
        for event in ("console", "pageerror", "dialog"):
            page.on(event, lambda what: heard.append(str(what)))
        page.goto((tmp_path / "report.html").as_uri())
        page.wait_for_selector("body[data-ready]")
        tabs = page.locator("#tabs a[data-view]").all()
        assert len(tabs) > 4
        for tab in tabs:
            tab.click()
            assert page.locator(".view:visible").count() == 1
        assert page.evaluate("[window.owned, document.title.includes('owned')]") in ([None, False], [None, True])
        assert page.evaluate("document.querySelectorAll('img, script').length") == 1
        assert page.evaluate("document.title") != "owned"
        assert heard == []


# --- the live view ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seen(recording: Path) -> Iterator[LiveSnapshot]:
    follower = Follower(recording)
    follower.step()
    yield LiveSnapshot(follower.live, follower.live.end)
    follower.close()


@pytest.mark.parametrize("view", VIEWS)
def test_every_view(view: str, seen: LiveSnapshot) -> None:
    text = "".join(name.decode("utf-8", "surrogateescape")[:300] for name in hostile.NAMES.values())
    around = Around(title=text, status=text, message=text, output=[text], findings=[[(text, "bad")]])
    for task in range(1, len(hostile.NAMES) + 2):
        console = Console(file=io.StringIO(), force_terminal=True, width=100, theme=THEMES[False])
        lines, _ = compose(State(view=view, task=task, pane=1), seen, around, 100, 30)
        for line in render(console, lines, 100):
            harmless(Text.from_ansi(re.sub(r"\x1b\[[0-9;]*m", "", line)).plain)
            assert not re.sub(r"\x1b\[[0-9;]*m", "", line).count("\x1b")
        if view != "task":
            break


# --- from the program to the report ----------------------------------------------------------------------------------

SECRET = "hunter2"
FOUR = """
import asyncio, os, subprocess, sys
asyncio.run(asyncio.sleep(0))
if sys.argv[1:2] != ["child"]:
    subprocess.run([sys.executable, __file__, "child", sys.argv[1]], check=True)
    subprocess.run([sys.executable, "-I", "-c", "", sys.argv[1]], check=True)
"""


@pytest.mark.e2e
@pytest.mark.parametrize("option", ["--no-argv", "--quiet"])
def test_a_command_line_with_a_secret(option: str, attach: Attach, tmp_path: Path) -> None:
    """It is in the recordings, of children too and of what isn't recorded, and in the reports; or nowhere."""
    (tmp_path / "program.py").write_text(FOUR, encoding="utf-8")
    done = attach("program.py", SECRET, options=[option, "-f", "json", "-f", "csv", "-f", "svg", "-f", "folded"])
    assert done.status == 0, done.stderr
    files = [path for path in done.folder.rglob("*") if path.is_file()]
    assert sum(path.suffix == ".rec" for path in files) == 2
    assert any(path.suffix == ".missed" for path in files), "what isn't recorded is named beside it"
    found = {path.suffix for path in files if SECRET.encode() in path.read_bytes()}
    assert found == (set() if option == "--no-argv" else {".rec", ".missed", ".json", ".svg"})
    assert SECRET not in done.stderr
    assert [process.argv for process in done.trace.processes].count(()) == (2 if option == "--no-argv" else 0)


PROGRAM = """
import asyncio
async def main():
    task = asyncio.create_task(asyncio.sleep(0), name="\\x1b]0;owned\\x07[/b]\\udcff\\u202e")
    await task
asyncio.run(main())
"""


@pytest.mark.e2e
def test_paths_and_arguments_that_are_no_text(core: str, attach: Attach, tool: Tool, tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff[b]")
    os.mkdir(folder)
    program = f"{folder}/{{{{data}}}}\udcfe.py"
    Path(program).write_text(PROGRAM, encoding="utf-8")
    ascii_ = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = attach(program, "\udcfd", "=1", core=core, options=["-o", f"{folder}/out"], env=ascii_)
    assert done.status == 0, done.stderr
    harmless(done.stderr)
    assert "Traceback" not in done.stderr
    out = Path(folder, "out")
    assert len(list(out.iterdir())) == len(FORMATS) + 1, "all reports, and the recording"
    said = json.loads((out / "data.json").read_bytes())
    assert said["processes"][0]["argv"][-2:] == ["\ufffd", "=1"]
    for words in (["stats", "--json"], ["dump", "--json"], ["check", "--json"]):
        told = tool(words[0], folder + "/out", *words[1:], env=ascii_)
        assert told.status == 0, told.stderr
        assert json.loads(told.stdout)
