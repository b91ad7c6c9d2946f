"""``monitor``: the view of a recording that another process makes, or of a finished one.

Knows which recording is meant, and how to wait for one that is about to begin.
"""

import os
import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path

from ..errors import UserError
from ..launcher import registry
from ..recording.header import FOLDER
from ..recording.runs import of_processes, root_recording, run_at
from ..support.settings import configured
from .attached import has_terminal
from .processes import Processes
from .screen import NoHost, View
from .state import SPEEDS, State
from .terminal import Terminal

WAIT_SECONDS = 5.0  # for a program on the list to begin to record


def monitor(place: Path | None, speed: float | None, pids: Collection[int] = ()) -> int:
    """Show it until the user leaves; the signal that ended the view, or 0.  UserError: no recording, or no terminal.

    ``place``: None: of this user's running programs the newest.  ``pids``: of which process, by default the run's
    first.  ``speed``: replay it, so many times as fast.
    """
    if not has_terminal():
        raise UserError("monitor shows a recording on a terminal, and there is none; stats and report need none")
    path, title = _running(pids) if place is None else (_path(place, pids), "")
    alone = place is not None and not os.path.isdir(place)
    processes = Processes(path, replay=speed is not None, alone=alone, pids=pids, rules=configured())
    view = View(processes, _reports(path), title)
    if speed is not None:
        nearest = min(range(len(SPEEDS)), key=lambda at: abs(SPEEDS[at] - speed))
        view.state = State(speed=nearest)
    with Terminal(0, 1) as terminal:
        view.show(terminal)
    processes.close()
    return view.signal


class _InjectedHost(NoHost):
    """The host of a process that we attached to; ``ended`` gives the reason to stop, "" to go on."""

    def __init__(self, ended: Callable[[], str]) -> None:
        self.poll = ended  # type: ignore[method-assign]


def watch(path: Path, reports: Path, title: str, ended: Callable[[], str]) -> None:
    """Show a process that we attached to until the user leaves, or ``ended`` gives a reason."""
    processes = Processes(path, alone=True, rules=configured())
    with Terminal(0, 1) as terminal:
        View(processes, reports, title, _InjectedHost(ended)).show(terminal, leave_at_end=True)
    processes.close()


def end_by(number: int) -> None:
    """End by this signal; not by SIGINT: Ctrl-C is one way to leave the view."""
    if number and number != signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _running(pids: Collection[int]) -> tuple[Path, str]:
    for run in registry.running_programs(os.environ):
        if pids and run.pid not in pids:
            found = [one for one in run_at(run.folder) if one.header.pid in pids]
            if not found:
                continue
            return found[-1].path, ""
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            path = registry.recording(run)
            if path is not None and path.stat().st_size:
                return path, run.title
            if run not in registry.running_programs(os.environ):
                break
            time.sleep(0.05)
        else:  # a command that is no Python itself: its children are recorded
            return _path(run.folder, ()), run.title
    raise UserError("nothing of yours is being recorded now; name a recording: async-inspect monitor RECORDING")


def _path(place: Path, pids: Collection[int]) -> Path:
    return root_recording(of_processes(run_at(place), pids)).path


def _reports(path: Path) -> Path:
    """Where ``e`` writes: where attach would."""
    folder = path.absolute().parent
    return folder.parent if folder.name == FOLDER else folder / "async_inspect_exports"
