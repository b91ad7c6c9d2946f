"""The view of a recording that somebody else makes, or that is finished: ``monitor``.

Knows which recording is meant, and how to wait for one that begins.
"""

import os
import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path

from ..errors import UserError
from ..launcher import registry
from ..recording.header import FOLDER
from ..recording.runs import of_processes, root, run_at
from .attached import has_terminal
from .processes import Processes
from .screen import Nobody, View
from .state import SPEEDS, State
from .terminal import Terminal

WAIT_SECONDS = 5.0  # for a program on the list to begin to record


def monitor(place: Path | None, speed: float | None, pids: Collection[int] = ()) -> int:
    """Show it until somebody leaves; the signal that ended the view, or 0.  UserError: nothing to show, or nowhere.

    ``place``: None: of this user's running programs the newest.  ``pids``: of which process, by default the run's
    first.  ``speed``: replay it, so many times as fast.
    """
    if not has_terminal():
        raise UserError("monitor shows a recording on a terminal, and there is none; stats and report need none")
    path, title = _running(pids) if place is None else (_path(place, pids), "")
    alone = place is not None and not os.path.isdir(place)
    processes = Processes(path, replay=speed is not None, alone=alone, pids=pids)
    view = View(processes, _reports(path), title)
    if speed is not None:
        nearest = min(range(len(SPEEDS)), key=lambda at: abs(SPEEDS[at] - speed))
        view.state = State(speed=nearest)
    with Terminal(0, 1) as terminal:
        view.show(terminal)
    processes.close()
    return view.signal


class _Attached(Nobody):
    """A process that we have entered; ``over`` says why that ends, "" as long as it doesn't."""

    def __init__(self, over: Callable[[], str]) -> None:
        self.poll = over  # type: ignore[method-assign]


def watch(path: Path, reports: Path, title: str, over: Callable[[], str]) -> None:
    """Show a process that we have entered until somebody leaves, or it is over."""
    processes = Processes(path, alone=True)
    with Terminal(0, 1) as terminal:
        View(processes, reports, title, _Attached(over)).show(terminal, leave_at_end=True)
    processes.close()


def end_by(number: int) -> None:
    """End as this signal ends a program; Ctrl-C is one way to leave."""
    if number and number != signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _running(pids: Collection[int]) -> tuple[Path, str]:
    for run in registry.runs(os.environ):
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
            if run not in registry.runs(os.environ):
                break
            time.sleep(0.05)
        else:  # a command that is no Python itself: its children are recorded
            return _path(run.folder, ()), run.title
    raise UserError("nothing of yours is being recorded now; name a recording: async-inspect monitor RECORDING")


def _path(place: Path, pids: Collection[int]) -> Path:
    return root(of_processes(run_at(place), pids)).path


def _reports(path: Path) -> Path:
    """Where ``e`` writes: where attach would."""
    folder = path.absolute().parent
    return folder.parent if folder.name == FOLDER else folder / "async_inspect_exports"
