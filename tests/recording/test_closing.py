"""What is put right in a recording after its program's end."""

import os
import struct
from pathlib import Path

import pytest

from async_inspect import events as ev
from async_inspect.recording import closing
from async_inspect.tracer import writer


def recording(path: Path) -> Path:
    fd = writer.create_at(str(path))
    writer.write_header(fd, [("core", "none")])
    os.close(fd)
    return path


def field(path: Path, name: str) -> int:
    fields = struct.unpack_from(ev.HEADER_FORMAT, path.read_bytes())
    value: int = fields[ev.HEADER_FIELDS.index(name)]
    return value


def test_end_is_noted_once(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.rec")
    assert (field(path, "end_ns"), field(path, "state")) == (0, ev.RUNNING)
    closing.note_end(path, 123)
    assert (field(path, "end_ns"), field(path, "state")) == (123, ev.CLOSED_OUTSIDE)
    closing.note_end(path, 456)
    assert field(path, "end_ns") == 123


@pytest.mark.parametrize("content", [b"", b"ASYNC", b"something else\n" * 1000])
def test_leaves_alone_what_is_no_recording(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(content)
    closing.note_end(path, 1)
    closing.note_end(tmp_path / "missing.rec", 1)
    assert path.read_bytes() == content


def test_root(tmp_path: Path) -> None:
    first = recording(tmp_path / "20250101T000000-10.rec")
    after_exec = recording(tmp_path / "20250101T000000-10-1.rec")
    child = recording(tmp_path / "20250101T000000-11.rec")
    assert closing.own_recording({first, after_exec, child}, 10) == after_exec
    assert closing.own_recording({first, child}, 10) == first
    assert closing.own_recording({child, after_exec}, 99) == after_exec, (
        "the first of the children, where the root is no Python"
    )
    assert closing.own_recording(set(), 10) is None


def test_what_the_recorder_complained_of_is_told_once(tmp_path: Path) -> None:
    for text in ("a: b\n  file.py:1 f", "a: b", "another"):
        writer.log(str(tmp_path / "7.log"), f"pid 7: {text}")
    writer.log(str(tmp_path / "8.log"), "pid 8: not this one's")
    log = tmp_path / "7.log"
    assert closing.logged_errors(tmp_path, 7) == [f"a: b (log: {log}, 2×)", f"another (log: {log}, 1×)"]
