"""The user's own rules for reasons: where they stand, what they do, and what is said of wrong ones."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import async_inspect
from async_inspect import events as ev
from async_inspect.cli.main import main
from async_inspect.model.reasons import GATHER, RULES, TASK, YIELD, covering
from async_inspect.model.tables import Function
from async_inspect.support import settings, tables
from async_inspect.support.settings import ALL, Rule

from ..tape import Tape
from ..tools import ROOT, Attach, Run, Tool

POOL = """
import asyncio

class Pool:
    def __init__(self):
        self.free = asyncio.Queue()
        asyncio.get_running_loop().call_later(0.001, self.free.put_nowait, 1)

    async def acquire(self):
        await self.free.get()
        await self.checked()

    async def checked(self):
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.001, future.set_result, 1)
        await future
"""

PROGRAM = """
import asyncio, os, sys
open("ran", "x").close()
sys.path.insert(0, os.path.abspath("site-packages"))
from mylib.pool import Pool

async def main():
    await Pool().acquire()

asyncio.run(main())
"""

RULE = 'file = "site-packages/mylib/*.py"\nfunctions = ["Pool.acquire"]\nreason = "my pool"\n'
PROJECT, OWN = "[[tool.async-inspect.reasons]]\n", "[[reasons]]\n"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "site-packages" / "mylib").mkdir(parents=True)
    (tmp_path / "site-packages" / "mylib" / "pool.py").write_text(POOL, encoding="utf-8")
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def config(folder: Path, text: str) -> dict[str, str]:
    """The variable by which a config of this text is found."""
    (folder / "xdg" / "async-inspect").mkdir(parents=True)
    (folder / "xdg" / "async-inspect" / "config.toml").write_text(text, encoding="utf-8")
    return {"XDG_CONFIG_HOME": str(folder / "xdg")}


def found(done: Run) -> list[str]:
    """The reasons of the program's awaits, in the order in which they are for some time."""
    assert (done.status, done.stderr) == (0, "")
    return [row["reason"] for row in json.loads(done.stdout)["reasons"]]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", {"my pool"}),
        ('covers = ["*"]', {"my pool"}),
        ('covers = ["queue get"]', {"my pool", ""}),
        ('covers = [""]', {"queue get", "my pool"}),
        ("covers = []", {"queue get", ""}),
    ],
)
def test_what_a_rule_covers(more: str, expected: set[str], program: Path, attach: Attach, tool: Tool) -> None:
    (program.parent / "pyproject.toml").write_text(PROJECT + RULE + more, encoding="utf-8")
    done = attach(program, options=["--quiet", "-f", "json"])
    assert set(found(tool("stats", done.folder, "--json"))) == expected
    assert ("reason=my pool" in (done.folder / "data.json").read_text(encoding="utf-8")) == ("my pool" in expected)


def test_whose_rules_come_first(program: Path, attach: Attach, tool: Tool) -> None:
    done = attach(program, options=["--quiet", "-f", "json"])
    assert set(found(tool("stats", done.folder, "--json"))) == {"queue get", ""}
    # The first that names a function; of frames the innermost: of Pool.checked only the second speaks.
    own = config(program.parent, OWN + RULE.replace("my pool", "own") + OWN + RULE.replace("Pool.acquire", "Pool.*"))
    assert set(found(tool("stats", done.folder, "--json", env=own))) == {"own", "my pool"}
    (program.parent / "pyproject.toml").write_text(PROJECT + RULE.replace("my pool", "project's"), encoding="utf-8")
    assert set(found(tool("stats", done.folder, "--json", env=own))) == {"project's", "my pool"}


def test_the_library_reads_them_too(program: Path, attach: Attach, monkeypatch: pytest.MonkeyPatch) -> None:
    done = attach(program, options=["--quiet", "-f", "folded"])
    (program.parent / "pyproject.toml").write_text(PROJECT + RULE, encoding="utf-8")
    below = program.parent / "below"
    below.mkdir()
    (below / "pyproject.toml").write_text("[tool.other]\n", encoding="utf-8")
    monkeypatch.chdir(below)
    trace = async_inspect.load(done.folder)
    assert trace.rules == (Rule("site-packages/mylib/*.py", ("Pool.acquire",), "my pool", (ALL,)),)
    (program.parent / "pyproject.toml").unlink()
    # What is made of a trace has its rules, also where the recording is read again.
    for part in (trace, trace.filter(exclude="stdlib"), trace.filter(since_ms=0.001)):
        assert {part.reasons[0][code] for code in part.reasons[1].tolist()} == {"my pool"}
    assert async_inspect.load(done.folder).rules == ()


WRONG = [
    ("[[tool.async-inspect.reasons", "Expected"),
    ("[tool]\nasync-inspect = 1", "tool.async-inspect is no table"),
    ("[tool.async-inspect]\nreason = []", "tool.async-inspect.reason: there is no such setting; did you mean reasons?"),
    ("[tool.async-inspect]\nreasons = 1", "tool.async-inspect.reasons is no array of tables: write [[…reasons]]"),
    ("[tool.async-inspect]\nreasons = [1]", "tool.async-inspect.reasons, entry 1: is no table"),
    (PROJECT + RULE + PROJECT + "x = 1", "entry 2: there is no 'x'; there are file, functions, reason, covers"),
    (PROJECT, "entry 1: 'file' is missing"),
    (PROJECT + RULE.replace('"my pool"', '" "'), "entry 1: 'reason' is to be a word or a few, on one line"),
    (PROJECT + RULE.replace('"my pool"', '"a\\nb"'), "entry 1: 'reason' is to be a word or a few, on one line"),
    (PROJECT + RULE.replace('["Pool.acquire"]', '"Pool.acquire"'), "entry 1: 'functions' is to be an array of strings"),
    (PROJECT + RULE.replace('["Pool.acquire"]', "[]"), "entry 1: 'functions' names none"),
    (PROJECT + RULE + "covers = [1]", "entry 1: 'covers' is to be an array of strings"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_tables(text: str, message: str, program: Path, attach: Attach, tool: Tool) -> None:
    (program.parent / "pyproject.toml").write_text(text, encoding="utf-8")
    done = attach(program)
    assert (done.status, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"async-inspect: {program.parent / 'pyproject.toml'}: ")
    assert message in done.stderr
    assert not (program.parent / "ran").exists(), "before anything runs"


def test_wrong_tables_of_the_users_own(program: Path, attach: Attach, tool: Tool, tmp_path: Path) -> None:
    done = attach(program, options=["--quiet", "-f", "folded"])
    own = config(tmp_path, OWN)
    for words in (["stats"], ["report", "-o", "out"], ["export", "-f", "json", "-o", "-"]):
        said = tool(words[0], done.folder, *words[1:], env=own)
        where = tmp_path / "xdg" / "async-inspect" / "config.toml"
        assert (said.status, said.stdout) == (2, "")
        assert said.stderr == f"async-inspect: {where}: reasons, entry 1: 'file' is missing\n"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b"\xff"), "can't decode"),
        (lambda path: path.mkdir(), "is a folder, not a file"),
        (os.mkfifo, "is a named pipe, not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
        (lambda path: path.write_text("[tool.other\n"), "Expected"),
        (lambda path: path.write_text("a = " + "[" * 100_000), "recursion"),
        (lambda path: path.write_text("#" * (tables.MOST + 1)), "is longer than"),
    ],
    ids=["bytes", "folder", "pipe", "device", "syntax", "depth", "size"],
)
def test_what_cannot_be_read_is_somebody_elses(
    make: Callable[[Path], object],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A line says so, and the search goes on further up."""
    (tmp_path / "pyproject.toml").write_text(PROJECT + RULE, encoding="utf-8")
    here = tmp_path / "below"
    here.mkdir()
    monkeypatch.chdir(here)
    make(here / "pyproject.toml")
    assert [rule.reason for rule in settings.configured()] == ["my pool"]
    said = capsys.readouterr().err
    assert said.startswith(f"async-inspect: {here / 'pyproject.toml'}: ")
    assert said.endswith("; going on without it\n")
    assert message in said
    assert said.count("\n") == 1


def test_what_others_may_write_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "xdg" / "async-inspect" / "config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", config(tmp_path, OWN + RULE)["XDG_CONFIG_HOME"])
    project = tmp_path / "pyproject.toml"
    project.write_text(PROJECT + RULE.replace("my pool", "project's"), encoding="utf-8")
    project.chmod(0o666)
    assert [rule.reason for rule in settings.configured()] == ["my pool"]
    assert f"{project} is not read: everybody may write {project} (chmod o-w)" in capsys.readouterr().err
    project.chmod(0o644)
    own.parent.chmod(0o777)
    assert [rule.reason for rule in settings.configured()] == ["project's"]
    assert f"{own} is not read: everybody may write {own.parent} (chmod o-w)" in capsys.readouterr().err
    project.write_text("[tool.other]\n", encoding="utf-8")
    project.chmod(0o666)
    own.parent.chmod(0o700)
    assert [rule.reason for rule in settings.configured()] == ["my pool"]
    assert capsys.readouterr().err == "", "it had nothing for us"


def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", config(tmp_path, OWN + RULE)["XDG_CONFIG_HOME"])
    assert [rule.reason for rule in settings.configured()] == ["my pool"]


def test_home_without_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".config" / "async-inspect").mkdir(parents=True)
    (tmp_path / ".config" / "async-inspect" / "config.toml").write_text(OWN + RULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CONFIG_HOME", value)
        assert [rule.reason for rule in settings.configured()] == ["my pool"]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings.configured() == ()


# --- what docs/reasons.md says ---------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")


def test_the_page_has_every_reason() -> None:
    section = PAGE.partition("\n## The shipped ones\n")[2].partition("\n## ")[0]
    first = re.findall(r"^\| (`.+?) \| ", section, re.MULTILINE)
    named = [word for cell in first for word in re.findall(r"`([^`]+)`", cell)]
    assert len(named) == len(set(named))
    assert set(named) == {rule.reason for rule in RULES} | {TASK, GATHER, YIELD}


def test_the_tables_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, own = re.findall(r"```toml\n(.+?)```", PAGE, re.DOTALL)
    (tmp_path / "pyproject.toml").write_text(project, encoding="utf-8")
    monkeypatch.setenv("XDG_CONFIG_HOME", config(tmp_path, own)["XDG_CONFIG_HOME"])
    monkeypatch.chdir(tmp_path)
    assert settings.configured() == (
        Rule("site-packages/mylib/pool.py", ("Pool.acquire", "Pool.drain"), "my pool", (ALL,)),
        Rule("site-packages/mylib/*.py", ("Client.*",), "my service", ("stream read", "")),
    )


@pytest.mark.parametrize(
    "command",
    [
        ["check"],
        ["stats", "--json"],
        ["critical-path", "--json"],
        ["dump"],
        ["dump", "--at", "1.0015"],
        ["export", "-f", "json", "-o", "-"],
    ],
)
def test_every_command_goes_by_them(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = again_and_again().write(tmp_path / "a.rec")
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.async-inspect.reasons]]\nfile = "app.py"\nfunctions = ["main"]\nreason = "my wait"\n'
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([command[0], str(path), *command[1:]])
    assert ended.value.code in (0, None)
    assert b"my wait" in capfdbinary.readouterr().out


def again_and_again() -> Tape:
    """A task that is woken 1,000 times for nothing, and waits at the end."""
    tape = Tape()
    code = tape.code("main", 10)
    node, future, at = tape.node(0, code), tape.string("asyncio.Future"), 0
    tape.put(ev.START, 0, coro=1, off=code, node=node, task=1, flags=ev.IS_TASK)
    for _ in range(1000):
        tape.put(ev.SUSPEND, at := at + 1000, coro=1, aux=future, off=4)
        tape.put(ev.RESUME, at := at + 1000, coro=1, aux=1, node=node, task=1)
    tape.put(ev.SUSPEND, at := at + 1000, coro=1, aux=future, off=4)
    tape.end_ns = at + 1000
    return tape


# --- shipped rules, and whose frames they speak for ------------------------------------------------------------------

CLIENT = """
class Redis:
    async def execute_command(self, read):
        return await read()
"""
OTHER = """
import asyncio
async def read():
    reader = asyncio.StreamReader()
    asyncio.get_running_loop().call_later(0.001, reader.feed_data, b"x")
    await reader.read(1)
"""
BOTH = """
import asyncio, os, sys
sys.path.insert(0, os.path.abspath(sys.argv[1]))
from redis.asyncio.client import Redis
from {module} import read
asyncio.run(Redis().execute_command(read))
"""


@pytest.mark.parametrize("site", ["site-packages", "dist-packages"])
@pytest.mark.parametrize(("module", "expected"), [("redis.own", {"redis command"}), ("other", {"stream read"})])
def test_shipped_rules_speak_for_their_own_library(
    site: str, module: str, expected: set[str], tmp_path: Path, attach: Attach
) -> None:
    """What another package waits for is its own affair, whoever called it."""
    (tmp_path / site / "redis" / "asyncio").mkdir(parents=True)
    for folder in ("redis", "redis/asyncio"):
        (tmp_path / site / folder / "__init__.py").touch()
    (tmp_path / site / "redis" / "asyncio" / "client.py").write_text(CLIENT, encoding="utf-8")
    (tmp_path / site / f"{module.replace('.', '/')}.py").write_text(OTHER, encoding="utf-8")
    (tmp_path / "program.py").write_text(BOTH.format(module=module), encoding="utf-8")
    trace = attach("program.py", site, options=["--quiet", "-f", "folded"]).trace
    assert {trace.reasons[0][code] for code in trace.reasons[1].tolist()} == expected


def test_which_functions_say_it_better() -> None:
    functions = [
        Function("Redis.execute_command", "dist-packages/redis/asyncio/client.py", 1, user=False),
        Function("Lock.acquire", "<stdlib>/asyncio/locks.py", 1, user=False),
        Function("Queue.join", "<stdlib>/asyncio/queues.py", 1, user=False),
        Function("Queue.join", "queues.py", 1, user=True),
    ]
    assert covering(functions).tolist() == [True, False, True, False]
