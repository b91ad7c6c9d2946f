"""The view beside a program that the launcher runs: ``attach --live``.

Knows the order of the steps: ptys before the fork, the view after it; if the view ends or fails, the program goes on.
The view reads the recording's file, as ``monitor`` does.
"""

import os
import signal
import time
from pathlib import Path

from ..errors import UserError
from ..recording import closing
from ..support.internal import say
from ..support.settings import configured
from .ptys import Ptys

LOG = "target.log"
PATIENCE_SECONDS = 2.0  # with a program that does not begin to record: it may be no Python itself


def has_terminal() -> bool:
    """Whether stdin and stdout are a terminal that can show a view."""
    return os.isatty(0) and os.isatty(1) and os.environ.get("TERM", "dumb") != "dumb"


class AttachedView:
    """A ``child.Companion`` for the launcher, and the ``screen.Host`` of its view."""

    def __init__(self, recordings: Path, reports: Path, stdin: Path | None, leave_at_end: bool) -> None:
        """UserError: the log, or the input, can't be opened."""
        self._recordings, self._reports, self._leave_at_end = recordings, reports, leave_at_end
        try:
            self._ptys = Ptys(reports / LOG, stdin, os.get_terminal_size(1))
        except OSError as exc:
            raise UserError(f"{exc.filename}: {exc.strerror}") from None
        self._old = closing.recordings(recordings)
        self._pid = 0
        self._ended_at = 0
        self._status = ""

    # --- for the launcher --------------------------------------------------------------------------------------------

    def files(self) -> tuple[int, ...]:
        self._ptys.start()
        return self._ptys.files

    def watch(self, pid: int) -> int:
        self._pid = pid
        self._ptys.started()
        seen = False  # whether the view has shown all of its output
        try:
            seen = self._show()
        except UserError as exc:
            say(exc.message)
        except Exception as exc:  # noqa: BLE001 - a bad view costs itself alone
            say(f"the view failed ({type(exc).__name__}: {exc}); the program goes on")
        if seen and not self.poll():
            say("the view is closed; the program goes on, and this is what it says")
            self._ptys.lines()  # those were in the view
            seen = False
        while not self.poll():
            self._pass_on()
            time.sleep(0.05)
        self._ptys.drained(0.5)
        if not seen:
            self._pass_on()
        say(f"what the program said is in {self._ptys.log}")
        return self._ended_at

    def _pass_on(self) -> None:
        """Write the program's new output to our stdout: there is no view."""
        data = self._ptys.more()
        try:
            while data:
                data = data[os.write(1, data) :]
        except OSError:
            pass  # the terminal is gone

    def _show(self) -> bool:
        """Run the view; False: there was no recording to show."""
        path = self._recording()
        if path is None:
            return False
        # Only now: numpy starts threads when it is imported, and nobody forks with those.
        from .processes import Processes
        from .screen import View
        from .terminal import Terminal

        processes = Processes(path, rules=configured())
        view = View(processes, self._reports, host=self)
        with Terminal(0, 1) as terminal:
            view.show(terminal, self._leave_at_end)
        processes.close()
        return True

    def _recording(self) -> Path | None:
        """The program's recording, or one of its children's, as soon as it exists; None: the program ended before
        that."""
        began = time.monotonic()
        while True:
            over = self.poll()
            late = time.monotonic() - began > PATIENCE_SECONDS
            new = closing.recordings(self._recordings) - self._old
            found = new if late else {path for path in new if closing.is_of_process(path, self._pid)}
            path = closing.own_recording(found, self._pid)
            if path is not None and path.stat().st_size:
                return path
            if over:
                return None
            if late:
                self._pass_on()
            time.sleep(0.01)

    # --- for the view ------------------------------------------------------------------------------------------------

    def poll(self) -> str:
        if not self._status:
            found = os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is not None:
                self._ended_at = time.monotonic_ns()
                exited = found.si_code == os.CLD_EXITED
                self._status = f"ended: {f'exit status {found.si_status}' if exited else _name(found.si_status)}"
        return self._status

    def output(self) -> list[str] | None:
        return self._ptys.lines()

    def resized(self, width: int, height: int) -> None:
        self._ptys.resize(width, height)


def _name(number: int) -> str:
    """Of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
