"""Files among those of others: opened only if they are files, made for one user, removed if not finished."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from async_inspect.errors import UserError
from async_inspect.launcher.inject.attach import keep
from async_inspect.recording.closing import note_end
from async_inspect.recording.runs import heads
from async_inspect.support import files
from async_inspect.tracer import writer

from ..tools import ROOT, Attach, Tool


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
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from async_inspect.support import files
with files.replacing(Path("file")) as file:
    file.write(b"half of")
    print("written", flush=True)
    while True:  # signal.pause() would miss one that comes just before
        time.sleep(0.01)
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


# --- who uses them ---------------------------------------------------------------------------------------------------


def test_what_is_no_file_is_no_recording(tmp_path: Path, tool: Tool) -> None:
    """Said at once: opening a pipe would wait for a writer."""
    pipe = tmp_path / "run.rec"
    os.mkfifo(pipe)
    for words in (["stats"], ["check"], ["dump", "--records"], ["report", "-o", "out"], ["export", "-fjson", "-o-"]):
        done = tool(words[0], pipe, *words[1:])
        assert (done.status, done.stdout) == (1, "")
        assert done.stderr == f"async-inspect: {pipe}: is a named pipe, not a file\n"
    assert heads([pipe]) == []
    note_end(pipe, 1)


def test_a_recording_that_its_process_swapped(tmp_path: Path) -> None:
    """attach --pid brings it home from where that process may write: a file, or nothing, and for us alone."""
    theirs, ours, secret = tmp_path / "theirs", tmp_path / "ours", tmp_path / "secret"
    theirs.mkdir()
    ours.mkdir()
    secret.write_bytes(b"secret")
    os.mkfifo(theirs / "pipe.rec")
    (theirs / "link.rec").symlink_to(secret)
    for name, kind in (("pipe.rec", "a named pipe"), ("link.rec", "a link")):
        with pytest.raises(UserError, match=f"is {kind}, not a file"):
            keep(theirs / name, ours)
    (theirs / "good.rec").write_bytes(b"records")
    before = os.umask(0)
    try:
        assert mode(keep(theirs / "good.rec", ours)) == 0o600
    finally:
        os.umask(before)
    assert os.listdir(ours) == ["good.rec"]


def test_a_log_that_is_a_trap_is_not_written(tmp_path: Path) -> None:
    """The tracer complains into a file of its own, or not at all; a pipe without a reader would hold the program."""
    victim = tmp_path / "victim"
    victim.touch()
    (tmp_path / "link.log").symlink_to(victim)
    os.mkfifo(tmp_path / "pipe.log")
    for name in ("link.log", "pipe.log"):
        writer.log(str(tmp_path / name), "complaint")
    assert not victim.read_bytes()


@pytest.mark.e2e
def test_all_that_a_run_leaves_is_its_users(attach: Attach, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import asyncio; asyncio.run(asyncio.sleep(0))\n", encoding="utf-8")
    before = os.umask(0)
    try:
        done = attach("program.py", options=["-o", "a/b"])
    finally:
        os.umask(before)
    assert done.status == 0
    made = [tmp_path / "a", *(tmp_path / "a").rglob("*")]
    assert len(made) > 10
    assert {path.name: oct(mode(path)) for path in made if mode(path) != (0o700 if path.is_dir() else 0o600)} == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's link")
def test_another_users_link_is_no_folder_of_ours(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    link = tmp_path / "recording"
    link.symlink_to(tmp_path / "theirs")
    assert files.folder(link) == link, "one's own is followed"
    os.chown(link, 65534, 65534, follow_symlinks=False)
    with pytest.raises(PermissionError, match="another user's link"):
        files.folder(link)
