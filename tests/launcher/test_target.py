"""Where the tool's words end and the program's begin."""

from pathlib import Path

import pytest

from async_inspect.errors import UserError
from async_inspect.launcher.target import BOOT, Target, check, environment, split
from async_inspect.tracer import env
from async_inspect.tracer.settings import Settings

VALUED = {"-o", "--output", "-f", "--format", "--python"}


@pytest.mark.parametrize(
    ("line", "own", "words"),
    [
        ("app.py", "", "app.py"),
        ("app.py -o x --quiet", "", "app.py -o x --quiet"),
        ("-o out app.py", "-o out", "app.py"),
        ("-oout app.py", "-oout", "app.py"),
        ("--output=out app.py --its-own", "--output=out", "app.py --its-own"),
        ("-o out -f json -f folded app.py", "-o out -f json -f folded", "app.py"),
        ("--quiet app.py", "--quiet", "app.py"),
        ("-m pytest -x -o prog", "", "-m pytest -x -o prog"),
        ("--quiet -m pytest -- -x", "--quiet", "-m pytest -- -x"),
        ("-mpytest -x", "", "-mpytest -x"),
        ("-c pass -q", "", "-c pass -q"),
        ("-o -m app.py", "-o -m", "app.py"),
        ("-", "", "-"),
        ("folder/ x", "", "folder/ x"),
        ("--unknown app.py", "--unknown", "app.py"),
    ],
)
def test_split(line: str, own: str, words: str) -> None:
    assert split(line.split(), VALUED) == (own.split(), Target(tuple(words.split())))


@pytest.mark.parametrize(
    ("line", "own", "command"),
    [
        ("-- make test", "", "make test"),
        ("-o out -- python -X dev app.py -- y", "-o out", "python -X dev app.py -- y"),
    ],
)
def test_split_command(line: str, own: str, command: str) -> None:
    assert split(line.split(), VALUED) == (own.split(), Target(tuple(command.split()), is_command=True))


@pytest.mark.parametrize("line", ["", "--quiet", "-o out", "-o", "--help", "--", "-q --"])
def test_no_target(line: str) -> None:
    own, target = split(line.split(), VALUED)
    assert target is None
    assert own == [word for word in line.split() if word != "--"]


def test_argv() -> None:
    assert Target(("-m", "x", "y")).argv("/bin/python") == ["/bin/python", "-m", "x", "y"]
    assert Target(("make", "x"), is_command=True).argv("/bin/python") == ["make", "x"]


@pytest.mark.parametrize("target", [None, Target(("missing.py",)), Target(("-m",)), Target(("-c",))])
def test_check_refuses_by_usage_error(target: Target | None) -> None:
    with pytest.raises(UserError) as raised:
        check(target)
    assert raised.value.status == 2


def test_check_lets_pass(tmp_path: Path) -> None:
    for words in [(str(tmp_path),), (__file__, "x"), ("-",), ("-m", "x"), ("-cpass",)]:
        assert check(Target(words)).words == words
    assert check(Target(("missing",), is_command=True))


def test_environment() -> None:
    made = environment({"HOME": "/h", "PYTHONPATH": "a::b"}, "rec", Settings(5, ["wakes", "locks"], 20, True))
    assert made["HOME"] == "/h"
    assert made["PYTHONPATH"] == f"{BOOT}:a::b"
    assert made["ASYNC_INSPECT_WITHOUT"] == "wakes,locks"
    assert (made["ASYNC_INSPECT_MAX_SIZE"], made["ASYNC_INSPECT_SLOW_POLL_MS"], made["ASYNC_INSPECT_CALLEES"]) == (
        "5",
        "20",
        "1",
    )
    assert Path(made["ASYNC_INSPECT_DIR"]) == Path.cwd() / "rec"
    assert environment({}, "/rec", Settings())["PYTHONPATH"] == BOOT


def test_each_variable_is_ours_or_a_person_s() -> None:
    """``async-inspect env --unset``, and attach in a recorded shell, take away what we put there."""
    names = {value for name, value in vars(env).items() if name.isupper() and isinstance(value, str)}
    assert names == {*env.OURS, env.CORE, env.DISABLE}
