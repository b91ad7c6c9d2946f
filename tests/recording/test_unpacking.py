"""Records, packed into slots, come back as they were; what is damaged costs its block at most, and is said."""

import gzip
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from async_inspect import events as ev
from async_inspect.recording import unpacking
from async_inspect.recording.dump import dump_header, dump_records
from async_inspect.recording.reader import Recording
from async_inspect.recording.slots import LONGEST_TEXT, RECORD_FORMAT, RECORD_SIZE, TEXT_BYTES, Raw
from async_inspect.recording.unpacking import Unpacking
from async_inspect.tracer.pycore.packing import Packing

from ..tape import Tape, packed
from ..tools import ROOT

VERSION1 = sorted((ROOT / "tests" / "golden" / "version1").glob("*.rec.gz"))
BLOCK = ev.BLOCK_SIZE // ev.SLOT_SIZE
KINDS = [kind for kind in ev.KINDS if kind != ev.TEXT]
NUMBERS = st.one_of(st.integers(0, 3), st.sampled_from([0xFFFF, 0x10000, 0xFFFFFF, 0x1000000, (1 << 32) - 1]))
TIMES = st.one_of(st.integers(0, 9), st.sampled_from([1 << 32, (1 << 48) + 3, (1 << 63) - 1]))


def record(kind: int, ts: int = 0, coro: int = 0, aux: int = 0, node: int = 0, task: int = 0, off: int = 0,
           thread: int = 0, flags: int = 0) -> bytes:  # fmt: skip
    return struct.pack(RECORD_FORMAT, ts, coro, aux, node, task, off, thread, flags, kind)


def with_text(owner: bytes, text: bytes) -> list[bytes]:
    pieces = [text[at : at + TEXT_BYTES] for at in range(0, len(text), TEXT_BYTES)]
    return [owner, *(piece.ljust(TEXT_BYTES, b"\0") + bytes([ev.TEXT]) for piece in pieces)]


@st.composite
def some(draw: st.DrawFn) -> list[bytes]:
    kind, flags = draw(st.sampled_from(KINDS)), draw(st.one_of(st.integers(0, 7), st.just(255)))
    coro, aux, node, task = (draw(NUMBERS) for _ in range(4))
    ts, thread = draw(TIMES), draw(st.sampled_from([0, 0, 0, 1, 0xFFFE]))
    if kind in ev.HAS_TEXT:
        text = draw(st.binary(max_size=70))
        return with_text(record(kind, ts, coro, aux, node, task, len(text), thread, flags), text)
    return [record(kind, ts, coro, aux, node, task, draw(NUMBERS), thread, flags)]


def raw(data: bytes) -> Raw:
    return np.frombuffer(data, np.uint8).reshape(-1, ev.SLOT_SIZE)


def unpacked(reading: Unpacking, slots: Raw, first: int) -> bytes:
    return b"".join(piece.tobytes() for piece in reading.unpack(slots, first))


@settings(deadline=None)
@given(st.lists(some(), max_size=30), st.lists(st.integers(1, 9), max_size=8))
def test_any_records_read_in_any_pieces(groups: list[list[bytes]], steps: list[int]) -> None:
    records = [one for group in groups for one in group]
    slots, reading = raw(packed(records)), Unpacking()
    found, at, seen = b"", 0, 0
    for step in [*steps, len(slots)]:
        seen = min(seen + step, len(slots))
        whole = reading.whole(slots[at:seen])
        found += unpacked(reading, slots[at : at + whole].copy(), at)
        at += whole
    assert found == b"".join(records)
    assert reading.damaged == 0


def many(random: Random, count: int) -> Iterator[bytes]:
    """As a program makes them: mostly such that have a short form, of one thread and then another's."""
    ts, thread, node, task = 1 << 50, 0, 0, 0
    yield record(ev.NODE, coro=1)
    for number in range(2, 9):
        yield record(ev.NODE, coro=number, off=number + 10)
    for coro in range(1, count + 1):
        ts += random.choice((0, 1, 250, 1 << 20, 1 << 33))
        thread = random.choice((thread,) * 50 + (0, 1, 2))
        kind = random.choice(KINDS)
        if kind in ev.HAS_TEXT:
            text = random.randbytes(random.randrange(100))
            if kind < ev.FIRST_EVENT:
                yield from with_text(record(kind, coro=coro, off=len(text), node=random.randrange(9)), text)
            else:
                yield from with_text(record(kind, ts, coro, 0, node, task, len(text), thread), text)
        elif kind < ev.FIRST_EVENT:
            yield record(kind, coro=coro if kind != ev.NODE else coro + 9, aux=1, off=7)
        else:
            if kind in (ev.START, ev.RESUME, ev.ENTER):
                node, task = random.randrange(2, 9), coro if kind == ev.RESUME else task or coro
            elif kind == ev.SUSPEND:
                node = task = 0
            off = node + 10 if kind == ev.START else random.randrange(1 << 16)
            yield record(kind, ts, coro, random.choice((0, coro - 1)), node, task, off, thread)


@pytest.mark.parametrize("size", [0xFFFF, 0x10000, 491_513, 1_000_000, 3_000_000])
@pytest.mark.parametrize("before", [0, 1, BLOCK - 6, BLOCK - 3])
def test_a_text_longer_than_blocks_and_pieces(size: int, before: int) -> None:
    records = [record(ev.WAKE, ts, coro=1) for ts in range(1, before + 1)]
    records += with_text(record(ev.NAME, 5_000, 7, off=size), Random(size).randbytes(size))
    records.append(record(ev.WAKE, 5_001, coro=1))
    slots, reading = raw(packed(records)), Unpacking()
    assert reading.whole(slots) == len(slots)
    (owner,) = np.flatnonzero(slots[:, -1] % ev.LONG == ev.NAME)[-1:]
    is_long = int(slots[owner, -1] != ev.NAME)
    assert reading.whole(slots[:-2]) == owner - is_long, "until then it is not complete"
    assert unpacked(reading, slots, 0) == b"".join(records)
    assert reading.damaged == 0


def test_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_PIECE", 3000)
    records = [*many(Random(1), 9 * BLOCK)]
    slots, reading = raw(packed(records)), Unpacking()
    assert unpacked(reading, slots, 0) == b"".join(records)
    assert reading.damaged == 0
    assert (slots[::BLOCK, -1] >= 2 * ev.LONG).all() and (slots[1::BLOCK, -1] == ev.LONG | ev.ANCHOR).all()
    assert ev.PAD in slots[BLOCK - 1 :: BLOCK, -1]


@pytest.mark.parametrize(
    ("kind", "before", "fields"),
    [
        (ev.NODE, {}, {"aux": 4, "off": 9}),
        (ev.CHAIN, {}, {"aux": 4, "node": 1 << 20, "off": 1 << 31}),
        (ev.SITE, {}, {"aux": 4, "node": 77, "off": 12}),
        (ev.SPAWN, {"node": 3, "task": 1}, {"aux": 5, "off": 6, "node": 3, "task": 1, "flags": 1}),
        (ev.START, {"node": 3, "task": 1}, {"aux": 1, "off": 13, "node": 4, "task": 1}),
        (ev.START, {}, {"off": 13, "node": 4, "task": 9, "flags": ev.IS_TASK}),
        (ev.ENTER, {"node": 3, "task": 1}, {"aux": 1, "node": 4, "task": 1}),
        (ev.RESUME, {}, {"aux": 12, "node": 4, "task": 9}),
        (ev.SUSPEND, {"node": 3, "task": 1}, {"aux": 7, "off": 18, "flags": ev.AWAITS_TASK}),
        (ev.SUSPEND, {"node": 3, "task": 9}, {"aux": 7, "off": 0xFFFF, "flags": ev.IN_CHAIN}),
        (ev.LINK, {}, {"aux": 12, "off": 20}),
        (ev.ITEM, {"node": 3, "task": 1}, {"aux": 2, "off": 20, "node": 2, "task": 1}),
        (ev.RETURN, {"node": 3, "task": 1}, {"off": 20, "node": 2, "task": 1}),
        (ev.RETURN, {"node": 3, "task": 9}, {"off": 20}),
        (ev.RAISE, {"node": 3, "task": 1}, {"aux": 4, "off": 20, "node": 2, "task": 1}),
        (ev.THROW, {}, {"aux": 4, "off": 20, "node": 2, "task": 9}),
        (ev.WAKE, {}, {"aux": (1 << 40) - 5 & 0xFFFFFFFF, "off": (1 << 40) - 5 >> 32, "flags": ev.BY_TIMER}),
        (ev.WAKE, {"node": 3, "task": 1}, {"node": 3, "task": 1}),
        (ev.TIMER, {}, {"aux": 0, "off": (1 << 40) + (1 << 44) >> 32}),
        (ev.SELECT, {}, {"aux": (1 << 40) - 5 & 0xFFFFFFFF, "off": (1 << 40) - 5 >> 32, "flags": ev.IDLE}),
    ],
)
def test_what_is_written_often_takes_one_slot(kind: int, before: dict[str, int], fields: dict[str, int]) -> None:
    pack, ts = Packing(), (1 << 40) + 7
    pack.written(0, 4, 0, 0, 13, 0, ev.NODE)
    pack.written(ts - 8, 0, before.get("node", 0), before.get("task", 0), 0, 0, ev.WAKE)
    others = dict.fromkeys(("aux", "node", "task", "off", "thread", "flags"), 0)
    slots = pack.record(ts=ts if kind >= ev.FIRST_EVENT else 0, coro=9, kind=kind, **others | fields)
    assert len(slots) == ev.SLOT_SIZE


def busy(blocks: int) -> Tape:
    tape = Tape()
    at = tape.node(0, tape.code("main"))
    tape.put(ev.START, 1, coro=1, off=1, node=at, task=1)
    for ts in range(2, blocks * BLOCK):
        tape.put(ev.WAKE, 10 * ts, coro=1, node=at, task=1)
    tape.end_ns = 100 * blocks * BLOCK
    return tape


@pytest.mark.parametrize("byte", [*range(ev.SLOT_SIZE)])
@pytest.mark.parametrize("slot", [0, 1, 2, 77, BLOCK - 1])
def test_a_damaged_slot_costs_its_block_at_most_and_is_said(slot: int, byte: int, tmp_path: Path) -> None:
    """A time, say, which all later ones are counted from, that could be."""
    data = bytearray(busy(4).data())
    at = ev.HEADER_SIZE + ev.TAIL_SIZE + (BLOCK + slot) * ev.SLOT_SIZE + byte
    data[at] ^= 0x05
    (tmp_path / "b.rec").write_bytes(data)
    with Recording(busy(4).write(tmp_path / "a.rec")) as sound, Recording(tmp_path / "b.rec") as found:
        is_read = not (slot == 0 and byte < 8) and not (slot == 1 and byte in (8, 9, 10, 11, 14))  # of an ANCHOR
        uses = byte not in range(4, 16) or (slot < 2 and byte != 15)
        assert (found.damaged > 0) >= (is_read and uses)
        slots = raw(bytes(data[ev.HEADER_SIZE + ev.TAIL_SIZE :])).copy()
        before, after = (
            len(unpacked(Unpacking(), slots[begin:end], begin)) // RECORD_SIZE
            for begin, end in ((0, BLOCK), (2 * BLOCK, None))
        )
        assert found.records[:before].tobytes() == sound.records[:before].tobytes()
        assert found.records[-after:].tobytes() == sound.records[-after:].tobytes()


class Writer:
    """A file that is written store by store, in the order that ``events.py`` says; ``look`` after each."""

    def __init__(self, tape: Tape, blocks: int, look: Callable[[bytes, int], None]) -> None:
        empty = Tape()
        empty.slots = []
        self.slots, self.look, self.ring = packed(tape.slots), look, blocks * ev.BLOCK_SIZE
        self.file = bytearray(empty.data(0, self.ring)[: ev.HEADER_SIZE + self.ring])
        self.flushed, self.written = 0, 0
        self.file[ev.FLUSHED_OFFSET : ev.TAIL_BASE_OFFSET + 8] = bytes(16)

    def set(self, offset: int, value: int, size: int = 8) -> None:
        self.file[offset : offset + size] = value.to_bytes(size, "little")
        self.look(bytes(self.file), self.written)

    def store(self, at: int, data: bytes) -> None:
        place = ev.HEADER_SIZE + at % self.ring
        self.file[place : place + len(data)] = data
        self.look(bytes(self.file), self.written)

    def run(self) -> None:
        at = 0
        while at < len(self.slots):
            is_long = self.slots[at + ev.PIECE_SIZE] >= 2 * ev.LONG
            for offset in (16, 24, 0) if is_long else (0,):
                self.store(at + offset, self.slots[at + offset : at + offset + 8])
            self.written += (2 if is_long else 1) * ev.SLOT_SIZE
            self.store(at + 8, self.slots[at + 8 : at + 16])
            at = self.written
            if at // ev.BLOCK_SIZE * ev.BLOCK_SIZE >= self.flushed + self.ring:  # the block that comes next has no room
                self.flush()

    def flush(self) -> None:
        begin, end = self.flushed, self.flushed + ev.BLOCK_SIZE
        for at in range(begin, end, ev.BLOCK_SIZE // 4):
            self.file += self.slots[at : at + ev.BLOCK_SIZE // 4]
            self.look(bytes(self.file), self.written)
        self.flushed = end
        self.set(ev.FLUSHED_OFFSET, end // ev.SLOT_SIZE)
        for at in range(begin, end, ev.BLOCK_SIZE // 4):
            self.store(at, bytes(ev.BLOCK_SIZE // 4))
        self.set(ev.TAIL_BASE_OFFSET, end // ev.SLOT_SIZE)


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_every_moment_is_readable(blocks: int, tmp_path: Path) -> None:
    """Whoever looks between two stores sees all records that were complete then; who followed, too."""
    tape, path, looks = busy(5), tmp_path / "a.rec", 0
    whole, all_slots = b"".join(tape.slots), packed(tape.slots)
    following: list[Recording] = []

    def look(data: bytes, written: int) -> None:
        nonlocal looks
        looks += 1
        near = written % ev.BLOCK_SIZE
        if 64 < near < ev.BLOCK_SIZE - 64 and looks % 997 and written < len(all_slots):
            return
        path.write_bytes(data)
        following[:] = following or [Recording(path, at_most=3000)]
        following[0].refresh()
        while following[0].unread:
            following[0].refresh()
        with Recording(path) as fresh:
            for one in (fresh, following[0]):
                assert not one.cut
                assert one.position * ev.SLOT_SIZE == written or written < 512, "a text is read when it is whole"
                assert one.damaged == one.missing == 0
                assert whole.startswith(one.records.tobytes())

    writer = Writer(tape, blocks, look)
    writer.run()
    with following[0] as end:
        assert end.records.tobytes() == whole


def test_a_text_that_never_ends_is_damage_and_not_awaited() -> None:
    owner = record(ev.STRING, coro=1, off=0xFFFFFFFF)
    slots = raw(packed([owner, record(ev.TEXT)]))
    reading = Unpacking()
    assert reading.whole(slots) == len(slots) > 0
    assert len(slots) < LONGEST_TEXT


@pytest.mark.parametrize("path", VERSION1, ids=lambda path: path.name.partition(".")[0])
def test_version_1_opens_for_ever(path: Path, tmp_path: Path) -> None:
    (tmp_path / "a.rec").write_bytes(gzip.decompress(path.read_bytes()))
    expected = gzip.decompress(path.with_name(path.name.replace(".rec.", ".txt.")).read_bytes()).decode()
    with Recording(tmp_path / "a.rec") as recording:
        header = [line for line in dump_header(recording) if line != "broken_off: 0"]  # which it hasn't
        assert "\n".join([*header, *dump_records(recording), ""]) == expected
        assert recording.damaged == 0
