"""A C core for the target's Python: found, built once, or why not."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from async_inspect.errors import UserError
from async_inspect.launcher import corebuild, interpreter
from async_inspect.tracer import choose

from ..tools import need_compiler


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> interpreter.Interpreter:
    """This Python, for which no core is there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CC", raising=False)
    beside = choose.places
    monkeypatch.setattr(choose, "places", lambda *args: beside(*args)[1:])
    return interpreter.ask(sys.executable)


@pytest.fixture
def compiler(python: interpreter.Interpreter) -> None:
    need_compiler(python.includes)


@pytest.mark.usefixtures("compiler")
def test_built_once_and_quietly(
    python: interpreter.Interpreter, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    core = corebuild.prepare(python)
    assert (core.name, core.reason) == ("c", "the C core fits this Python")
    assert capfd.readouterr() == ("", "")
    folder = Path(core.path).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == [f"_core{python.suffix}"]
    monkeypatch.setenv("CC", "false")
    assert corebuild.prepare(python) == core, "the second time no compiler is needed"
    code = f"""
import sys
sys.path.insert(0, {str(Path(choose.__file__).parents[2])!r})
from async_inspect.tracer import choose
choose.places = lambda *args, real=choose.places: real(*args)[1:]
core, reason = choose.choose("", {corebuild.cores_prefix()!r})
print(core.NAME, core.__file__, reason)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == f"c {core.path} the C core fits this Python\n"


@pytest.mark.usefixtures("compiler")
def test_a_folder_that_others_could_write_is_closed_first(python: interpreter.Interpreter) -> None:
    folder = Path(corebuild.prepare(python).path).parent
    folder.chmod(0o777)
    corebuild.prepare(python)
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("way", ["prepare", "forced", "in the target", "preload", "copied"])
def test_what_others_may_have_planted_is_loaded_by_no_way(
    way: str, python: interpreter.Interpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A C core that somebody else could have written: one rule for all who load one, or hand one on."""
    path = Path(corebuild.preload() if way == "preload" else corebuild.prepare(python).path)
    path.chmod(0o777)
    reason = f"everybody may write {path} (chmod o-w)"
    if way == "prepare":
        core = corebuild.prepare(python)
        assert (core.name, core.path, core.refused) == ("python", "", True)
        assert core.reason.startswith(f"{reason}: remove {path}, or set XDG_CACHE_HOME")
    elif way == "in the target":
        found, why = choose.choose("", corebuild.cores_prefix())
        assert (found.NAME, why) == ("python", f"a C core that is not to be trusted: {reason}")
        path.chmod(0o755)
        assert choose.choose("", corebuild.cores_prefix())[0].NAME == "c"
    elif way == "copied":
        with pytest.raises(corebuild.RefusedError, match="everybody may write"):
            corebuild.existing(python.suffix)
    else:
        with pytest.raises(UserError, match="everybody may write"):
            corebuild.preload() if way == "preload" else corebuild.prepare(python, "c")


@pytest.mark.usefixtures("compiler")
def test_a_cache_that_is_not_ones_own(python: interpreter.Interpreter, tmp_path: Path) -> None:
    """As where a root keeps the HOME of somebody else, or the cache leads into another's folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    interpreter.cache_folder().parent.mkdir()
    interpreter.cache_folder().symlink_to(elsewhere)
    core = corebuild.prepare(python)
    assert (core.name, core.refused) == ("python", True)
    assert core.reason.startswith(f"{interpreter.cache_folder()}: is not this user's own folder: remove it, or set ")
    assert not list(elsewhere.iterdir())


@pytest.mark.tracer
@pytest.mark.usefixtures("compiler")
def test_without_a_warning(python: interpreter.Interpreter) -> None:
    """Here only: a newer compiler of a user's may warn of more."""
    strict = ("-Wall", "-Wextra", "-Wconversion", "-Werror", "-O2", "-c", "-o", os.devnull)
    headers = [word for path in python.includes for word in ("-isystem", path)]  # CPython's own are not ours to mend
    done = subprocess.run(
        [*corebuild._compiler(), *strict, *headers, str(corebuild.SOURCE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not {"-Werror"} & {*corebuild.FLAGS, *corebuild.LINK}


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (0x030C00F0, ""),
        (0x030F02F0, ""),
        (0x030F00B1, "the C core was not tested on Python 3.15.0b1, whose frames may be others"),
        (0x031000F0, "the C core was not tested on Python 3.16.0, whose frames may be others"),
        (0x031000A4, "the C core was not tested on Python 3.16.0a4, whose frames may be others"),
    ],
)
def test_only_on_pythons_that_it_was_tested_on(
    version: int, reason: str, python: interpreter.Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose.untested(version) == reason
    if reason:
        core = corebuild.prepare(dataclasses.replace(python, hexversion=version))
        assert (core.name, core.reason) == ("python", reason)
        monkeypatch.setattr(sys, "hexversion", version)
        chosen, why = choose.choose("c")
        assert (chosen.NAME, why) == ("python", reason)
        monkeypatch.setattr(choose, "PRERELEASES", frozenset({version}))
        assert choose.untested(version) == ""


@pytest.mark.usefixtures("compiler")
def test_a_core_that_finds_other_frames_does_not_record(
    python: interpreter.Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = corebuild.prepare(python).path
    monkeypatch.setattr(choose, "places", lambda *_: [path])
    monkeypatch.setattr(choose, "untrusted", lambda _: "")
    assert choose.choose()[0].NAME == "c"

    async def pair(inner: object) -> None: ...

    core = choose.choose()[0]
    one, other = pair(1), pair(2)
    other.close()
    with pytest.raises(ImportError, match="this Python's frames are not what it reads: whether a coroutine has run"):
        core.self_test(one, other, object(), 0)
    with pytest.raises(ImportError, match="whether a coroutine has run"):
        core.self_test(other, one, object(), 1)
    one.close()

    def differs(core: object) -> None:
        raise ImportError("this Python's frames are not what it reads: a frame's code")

    monkeypatch.setattr(choose, "_self_test", differs)
    core, why = choose.choose()
    assert core.NAME == "python"
    assert why.endswith("cannot be loaded: this Python's frames are not what it reads: a frame's code")


@pytest.mark.parametrize(
    ("changes", "compiler", "reason"),
    [
        ({}, "no-such-compiler", "no C compiler found"),
        ({"includes": ("/nowhere",)}, "cc", "no Python.h for Python"),
        ({}, "false", "false failed: no output"),
        ({"free_threaded": True}, "cc", "a free-threaded Python"),
    ],
    ids=["no compiler", "no headers", "compiler fails", "free-threaded"],
)
def test_without_one_the_twin_records(
    changes: dict[str, object],
    compiler: str,
    reason: str,
    python: interpreter.Interpreter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "Python.h").touch()
    monkeypatch.setenv("CC", compiler)
    without = dataclasses.replace(python, **{"includes": (str(tmp_path),), **changes})  # type: ignore[arg-type]
    if not shutil.which(compiler) and "found" not in reason:
        pytest.skip("no C compiler (Debian: apt-get install gcc libc6-dev)")
    core = corebuild.prepare(without)
    assert core.name == "python"
    assert core.reason.startswith(reason)
    assert core.variables()["ASYNC_INSPECT_CORE_HINT"] == core.reason
    with pytest.raises(UserError, match=reason):
        corebuild.prepare(without, "c")


def test_forced(python: interpreter.Interpreter) -> None:
    core = corebuild.prepare(python, "python")
    assert (core.name, core.reason) == ("python", "asked for by ASYNC_INSPECT_CORE")
    with pytest.raises(UserError, match="must be c or python") as raised:
        corebuild.prepare(python, "rust")
    assert raised.value.status == 2


def test_choice_in_the_target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the launcher prepares the target must find; without it, the hint is the reason."""
    monkeypatch.setattr(choose, "places", lambda *_: [])
    core, reason = choose.choose("", "", "no C compiler found")
    assert (core.NAME, reason) == ("python", "no C compiler found")
    assert choose.choose("c")[1] == f"no C core for {choose.SUFFIX}"
    broken = tmp_path / "_core.so"
    broken.write_bytes(b"not a library")
    monkeypatch.setattr(choose, "places", lambda *_: [str(broken)])
    core, reason = choose.choose()
    assert core.NAME == "python"
    assert reason.startswith(f"{broken} cannot be loaded: ")
    assert choose.choose("python")[1] == "asked for by ASYNC_INSPECT_CORE"
    monkeypatch.setattr(choose, "FREE_THREADED", True)
    assert choose.choose("c")[1] == "a free-threaded Python"
