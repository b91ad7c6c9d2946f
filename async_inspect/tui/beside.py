"""The view beside a program that the launcher runs: ``attach --live``.

Knows the order of things: ptys before the fork, the view after it, and that the program goes on whatever becomes of the
view.  What the view shows is the recording, as for anyone else.
"""

import os
import signal
import sys
import time
from pathlib import Path

from ..attach import tell
from ..errors import UserError
from .ptys import Ptys

LOG = "target.log"


def has_terminal() -> bool:
    """Whether there is one to show a view on."""
    return os.isatty(0) and os.isatty(1) and os.environ.get("TERM", "dumb") != "dumb"


class Live:
    """A ``launch.Beside``, and the ``screen.Host`` of its view."""

    def __init__(self, recordings: Path, reports: Path, stdin: Path | None, leave_at_end: bool) -> None:
        """UserError: the log, or the input, can't be opened."""
        self._recordings, self._reports, self._leave_at_end = recordings, reports, leave_at_end
        try:
            self._ptys = Ptys(reports / LOG, stdin, os.get_terminal_size(1))
        except OSError as exc:
            raise UserError(f"{exc.filename}: {exc.strerror}") from None
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
        left = False
        try:
            left = self._show()
        except UserError as exc:
            tell(exc.message)
        except Exception as exc:
            tell(f"the view failed ({type(exc).__name__}: {exc}); the program goes on")
        if not self.poll():
            if left:
                tell("the view is closed; the program goes on, and this is what it says")
            self._go_on()
        self._ptys.drained(0.5)
        sys.stdout.flush()
        tell(f"what the program said is in {self._ptys.log}")
        return self._ended_at

    def _go_on(self) -> None:
        """Without a view: what the program says, to the end."""
        self._ptys.lines()
        while not self.poll():
            self._pass_on()
            time.sleep(0.05)
        self._ptys.drained(0.5)
        self._pass_on()

    def _pass_on(self) -> None:
        data = self._ptys.more()
        while data:
            data = data[os.write(1, data) :]

    def _show(self) -> bool:
        """Whether it was shown at all."""
        path = self._recording()
        if path is None:
            return False
        # Only now: numpy starts threads when it is imported, and nobody forks with those.
        from .follow import Follower
        from .screen import View
        from .terminal import Terminal

        follower = Follower(path)
        view = View(follower, self._reports, " ".join(follower.recording.meta.get("argv", ())[1:]), self)
        with Terminal(0, 1) as terminal:
            view.show(terminal, self._leave_at_end)
        follower.close()
        return True

    def _recording(self) -> Path | None:
        """The program's recording, once it has begun; None: it ended before that."""
        from .. import running

        run = running.Run(self._pid, "", self._recordings, "")
        while True:
            over = self.poll()
            path = running.recording(run)
            if path is not None and path.stat().st_size:
                return path
            if over:
                return None
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
