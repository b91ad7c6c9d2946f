"""What can't be in a file is counted and left out, whatever it says; what can be is not touched."""

import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from async_inspect import events as ev
from async_inspect.model import load
from async_inspect.recording.dump import dump_records
from async_inspect.recording.header import LATEST
from async_inspect.recording.reader import Recording

from .. import tape
from ..samples import SAMPLES
from ..tape import START_NS, Tape, two_tasks

AT = {"ts": (0, "Q"), "coro": (8, "I"), "aux": (12, "I"), "node": (16, "I"), "task": (20, "I"), "off": (24, "I"),
      "thread": (28, "H"), "flags": (30, "B"), "kind": (31, "B")}  # fmt: skip


def changed(tape: Tape, of: int, which: int = 0, /, **fields: int) -> Tape:
    """With other fields in the n-th slot of a kind."""
    rows = [row for row, slot in enumerate(tape.slots) if slot[-1] == of]
    slot = bytearray(tape.slots[rows[which]])
    for name, value in fields.items():
        at, letter = AT[name]
        struct.pack_into(f"<{letter}", slot, at, value)
    tape.slots[rows[which]] = bytes(slot)
    return tape


def opened(tape: Tape, tmp_path: Path) -> Recording:
    with Recording(tape.write(tmp_path / "a.rec")) as recording:
        return recording


def test_each_kind_is_declared_under_its_own_name() -> None:
    assert {name: kind for kind, (name, *_) in ev.KINDS.items()} == {
        name: getattr(ev, name) for name in ev.KIND_NAMES.values()
    }
    assert len(set(ev.KIND_NAMES.values())) == len(ev.KINDS)
    assert {kind for kind, _ in ev.BY_FLAGS} <= ev.KINDS.keys() >= ev.MOST_FLAGS.keys()


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_is_sound_stays_as_it_is(sample: str, tmp_path: Path) -> None:
    recording = opened(SAMPLES[sample](), tmp_path)
    assert recording.damaged == 0
    assert recording.records.tobytes() == b"".join(SAMPLES[sample]().slots)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (ev.START, {"coro": 1 << 31}),
        (ev.START, {"off": 99}),
        (ev.START, {"node": 99}),
        (ev.START, {"task": 2}),  # a root runs as itself
        (ev.SPAWN, {"aux": 1 << 20}),
        (ev.SUSPEND, {"aux": 99}),
        (ev.SUSPEND, {"node": 2}),  # a node, and nobody who runs in it
        (ev.RESUME, {"task": 3}),
        (ev.LINK, {"aux": 0xFFFFFFFF}),
        (ev.RAISE, {"aux": 77}),
        (ev.RETURN, {"thread": 9}),
        (ev.RETURN, {"kind": 50}),
        (ev.RETURN, {"kind": 9}),
        (ev.NODE, {"coro": 1}),  # given before
        (ev.SITE, {"aux": 5}),  # its inner one comes later
        (ev.STRING, {"off": 1 << 31}),
        (ev.NAME, {"off": 200}),
    ],
)
def test_a_slot_that_can_not_be_is_left_out(kind: int, fields: dict[str, int], tmp_path: Path) -> None:
    which = 1 if kind == ev.NODE else 0
    recording = opened(changed(two_tasks(), kind, which, **fields), tmp_path)
    assert recording.damaged == 1
    assert sum(" DAMAGED " in line for line in dump_records(recording)) == 1
    trace = load(tmp_path)
    assert trace.meta.damaged == recording.damaged


@pytest.mark.parametrize("moment", [0, START_NS - 1, 65 + START_NS, 1 << 40, LATEST, (1 << 64) - 1])
def test_a_time_that_can_not_be_is_its_threads_last(moment: int, tmp_path: Path) -> None:
    """The second SUSPEND is at 60, after a START at 55."""
    for end_ns in (110, 0):
        tape = changed(two_tasks(), ev.SUSPEND, 1, ts=moment)
        tape.end_ns = end_ns
        if moment == 65 + START_NS:  # could be, but for what follows
            tape = changed(tape, ev.SUSPEND, 1, ts=75 + START_NS)
        recording = opened(tape, tmp_path)
        assert recording.damaged == 2, "and the LINK's, which is the suspension's"
        kinds, times = recording.records["kind"], recording.records["ts"].astype(np.int64) - START_NS
        assert times[kinds == ev.SUSPEND].tolist() == [40, 55]
        assert times[kinds >= ev.FIRST_EVENT].max() == 100


def test_the_last_time_is_not_after_the_end(tmp_path: Path) -> None:
    tape = changed(two_tasks(), ev.RETURN, 1, ts=1 << 50)
    assert load(tape.write(tmp_path / "a.rec")).meta.duration_ns == 110
    assert opened(tape, tmp_path).damaged == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start_ns", 1 << 60), ("start_ns", 1 << 63), ("start_unix_ns", 1 << 63), ("end_ns", 1), ("end_ns", 1 << 63),
        ("header_size", 4097), ("pid", 1 << 31), ("state", 9), ("meta_len", 1 << 31), ("tail_size", 1 << 31),
        ("tail_size", 33), ("flushed", 1 << 60), ("tail_base", 1 << 60), ("lost", 1 << 63), ("timed_callbacks", 5),
    ],
)  # fmt: skip
def test_a_header_that_can_not_be(name: str, value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "START_NS", 1 << 45)
    data = bytearray(two_tasks().data())
    at = struct.calcsize(ev.HEADER_FORMAT[: 1 + 2 + ev.HEADER_FIELDS.index(name) - 1])
    if name in ("start_ns", "start_unix_ns", "end_ns"):
        at = struct.calcsize("<8sIIII") + 8 * (ev.HEADER_FIELDS.index(name) - 5)
    size = 4 if name in ("header_size", "pid", "state", "meta_len", "tail_size") else 8
    data[at : at + size] = value.to_bytes(size, "little")
    path = tmp_path / "a.rec"
    path.write_bytes(data)
    trace = load(path)
    assert trace.meta.damaged == 1
    assert len(trace.tasks) == 2
    assert trace.meta.duration_ns in (100, 110, 90)


def big_id() -> Tape:
    return changed(changed(two_tasks(), ev.NODE, 1, coro=1 << 19), ev.SPAWN, 0, coro=(1 << 32) - 1)


def big_text() -> Tape:
    return changed(changed(two_tasks(), ev.CODE, 0, off=(1 << 32) - 1), ev.CODE, 1, coro=(1 << 32) - 1)


@pytest.mark.parametrize("make", [big_id, big_text])
def test_no_memory_for_what_a_file_can_not_hold(make: Callable[[], Tape], tmp_path: Path) -> None:
    path = make().write(tmp_path / "a.rec")
    load(path)
    tracemalloc.start()
    try:
        assert load(path).meta.damaged == 2
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


def test_awaiters_in_a_cycle_end(tmp_path: Path) -> None:
    """Coroutine 3 awaits 4, which awaits 3."""
    tape = Tape()
    codes = [tape.code(name, 1, "/py/lib/x.py") for name in "abc"]
    nodes = [tape.node(0, code) for code in codes]
    tape.put(ev.START, 0, coro=1, off=codes[0], node=nodes[0], task=1, flags=ev.IS_TASK)
    tape.put(ev.START, 1, coro=2, aux=1, off=codes[1], node=nodes[1], task=1)
    tape.put(ev.START, 2, coro=3, aux=2, off=codes[2], node=nodes[2], task=1)
    tape.put(ev.ENTER, 3, coro=2, aux=3, node=nodes[2], task=1)
    tape.put(ev.SUSPEND, 4, coro=3)
    tape.end_ns = 10
    trace = load(tape.write(tmp_path / "a.rec"))
    assert len(trace.chains) < 10
    from async_inspect.model.live import LiveSnapshot
    from async_inspect.tui.follow import Follower

    follower = Follower(tmp_path / "a.rec")
    follower.step()
    assert len(LiveSnapshot(follower.live, 20).rows) == 1
    follower.close()
