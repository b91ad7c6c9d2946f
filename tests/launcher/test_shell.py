"""``async-inspect env``: a shell in which everything is recorded, and then no more."""

import os
import shlex
from pathlib import Path

import pytest

from async_inspect.launcher import shell
from async_inspect.launcher.target import BOOT, environment, without_ours
from async_inspect.tracer.settings import Settings

from ..tools import TARGET, TOOL, Run, Tool, run

TOOL_WORDS = shlex.join(TOOL)


def in_shell(line: str, folder: Path, **env: str) -> Run:
    return run(["sh", "-c", line], cwd=folder, env=env)


@pytest.mark.e2e
def test_what_the_shell_starts_is_recorded(tmp_path: Path) -> None:
    folder = tmp_path / "it's here; $HOME"
    code = "import asyncio, os; asyncio.run(asyncio.sleep(0)); print(os.getpid())"
    words = shlex.join([TARGET, "-c", code])
    tool = f"{TOOL_WORDS} env -o {shlex.quote(str(folder))} --without locks --python {TARGET}"
    unset = f"{TOOL_WORDS} env --unset"
    line = f'eval "$({tool})"\n{words}\n{words} | cat\neval "$({unset})"\n{words}\nenv'
    done = in_shell(line, tmp_path, PYTHONPATH="/theirs", LD_PRELOAD="")
    assert (done.status, done.stderr) == (0, "")
    first, second, third, *variables = done.stdout.splitlines()
    recorded = {path.stem.split("-")[1] for path in folder.glob("recording/*.rec")}
    # The tool runs by -c here, so that its own last call is recorded as anybody's: that is one more.
    assert {first, second} <= recorded
    assert third not in recorded
    assert "PYTHONPATH=/theirs" in variables
    assert not [line for line in variables if line.startswith("ASYNC_INSPECT_")]


@pytest.mark.e2e
def test_the_tool_itself_is_not_recorded(tmp_path: Path) -> None:
    """Called by its own name, or as a module, in such a shell."""
    script = tmp_path / "async-inspect"
    script.write_text("print(1)\n", encoding="utf-8")
    lines = [line.partition("=") for line in run([*TOOL, "env", "--python", TARGET], cwd=tmp_path).stdout.splitlines()]
    made = {name.removeprefix("export "): shlex.split(value)[0] if value else "" for name, _, value in lines}
    for words in [str(script)], ["-m", "async_inspect"]:
        run([TARGET, *words], cwd=tmp_path, env=made)
    assert not list(tmp_path.glob("async_inspect_exports/recording/*"))
    run([TARGET, "-c", ""], cwd=tmp_path, env=made)
    assert len(list(tmp_path.glob("async_inspect_exports/recording/*.rec"))) == 1


def test_attach_in_such_a_shell(tmp_path: Path) -> None:
    """What attach is told counts there, and nothing is put anywhere twice."""
    outer = environment({"PYTHONPATH": "/theirs", "A": "b"}, "/outer", Settings(), follow_env=True, preload="/lib.so")
    inner = environment(outer, "/inner", Settings())
    assert inner == environment({"PYTHONPATH": "/theirs", "A": "b"}, "/inner", Settings())
    assert inner["PYTHONPATH"] == f"{BOOT}:/theirs"


@pytest.mark.parametrize(
    "before",
    [
        {},
        {"PYTHONPATH": "/a:/b"},
        {"PYTHONPATH": ""},
        {"LD_PRELOAD": "/a.so:/b.so", "X": ""},
        {"ASYNC_INSPECT_CORE": "c"},
    ],
)
@pytest.mark.parametrize("preload", ["", "/lib.so"])
def test_undone(before: dict[str, str], preload: str) -> None:
    made = environment(before, "/folder", Settings(), preload=preload)
    empty = ("PYTHONPATH", "LD_PRELOAD")  # there and empty is as good as not there
    assert without_ours(made) == {name: value for name, value in before.items() if value or name not in empty}
    assert without_ours(before) == before


def test_lines() -> None:
    lines = list(shell.difference({"A": "1", "B": "2", "C": "3"}, {"A": "1", "B": "it's $HOME"}))
    assert lines == ["unset C", """export B='it'"'"'s $HOME'"""]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["app.py"], 2, "app.py"),
        (["--without", "everything"], 2, "there is no such source"),
        (["--max-size", "1"], 2, "at least 64KB"),
        (["--python", "no-such-python"], 127, "no such program"),
        (["-o", "/dev/null/x"], 1, "cannot write to"),
    ],
)
def test_what_is_refused(words: list[str], status: int, said: str, tool: Tool) -> None:
    done = tool("env", *words)
    assert (done.status, done.stdout) == (status, "")
    assert said in done.stderr


def test_preload_without_a_compiler(tool: Tool, tmp_path: Path) -> None:
    env = {"CC": "no-such-compiler", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for words in ["env", "--preload"], ["attach", "--preload", "-c", "print(1)"]:
        done = tool(*words, env=env)
        assert (done.status, done.stdout) == (1, "")
        assert (
            done.stderr
            == "async-inspect: --preload needs a small C library, which cannot be had: no C compiler found; "
            "Debian: apt-get install gcc libc6-dev python3-dev\n"
        )


@pytest.mark.usefixtures("preload")
@pytest.mark.e2e
def test_preload_stays_out_of_debug_allocators(core: str, tmp_path: Path) -> None:
    """A hook that was made before these are in place would abort the program at its end."""
    for words in ["-I", "-X", "dev"], ["-IXdev"], ["-I"]:
        done = run(
            [*TOOL, "attach", "-q", "-f", "json", "--preload", "--", TARGET, *words, "-c", "print(1)"],
            cwd=tmp_path,
            env={"ASYNC_INSPECT_CORE": core, **({"PYTHONMALLOC": "debug"} if words == ["-I"] else {})},
        )
        assert done.stdout == "1\n"
        assert "nothing was recorded" in done.stderr
    assert not os.listdir(tmp_path / "async_inspect_exports" / "recording")
