"""The Reader: a recording's file as numpy columns and its definitions, as far as the file has got.

Knows: where recordings lie, the header, the slots, how code positions become lines.  Knows nothing of what the records
mean together (``model/``).  The same object serves a finished recording and one that still grows (``refresh``).
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import events as ev
from .codes import Code
from .errors import UserError

SLOT = np.dtype(
    list(zip(ev.RECORD_FIELDS, ("<u8", "<u4", "<u4", "<u4", "<u4", "<u4", "<u2", "u1", "u1"), strict=True))
)
type Slots = npt.NDArray[np.void]
type Ids = npt.NDArray[np.uint32]

SUFFIX = ".rec"
FOLDER = "recording"
_SCAN_SLOTS = 1 << 16  # how much is looked at at a time for the end of what is written


class Header(NamedTuple):
    """The header's fields, by the names and meanings of ``events.HEADER_FIELDS``."""

    magic: bytes
    version: int
    header_size: int
    record_size: int
    pid: int
    start_ns: int
    start_unix_ns: int
    end_ns: int
    lost: int
    state: int
    meta_len: int
    callbacks: int
    timed_callbacks: int
    timed_ns: int


class Recording:
    """An open recording.  Make one with ``open_recording``.

    ``codes``, ``strings``, ``sites``, ``names`` … are its definitions and texts by id; ``node_parent`` and
    ``node_code`` are arrays by node id.  ``records`` are all slots so far, definitions and texts among them.
    """

    def __init__(self, path: Path) -> None:
        """UserError: there is no recording at ``path``, or none that this version reads."""
        self.path = path
        self.codes: dict[int, Code] = {}
        self.strings: dict[int, str] = {}
        self.sites: dict[int, tuple[int, int, int]] = {}  # id -> (next site inward, code id, offset)
        self.threads: dict[int, int] = {}  # index -> the kernel's thread id
        self.names: dict[int, str] = {}  # task -> the last name the program gave
        self.messages: dict[int, str] = {}  # task -> what its exception said
        self.points: list[tuple[int, str, str]] = []  # (slot, label, message)
        self.node_parent: Ids = np.zeros(2, np.uint32)
        self.node_code: Ids = np.zeros(2, np.uint32)
        self.count = 0  # slots read
        self._chunks: list[Slots] = []
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
        self.header, self.meta = self._read_header()
        self.refresh()

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """No more ``refresh``; what was read stays."""
        self._file.close()

    @property
    def records(self) -> Slots:
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks)]
        return self._chunks[0] if self._chunks else np.empty(0, SLOT)

    def first(self, key: str, default: str = "") -> str:
        """The first value of a metadata key."""
        return self.meta.get(key, (default,))[0]

    def refresh(self) -> Slots:
        """Read what the file has got since the last time.  The new slots, whole definitions only."""
        self.header, self.meta = self._read_header()
        base, old = self.header.header_size, self.count
        written = self._written(base + old * ev.RECORD_SIZE)
        if not written:
            return np.empty(0, SLOT)
        offset = base + old * ev.RECORD_SIZE
        new: Slots = np.memmap(self._file, SLOT, mode="r", offset=offset, shape=(written,))
        new = new[: self._define(new)]
        self.count += len(new)
        if len(new):
            self._chunks.append(new)
        return new

    # --- the file ----------------------------------------------------------------------------------------------------

    def _read_header(self) -> tuple[Header, dict[str, tuple[str, ...]]]:
        file = self._file.fileno()
        try:
            size = struct.calcsize(ev.HEADER_FORMAT)
            raw = os.pread(file, size, 0)
            if not raw:
                raise UserError(f"{self.path}: is empty, nothing was recorded")
            if not ev.MAGIC.startswith(raw[: len(ev.MAGIC)]) or (len(raw) < len(ev.MAGIC) and raw != ev.MAGIC[: len(raw)]):
                raise UserError(f"{self.path}: is not a recording of async-inspect")
            header = Header(*struct.unpack(ev.HEADER_FORMAT, raw.ljust(size, b"\0")))
            if header.version > ev.VERSION:
                raise UserError(
                    f"{self.path}: was recorded in format {header.version} by a newer async-inspect; "
                    f"this one reads up to {ev.VERSION}"
                )
            if header.version and header.record_size not in (0, ev.RECORD_SIZE):
                raise UserError(f"{self.path}: is damaged, its records have {header.record_size} bytes")
            if header.header_size < ev.META_OFFSET:  # cut off within these fields
                header = header._replace(header_size=ev.HEADER_SIZE)
            text = os.pread(file, min(header.meta_len, header.header_size - ev.META_OFFSET), ev.META_OFFSET)
        except OSError as error:
            raise UserError(f"{self.path}: {error.strerror}") from None
        return header, parse_metadata(text)

    def _written(self, offset: int) -> int:
        """How many slots from there on are written: up to the first of kind 0, or the end of the file.

        By reads, not through a mapping: the tail that was reserved ahead may be cut off at this very moment.
        """
        found = 0
        while True:
            data = os.pread(self._file.fileno(), _SCAN_SLOTS * ev.RECORD_SIZE, offset + found * ev.RECORD_SIZE)
            whole = len(data) // ev.RECORD_SIZE
            kinds = np.frombuffer(data, SLOT, whole)["kind"]
            empty = np.flatnonzero(kinds == 0)
            if len(empty):
                return found + int(empty[0])
            found += whole
            if whole < _SCAN_SLOTS:
                return found

    # --- definitions -------------------------------------------------------------------------------------------------

    def _define(self, slots: Slots) -> int:
        """Take in the definitions and texts; how many slots that is, which ends before a text that isn't whole."""
        kinds = slots["kind"]
        with_text = np.flatnonzero(np.isin(kinds, ev.HAS_TEXT))
        end = len(slots)
        if len(with_text):
            last = int(with_text[-1])
            pieces = -(-int(slots["off"][last]) // ev.TEXT_BYTES)
            if last + 1 + pieces > end:
                end = last
        for at in with_text.tolist():
            if at < end:
                self._define_text(slots, at)
        self._define_nodes(slots[:end][kinds[:end] == ev.NODE])
        for slot in slots[:end][kinds[:end] == ev.SITE].tolist():
            self.sites[slot[1]] = (slot[2], slot[3], slot[5])
        for slot in slots[:end][kinds[:end] == ev.THREAD].tolist():
            self.threads[slot[1]] = slot[2]
        return end

    def _define_text(self, slots: Slots, at: int) -> None:
        _, id, aux, _, _, _, _, flags, kind = slots[at].item()
        data = text_of(slots, at)
        if kind == ev.CODE:
            file, name, table = (data.split(b"\0", 2) + [b"", b""])[:3]
            self.codes[id] = Code(_decode(file), _decode(name), aux, flags, table)
        elif kind == ev.STRING:
            self.strings[id] = _decode(data)
        elif kind == ev.NAME:
            self.names[id] = _decode(data)
        elif kind == ev.MESSAGE:
            self.messages[id] = _decode(data)
        else:
            label, _, message = data.partition(b"\0")
            self.points.append((self.count + at, _decode(label), _decode(message)))

    def _define_nodes(self, slots: Slots) -> None:
        slots = slots[slots["coro"] <= ev.MAX_NODES]
        if not len(slots):
            return
        ids = slots["coro"]
        size = int(ids.max()) + 1
        if size > len(self.node_parent):
            grow = max(size, 2 * len(self.node_parent)) - len(self.node_parent)
            self.node_parent = np.pad(self.node_parent, (0, grow))
            self.node_code = np.pad(self.node_code, (0, grow))
        self.node_parent[ids] = slots["aux"]
        self.node_code[ids] = slots["off"]


def text_of(slots: Slots, at: int) -> bytes:
    """The text that follows the slot at ``at``."""
    size = int(slots["off"][at])
    pieces = slots[at + 1 : at + 1 - (-size // ev.TEXT_BYTES)]
    pieces = pieces[pieces["kind"] == ev.TEXT]
    return np.ascontiguousarray(pieces).view(np.uint8).reshape(-1, ev.RECORD_SIZE)[:, : ev.TEXT_BYTES].tobytes()[:size]


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def parse_metadata(text: bytes) -> dict[str, tuple[str, ...]]:
    """The metadata's lines, key TAB value; of a cut-off text the whole lines."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.decode("utf-8", "surrogateescape").split("\n")[:-1]:
        key, _, value = line.partition("\t")
        found[key] = (*found.get(key, ()), _unescape(value))
    return found


def _unescape(value: str) -> str:
    pieces = value.split("\\\\")
    return "\\".join(piece.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r") for piece in pieces)


# --- where recordings lie --------------------------------------------------------------------------------------------


def open_recording(path: str | os.PathLike[str]) -> Recording:
    """Open the recording at ``path``: its file, the folder it lies in, or the folder that ``attach -o`` was given.

    Of several in a folder it is the root process's: the earliest whose parent isn't recorded there as well.
    UserError: nothing there, not a recording, of a newer version, can't be read.
    """
    place = Path(path)
    if not place.is_dir():
        return Recording(place)
    folder = place / FOLDER if (place / FOLDER).is_dir() else place
    candidates = []
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            with Recording(file) as found:
                candidates.append((found.header, found.first("ppid"), file))
        except UserError:
            continue
    if not candidates:
        raise UserError(f"{place}: no recording there")
    pids = {header.pid for header, _, _ in candidates}
    roots = [c for c in candidates if not c[1].isdecimal() or int(c[1]) not in pids - {c[0].pid}]
    return Recording(min(roots or candidates, key=lambda c: c[0].start_ns)[2])


# --- the recording as text -------------------------------------------------------------------------------------------


def dump_records(recording: Recording) -> Iterator[str]:
    """Each record as a line: its slot, kind and fields, then the text of those that have one."""
    slots = recording.records
    for begin in range(0, len(slots), _SCAN_SLOTS):
        for at, slot in enumerate(slots[begin : begin + _SCAN_SLOTS].tolist(), begin):
            ts, coro, aux, node, task, off, thread, flags, kind = slot
            if kind == ev.TEXT:
                continue
            line = f"{at} {ev.KIND_NAMES.get(kind, f'KIND{kind}')} {coro=} {aux=} {off=} {node=} {task=} {flags=} {thread=} {ts=}"
            if kind in ev.HAS_TEXT:
                parts = text_of(slots, at).split(b"\0", 2)
                if kind == ev.CODE and len(parts) == 3:
                    parts[2] = parts[2].hex().encode()
                line += " " + " ".join(repr(_decode(part)) for part in parts)
            yield line
