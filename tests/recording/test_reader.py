"""The Reader: every length of a file, files that grow, folders, and what is no recording."""

import errno
import os
import struct
from io import FileIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from async_inspect import events as ev
from async_inspect.errors import UserError
from async_inspect.model import Builder, Trace, load, loading
from async_inspect.model.filters import Filter
from async_inspect.recording.code import Code, Position, decode_table
from async_inspect.recording.dump import dump_header, dump_records
from async_inspect.recording.header import parse_metadata
from async_inspect.recording.reader import Recording, open_recording
from async_inspect.recording.slots import RECORD_SIZE

from ..tape import Tape, two_tasks


def test_definitions(tmp_path: Path) -> None:
    with open_recording(two_tasks().write(tmp_path / "a.rec")) as recording:
        assert [(c.name, c.line) for c in recording.codes.values()] == [("main", 10), ("work", 20), ("sleep", 600)]
        assert recording.strings == {1: "asyncio.Future", 2: "ValueError"}
        assert recording.names == {2: "w;1"}
        assert recording.messages == {2: "no, thanks"}
        assert [point[1:] for point in recording.points] == [("half", "way")]
        assert recording.threads == {0: 4711}
        assert recording.node_parent[:5].tolist() == [0, 0, 0, 0, 3]
        assert recording.node_code[:5].tolist() == [0, 0, 1, 2, 3]
        assert recording.first("cwd") == "/w"
        assert recording.meta["argv"] == ("python", "app.py")


@pytest.mark.parametrize("at_most", [1, 7, 0])
def test_drained_it_keeps_nothing(at_most: int, tmp_path: Path) -> None:
    with Recording(two_tasks().write(tmp_path / "a.rec", tail=3), at_most=at_most) as recording:
        drained = list(recording.drain())
        assert not recording.chunks and not recording.unread
    with Recording(tmp_path / "a.rec") as whole:
        assert np.concatenate(drained).tobytes() == whole.records.tobytes()


def test_cut_anywhere_it_is_the_same_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = two_tasks().write(tmp_path / "a.rec", tail=3).read_bytes()
    path = tmp_path / "cut.rec"
    for size in range(len(data) - 3 * RECORD_SIZE * len(two_tasks().slots) // 4, len(data), 5):
        path.write_bytes(data[:size])
        whole = load(path)
        with monkeypatch.context() as patch:
            patch.setattr(loading, "_AT_A_TIME", 2)
            again = load(path)
        assert (again.meta, again.tasks, again.tree) == (whole.meta, whole.tasks, whole.tree)


def test_more_than_memory_holds_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = two_tasks().write(tmp_path / "a.rec", tail=0)
    flushed = len(two_tasks().slots)
    monkeypatch.setattr(loading, "available", lambda: flushed * 50)
    with pytest.raises(UserError, match=r"a\.rec: \d+ records take about .* GB of memory, and there are .* --until MS"):
        load(path)
    assert load(path, wanted=Filter(until_ms=20 / 1e6)).tasks  # a part of it is not too much
    monkeypatch.setattr(loading, "available", lambda: None)
    assert load(path).tasks


def test_progress_goes_on_while_tables_are_built(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    load(two_tasks().write(tmp_path / "a.rec", tail=0), lambda done, total: told.append((done, total)))
    done = [one for one, _ in told]
    assert done == sorted(done) and done[-1] <= told[-1][1]
    assert len({one for one in done if one > done[-1] / 2}) > 3  # each slot counts twice: read, and built of


def test_draining_what_grows_comes_to_an_end(tmp_path: Path) -> None:
    tape = two_tasks()
    slots, tape.end_ns = tape.slots, 0
    tape.slots = slots[:8]
    path = tape.write(tmp_path / "a.rec", tail=2)
    with Recording(path, at_most=2) as recording:
        count = 0
        for drained in recording.drain():  # it grows as fast as it is read
            count += len(drained)
            tape.slots = slots[: 8 + 2 * count]
            tape.write(path, tail=2)
        assert 0 < count == recording.count < len(slots)


def test_cut_at_any_byte(tmp_path: Path) -> None:
    """It opens with a part of what the whole has, in order, and that part can be understood."""
    data = two_tasks().data(tail=5)
    with Recording(two_tasks().write(tmp_path / "whole.rec", tail=5)) as recording:
        whole, slots, flushed = recording.records.tobytes(), recording.position, recording.header.flushed
    path = tmp_path / "cut.rec"
    most = 0
    body = ev.HEADER_SIZE + ev.TAIL_SIZE
    for size in [*range(1, 300), *range(ev.HEADER_SIZE - 3, ev.HEADER_SIZE + 3), *range(body - 2, len(data) + 1)]:
        path.write_bytes(data[:size])
        with open_recording(path) as recording:
            found = recording.records.tobytes()
            position, missing = recording.position, recording.missing
            assert recording.cut == (size < len(data))
        if size >= ev.META_OFFSET:  # the header says how many there were
            seen = flushed + max(0, min(slots - flushed, (size - ev.HEADER_SIZE) // ev.SLOT_SIZE - flushed))
            assert position + missing == (slots if size == len(data) else seen)
        assert whole.startswith(found)
        assert len(found) >= most
        most = len(found)
        if size % 7 == 0 or size == len(data):
            trace = load(path)
            assert len(trace.tasks) <= 2
    assert most == len(whole)


def test_a_hole_ends_what_is_known(tmp_path: Path) -> None:
    """A disk that lost power may have the file's length and not what stood there."""
    tape = two_tasks()
    whole = Recording(tape.write(tmp_path / "a.rec", tail=5))
    tape.slots[20:22] = [bytes(RECORD_SIZE)] * 2
    with Recording(tape.write(tmp_path / "b.rec", tail=5)) as recording:
        assert recording.cut
        assert recording.position + recording.missing == whole.position
        assert 0 < recording.count <= 20
        assert whole.records.tobytes().startswith(recording.records.tobytes())
    assert not whole.cut
    assert whole.missing == 0


def test_shortened_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is there still, and what wasn't any more counts as missing; what is mapped would be SIGBUS."""
    path = long_tape().write(tmp_path / "a.rec")
    whole, sound = path.stat().st_size, Recording(path)
    os.truncate(path, whole - 2_000 * ev.SLOT_SIZE)
    assert sound.records.tobytes() == b"".join(long_tape().slots)
    assert sound.refresh() == [] and sound.cut

    long_tape().write(path)
    read_into = FileIO.readinto
    left = whole - 2_000 * ev.SLOT_SIZE - 5

    class Shortened(FileIO):
        def readinto(self, room: memoryview) -> int:  # type: ignore[override]
            if len(room) > ev.TAIL_SIZE:
                os.truncate(path, left)
            return read_into(self, room)

    monkeypatch.setattr("async_inspect.recording.reader.open_file", Shortened)
    recording = Recording(path)
    assert recording.cut
    assert (recording.position, recording.missing) == (sound.position - 2_001, 2_001)
    assert recording.records.tobytes() == b"".join(long_tape().slots[: recording.count])
    trace = load(path)
    assert trace.meta.ending == "cut off"
    assert trace.meta.damaged == 0


def test_unreadable_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(FileIO):
        def readinto(self, room: memoryview) -> int:  # type: ignore[override]
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = long_tape().write(tmp_path / "a.rec")
    monkeypatch.setattr("async_inspect.recording.reader.open_file", Failing)
    with pytest.raises(UserError, match=r"a\.rec: Input/output error$"):
        Recording(path)


def long_tape() -> Tape:
    tape = two_tasks()
    for ts in range(100, 20_100):
        tape.put(ev.WAKE, ts)
    tape.end_ns = 21_000
    return tape


@settings(deadline=None)
@given(st.integers(0, 40), st.lists(st.integers(0, 9), max_size=6))
def test_it_grows(tail: int, steps: list[int]) -> None:
    """Whatever is read when, the end is the same: the same slots, the same definitions, the same trace."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        tape = two_tasks()
        slots, end = tape.slots, tape.end_ns
        path = Path(folder) / "a.rec"
        tape.slots, tape.end_ns = slots[:1], 0
        recording = Recording(tape.write(path))
        builder = Builder(recording)
        for chunk in recording.chunks:
            builder.feed(chunk)
        count = 1
        for step in [*steps, len(slots)]:
            count = min(count + step, len(slots))
            tape.slots = slots[:count]
            if count == len(slots):
                tape.end_ns = end
            tape.write(path, tail=min(tail, count))
            for chunk in recording.refresh():
                builder.feed(chunk)
            builder.data()
        once = load(path)
        grown = Trace.of(builder.data())
        assert recording.count == len(slots)
        assert grown.tasks == once.tasks
        assert grown.tree == once.tree
        assert grown.events.ts_ns.tolist() == once.events.ts_ns.tolist()
        recording.close()


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_never_a_traceback(noise: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.rec"
        if not ev.MAGIC.startswith(noise[: len(ev.MAGIC)]) or not noise:
            path.write_bytes(noise)
            with pytest.raises(UserError):
                open_recording(path)
        path.write_bytes(two_tasks().data()[: ev.HEADER_SIZE + ev.TAIL_SIZE] + noise)
        recording = open_recording(path)
        list(dump_records(recording))
        recording.close()


def test_what_is_no_recording(tmp_path: Path) -> None:
    def refused(data: bytes) -> str:
        path = tmp_path / "x.rec"
        path.write_bytes(data)
        with pytest.raises(UserError) as error:
            open_recording(path)
        assert "\n" not in str(error.value)
        assert error.value.status == 1
        return str(error.value).partition(": ")[2]

    newer = bytearray(two_tasks().data())
    struct.pack_into("<I", newer, 8, ev.VERSION + 1)
    said = [refused(b""), refused(b"hello, world"), refused(bytes(newer))]
    assert said[0].startswith("is empty")
    assert said[1].startswith("is not a recording")
    assert "newer" in said[2]
    with pytest.raises(UserError, match="No such file"):
        open_recording(tmp_path / "missing.rec")
    with pytest.raises(UserError, match=r"no recording there$"):
        open_recording(tmp_path / "..")
    (tmp_path / "7.log").write_text("2026-11-28T06:46:22Z pid 7: ValueError: detail 'foo': not one of calls, awaits\n")
    (tmp_path / "x.rec").unlink()
    with pytest.raises(UserError, match=r"no recording there; why, says .*7\.log$"):
        open_recording(tmp_path)


def test_of_several_it_is_the_root_process_of_the_newest_run(tmp_path: Path) -> None:
    folder = tmp_path / "recording"

    def add(name: str, pid: int, ppid: int, start: int, end: int) -> None:
        tape = Tape(pid=pid, ppid=ppid)
        tape.header |= {"start_unix_ns": 1_000_000 + start, "start_ns": tape.header["start_ns"] + start}
        tape.end_ns = end
        tape.write(folder / f"{name}.rec")

    def assert_found(name: str) -> None:
        for place in (tmp_path, folder, folder / f"{name}.rec"):
            with open_recording(place) as recording:
                assert recording.path == folder / f"{name}.rec"

    add("child", 30, 20, 10, 11)
    add("a", 20, 10, 9, 15)
    add("below_a_shell", 40, 12, 12, 20)
    (folder / "noise.rec").write_bytes(b"noise")
    assert_found("a")
    add("became", 20, 10, 14, 30)
    assert_found("became")
    add("next_run", 50, 11, 40, 0)
    add("its_child", 60, 50, 41, 0)
    assert_found("next_run")
    os.utime(folder / "next_run.rec", ns=(0, 1_000_050))
    add("while_it_ran", 70, 12, 50, 60)
    assert_found("next_run")
    add("after_it", 80, 12, 51, 60)
    assert_found("after_it")


def test_dump(tmp_path: Path) -> None:
    with open_recording(two_tasks().write(tmp_path / "a.rec", tail=9)) as recording:
        lines = list(dump_records(recording))
        assert lines[0] == "0 NODE coro=1 aux=0 off=0 node=0 task=0 flags=0 thread=0 ts=0"
        assert [line.split(maxsplit=1)[1] for line in lines if " SUSPEND " in line] == [
            "SUSPEND coro=1 aux=2 off=6 node=0 task=0 flags=1 thread=0 ts=1040",
            "SUSPEND coro=3 aux=1 off=10 node=0 task=0 flags=0 thread=0 ts=1060",
        ]
        assert [line for line in lines if " POINT " in line][0].endswith("'half' 'way'")
        assert not any(" TEXT " in line for line in lines)
        assert "pid: 7" in list(dump_header(recording))


def test_metadata() -> None:
    text = "a\t1\nb\tx\\ty\\\\n\\n\na\t2\ncut\toff"
    assert parse_metadata(text.encode()) == {"a": ("1", "2"), "b": ("x\ty\\n\n",)}


def test_positions_are_those_of_python() -> None:
    import ast
    import asyncio.tasks
    import dataclasses
    from types import CodeType

    def codes(code: CodeType) -> list[CodeType]:
        inner = [found for const in code.co_consts if isinstance(const, CodeType) for found in codes(const)]
        return [code, *inner]

    for module in (asyncio.tasks, dataclasses, ast):
        source = Path(module.__file__ or "").read_text(encoding="utf-8")
        for code in codes(compile(source, "x", "exec")):
            ours = Code("", "", code.co_firstlineno, 0, code.co_linetable)
            theirs = [Position(*position) for position in code.co_positions()]
            assert [ours.position(2 * i) for i in range(len(theirs))] == theirs
            offsets = np.arange(0, 2 * len(theirs), 2)
            assert ours.lines(offsets).tolist() == [position.line or 0 for position in theirs]
    assert ours.position(1 << 30) == Position()
    assert decode_table(b"\xf0", 1) == []


def test_await_points(tmp_path: Path) -> None:
    """Those of a code are said behind its table; in older recordings they are not, and aren't known."""
    tape = Tape()
    table = bytes([0x80 | 13 << 3, 0]) + bytes([0x80 | 13 << 3, 2]) * 9  # a line an instruction
    old = b"\0".join((b"/w/app.py", b"work", table))
    for number, size, offsets in ((1, 0, []), (2, len(table), []), (3, len(table), [2, 8, 4, 5]), (4, 10**6, [2])):
        text = old + b"".join(offset.to_bytes(4, "little") for offset in offsets)
        tape.text(ev.CODE, text + b"\0" * (number == 3), coro=number, aux=10, flags=ev.CODE_COROUTINE, node=size)
    with open_recording(tape.write(tmp_path / "a.rec")) as recording:
        assert [code.await_lines for code in recording.codes.values()] == [None, (), (11, 12, 14), ()]
        assert {code.position(4).line for code in recording.codes.values()} == {12}
