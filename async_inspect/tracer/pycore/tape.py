"""The recording's file, as it is written: slots into the tail, the tail into the body, fields into the header.

Knows the layout that ``events.py`` describes, the descriptor (and whether it still is ours) and the clock.  Does not
know what any record means, and nothing of the program that is traced.
"""

import os
import sys
import time
from errno import EFBIG, ENOSPC
from mmap import mmap

from ... import events as ev
from ..writer import OPEN_FLAGS
from . import packing

try:
    from fcntl import F_DUPFD_CLOEXEC, fcntl
    from resource import RLIM_INFINITY, RLIMIT_FSIZE, getrlimit
except ImportError:  # not a POSIX system: no limits on files, and descriptors as they come
    _POSIX = False
else:
    _POSIX = True

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HIGH_FD = 1000
_BLOCK_SLOTS = ev.BLOCK_SIZE // ev.SLOT_SIZE
_TAIL_SLOTS = ev.TAIL_SIZE // ev.SLOT_SIZE


class Tape:
    """One recording's file, open for writing."""

    def __init__(self, fd: int, header_size: int, max_size: int, ticks: bool) -> None:
        self.fd = _high_duplicate(fd)
        self.identity = _identity(fd)
        try:
            self.path = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            self.path = ""
        self.tail = header_size  # where it begins in the file
        self.body = header_size + ev.TAIL_SIZE
        if not _may_grow(self.body):
            raise OSError(EFBIG, "the file may not grow so large")
        os.lseek(self.fd, self.tail, os.SEEK_SET)
        if os.write(self.fd, bytes(ev.BLOCK_SIZE)) != ev.BLOCK_SIZE:  # or a full disk would be SIGBUS
            raise OSError(ENOSPC, "no room for the first records")
        os.ftruncate(self.fd, self.body)  # a short program needs no more
        self.map = _map(self.fd, self.body)
        self.map_fd = -1 if _CAN_LEAVE_FD else self.own_fd_of_map(fd)
        self.released = False
        self.pos = self.block = self.tail
        self.begun = 1  # blocks
        self.max_slots = (max_size - self.body) // ev.SLOT_SIZE
        self.packing = packing.Packing()
        self.flushed = 0
        self.full = 0  # AT_BOUND, NO_ROOM: nothing more is written out
        self.lost = 0
        self.broken_off = False  # nothing is written any more
        self.ticks = ticks
        self.tick = 0
        self.set_header(ev.TAIL_SIZE_OFFSET, ev.TAIL_SIZE, 4)
        self.set_header(ev.BROKEN_OFF_OFFSET, ev.IT_GROWS, 4)
        self.put_slots(self.packing.anchor())

    def now(self) -> int:
        if self.ticks:
            self.tick += 1
            return self.tick
        return time.monotonic_ns()

    def own_fd(self) -> int:
        """Our descriptor, if it still refers to our file.

        A daemon closes all it finds, and may give the number to another file.
        """
        if _identity(self.fd) != self.identity:
            self.fd = -1
            try:
                fd = os.open(self.path, os.O_RDWR | OPEN_FLAGS | getattr(os, "O_NOFOLLOW", 0))
            except OSError:
                return -1
            if _identity(fd) == self.identity:
                self.fd = _high_duplicate(fd)
            os.close(fd)
        return self.fd

    def own_fd_of_map(self, fd: int) -> int:
        """The duplicate that a mapping makes for itself: a descriptor of our file that we know nothing of."""
        try:
            names = os.listdir("/dev/fd")
        except OSError:
            return -1
        for name in names:
            if int(name) not in (fd, self.fd) and _identity(int(name)) == self.identity:
                return int(name)
        return -1

    def set_header(self, offset: int, value: int, size: int = 8) -> None:
        if not self.released:
            self.map[offset : offset + size] = value.to_bytes(size, "little")

    def flush(self) -> None:
        """Append what is in the tail to the body, at the recording's end."""
        if self.flushed == (self.begun - 1) * _BLOCK_SLOTS:
            self.write_out((self.pos - self.block) // ev.SLOT_SIZE)

    def write_out(self, slots: int = _BLOCK_SLOTS) -> None:
        """Append the oldest slots of the tail to the body, in the order that ``events.py`` describes."""
        at = self.tail + self.flushed * ev.SLOT_SIZE % ev.TAIL_SIZE
        end = at + slots * ev.SLOT_SIZE
        if self.full:
            return
        if self.flushed + slots > self.max_slots:
            self.full = ev.AT_BOUND
            return
        if not self.append(self.map[at:end], self.body + self.flushed * ev.SLOT_SIZE):
            self.full = ev.NO_ROOM
            return
        self.flushed += slots
        self.set_header(ev.FLUSHED_OFFSET, self.flushed)
        self.map[at:end] = bytes(end - at)
        self.set_header(ev.TAIL_BASE_OFFSET, self.flushed)

    def next_block(self) -> bool:
        """Write out the block that is full, and begin the next one, if there is room for it in the tail."""
        if self.begun == 1 and (
            self.full or not self.append(bytes(ev.TAIL_SIZE - ev.BLOCK_SIZE), self.tail + ev.BLOCK_SIZE)
        ):
            self.full = ev.NO_ROOM
            return False
        self.write_out()
        if (self.begun + 1) * _BLOCK_SLOTS > self.flushed + _TAIL_SLOTS:
            return False
        self.pos = self.block = self.tail + self.begun * ev.BLOCK_SIZE % ev.TAIL_SIZE
        self.begun += 1
        self.put_slots(self.packing.anchor())
        return True

    def append(self, data: bytes, at: int) -> bool:
        if not _may_grow(at + len(data)):
            return False
        try:
            fd = self.own_fd()
            if fd >= 0:
                os.lseek(fd, at, os.SEEK_SET)
            while data and fd >= 0:
                data = data[os.write(fd, data) :]
        except OSError:
            return False
        return not data

    def lose(self) -> None:
        """Count a record that could not be written."""
        if not self.broken_off:
            self.lost += 1
            self.set_header(ev.LOST_OFFSET, self.lost)

    def room(self, size: int) -> bool:
        """Whether there is room for so many bytes, in this block or the next; else what was to be written is lost."""
        end = self.block + ev.BLOCK_SIZE
        if self.pos + size <= end:
            return True
        if self.pos < end:
            self.put_slots(packing.pad())
        if not self.broken_off:  # nobody counts what comes after
            if self.next_block():
                return True
            self.lose()
            self.set_header(ev.BROKEN_OFF_OFFSET, self.full, 4)
            self.broken_off = True
        return False

    def put_slots(self, data: bytes) -> None:
        """Write a record's slots; the first one's last byte comes last: now it is there."""
        at, last = self.pos, self.pos + ev.SLOT_SIZE - 1
        self.map[last + 1 : at + len(data)] = data[ev.SLOT_SIZE :]
        self.map[at:last] = data[: ev.SLOT_SIZE - 1]
        self.map[last] = data[ev.SLOT_SIZE - 1]
        self.pos += len(data)

    def put_definition(self, kind: int, id: int, aux: int = 0, off: int = 0, flags: int = 0, node: int = 0) -> None:
        self.put_raw(0, id, aux, node, 0, off, 0, flags, kind)

    def put_raw(
        self, ts: int, coro: int, aux: int, node: int, task: int, off: int, thread: int, flags: int, kind: int
    ) -> None:
        off &= 0xFFFFFFFF
        data = self.packing.record(ts, coro, aux, node, task, off, thread, flags, kind)
        if self.room(len(data)):
            self.put_slots(data)
            self.packing.written(ts, coro, node, task, off, thread, kind)

    def put_text(self, text: bytes) -> None:
        for slot in packing.text(text):
            if self.room(ev.SLOT_SIZE):
                self.put_slots(slot)

    def release(self) -> None:
        """Write nothing more, and close everything.

        Where a mapping has its own descriptor (3.12), to close it closes that number, which may be another file's by
        now: then the mapping has to stay, for good.
        """
        self.full, self.released = ev.NO_ROOM, True
        if _CAN_LEAVE_FD or _identity(self.map_fd) == self.identity:
            self.map.close()
        else:
            _keep([self.map].copy)  # now that nothing of ours may be left
        if _identity(self.fd) == self.identity:
            os.close(self.fd)


_CAN_LEAVE_FD = sys.version_info[:2] >= ((3, 13) if _POSIX else (3, 15))


def _keep(method: "Callable[[], object]") -> None:
    """For good: what is registered for forks stays."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_parent=method)
    else:
        _kept.append(method)


_kept: list[object] = []


def _map(fd: int, size: int) -> mmap:
    return mmap(fd, size, trackfd=False) if _CAN_LEAVE_FD else mmap(fd, size)  # type: ignore[call-arg,unused-ignore]


def _may_grow(size: int) -> bool:
    """Whether the file may have that size: exceeding the limit would raise SIGXFSZ in the program."""
    if not _POSIX:
        return True
    most = getrlimit(RLIMIT_FSIZE)[0]
    return most == RLIM_INFINITY or size <= most


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _high_duplicate(fd: int) -> int:
    """A duplicate with a high number, out of the way of programs that expect low ones."""
    for least in (HIGH_FD, 3) if _POSIX else ():
        try:
            return fcntl(fd, F_DUPFD_CLOEXEC, least)
        except OSError:
            pass
    return os.dup(fd)
