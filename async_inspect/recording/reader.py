"""The Reader: a recording's file as numpy columns and its definitions, as far as the file has got.

Knows: where slots are in the file, how definitions and texts are decoded.  ``unpacking.py`` makes records of equal
size of the file's slots, ``slots.py`` validates each before it is used; what records mean together is in ``model/``.
The same object serves a finished recording and one that still grows (``refresh``).
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from .. import events as ev
from ..errors import UserError
from ..support.files import read
from .code import Code
from .header import LATEST, WINDOWS, Detail, Head, Header, Meta, number, open_file, read_header, with_slashes
from .runs import root_recording, run_at
from .slots import CHAIN, CODE, DAMAGED, NODE, RECORD_SIZE, SLOT, STRING, TEXT_BYTES, Raw, SlotCheck, Slots, among
from .unpacking import Unpacking
from .version1 import Version1

type Ids = npt.NDArray[np.uint32]
type Bytes = npt.NDArray[np.uint8]

_TO_DEFINE = np.isin(np.arange(256), sorted({*range(1, ev.FIRST_EVENT), *ev.HAS_TEXT} - {ev.TEXT, DAMAGED}))
_MAX_MISSED = 1 << 24  # bytes
_DAY_NS = 86_400_000_000_000


class UnrecordedChild(NamedTuple):
    """A Python that a recorded process started and that is not recorded itself."""

    pid: int
    why: str
    command: str


class Recording:
    """An open recording.  Make one with ``open_recording``.

    ``codes``, ``strings``, ``sites``, ``names`` … are its definitions and texts by id; ``node_parent`` and
    ``node_code`` are arrays by node id, ``chain_parent``, ``chain_node`` and ``chain_off`` by chain id.  ``records``
    are all slots so far, definitions and texts among them.
    """

    def __init__(self, path: Path, at_most: int = 0) -> None:
        """UserError: there is no recording at ``path``, or none that this version reads.

        ``at_most``: how many slots of the body are read at a time (0: all there are); ``unread`` are left.
        """
        self.path = path
        self.codes: dict[int, Code] = {}
        self.strings: dict[int, str] = {}
        self.sites: dict[int, tuple[int, int, int]] = {}  # id -> (next site inward, code id, offset)
        self.threads: dict[int, int] = {}  # index -> the kernel's thread id
        self.resources: dict[int, tuple[int, int]] = {}  # id -> (string id of its type, site where it was made)
        self.names: dict[int, str] = {}  # task -> the last name the program gave
        self.tags: dict[int, list[str]] = {}  # task -> "variable=value", as they came
        self.messages: dict[int, str] = {}  # task -> what its exception said
        self.points: list[tuple[int, str, str]] = []  # (slot, label, message)
        self.node_parent: Ids = np.zeros(2, np.uint32)
        self.node_code: Ids = np.zeros(2, np.uint32)
        self.chain_parent: Ids = np.zeros(1, np.uint32)
        self.chain_node: Ids = np.full(1, ev.OTHER_NODE, np.uint32)
        self.chain_off: Ids = np.zeros(1, np.uint32)
        self.count = 0  # records read
        self.position = 0  # slots of the file that they take
        self.unread = 0  # slots that the file has, and that are left to the next ``refresh``
        self.cut = False  # the file is shorter than it was, or has a hole: it is known only up to there
        self.missing = 0  # slots of it that the file had and has no more, at least
        self.chunks: list[Slots] = []  # these, in order
        self._slot_check = SlotCheck()
        self._at_most = at_most
        self._file = open_file(path)
        self.header, self.meta = self._read_header()
        self._unpacking = Version1() if self.header.version == 1 else Unpacking()
        self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """No more ``refresh``; what was read stays."""
        self._file.close()

    @property
    def damaged(self) -> int:
        """How many slots and header fields were invalid: nothing of them is used, and no figure is exact."""
        return self._slot_check.damaged + self._unpacking.damaged + self.header.faults

    @property
    def highest_code(self) -> int:
        """The highest code id that a slot refers to; an id that is not in ``codes`` was damaged."""
        return self._slot_check.highest(CODE)

    @property
    def highest_string(self) -> int:
        """The highest string id that a slot refers to."""
        return self._slot_check.highest(STRING)

    @property
    def highest_chain(self) -> int:
        """The highest chain id that a slot refers to; of one whose definition is damaged nothing is known."""
        return self._slot_check.highest(CHAIN)

    @property
    def detail(self) -> Detail:
        """How much of the program was written (``events.py``); where the metadata's word is gone, by the records."""
        return "awaits" if self.highest_chain else Head(self.path, self.header, self.meta).detail

    @property
    def records(self) -> Slots:
        """All slots so far as one array (a copy where there are several chunks: big ones are read chunk by chunk)."""
        return self.chunks[0] if len(self.chunks) == 1 else np.concatenate([np.empty(0, SLOT), *self.chunks])

    def first(self, key: str, default: str = "") -> str:
        """The first value of a metadata key."""
        return self.meta.get(key, (default,))[0]

    @property
    def owner(self) -> int:
        """The user whose file it is."""
        return os.fstat(self._file.fileno()).st_uid

    def refresh(self) -> list[Slots]:
        """Read what was appended since the last time; the new slots, with complete definitions only."""
        tail, ended = self._read_tail()
        header, size = self.header, self._unpacking.slot_size
        new: list[Slots] = []
        start = header.header_size + header.tail_size
        file_size = os.fstat(self._file.fileno()).st_size
        written = max(0, file_size - start) // size
        rest = np.empty((0, size), np.uint8)
        hole = False
        if (there := min(header.flushed, written)) > self.position:
            end = min(there, self.position + self._at_most) if self._at_most else there
            body = self._slots(self._read((end - self.position) * size, start + self.position * size))
            short = self.position + len(body) < end
            if hole := not (body[:, -1] != 0).all():  # of a disk that lost power: nobody knows what stood there
                body = body[: int(np.argmin(body[:, -1] != 0))]
            accepted = self._accept(body, new)
            if end < there and not short and not hole:
                if not accepted:  # a text that is longer
                    self._at_most *= 2
                return self._refreshed(header, new, there - self.position)
            if short:
                written = self.position + len(body) - accepted
            rest = body[accepted:]  # a text that goes on in the tail
        follows = written >= header.flushed and not hole and header.tail_base <= header.flushed
        if follows:
            read = self.position + len(rest) - header.flushed  # of the tail
            self._accept(np.concatenate([rest, tail[max(read, 0) :]]), new)
        self.cut = not follows or file_size < header.header_size or not ended
        self.missing = 0 if follows else max(header.flushed, header.tail_base) + len(tail) - self.position
        return self._refreshed(header, new, 0)

    def drain(self) -> Iterator[Slots]:
        """All slots that there are, in order; none is kept, so ``chunks`` and ``records`` are empty afterwards.

        Of a recording that grows faster than it is read, those that it had at first.
        """
        end = self.header.flushed
        while True:
            chunks, self.chunks = self.chunks, []
            while chunks:
                yield chunks.pop(0)
            before = self.header.flushed
            if not self.unread:
                return
            if self.position >= end and before > end and not self.header.end_ns:
                return
            self.refresh()

    def _refreshed(self, header: Header, new: list[Slots], unread: int) -> list[Slots]:
        self.header, self.unread = self._amended(header), unread
        self.chunks += new
        return new

    def _accept(self, raw: Raw, new: list[Slots]) -> int:
        """Accept these slots but for an incomplete record or text at their end; how many were accepted."""
        accepted = self._unpacking.whole(raw)
        if accepted:
            header, until = self.header, self._until()
            for piece in self._unpacking.unpack(raw[:accepted], self.position):
                slots = self._slot_check.check(piece, header.start_ns, header.end_ns, until)
                self._define(slots)
                self.count += len(slots)
                if len(slots):
                    new.append(slots)
            self.position += accepted
        return accepted

    def _until(self) -> int:
        """The latest time that a record can have: one day from now.  LATEST where this machine's clock is behind."""
        header, passed = self.header, time.time_ns() - self.header.start_unix_ns
        return min(header.start_ns + passed + _DAY_NS, LATEST) if passed >= 0 else LATEST

    # --- the file ----------------------------------------------------------------------------------------------------

    def _read_header(self) -> tuple[Header, Meta]:
        header, meta = read_header(self._file, self.path)
        return self._amended(header), meta

    def _amended(self, header: Header) -> Header:
        """The header, without the fields that the records have shown to be wrong."""
        checked = self._slot_check
        if checked.by_ticks is False and checked.start_ns != header.start_ns:
            header = header._replace(start_ns=checked.start_ns, faults=header.faults + (header.start_ns > 0))
        if header.end_ns and checked.by_ticks is False and (checked.end_is_wrong or header.end_ns < header.start_ns):
            header = header._replace(end_ns=0, faults=header.faults + 1)
        return header

    def _read(self, size: int, at: int) -> Bytes:
        """``size`` bytes from ``at``, or as many as there are.  Copied, not mapped: a mapping would end us by SIGBUS if
        somebody truncates the file meanwhile.  UserError: they can't be read."""
        there = os.fstat(self._file.fileno()).st_size - at  # a damaged header must not make us allocate more
        found = np.empty(max(min(size, there), 0), np.uint8)
        room, done = memoryview(found), 0
        try:
            self._file.seek(at)
            while done < len(room) and (more := self._file.readinto(room[done:])):
                done += more
        except OSError as error:
            raise UserError(f"{self.path}: {error.strerror}") from None
        return found[:done]

    def _read_tail(self) -> tuple[Raw, bool]:
        """Read the header again, and with it the tail: its slots from number ``flushed`` up to the first that isn't
        written, and whether that is there (False: the file was cut off before it)."""
        while True:
            self.header, self.meta = self._read_header()
            size = self.header.tail_size
            data = self._slots(self._read(size, self.header.header_size))
            again, _ = self._read_header()
            if (again.flushed, again.tail_base) == (self.header.flushed, self.header.tail_base):
                break  # else some of it was written to the body meanwhile
        slots = self._unpacking.tail(data, size, self.header.flushed, self.header.tail_base)
        empty = np.flatnonzero(slots[:, -1] == 0)
        return (slots[: empty[0]], True) if len(empty) else (slots, data.size >= size)

    def _slots(self, data: Bytes) -> Raw:
        size = self._unpacking.slot_size
        return data[: len(data) // size * size].reshape(-1, size)

    # --- definitions -------------------------------------------------------------------------------------------------

    def _define(self, slots: Slots) -> None:
        """Store the definitions and texts among these slots."""
        kinds = np.ascontiguousarray(slots["kind"])
        rare = np.flatnonzero((kinds < ev.FIRST_EVENT) | among(kinds, ev.HAS_TEXT))
        rare = rare[_TO_DEFINE[kinds[rare]]]
        texts = rare[among(kinds[rare], ev.HAS_TEXT)]
        data = memoryview(np.ascontiguousarray(slots).view(np.uint8))
        for at, slot in zip(texts.tolist(), slots[texts].tolist(), strict=True):
            self._define_text(at, slot, _text(data, at, slot[5]))
        self._define_nodes(slots[rare[kinds[rare] == ev.NODE]])
        self._define_chains(slots[rare[kinds[rare] == ev.CHAIN]])
        for slot in slots[rare[kinds[rare] == ev.SITE]].tolist():
            self.sites[slot[1]] = (slot[2], slot[3], slot[5])
        for slot in slots[rare[kinds[rare] == ev.THREAD]].tolist():
            self.threads[slot[1]] = slot[2]
        for slot in slots[rare[kinds[rare] == ev.RESOURCE]].tolist():
            self.resources[slot[1]] = (slot[2], slot[5])

    def _define_text(self, at: int, slot: tuple[int, ...], data: bytes) -> None:
        _, subject, aux, size, _, _, _, flags, kind = slot
        if kind == ev.CODE:
            file, name, table = [*data.split(b"\0", 2), b"", b""][:3]
            table, awaits = (table[:size], table[size:]) if size else (table, None)
            path = decoded(file)
            if self.meta.get("platform") == WINDOWS:
                path = with_slashes(path)
            self.codes[subject] = Code(path, decoded(name), aux, flags, table, awaits)
        elif kind == ev.STRING:
            self.strings[subject] = decoded(data)
        elif kind == ev.NAME:
            self.names[subject] = decoded(data)
        elif kind == ev.TAG:
            name, _, value = data.partition(b"\0")
            known, tag = self.tags.setdefault(subject, []), f"{decoded(name)}={decoded(value)}"
            if tag not in known[-1:]:
                known.append(tag)
        elif kind == ev.MESSAGE:
            self.messages[subject] = decoded(data)
        else:
            label, _, message = data.partition(b"\0")
            self.points.append((self.count + at, decoded(label), decoded(message)))

    def _define_nodes(self, slots: Slots) -> None:
        ids, size = slots["coro"], self._slot_check.highest(NODE) + 1
        self.node_parent, self.node_code = _reach(self.node_parent, size), _reach(self.node_code, size)
        self.node_parent[ids] = slots["aux"]
        self.node_code[ids] = slots["off"]

    def _define_chains(self, slots: Slots) -> None:
        ids, size = slots["coro"], self._slot_check.highest(CHAIN) + 1
        self.chain_parent, self.chain_off = _reach(self.chain_parent, size), _reach(self.chain_off, size)
        self.chain_node = _reach(self.chain_node, size, ev.OTHER_NODE)  # that of one whose definition is damaged
        self.chain_parent[ids] = slots["aux"]
        self.chain_node[ids] = slots["node"]
        self.chain_off[ids] = slots["off"]


def _reach(column: Ids, size: int, value: int = 0) -> Ids:
    """The column with at least so many rows; new ones have this value."""
    if size <= len(column):
        return column
    return np.pad(column, (0, max(size, 2 * len(column)) - len(column)), constant_values=value)


def _text(data: memoryview, at: int, size: int) -> bytes:
    """The text of so many bytes that follows the slot at ``at``; ``data``: of all slots."""
    begin = (at + 1) * RECORD_SIZE
    if size <= TEXT_BYTES:
        return bytes(data[begin : begin + size])
    pieces = range(begin, begin - (-size // TEXT_BYTES) * RECORD_SIZE, RECORD_SIZE)
    return b"".join(data[piece : piece + TEXT_BYTES] for piece in pieces)[:size]


def text_of(slots: Slots, at: int) -> bytes:
    """The text that follows the slot at ``at``."""
    size = int(slots["off"][at])
    pieces = slots[at + 1 : at + 1 - (-size // TEXT_BYTES)]
    pieces = pieces[pieces["kind"] == ev.TEXT]
    return np.ascontiguousarray(pieces).view(np.uint8).reshape(-1, RECORD_SIZE)[:, :TEXT_BYTES].tobytes()[:size]


def decoded(data: bytes) -> str:
    """Bytes as text; what is not UTF-8 becomes U+FFFD."""
    return data.decode("utf-8", "replace")


def open_recording(path: str | os.PathLike[str]) -> Recording:
    """Open the recording at ``path``; of several in a folder the root process's of the newest run (``header.py``).

    UserError: nothing there, not a recording, of a newer version, can't be read.
    """
    return Recording(root_recording(run_at(path)).path)


# --- the recording as text -------------------------------------------------------------------------------------------


def unrecorded_children(path: str | os.PathLike[str]) -> list[UnrecordedChild]:
    """The Pythons that this recording's process started and that are not recorded, as far as it could tell."""
    try:
        text = read(Path(path).with_suffix(ev.MISSED_SUFFIX), _MAX_MISSED).decode("utf-8", "replace")
    except OSError:
        return []
    rows = [(number(line.partition("\t")[0]), line.split("\t", 2)) for line in text.splitlines()]
    return [UnrecordedChild(pid, row[1], row[2]) for pid, row in rows if len(row) == 3 and pid >= 0]
