"""``attach --pid``: record a process that runs already, until somebody has seen enough; then leave it and report.

Knows the order of things, and that whatever happens to us the process is left as it was.
"""

import contextlib
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

from async_inspect.errors import FAILED, USAGE, UserError
from async_inspect.launcher import registry
from async_inspect.launcher.attach import Options, check_formats, report, tell, writable
from async_inspect.launcher.inject import process
from async_inspect.launcher.inject.place import place
from async_inspect.launcher.inject.session import Session
from async_inspect.recording import closing
from async_inspect.recording.header import FOLDER
from async_inspect.recording.runs import heads
from async_inspect.support.files import open_regular, replacing
from async_inspect.support.settings import configured
from async_inspect.tracer import LONGEST_MS, Settings, env

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

type View = Callable[[Path, Path, str, Callable[[], str]], None]  # (recording, reports, title, how it ended or "")


def attach(pid: int, options: Options, seconds: float | None, view: View | None) -> int:
    """Record this process for so long (None: until Ctrl-C, or its end), write the reports; the exit status."""
    check_formats(options.formats)
    options = replace(options, rules=configured())
    one = process.look(pid)
    folder = writable(options.output.absolute() / FOLDER)
    title = process.command(pid) if options.settings.argv else os.path.basename(one.exe)
    with Ends() as ends, place(one, folder) as where:
        session = Session(one, where, tell, ends.heard)
        recording = session.start(options.settings, options.core or os.environ.get(env.CORE, ""))
        ends.begin(pid, seconds)
        put, take = registry.lister(os.environ, where.outside, title)
        status = 0
        try:
            put(pid)
            if view is not None:
                view(recording, options.output.absolute(), title, ends.why)
            else:
                tell(f"recording {one.name} ({title}){ends.until}")
                ends.wait()
        finally:
            take()
            status = _leave(session, ends)
            kept = _keep(recording, folder)
    return report(heads([kept]), options) or status


@contextlib.contextmanager
def snapshot(pid: int) -> Iterator[Path]:
    """A recording of this process as it stands, and no more; as long as the block runs."""
    one = process.look(pid)
    with tempfile.TemporaryDirectory(prefix="async-inspect-") as folder:
        with Ends() as ends, place(one, Path(folder)) as where:
            session = Session(one, where, tell, ends.heard)
            recording = session.start(Settings(slow_poll_ms=0), os.environ.get(env.CORE, ""))
            session.stop()
            kept = _keep(recording, Path(folder))
        yield kept


def parse_duration(text: str) -> float:
    """Seconds, from "30s", "500ms", "2m" or "1h"."""
    number = text.strip().lower().rstrip("msh")
    unit = text.strip().lower().removeprefix(number)
    try:
        seconds = float(number) * UNITS[unit or "s"]
    except (ValueError, KeyError):
        seconds = 0
    if not 0 < seconds <= LONGEST_MS / 1000:
        raise UserError(f"--duration {text}: give a time like 30s, 500ms or 2m", USAGE)
    return seconds


class Ends:
    """What ends a recording: the time is up, the process has ended, or a signal to us says so."""

    def __init__(self) -> None:
        self.until = ""
        self._heard = self._ended = False
        self._due: float | None = None
        self._pidfd = -1
        self._wake, self._woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in ENDS:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]
        for fd in (self._wake, self._woken, self._pidfd):
            if fd >= 0:
                os.close(fd)

    def begin(self, pid: int, seconds: float | None) -> None:
        """The process is being recorded from now on."""
        with contextlib.suppress(ProcessLookupError):
            self._pidfd = os.pidfd_open(pid)
        self._ended = self._pidfd < 0
        self._due = None if seconds is None else time.monotonic() + seconds
        self.until = "; Ctrl-C ends that, and leaves it running" if seconds is None else f" for {seconds:g} s"

    def why(self) -> str:
        """Why it is over; "": it is not."""
        if not self._ended:
            self._ended = bool(select.select([self._pidfd], [], [], 0)[0])
        if self._ended:
            return "ended"
        if self._heard or (self._due is not None and time.monotonic() >= self._due):
            return "left"
        return ""

    def heard(self) -> bool:
        """Whether a signal said so."""
        return self._heard

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self.why() == "ended"

    def wait(self) -> None:
        """Until it is over."""
        while not self.why():
            left = None if self._due is None else max(self._due - time.monotonic(), 0)
            select.select([self._pidfd, self._wake], [], [], left)

    def _hear(self, _number: int, _frame: object) -> None:
        self._heard = True
        with contextlib.suppress(BlockingIOError):
            os.write(self._woken, b"\0")


def _leave(session: Session, ends: Ends) -> int:
    at_ns = time.monotonic_ns()
    if not ends.ended:
        try:
            session.stop()
        except UserError as exc:
            if session.is_there():
                tell(f"{exc.message}; it goes on recording up to --max-size (attach to it again to end that)")
                return FAILED
    if session.recording is not None:
        closing.note_end(session.recording, at_ns)  # where the process did not live to say so
    return 0


def _keep(recording: Path, folder: Path) -> Path:
    """The recording among ours, wherever it was made."""
    if recording.parent == folder:
        return recording
    try:
        with (
            open(open_regular(recording, follow=False), "rb") as source,  # others may write there
            replacing(folder / recording.name) as target,
        ):
            shutil.copyfileobj(source, target)
    except OSError as exc:
        raise UserError(f"the recording is lost: {exc.filename or folder}: {exc.strerror}") from None
    return folder / recording.name
