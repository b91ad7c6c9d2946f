"""A recording's file up to its first slot.

Knows: the header and the metadata.  Reads no events and imports no numpy, so it is safe before a fork.
"""

import os
import struct
from io import FileIO
from pathlib import Path
from typing import Literal, NamedTuple

from .. import events as ev
from ..errors import UserError
from ..support.files import open_regular

SUFFIX = ".rec"
FOLDER = "recording"
WINDOWS = ("win32",)
LATEST = 1 << 62  # ns; no clock has come so far
SLOT_SIZES = {1: 32, ev.VERSION: ev.SLOT_SIZE}  # bytes, by version
_MOST_TAIL = 1 << 30  # bytes
_IMPOSSIBLE = {"state": ev.CLOSED_OUTSIDE + 1, "broken_off": ev.NO_ROOM + 1} | dict.fromkeys(
    ("start_ns", "start_unix_ns", "end_ns", "lost", "callbacks"), LATEST
)  # from there on
_PATHS = {"cwd", "executable", "prefix", "base_prefix", "stdlib", "site"}  # in the metadata

type Meta = dict[str, tuple[str, ...]]
type Detail = Literal["calls", "awaits"]  # how much of the program was written (``events.py``)


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
    flushed: int
    tail_base: int
    tail_size: int
    broken_off: int
    faults: int = 0  # how many of these fields were invalid and have been replaced

    @property
    def slot_size(self) -> int:
        """Bytes; of a file that says no version yet, today's."""
        return SLOT_SIZES.get(self.version, ev.SLOT_SIZE)


class Head(NamedTuple):
    """A recording, before its events are read."""

    path: Path
    header: Header
    meta: Meta

    @property
    def run(self) -> str:
        """The id that all recordings of one run share; "": it stands alone."""
        return self.first("run")

    @property
    def detail(self) -> Detail:
        """As the metadata says it."""
        return "awaits" if self.first("detail") == "awaits" else "calls"

    def first(self, key: str) -> str:
        """The first value of a metadata key."""
        return self.meta.get(key, ("",))[0]


def open_file(path: Path) -> FileIO:
    """A regular file, to be read.  UserError: there is none, or it can't be read."""
    try:
        return FileIO(open_regular(path))
    except (OSError, ValueError) as error:  # a NUL in its name
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def read_header(file: FileIO, path: Path) -> tuple[Header, Meta]:
    """The header and the metadata of an open file.  UserError: it is no recording, or none that this version reads."""
    try:
        size = struct.calcsize(ev.HEADER_FORMAT)
        raw = _read(file, size, 0)
        if not raw:
            raise UserError(f"{path}: is empty, nothing was recorded")
        if not ev.MAGIC.startswith(raw[: len(ev.MAGIC)]):
            raise UserError(f"{path}: is not a recording of async-inspect")
        header = Header(*struct.unpack(ev.HEADER_FORMAT, raw.ljust(size, b"\0")))
        if header.version > ev.VERSION:
            raise UserError(
                f"{path}: was recorded in format {header.version} by a newer async-inspect; "
                f"this one reads up to {ev.VERSION}"
            )
        if header.version and header.record_size not in (0, header.slot_size):
            raise UserError(f"{path}: is damaged, its records have {header.record_size} bytes")
        if header.header_size < ev.META_OFFSET:  # cut off within these fields
            header = header._replace(header_size=ev.HEADER_SIZE)
        if len(raw) == size:
            header = _believable(header, os.fstat(file.fileno()).st_size)
        text = _read(file, min(header.meta_len, header.header_size - ev.META_OFFSET), ev.META_OFFSET)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    return header, parse_metadata(text)


def _believable(header: Header, size: int) -> Header:
    """The header of a file of ``size`` bytes; invalid fields are replaced by defaults, and counted in ``faults``."""
    sound: dict[str, int] = {}
    if header.header_size % ev.HEADER_SIZE:
        sound["header_size"] = ev.HEADER_SIZE
    if header.meta_len > header.header_size - ev.META_OFFSET:
        sound["meta_len"] = 0
    if header.tail_size % header.slot_size or header.tail_size > _MOST_TAIL:
        sound["tail_size"] = ev.TAIL_SIZE
    if not 0 <= header.pid < 1 << 31:
        sound["pid"] = 0
    sound |= {name: 0 for name, least in _IMPOSSIBLE.items() if getattr(header, name) >= least}
    if header.timed_callbacks > header.callbacks or header.timed_ns >= LATEST:
        sound["timed_callbacks"] = 0
    header = header._replace(**sound)  # type: ignore[arg-type]
    written = max(0, size - header.header_size - header.tail_size) // header.slot_size
    ahead = header.flushed - header.tail_base  # what was appended to the body, and is in the tail still
    if not 0 <= ahead <= header.tail_size // header.slot_size:
        both = header.flushed, header.tail_base
        flushed = written if written in both else min(both)
        header = header._replace(flushed=flushed, tail_base=flushed)
        sound["flushed"] = flushed
    return header._replace(faults=len(sound))


def _read(file: FileIO, size: int, at: int) -> bytes:
    there = os.fstat(file.fileno()).st_size - at  # a damaged header must not make us allocate more
    file.seek(at)
    return file.read(max(min(size, there), 0)) or b""


def number(text: str) -> int:
    """A decimal number in the metadata, such as a pid; -1: it isn't one."""
    return int(text) if text.isdecimal() and len(text) <= 10 else -1


def parse_metadata(text: bytes) -> Meta:
    """The metadata's lines, key TAB value; of a cut-off text the whole lines."""
    found: Meta = {}
    for line in text.decode("utf-8", "replace").split("\n")[:-1]:
        key, _, value = line.partition("\t")
        found[key] = (*found.get(key, ()), _unescape(value))
    if found.get("platform") == WINDOWS:
        for key in _PATHS & found.keys():
            found[key] = tuple(map(with_slashes, found[key]))
    return found


def with_slashes(path: str) -> str:
    """A Windows path with forward slashes, so that the rest of the code knows one kind of path."""
    return path.replace("\\", "/")


def _unescape(value: str) -> str:
    pieces = value.split("\\\\")
    return "\\".join(piece.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r") for piece in pieces)


# --- where recordings lie --------------------------------------------------------------------------------------------


def is_recording(path: Path) -> bool:
    """Whether this file is a recording, even a damaged one or one of another version; a symbolic link is not."""
    try:
        with FileIO(open_regular(path, follow=False)) as file:
            return file.read(len(ev.MAGIC)) == ev.MAGIC
    except (OSError, ValueError):
        return False


def head(path: Path) -> Head:
    """The recording's header and metadata.  UserError: it can't be read, or is no recording."""
    with open_file(path) as file:
        return Head(path, *read_header(file, path))
