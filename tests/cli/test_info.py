"""``info``, ``version`` and what all commands share."""

import sys
from pathlib import Path

import pytest

from async_inspect._version import __version__
from async_inspect.cli.commands import COMMANDS

from ..tools import Tool


def test_version(tool: Tool) -> None:
    assert tool("version").stdout == f"async-inspect {__version__}\n"


def test_info(tool: Tool, tmp_path: Path) -> None:
    run = tool("info", "--python", sys.executable, env={"XDG_CACHE_HOME": str(tmp_path)})
    told = {line[:16].strip(): line[17:] for line in run.stdout.splitlines()}
    assert told["async-inspect"] == __version__
    assert sys.executable in told["tool's Python"]
    assert told["core"].partition(":")[0] in {"c", "python"}
    assert told["tool ids in use"] == "none"
    assert told["cache"] == str(tmp_path / "async-inspect")


def test_info_says_why(tool: Tool) -> None:
    told = tool("info", "--python", sys.executable, env={"ASYNC_INSPECT_CORE": "python"}).stdout
    assert "python: asked for by ASYNC_INSPECT_CORE" in told


def test_info_of_what_is_no_python(tool: Tool) -> None:
    run = tool("info", "--python", "/no/python")
    assert (run.status, run.stdout) == (127, "")
    assert run.stderr == "async-inspect: --python /no/python: no such program\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, tool: Tool) -> None:
    run = tool(name, "--help")
    assert run.status == 0
    assert "Usage" in run.stdout


@pytest.mark.parametrize("words", [["nonsense"], ["version", "too", "much"]])
def test_usage_errors(words: list[str], tool: Tool) -> None:
    run = tool(*words)
    assert run.status == 2
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(("typed", "completed"), [("cr", "critical-path"), ("attach --sl", "--slow-poll")])
def test_bash_completes(typed: str, completed: str, tool: Tool) -> None:
    # What --show-completion prints where it finds out that the shell is bash.
    script = tool(env={"_ASYNC_INSPECT_COMPLETE": "source_bash"})
    assert "complete -o default -F" in script.stdout
    words = f"async-inspect {typed}"
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(typed.split())), "_ASYNC_INSPECT_COMPLETE": "complete_bash"}
    assert tool(env=asked).stdout.split() == [completed]
