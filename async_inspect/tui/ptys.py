"""The target's terminals while the view has the real one: two ptys, whose output is copied to a log.

Knows ptys, and a small process that only copies: so a viewer that is slow, stopped or dead cannot hold up the target.
"""

import fcntl
import os
import select
import signal
import struct
import termios
import time
from collections import deque
from pathlib import Path

from ..support.files import create

TAIL = 1 << 16  # bytes of the log that are read for its last lines
LINES = 200
LINE_MS = 50  # how long to wait for the rest of a line
IGNORED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGTTOU)


class Ptys:
    """Two ptys, for stdout and stderr, and the log that they flow into."""

    def __init__(self, log: Path, stdin: Path | None, size: tuple[int, int]) -> None:
        """OSError: the log or the input can't be opened."""
        self.log = log
        self._in = os.open(stdin or os.devnull, os.O_RDONLY)
        self._log = create(log, os.O_RDWR)
        self._masters, self._slaves = zip(os.openpty(), os.openpty(), strict=True)
        self._size = (0, 0)
        for slave in self._slaves:
            mode = termios.tcgetattr(slave)
            mode[1] &= ~termios.OPOST  # the log has what the program wrote
            mode[3] &= ~termios.ECHO
            termios.tcsetattr(slave, termios.TCSANOW, mode)
        self.resize(*size)
        self._copier = 0
        self._read = 0  # of the log
        self._lines: deque[str] = deque(maxlen=LINES)
        self._rest = b""

    @property
    def files(self) -> tuple[int, ...]:
        """The target's stdin, stdout and stderr."""
        return self._in, *self._slaves

    def start(self) -> None:
        """Begin to copy: before the target is forked, and before anything starts threads here."""
        self._copier = os.fork()
        if self._copier == 0:
            try:
                for number in IGNORED:
                    signal.signal(number, signal.SIG_IGN)
                for fd in (self._in, *self._slaves):
                    os.close(fd)
                _copy(list(self._masters), self._log)
            finally:
                os._exit(0)

    def started(self) -> None:
        """The target has been forked: close our copies of its ends, so that the copier sees end of file."""
        for fd in (self._in, *self._slaves):
            os.close(fd)

    def resize(self, width: int, height: int) -> None:
        """The target sees a terminal of the real one's size."""
        if self._size != (width, height):
            self._size = width, height
            for fd in self._masters:
                fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def more(self) -> bytes:
        """The output since the last call."""
        found = b""
        while data := os.pread(self._log, TAIL, self._read):
            self._read += len(data)
            found += data
        return found

    def lines(self) -> list[str]:
        """The last lines, without escape sequences."""
        size = os.fstat(self._log).st_size
        if size - self._read > 4 * TAIL:  # nobody reads as fast as this
            self._read, self._rest = size - TAIL, b""
        *whole, self._rest = (self._rest + self.more()).split(b"\n")
        self._lines += (_plain(line) for line in whole[-LINES:])
        return [*self._lines, *([_plain(self._rest)] if self._rest else [])][-LINES:]

    def drained(self, seconds: float) -> None:
        """Wait until all output is in the log, at most so long: a child of the target may keep the pty open."""
        until = time.monotonic() + seconds
        try:
            while not os.waitpid(self._copier, os.WNOHANG)[0] and time.monotonic() < until:
                time.sleep(0.005)
        except ChildProcessError:
            pass


def _copy(masters: list[int], log: int) -> None:
    """Copy from the ptys to the log until both end; line by line, so that lines of the two are not mixed."""
    poll = select.poll()
    begun = dict.fromkeys(masters, b"")  # lines
    for fd in masters:
        poll.register(fd, select.POLLIN)
    while masters:
        ready = poll.poll(LINE_MS if any(begun.values()) else None)
        for fd, _ in ready:
            try:
                data = os.read(fd, 1 << 16)
            except OSError:  # Linux's end of file, once the other side is closed
                data = b""
            if not data:
                poll.unregister(fd)
                masters.remove(fd)
            end = data.rfind(b"\n") + 1 if data else 0
            if end or not data or len(begun[fd]) + len(data) > TAIL:
                end = end or len(data)
                _write(log, begun[fd] + data[:end])
                begun[fd] = data[end:]
            else:
                begun[fd] += data
        if not ready:
            for line in begun.values():
                _write(log, line)
            begun = dict.fromkeys(begun, b"")


def _write(log: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(log, data) :]
        except OSError:  # a full disk: the output is lost, the program goes on
            return


def _plain(line: bytes) -> str:
    """A line as plain text: only what follows the last carriage return, without escape sequences."""
    text = line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2].expandtabs(8)
    if "\x1b" not in text:
        return text
    pieces = text.split("\x1b")
    return pieces[0] + "".join(_after_sequence(piece) for piece in pieces[1:])


def _after_sequence(piece: str) -> str:
    if piece[:1] == "]":
        return piece.rpartition("\a")[2] if "\a" in piece else ""
    if piece[:1] != "[":
        return piece[2 if piece[:1] in ("(", ")", "#") else 1 :]
    for at, character in enumerate(piece[1:], 1):
        if "@" <= character <= "~":
            return piece[at + 1 :]
    return ""
