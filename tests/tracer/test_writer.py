"""The recording's file as the target makes it: name, mode, header, metadata."""

import fcntl
import os
import re
import stat
import struct
import sys
import time
from pathlib import Path

import pytest

from async_inspect import events as ev
from async_inspect.recording.header import parse_metadata
from async_inspect.recording.reader import open_recording
from async_inspect.tracer import writer
from async_inspect.tracer.settings import Settings

pytestmark = pytest.mark.tracer


def test_name_and_mode(tmp_path: Path) -> None:
    before = os.umask(0o777)  # whatever it is: nobody else may read, and we may
    try:
        fd, path = writer.create(str(tmp_path))
    finally:
        os.umask(before)
    assert re.fullmatch(rf"\d{{8}}T\d{{6}}-{os.getpid()}\.rec", Path(path).name)
    assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600
    assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    os.close(fd)


def test_names_never_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "gmtime", lambda: (2025, 1, 2, 3, 4, 5, 0, 1, 0))
    for _ in range(3):
        os.close(writer.create(str(tmp_path))[0])
    stem = f"20250102T030405-{os.getpid()}"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{stem}-1.rec", f"{stem}-2.rec", f"{stem}.rec"]


def test_an_existing_file_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "a.rec").write_text("mine")
    with pytest.raises(FileExistsError):
        writer.create_at(str(tmp_path / "a.rec"))


def test_header(tmp_path: Path) -> None:
    fd, path = writer.create(str(tmp_path))
    size = writer.write_header(fd, [("a", "1")])
    os.close(fd)
    data = Path(path).read_bytes()
    assert len(data) == size == ev.HEADER_SIZE
    fields = dict(zip(ev.HEADER_FIELDS, struct.unpack_from(ev.HEADER_FORMAT, data), strict=True))
    assert fields["start_ns"] > 0
    assert fields["start_unix_ns"] > 10**18
    fields |= {"start_ns": 0, "start_unix_ns": 0}
    assert fields == {
        **dict.fromkeys(ev.HEADER_FIELDS, 0),
        "magic": ev.MAGIC,
        "version": ev.VERSION,
        "header_size": size,
        "record_size": ev.SLOT_SIZE,
        "pid": os.getpid(),
        "state": ev.RUNNING,
        "meta_len": 4,
    }
    assert data[ev.META_OFFSET : ev.META_OFFSET + 4] == b"a\t1\n"


@pytest.mark.parametrize("length", [3960, 3961, 3962, 20000])
def test_header_grows_with_its_metadata(tmp_path: Path, length: int) -> None:
    fd, path = writer.create(str(tmp_path))
    size = writer.write_header(fd, [("argv", "x" * length)])
    os.close(fd)
    assert size % ev.HEADER_SIZE == 0
    assert size - ev.HEADER_SIZE < ev.META_OFFSET + length + 6 <= size
    with open_recording(path) as recording:
        assert recording.first("argv") == "x" * length


def test_metadata_comes_back(tmp_path: Path) -> None:
    pairs = writer.metadata("python", "a\treason\nof \\n lines\r", Settings(7, ["wakes"]))
    fd, path = writer.create(str(tmp_path))
    writer.write_header(fd, pairs)
    os.close(fd)
    with open_recording(path) as recording:
        assert recording.first("core_reason") == "a\treason\nof \\n lines\r"
        assert recording.meta["source"] == ("tasks", "edges", "locks", "scopes", "warnings")
        assert recording.first("pid") == str(os.getpid())
        assert recording.first("python") == ".".join(map(str, sys.version_info[:3]))
        assert recording.first("cwd") == str(Path.cwd())
        assert recording.first("stdlib") == str(Path(os.__file__).parent)


def test_metadata_of_undecodable_words() -> None:
    line = writer._line("argv", os.fsdecode(b"\xff\tx"))
    assert line == b"argv\t\xff\\tx\n"
    assert parse_metadata(line) == {"argv": ("\ufffd\tx",)}, "as every other text of a recording"


def test_log_is_made_when_needed(tmp_path: Path) -> None:
    writer.log(str(tmp_path / "a.log"), "one")
    writer.log(str(tmp_path / "a.log"), "two\udcff")
    lines = (tmp_path / "a.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["one", "two?"]
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o600
    writer.log(str(tmp_path / "no" / "folder.log"), "nobody hears")
