"""The terminal: alternate screen, frames of which only changes are written, its size, and signals.

Knows terminals and signals.  Knows nothing of what is drawn.  However the view ends, the terminal is restored.
"""

import io
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from rich.console import Console

from ..support import system
from .draw import THEMES, Line, Screenful
from .keys import Keys

ENTER = b"\x1b[?1049h\x1b[?25l\x1b[2J"
LEAVE = b"\x1b[0m\x1b[?25h\x1b[?1049l"
SIGNALS = system.signals("SIGINT", "SIGTERM", "SIGHUP", "SIGWINCH", "SIGCONT", "SIGQUIT")


class Terminal:
    """A terminal that is ours for a while; a context."""

    def __init__(self, keys: int, screen: int) -> None:
        self.keys = Keys(keys)
        self._screen = screen
        self._shown: list[str] = []
        self._consoles: dict[tuple[int, int, bool], Console] = {}
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}
        self._wake = os.pipe()
        for fd in self._wake:
            os.set_blocking(fd, False)
        self._wakeup = -1
        self.signals: set[int] = set()

    def __enter__(self) -> Self:
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before != signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._on_signal)
        self._wakeup = signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        self.keys.__enter__()
        self._write(ENTER)
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._write(LEAVE)
        except OSError:
            pass  # the terminal is gone
        self.keys.__exit__()
        signal.set_wakeup_fd(self._wakeup)
        for number, before in self._before.items():
            signal.signal(number, before)
        for fd in self._wake:
            os.close(fd)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Note the signal, and call the handler that was there before ours."""
        self.signals.add(number)
        before = self._before.get(number)
        if callable(before) and before is not signal.default_int_handler:
            before(number, frame)

    @property
    def wake_fds(self) -> tuple[int, int]:
        """The descriptors that become readable when a key or a signal comes."""
        return self.keys.fd, self._wake[0]

    def take_signals(self) -> set[int]:
        """The signals since the last call."""
        try:
            os.read(self._wake[0], 4096)
        except BlockingIOError:
            pass
        signals, self.signals = self.signals, set()
        if signal.SIGCONT in signals:  # somebody had the terminal meanwhile
            self.keys.__exit__()
            self.keys.__enter__()
            self._write(ENTER)
        if signals & {signal.SIGCONT, signal.SIGWINCH}:
            self._shown = []
        return signals

    def size(self) -> tuple[int, int]:
        """(columns, lines)"""
        try:
            width, height = os.get_terminal_size(self._screen)
        except OSError:
            return 80, 24
        return max(width, 20), max(height, 6)

    def draw(self, lines: list[Line], width: int, height: int, light: bool) -> None:
        """Show these lines; only those that have changed are written."""
        text = render(self._console(width, height, light), lines, width)
        fresh = len(self._shown) != len(text)
        out = ["\x1b[2J" if fresh else ""]
        for number, line in enumerate(text):
            if fresh or self._shown[number] != line:
                out.append(f"\x1b[{number + 1};1H{line}")
        self._shown = text
        if len(out) > 1:
            self._write("".join(["\x1b[?7l", *out, "\x1b[?7h"]).encode())

    def _console(self, width: int, height: int, light: bool) -> Console:
        key = width, height, light
        if key not in self._consoles:
            self._shown = []
            system = None if os.environ.get("TERM", "") in ("", "dumb") else "standard"
            self._consoles = {
                key: Console(
                    file=io.StringIO(), force_terminal=True, width=width, height=height, theme=THEMES[light],
                    color_system=system, legacy_windows=False, highlight=False,  # type: ignore[arg-type]
                )
            }  # fmt: skip
        return self._consoles[key]

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._screen, data) :]
            except BlockingIOError:
                continue


def render(console: Console, lines: list[Line], width: int) -> list[str]:
    """What a terminal is sent for each line."""
    out = console.file
    assert isinstance(out, io.StringIO)
    console.print(Screenful(lines, width), end="", soft_wrap=True)
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text.split("\n")
