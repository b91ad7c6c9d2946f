"""Which lines of source the live view shows: text that ran, and that whoever made the recording could read."""

import os
from pathlib import Path

import pytest

from async_inspect.tui import source

NOW = 2_000_000_000_000_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text("one\n    two  \nthree", encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def anew() -> None:
    source._lines.cache_clear()


def test_a_line(file: Path) -> None:
    me = os.geteuid()
    assert [source.line(str(file), n, me, NOW) for n in (-1, 0, 1, 2, 3, 4)] == ["", "", "one", "two", "three", ""]
    (file.parent / "link").symlink_to(file)
    assert source.line(str(file.parent / "link"), 1, me, NOW) == "one"


def test_what_was_changed_since_is_not_what_ran(file: Path) -> None:
    os.utime(file, ns=(1_000, 1_000))
    assert source.line(str(file), 1, os.geteuid(), 999) == ""
    assert source.line(str(file), 1, os.geteuid(), 1_000) == "one"


NO_FILES = ["/dev/zero", "/dev/stdin", "/proc/self/environ", "app.py", "", "/no/such.py", "/a\0b"]


@pytest.mark.parametrize("path", NO_FILES)
def test_what_is_no_file_of_the_program(path: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert source.line(path, 1, os.geteuid(), NOW) == ""


def test_what_is_no_source(tmp_path: Path) -> None:
    me = os.geteuid()
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "device.py").symlink_to("/dev/zero")
    (tmp_path / "environ.py").symlink_to("/proc/self/environ")
    (tmp_path / "shadow").write_text("root:x", encoding="utf-8")
    (tmp_path / "binary.py").write_bytes(b"a\0b")
    (tmp_path / "big.py").write_bytes(b"x" * (source.MOST + 1))
    for name in ("pipe.py", "device.py", "environ.py", "shadow", "binary.py", "big.py", "."):
        assert source.line(str(tmp_path / name), 1, me, NOW) == "", name
    (tmp_path / "script").write_text("#!/usr/bin/python\nx\n", encoding="utf-8")
    assert source.line(str(tmp_path / "script"), 2, me, NOW) == "x"


def test_nobody_sees_by_our_rights_what_is_not_theirs(file: Path, tmp_path: Path) -> None:
    """Somebody else's recording names files that we may read, and they may not."""
    stranger = os.geteuid() + 1
    above = [parent for parent in file.parents if parent != Path("/")]
    assert any(not parent.stat().st_mode & 1 for parent in above), "pytest keeps its folders to itself"
    file.chmod(0o644)
    assert source.line(str(file), 1, stranger, NOW) == ""
    assert source.line(os.__file__, 1, stranger, NOW) == _first(os.__file__, os.path.realpath(os.__file__))
    source._lines.cache_clear()
    file.chmod(0o600)
    assert source.line(str(file), 1, os.geteuid(), NOW) == "one"


def _first(path: str, real: str) -> str:
    """Its first line, if everybody may read it."""
    above = [os.path.dirname(real)]
    while above[-1] != "/":
        above.append(os.path.dirname(above[-1]))
    if not all(os.stat(folder).st_mode & 1 for folder in above):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.readline().strip()
