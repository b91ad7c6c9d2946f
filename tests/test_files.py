"""Files among those of others: opened only if they are files, made for one user, removed if not finished."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from async_inspect import files

from .tools import ROOT


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=["umask 000", "umask 022", "umask 777"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o7777


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text", encoding="utf-8")
    (tmp_path / "link").symlink_to(file)
    assert files.read(tmp_path / "link", 4) == b"text"
    with pytest.raises(OSError, match="longer than 3 bytes"):
        files.read(file, 3)
    with pytest.raises(OSError, match="a link, not a file"):
        files.open_regular(tmp_path / "link", follow=False)
    os.mkfifo(tmp_path / "pipe")
    listens = socket.socket(socket.AF_UNIX)
    listens.bind(str(tmp_path / "socket"))
    for name, kind in (("pipe", "named pipe"), ("socket", "socket"), ("", "folder"), ("/dev/zero", "device")):
        with pytest.raises(OSError, match=f"is a {kind}, not a file"):
            files.open_regular(tmp_path / name)
    listens.close()


def test_swapped_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was a file when it was looked at is a pipe when it is opened."""
    path = tmp_path / "x"
    path.touch()
    looked = os.stat(path)
    path.unlink()
    os.mkfifo(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda *_, **__: looked)
        with pytest.raises(OSError, match="is a named pipe"):
            files.open_regular(path)


@pytest.mark.usefixtures("umask")
def test_for_this_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    made = files.folder(tmp_path / "a" / "b")
    assert (mode(made), mode(made.parent)) == (0o700, 0o700)
    os.close(files.create(made / "new"))
    assert mode(made / "new") == 0o600
    with files.replacing(made / "file") as file:
        file.write(b"x")
    assert mode(made / "file") == 0o600
    files.try_writing(made)
    assert sorted(os.listdir(made)) == ["file", "new"]


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    made = files.private_folder(tmp_path / "a" / "b")
    made.chmod(0o777)
    assert mode(files.private_folder(made)) == 0o700, "closed"
    (tmp_path / "link").symlink_to(made)
    with pytest.raises(PermissionError, match="not this user's own folder"):
        files.private_folder(tmp_path / "link")
    made.chmod(0o755)
    assert mode(files.folder(made)) == 0o755, "what is there is as its owner wants it"


def test_planted_links_are_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept", encoding="utf-8")
    for name in ("created", "replaced"):
        (tmp_path / name).symlink_to(victim)
    os.close(files.create(tmp_path / "created"))
    with files.replacing(tmp_path / "replaced") as file:
        file.write(b"new")
    assert victim.read_text(encoding="utf-8") == "kept"
    assert not (tmp_path / "created").is_symlink()
    assert (tmp_path / "replaced").read_bytes() == b"new"


def test_what_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(TypeError), files.replacing(path) as file:
        file.writelines([b"half of", "it"])  # type: ignore[list-item]
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_text(encoding="utf-8") == "old"


WRITER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from async_inspect import files
with files.replacing(Path("file")) as file:
    file.write(b"half of")
    print("written", flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGKILL"])
def test_what_is_stopped_leaves_nothing(name: str, tmp_path: Path) -> None:
    """At once, or, where nobody could do anything any more, when the next one writes there."""
    code = WRITER.format(root=str(ROOT))
    writer = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"written\n"
    with files.replacing(tmp_path / "other"):
        assert len(os.listdir(tmp_path)) == 2, "the writer lives, and keeps its own"
    writer.send_signal(getattr(signal, name))
    assert writer.wait() == -getattr(signal, name), "it ends as it would have"
    writer.stdout.close()
    assert len(os.listdir(tmp_path)) == 1 + (name == "SIGKILL")
    (tmp_path / ".other.part").touch()
    with files.replacing(tmp_path / "other"):
        pass
    assert sorted(os.listdir(tmp_path)) == [".other.part", "other"]
