"""Which Python runs the target, and what is known of it."""

import os
import sys
from pathlib import Path

import pytest

from async_inspect.errors import UserError
from async_inspect.launcher import interpreter


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "async-inspect"


@pytest.fixture
def another(tmp_path: Path) -> str:
    """An executable that is not this Python, whatever it says of itself."""
    path = tmp_path / "another" / "python"
    path.parent.mkdir()
    path.write_bytes(Path(sys.executable).resolve().read_bytes()[:100] + os.urandom(8))
    return str(path)


def test_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = program(tmp_path / "asked")
    venv = program(tmp_path / "venv" / "bin" / "python")
    on_path = program(tmp_path / "bin" / "python3")
    path = {"PATH": str(on_path.parent)}
    everything = {**path, "VIRTUAL_ENV": str(tmp_path / "venv")}
    assert interpreter.find(str(asked), everything) == str(asked)
    assert interpreter.find("python3", everything) == str(on_path)
    assert interpreter.find(None, everything) == str(venv)
    assert interpreter.find(None, path) == sys.executable
    for marker in interpreter.ISOLATED_MARKERS:
        monkeypatch.setattr(sys, "prefix", str(tmp_path / marker))
        program(tmp_path / marker / marker)
        assert interpreter.find(None, path) == str(on_path), "a tool's own environment is not the user's"
    on_path.rename(on_path.with_name("python"))
    assert interpreter.find(None, path) == str(on_path.with_name("python"))


@pytest.mark.parametrize(
    ("asked", "environ"), [("/no/python", {}), ("no-such-python", {"PATH": "/nowhere"}), (None, {"VIRTUAL_ENV": "/no"})]
)
def test_find_nothing(asked: str | None, environ: dict[str, str]) -> None:
    with pytest.raises(UserError) as raised:
        interpreter.find(asked, environ)
    assert raised.value.status == 127


@pytest.mark.parametrize(
    ("first_line", "found"),
    [
        ("#!{python}", True),
        ("#!{python} -sE", True),
        ("#!/usr/bin/env python3", True),
        ("#!/usr/bin/env -S X=1 python3 -u", True),
        ("#!/bin/sh", False),
        ("no shebang", False),
    ],
)
def test_of_command(first_line: str, found: bool, tmp_path: Path) -> None:
    python = program(tmp_path / "python3")
    program(tmp_path / "tool", first_line.format(python=python) + "\nrest\n")
    environ = {"PATH": str(tmp_path)}
    assert interpreter.of_command(["tool", "x"], environ) == (str(python) if found else None)
    assert interpreter.of_command(["python3", "x"], environ) == str(python)
    assert interpreter.of_command(["missing"], environ) is None


def test_ask_itself(cache: Path) -> None:
    python = interpreter.ask(sys.executable)
    assert python.version == sys.version_info[:3]
    assert python.recordable
    assert not cache.exists(), "no question, no answer to keep"


def test_the_answer_of_another_python_is_the_same_as_its_own() -> None:
    told = interpreter._from_answer(sys.executable, interpreter._answer(sys.executable))
    assert told == interpreter.ask(sys.executable)


def test_answers_are_kept(cache: Path, another: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(path: str) -> dict[str, object]:
        asked.append(path)
        return {
            "version": [3, 14, 1],
            "hexversion": 0x030E01F0,
            "implementation": "cpython",
            "suffix": ".x.so",
            "includes": ["/i"],
            "free_threaded": False,
        }

    monkeypatch.setattr(interpreter, "_answer", answer)
    first, second = interpreter.ask(another), interpreter.ask(another)
    assert first == second
    assert first.name == "Python 3.14.1"
    assert asked == [another]
    assert cache.stat().st_mode & 0o777 == 0o700
    os.utime(another, ns=(1, 1))
    interpreter.ask(another)
    assert asked == [another, another], "it was replaced: asked again"
    (cache / "pythons.json").write_text("{not json")
    interpreter.ask(another)
    assert len(asked) == 3


def test_a_script_is_asked_each_time(cache: Path, tmp_path: Path) -> None:
    """It may start another Python today than yesterday."""
    shim = program(tmp_path / "shim", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    assert interpreter.ask(str(shim)).version == sys.version_info[:3]
    assert not cache.exists()


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho hello\n", "#!/no/such/thing\n"])
def test_what_is_no_python(text: str, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        interpreter.ask(str(program(tmp_path / "python", text)))
    assert raised.value.status == 126
    assert "\n" not in raised.value.message
