"""The main loop of the view: records and keys in, frames out.

Knows the order of the steps, and what keys ask of other parts.  Whatever runs the program meanwhile is a ``Host``.
"""

import select
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ..model.live import LiveSnapshot
from .background import Findings, Reports
from .draw import Line
from .frame import Around, compose
from .processes import Processes
from .state import RATES, SPEEDS, Facts, State, update
from .terminal import Terminal

BUSY = 0.3  # of the time is spent on frames at most: where they take long they come less often
MESSAGE_SECONDS = 6.0
TURNS = {"next": 1, "previous": -1}


class Host(Protocol):
    """What runs the program: its end, and its output."""

    def poll(self) -> str:
        """How it ended; "": it runs."""

    def output(self) -> list[str] | None:
        """Its last lines; None: it has a terminal of its own."""

    def resized(self, width: int, height: int) -> None:
        """The terminal has another size now."""


class NoHost:
    """There is no host: the program runs elsewhere."""

    def poll(self) -> str:
        return ""

    def output(self) -> list[str] | None:
        return None

    def resized(self, width: int, height: int) -> None:
        pass


class View:
    """A recording on a terminal."""

    def __init__(self, processes: Processes, folder: Path, title: str = "", host: Host | None = None) -> None:
        """``folder``: where reports go.  ``title``: of the first process, if not its command line."""
        self.state = State()
        self.facts = Facts()
        self.signal = 0  # that ended it
        self._processes, self._title, self._host = processes, title, host or NoHost()
        self._reports, self._findings = Reports(folder), Findings(processes.first.recording.path)
        self._message, self._until = "", 0.0

    def show(self, terminal: Terminal, leave_at_end: bool = False) -> None:
        """Run until the user leaves, or a signal ends the view."""
        due = 0.0
        try:
            while True:
                if (signals := terminal.take_signals()) and self._leaves(signals):
                    return
                keys = self._keys(terminal)
                if "quit" in self.state.wishes or (leave_at_end and self._host.poll()):
                    return
                began = time.monotonic()
                if began >= due:
                    self._advance()
                if keys or signals or began >= due:
                    self._draw(terminal)
                    took = time.monotonic() - began
                    if began >= due:
                        due = began + max(1 / RATES[self.state.rate], took / BUSY)
                select.select(terminal.wake_fds, [], [], max(due - time.monotonic(), 0))
        finally:
            self._reports.stop()
            self._findings.stop()

    def _leaves(self, signals: set[int]) -> bool:
        """Whether these signals end the view.  As long as the host's program runs, Ctrl-C is for that."""
        if signals & {signal.SIGTERM, signal.SIGHUP}:
            self.signal = int(max(signals & {signal.SIGTERM, signal.SIGHUP}))
            return True
        if signal.SIGINT in signals:
            if isinstance(self._host, NoHost) or self._host.poll():
                self.signal = int(signal.SIGINT)
                return True
            self._show_message("Ctrl-C went to the program; q leaves the view")
        return False

    def _keys(self, terminal: Terminal) -> list[str]:
        try:
            keys = terminal.keys.read()
        except (EOFError, OSError):
            keys = ["q"]  # the terminal is gone
            self.state = replace(self.state, typing=False)
        for at, key in enumerate(keys):
            if at:  # a key acts on what the one before it has put on the screen
                self.lines(*terminal.size())
            self.state = update(self.state, key, self.facts)
        wishes = self.state.wishes
        if "reset" in wishes:
            self._processes.current.live.reset(self._processes.current.now)
            self._show_message("counting anew")
        if "reports" in wishes:
            self._show_message(self._reports.start(self._processes.whole))
        for wish in wishes:
            if wish in TURNS:
                self._turn(TURNS[wish])
        if "quit" not in wishes:
            self.state = replace(self.state, wishes=())
        return keys

    def _advance(self) -> None:
        self._processes.first.over = bool(self._host.poll())
        self._processes.scan_folder()
        if self.state.paused:
            self._processes.current.stand_still()
        else:
            self._processes.current.step(SPEEDS[self.state.speed])
        if message := self._reports.poll():
            self._show_message(message)
        self._findings.poll(self.state.view == "findings")

    def _turn(self, by: int) -> None:
        if message := self._processes.turn(by):
            self._show_message(message)
        self._findings.stop()
        self._findings = Findings(self._processes.current.recording.path)
        if self.state.paused:
            self._processes.current.step(0)  # as it stands

    def _show_message(self, message: str) -> None:
        self._message, self._until = message, time.monotonic() + MESSAGE_SECONDS

    def _draw(self, terminal: Terminal) -> None:
        width, height = terminal.size()
        self._host.resized(width, height)
        lines = self.lines(width, height)
        terminal.draw(lines, width, height, self.state.light)

    def lines(self, width: int, height: int) -> list[Line]:
        """A frame of this size."""
        follower = self._processes.current
        own = self._title if follower is self._processes.first else ""
        seen = LiveSnapshot(follower.live, follower.now)
        around = Around(
            title=own or self._processes.title,
            status=self._host.poll() or ("" if follower.running or follower.replaying else "ended"),
            message=self._message if time.monotonic() < self._until else "",
            behind=follower.behind,
            replaying=follower.replaying,
            process=self._processes.place,
            findings=self._finding_lines(),
            output=self._host.output(),
        )
        lines, self.facts = compose(self.state, seen, around, width, height)
        return lines

    def _finding_lines(self) -> list[Line]:
        age = self._findings.age
        head: list[Line] = [[(f"as of {age:.0f} s ago; they run again while this view is open", "dim")]] if age else []
        return head + [[line] for line in self._findings.lines]
