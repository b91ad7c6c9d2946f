"""Settings in files and in the environment: which wins, what each preset is, and what is said of wrong ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from async_inspect.cli import configuration
from async_inspect.cli.application import application
from async_inspect.cli.main import main
from async_inspect.support import tables
from async_inspect.tracer import env

from ..tools import Tool

type Set = Callable[[str], None]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Set:
    """Gives the current folder a pyproject.toml with this table of ours."""
    for name in tables.SETTINGS:
        monkeypatch.delenv(configuration.variable(name), raising=False)
    monkeypatch.delenv(env.DIR, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.chdir(tmp_path)
    return lambda text: set_(tmp_path / "pyproject.toml", f"[tool.async-inspect]\n{text}\n")


def set_(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text, encoding="utf-8")


def shown(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, tuple[Any, str]]:
    """What ``config`` says of each setting: its value, and from where."""
    with pytest.raises(SystemExit, match="0"):
        main(["config", "--json", *args])
    said = json.loads(capsys.readouterr().out)
    return {name: (one["value"], one["from"]) for name, one in said.items()}


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    with pytest.raises(SystemExit, match="2"):
        main([*args] or ["attach", "-c", "raise SystemExit('it ran')"])
    return capsys.readouterr().err.removeprefix("async-inspect: ").strip()


def test_each_setting_is_an_option_of_attach() -> None:
    group = application()
    options = {word for option in group.commands["attach"].params for word in option.opts}
    assert {f"--{name}" for name in tables.SETTINGS} <= options
    for preset in configuration.PRESETS.values():
        assert preset.keys() <= set(tables.SETTINGS)


def test_where_nothing_is_said(project: Set, capsys: pytest.CaptureFixture[str]) -> None:
    assert project is not None
    found = shown(capsys)
    assert tuple(found) == tables.SETTINGS
    assert {where for _, where in found.values()} == {"default"}
    assert found["max-size"][0] == "4GB"
    assert found["detail"][0] == "calls; with --pid awaits"
    assert found["output"][0] == "async_inspect_exports"
    assert found["core"][0] == "c where it can be had"


def test_the_environment_wins_over_the_project_over_the_user(
    project: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "xdg" / "async-inspect" / "config.toml"
    set_(own, 'detail = "calls"\nslow-poll = 7\nquiet = true\n')
    project('detail = "awaits"\nslow-poll = 8.5\ntag = ["a", "b"]')
    monkeypatch.setenv("ASYNC_INSPECT_DETAIL", "calls")
    monkeypatch.setenv("ASYNC_INSPECT_WITHOUT", "wakes,locks")
    monkeypatch.setenv("ASYNC_INSPECT_CALLEES", "yes")
    monkeypatch.setenv("ASYNC_INSPECT_OUTPUT", "")
    file = f"{tmp_path / 'pyproject.toml'}: tool.async-inspect."
    found = shown(capsys)
    assert found["detail"] == ("calls", "ASYNC_INSPECT_DETAIL")
    assert found["without"] == (["wakes", "locks"], "ASYNC_INSPECT_WITHOUT")
    assert found["callees"] == (True, "ASYNC_INSPECT_CALLEES")
    assert found["slow-poll"] == ("8.5", f"{file}slow-poll")
    assert found["tag"] == (["a", "b"], f"{file}tag")
    assert found["quiet"] == (True, f"{own}: quiet")
    assert found["output"] == ("async_inspect_exports", "default")
    monkeypatch.setenv(env.DIR, "of a recorded program: these are its recorder's")
    assert shown(capsys)["detail"] == ("awaits", f"{file}detail")


def test_a_preset_counts_where_it_stands(
    project: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is named beside it or above it wins over what it stands for."""
    file = f"{tmp_path / 'pyproject.toml'}: tool.async-inspect."
    project('preset = "production"')
    assert shown(capsys)["detail"] == ("awaits", f"{file}preset, production")
    project('preset = "production"\ndetail = "calls"')
    assert shown(capsys)["detail"] == ("calls", f"{file}detail")
    found = shown(capsys, "--preset", "production")
    assert (found["detail"], found["preset"]) == (("awaits", "--preset, production"), ("production", "--preset"))
    monkeypatch.setenv("ASYNC_INSPECT_PRESET", "debug")
    found = shown(capsys)
    assert found["callees"] == (True, "ASYNC_INSPECT_PRESET, debug")
    assert found["detail"] == ("calls", "ASYNC_INSPECT_PRESET, debug")
    assert found["max-size"][0] == "unlimited"


def test_of_several_presets_one_holds(
    project: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tool: Tool
) -> None:
    """The one that wins; nothing of what another stands for is left."""
    project('preset = "debug"')
    found = shown(capsys, "--preset", "production")
    assert (found["callees"][0], found["max-size"]) == (False, ("4GB", "default"))
    words = ("-c", "import asyncio; asyncio.run(asyncio.sleep(0))")
    assert tool("attach", "-q", "-f", "json", "--preset", "production", *words).status == 0
    said = json.loads((tmp_path / "async_inspect_exports" / "data.json").read_text(encoding="utf-8"))["metadata"]
    assert said["detail"] == "awaits"
    monkeypatch.setenv("ASYNC_INSPECT_PRESET", "production")
    found = shown(capsys)
    assert found["preset"] == ("production", "ASYNC_INSPECT_PRESET")
    assert (found["callees"][0], found["max-size"]) == (False, ("4GB", "default"))
    assert {name: where for name, (_, where) in found.items() if "debug" in where} == {}
    project('preset = "debugging"')
    assert "debugging: there is no such preset" in refused(capsys)


def test_a_python_for_scripts_is_passed_over_where_there_is_none(
    project: Set, capsys: pytest.CaptureFixture[str], tool: Tool
) -> None:
    project('python = "/no/such/python"\nquiet = true\nformat = ["json"]')
    assert "/no/such/python" in tool("attach", "-c", "pass").stderr
    assert tool("attach", "--", "true").stderr.startswith("async-inspect: nothing was recorded")
    assert tool("attach", "--pid", "999999999").stderr == "async-inspect: there is no process 999999999\n"
    assert refused(capsys, "attach", "--python", "x", "--", "true").startswith(
        "--python says which Python runs a script"
    )


def test_help_names_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["config", "--help"])
    assert "tool.async-inspect" in capsys.readouterr().out


def test_the_nearest_folder_that_has_one(
    project: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project('detail = "awaits"')
    below = tmp_path / "below"
    set_(below / "pyproject.toml", "[tool.other]\n")
    monkeypatch.chdir(below)
    assert shown(capsys)["detail"][0] == "awaits"
    set_(tmp_path / "async-inspect.toml", "quiet = true\n")
    with pytest.raises(SystemExit, match="0"):
        main(["config", "--json"])
    said = capsys.readouterr()
    assert json.loads(said.out)["quiet"]["from"] == f"{tmp_path / 'async-inspect.toml'}: quiet"
    assert json.loads(said.out)["detail"]["from"] == "default"
    assert said.err.count("is not read: there is an async-inspect.toml beside it") == 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("details = 1", "details: there is no such setting; did you mean detail?"),
        ("slow_poll = 1", "slow_poll: there is no such setting; did you mean slow-poll?"),
        ("xyz = 1", "xyz: there is no such setting; there are preset, detail, "),
        ("quiet = 1", "quiet: is to be true or false"),
        ("tag = 1.5e3\nwithout = [[1]]", "without: is to be an array of texts"),
        ('output = ["a"]', "output: is to be a text or a number"),
        ("output = true", "output: is to be a text or a number"),
        ("preset = 1", "preset: is to be a name"),
        ('preset = "prod"', "preset prod: there is no such preset; there are development, production, debug"),
    ],
)
def test_what_is_wrong_is_said_before_the_program_runs(
    project: Set, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, what: str
) -> None:
    project(text)
    file = f"{tmp_path / 'pyproject.toml'}: tool.async-inspect."
    assert refused(capsys).startswith(file + what)
    assert refused(capsys, "config").startswith(file + what)


@pytest.mark.parametrize("value", ['"x"', "-1"])
def test_a_number_that_cannot_be(project: Set, capsys: pytest.CaptureFixture[str], value: str) -> None:
    project(f"slow-poll = {value}")
    assert "tool.async-inspect.slow-poll: " in refused(capsys)


def test_what_an_option_refuses_is_said_with_its_place(
    project: Set, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in ('detail = "call"', "max-size = -1", 'without = ["lock"]', 'detail = "awaits"\ncallees = true'):
        project(wrong)
        assert ": tool.async-inspect." in refused(capsys).rpartition(" is from ")[2]
        assert refused(capsys, "config") == refused(capsys)
    project('detail = "call"')
    monkeypatch.setenv("ASYNC_INSPECT_DETAIL", "all")
    assert refused(capsys) == (
        "--detail all: there is no such detail; there are calls, awaits (--detail is from ASYNC_INSPECT_DETAIL)"
    )
    assert refused(capsys, "attach", "--detail", "x", "-c", "pass").startswith("--detail x: there is no such detail")
    assert refused(capsys, "attach", "--preset", "x", "-c", "pass").startswith("--preset x: there is no such preset")


def test_help_is_given_all_the_same(project: Set, capsys: pytest.CaptureFixture[str]) -> None:
    project("xyz = 1")
    with pytest.raises(SystemExit, match="0"):
        main(["attach", "--help"])
    assert "--preset" in capsys.readouterr().out


def test_attach_and_report_take_them(project: Set, tmp_path: Path, tool: Tool) -> None:
    """And the command line wins."""

    def written(folder: str) -> tuple[list[str], str]:
        said = json.loads((tmp_path / folder / "data.json").read_text(encoding="utf-8"))
        return [path.name for path in (tmp_path / folder).iterdir() if path.is_file()], said["metadata"]["detail"]

    program = "import asyncio; asyncio.run(asyncio.sleep(0))"
    project('preset = "production"\noutput = "out"\nformat = ["json"]\nquiet = true')
    for words in (
        ("attach", "-c", program),
        ("report", "out", "-o", "again"),
        ("attach", "--detail", "calls", "-o", "calls", "-c", program),
    ):
        done = tool(*words)
        assert (done.status, done.stdout, done.stderr) == (0, "", "")
    assert written("out") == written("again") == (["data.json"], "awaits")
    assert written("calls") == (["data.json"], "calls")
