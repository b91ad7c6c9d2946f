"""The recording's file, as it is written: slots into the tail, the tail into the body, fields into the header.

Knows the layout that ``events.py`` describes, the descriptor (and whether it still is ours) and the clock.  Does not
know what any record means, and nothing of the program that is traced.
"""

import posix
import time
from fcntl import F_DUPFD_CLOEXEC, fcntl

from .. import events as ev

HIGH_FD = 1000


class Tape:
    """One recording's file, open for writing."""

    def __init__(self, fd: int, header_size: int, max_size: int, ticks: bool) -> None:
        self.fd = _high_duplicate(fd)
        self.identity = _identity(fd)
        try:
            self.path = posix.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            self.path = ""
        self.tail = header_size  # where it begins in the file
        self.body = header_size + ev.TAIL_SIZE
        posix.posix_fallocate(self.fd, 0, self.body)
        self.newest: list[bytes] = []  # the slots in the tail
        self.max_slots = (max_size - self.body) // ev.RECORD_SIZE
        self.flushed = 0
        self.full = False
        self.lost = 0
        self.ticks = ticks
        self.tick = 0
        self.set_header(ev.TAIL_SIZE_OFFSET, ev.TAIL_SIZE, 4)

    def now(self) -> int:
        if self.ticks:
            self.tick += 1
            return self.tick
        return time.monotonic_ns()

    def own_fd(self) -> int:
        """Our descriptor, if it still is ours.

        A daemon closes all it finds, and may give the number to another file.
        """
        if _identity(self.fd) != self.identity:
            self.fd = -1
            try:
                fd = posix.open(self.path, posix.O_RDWR | posix.O_CLOEXEC | posix.O_NOFOLLOW)
            except OSError:
                return -1
            if _identity(fd) == self.identity:
                self.fd = _high_duplicate(fd)
            posix.close(fd)
        return self.fd

    def write(self, data: bytes, at: int) -> bool:
        """Write into the file at once.

        No mapping, since Python's own would close descriptors that are no longer ours.
        """
        try:
            fd = self.own_fd()
            while data and fd >= 0:
                done = posix.pwrite(fd, data, at)
                at += done
                data = data[done:]
        except OSError:
            return False
        return not data

    def set_header(self, offset: int, value: int, size: int = 8) -> None:
        self.write(value.to_bytes(size, "little"), offset)

    def flush(self) -> None:
        """Append the tail to the body and begin it anew; the order is what ``events.py`` says."""
        slots = len(self.newest)
        at = self.body + self.flushed * ev.RECORD_SIZE
        if self.full or self.flushed + slots > self.max_slots or not self.write(b"".join(self.newest), at):
            self.full = True
            return
        self.flushed += slots
        self.newest.clear()
        self.set_header(ev.FLUSHED_OFFSET, self.flushed)
        self.write(bytes(ev.TAIL_SIZE), self.tail)
        self.set_header(ev.TAIL_BASE_OFFSET, self.flushed)

    def put_slot(self, body: bytes, kind: int) -> None:
        """Write one slot into the tail, or count it as lost."""
        if len(self.newest) * ev.RECORD_SIZE == ev.TAIL_SIZE:
            self.flush()
        slot = body + bytes((kind,))  # the kind comes last: then it is there
        if self.full or not self.write(slot, self.tail + len(self.newest) * ev.RECORD_SIZE):
            self.lost += 1
            self.set_header(ev.LOST_OFFSET, self.lost)
        else:
            self.newest.append(slot)

    def put_definition(self, kind: int, id: int, aux: int = 0, off: int = 0, flags: int = 0, node: int = 0) -> None:
        self.put_raw(0, id, aux, node, 0, off, 0, flags, kind)

    def put_raw(
        self, ts: int, coro: int, aux: int, node: int, task: int, off: int, thread: int, flags: int, kind: int
    ) -> None:
        word = (ts, 8), (coro, 4), (aux, 4), (node, 4), (task, 4), (off, 4), (thread, 2), (flags, 1)
        self.put_slot(b"".join([(value & (1 << 8 * size) - 1).to_bytes(size, "little") for value, size in word]), kind)

    def put_text(self, text: bytes) -> None:
        for i in range(0, len(text), ev.TEXT_BYTES):
            self.put_slot(text[i : i + ev.TEXT_BYTES].ljust(ev.TEXT_BYTES, b"\0"), ev.TEXT)

    def release(self) -> None:
        self.full = True
        if _identity(self.fd) == self.identity:
            posix.close(self.fd)


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = posix.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _high_duplicate(fd: int) -> int:
    """The same under a number that programs which count descriptors from below don't meet."""
    for least in HIGH_FD, 3:
        try:
            return fcntl(fd, F_DUPFD_CLOEXEC, least)
        except OSError:
            pass
    return posix.dup(fd)
