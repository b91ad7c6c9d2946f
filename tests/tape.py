"""Recordings made by hand, for tests that state exactly what happened.

In code objects made here, the instruction at byte offset ``2 * n`` is on the n-th line after the first.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

from async_inspect import events as ev
from async_inspect.recording.slots import RECORD_FORMAT, TEXT_BYTES
from async_inspect.tracer.pycore import packing

START_NS = 1_000


class Tape:
    """Records, in the order in which they are put; times are counted from the recording's start."""

    def __init__(self, *, cwd: str = "/w", stdlib: str = "/py/lib", pid: int = 7, ppid: int = 1) -> None:
        self.meta: list[tuple[str, str]] = [("cwd", cwd), ("stdlib", stdlib), ("ppid", str(ppid))]
        self.meta += [("python", "3.12.1"), ("core", "python"), ("argv", "python"), ("argv", "app.py")]
        self.header = {"pid": pid, "start_ns": START_NS, "start_unix_ns": 1_700_000_000_123_456_789, "lost": 0}
        self.end_ns = 0
        self.slots: list[bytes] = []
        self._threads: set[int] = set()
        self._ids = {"code": 0, "node": 0, "string": 0, "site": 0, "resource": 0}
        self.node(0, 0)  # OTHER_NODE

    def put(self, kind: int, ts: int = -START_NS, *, coro: int = 0, aux: int = 0, node: int = 0, task: int = 0,
            off: int = 0, thread: int = 0, flags: int = 0) -> "Tape":  # fmt: skip
        """A record; a thread's first event is preceded by its definition."""
        if kind == ev.THREAD:
            self._threads.add(coro)
        elif kind >= ev.FIRST_EVENT and thread not in self._threads:
            self.put(ev.THREAD, coro=thread, aux=4711 + thread)
        slot = struct.pack(RECORD_FORMAT, ts + START_NS, coro, aux, node, task, off, thread, flags, kind)
        self.slots.append(slot)
        return self

    def text(self, kind: int, text: bytes, ts: int = -START_NS, **fields: int) -> None:
        self.put(kind, ts, off=len(text), **fields)
        for begin in range(0, len(text), TEXT_BYTES):
            self.slots.append(text[begin : begin + TEXT_BYTES].ljust(TEXT_BYTES, b"\0") + bytes([ev.TEXT]))

    def _next(self, name: str) -> int:
        self._ids[name] += 1
        return self._ids[name]

    def code(
        self,
        name: str,
        line: int = 1,
        file: str = "/w/app.py",
        kind: int = ev.CODE_COROUTINE,
        awaits: Sequence[int] | None = None,
    ) -> int:
        """``awaits``: the offsets of its await points; an instruction is a line."""
        number = self._next("code")
        table = bytes([0x80 | 13 << 3, 0]) + bytes([0x80 | 13 << 3, 2]) * 20
        text, size = b"\0".join((file.encode(), name.encode(), table)), 0 if awaits is None else len(table)
        text += b"".join(offset.to_bytes(4, "little") for offset in awaits or ())
        self.text(ev.CODE, text, coro=number, aux=line, flags=kind, node=size)
        return number

    def node(self, parent: int, code: int) -> int:
        number = self._next("node")
        self.put(ev.NODE, coro=number, aux=parent, off=code)
        return number

    def string(self, text: str) -> int:
        number = self._next("string")
        self.text(ev.STRING, text.encode(), coro=number)
        return number

    def site(self, *frames: tuple[int, int]) -> int:
        """(code, offset) from the innermost frame outwards."""
        number = 0
        for code, off in frames:
            inner, number = number, self._next("site")
            self.put(ev.SITE, coro=number, aux=inner, node=code, off=off)
        return number

    def resource(self, kind: str, site: int = 0) -> int:
        type_, number = self.string(kind), self._next("resource")
        self.put(ev.RESOURCE, coro=number, aux=type_, off=site)
        return number

    def data(self, tail: int = 0, tail_size: int = ev.TAIL_SIZE) -> bytes:
        """The file; the last ``tail`` records aren't flushed yet."""
        meta = "".join(f"{key}\t{value}\n" for key, value in self.meta).encode("utf-8", "surrogateescape")
        data, flushed = packed(self.slots), len(packed(self.slots[: len(self.slots) - tail]))
        flushed //= ev.SLOT_SIZE
        fields = {
            **dict.fromkeys(ev.HEADER_FIELDS, 0),
            **self.header,
            "magic": ev.MAGIC,
            "version": ev.VERSION,
            "header_size": ev.HEADER_SIZE,
            "record_size": ev.SLOT_SIZE,
            "end_ns": self.header.get("end_ns", self.end_ns and self.end_ns + START_NS),
            "state": self.header.get("state", ev.STOPPED if self.end_ns else ev.RUNNING),
            "meta_len": len(meta),
            "flushed": flushed,
            "tail_base": flushed,
            "tail_size": tail_size,
        }
        head = struct.pack(ev.HEADER_FORMAT, *(fields[name] for name in ev.HEADER_FIELDS))
        head = (head.ljust(ev.META_OFFSET, b"\0") + meta).ljust(ev.HEADER_SIZE, b"\0")
        ring, at = bytearray(tail_size), flushed * ev.SLOT_SIZE
        for begin in range(at, len(data), ev.SLOT_SIZE):
            ring[begin % tail_size : begin % tail_size + ev.SLOT_SIZE] = data[begin : begin + ev.SLOT_SIZE]
        return head + bytes(ring) + data[:at]

    def write(self, path: Path, tail: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.data(tail))
        return path


def packed(slots: Sequence[bytes]) -> bytes:
    """These records as a file's slots."""
    pack, data, text, size = packing.Packing(), bytearray(), bytearray(), 0

    def add(new: bytes) -> None:
        if len(data) % ev.BLOCK_SIZE + len(new) > ev.BLOCK_SIZE:
            data.extend(packing.pad())
        if len(data) % ev.BLOCK_SIZE == 0:
            data.extend(pack.anchor())
        data.extend(new)

    add(b"")
    for number, slot in enumerate(slots):
        ts, coro, aux, node, task, off, thread, flags, kind = struct.unpack(RECORD_FORMAT, slot)
        if kind == ev.TEXT:
            text += slot[:TEXT_BYTES]
            if number + 1 == len(slots) or slots[number + 1][-1] != ev.TEXT:
                for piece in packing.text(bytes(text[: size or len(text)])):
                    add(piece)
                text.clear()
        elif kind == 0:
            add(bytes(ev.SLOT_SIZE))
        else:
            size = off if kind in ev.HAS_TEXT else 0
            add(pack.record(ts, coro, aux, node, task, off, thread, flags, kind))
            pack.written(ts, coro, node, task, off, thread, kind)
    return bytes(data)


def at(ts: int) -> dict[str, int]:
    """A moment besides a record's own, as its fields."""
    return {"aux": (ts + START_NS) & 0xFFFFFFFF, "off": (ts + START_NS) >> 32}


def two_tasks() -> Tape:
    """``main`` (task 1) spawns ``work`` as "w;1" (task 2), awaits it; ``work`` sleeps through the library, then fails.

    ns::    0    10 20 30     40        50  60   70       90   100
    main    made run  made-2  await…                      run  ends
    work                      .  run    await at sleep…  run-fails
    """
    tape = Tape()
    main, work = tape.code("main", 10), tape.code("work", 20)
    sleep = tape.code("sleep", 600, "/py/lib/asyncio/tasks.py")
    at_main, at_work = tape.node(0, main), tape.node(0, work)
    at_sleep = tape.node(at_work, sleep)
    site = tape.site((sleep, 2), (main, 4))
    future, error = tape.string("asyncio.Future"), tape.string("ValueError")
    tape.put(ev.THREAD, coro=0, aux=4711)
    tape.put(ev.SPAWN, 0, coro=1, aux=main, off=tape.site((main, 0)))
    tape.put(ev.START, 10, coro=1, off=main, node=at_main, task=1, flags=ev.IS_TASK)
    tape.put(ev.SPAWN, 30, coro=2, aux=work, off=site, node=at_main, task=1, flags=ev.NAME_GIVEN)
    tape.text(ev.NAME, b"w;1", 30, coro=2, node=at_main, task=1)
    tape.put(ev.SUSPEND, 40, coro=1, aux=2, off=6, flags=ev.AWAITS_TASK)
    tape.put(ev.START, 50, coro=2, off=work, node=at_work, task=2, flags=ev.IS_TASK)
    tape.put(ev.START, 55, coro=3, aux=2, off=sleep, node=at_sleep, task=2)
    tape.put(ev.SUSPEND, 60, coro=3, aux=future, off=10)
    tape.put(ev.LINK, 60, coro=2, aux=3, off=2)
    tape.put(ev.RESUME, 70, coro=2, aux=3, node=at_sleep, task=2)
    tape.put(ev.RETURN, 72, coro=3, node=at_work, task=2)
    tape.text(ev.POINT, b"half\0way", 74, coro=2, node=at_work, task=2)
    tape.put(ev.RAISE, 80, coro=2, aux=error)
    tape.text(ev.MESSAGE, b"no, thanks", 80, coro=2)
    tape.put(ev.RESUME, 90, coro=1, aux=1, node=at_main, task=1)
    tape.put(ev.RETURN, 100, coro=1)
    tape.end_ns = 110
    return tape
