"""Keys: what a terminal sends, as names; and the terminal's settings, put back on every way out.

Knows escape sequences and termios.  Knows nothing of what keys do (``state.py``).  Ctrl-C stays what it is, a signal
to everyone in the foreground; Ctrl-Z does nothing while keys are read.
"""

import os
import select
from contextlib import suppress
from typing import Self

with suppress(ImportError):  # where there are no such terminals, nobody enters Keys
    import termios

NAMES = {
    b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[C": "right", b"\x1b[D": "left",
    b"\x1bOA": "up", b"\x1bOB": "down", b"\x1bOC": "right", b"\x1bOD": "left",
    b"\x1b[5~": "pgup", b"\x1b[6~": "pgdn", b"\x1b[Z": "backtab",
    b"\x1b[H": "home", b"\x1bOH": "home", b"\x1b[1~": "home", b"\x1b[7~": "home",
    b"\x1b[F": "end", b"\x1bOF": "end", b"\x1b[4~": "end", b"\x1b[8~": "end",
    b"\r": "enter", b"\n": "enter", b"\t": "tab", b" ": "space", b"\x7f": "backspace", b"\b": "backspace",
}  # fmt: skip
LONE_ESC_SECONDS = 0.03  # what belongs to an escape sequence has come by then


def decode(data: bytes) -> tuple[list[str], bytes]:
    """The keys in what was read, and the beginning of one that isn't whole.  What has no name is left out."""
    keys: list[str] = []
    while data:
        size = _size(data)
        if size > len(data) or not size:
            return keys, data
        word, data = data[:size], data[size:]
        name = NAMES.get(word) or _printable(word)
        if name:
            keys.append(name)
    return keys, b""


def _size(data: bytes) -> int:
    """How many bytes the first key has; 0: more must come to tell."""
    first = data[0]
    if first != 0x1B:
        return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if len(data) == 1:
        return 0
    if data[1:2] == b"O":
        return 3
    if data[1:2] != b"[":
        return 1  # Esc, then something quickly
    for at in range(2, len(data)):
        if 0x40 <= data[at] <= 0x7E:
            return at + 1
    return 0


def _printable(word: bytes) -> str:
    if word == b"\x1b":
        return "esc"
    text = word.decode("utf-8", "replace")
    return text if len(text) == 1 and text.isprintable() and text != "\ufffd" else ""


class Keys:
    """The keys of a terminal, read without waiting; a context."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._rest = b""
        self._before: list[int | list[bytes | int]] | None = None

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self.fd)
        mode = termios.tcgetattr(self.fd)
        mode[0] &= ~(termios.IXON | termios.ICRNL)
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        characters = mode[6]
        assert isinstance(characters, list)
        characters[termios.VMIN], characters[termios.VTIME] = 1, 0
        characters[termios.VSUSP] = b"\0"
        termios.tcsetattr(self.fd, termios.TCSANOW, mode)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._before is not None:
            try:
                termios.tcsetattr(self.fd, termios.TCSAFLUSH, self._before)
            except (OSError, termios.error):
                pass  # the terminal is gone
            self._before = None

    def read(self) -> list[str]:
        """What was pressed since the last time."""
        data = self._rest
        while select.select([self.fd], [], [], 0)[0]:
            more = os.read(self.fd, 4096)
            if not more:
                raise EOFError
            data += more
        keys, self._rest = decode(data)
        if self._rest == b"\x1b" and not select.select([self.fd], [], [], LONE_ESC_SECONDS)[0]:
            keys, self._rest = [*keys, "esc"], b""
        return keys
