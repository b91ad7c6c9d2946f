"""``attach --pid``: record a process that runs already, until the user stops that; then detach and report.

Knows the order of the steps, and that whatever happens to us the process is left as it was.
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
from async_inspect.formats import check_names
from async_inspect.launcher import registry
from async_inspect.launcher.attach import Options, report, writable
from async_inspect.launcher.inject import process
from async_inspect.launcher.inject.place import place
from async_inspect.launcher.inject.session import Session
from async_inspect.recording import closing
from async_inspect.recording.header import FOLDER
from async_inspect.recording.runs import heads
from async_inspect.support.files import open_regular, replacing
from async_inspect.support.internal import say
from async_inspect.support.settings import configured
from async_inspect.tracer import env
from async_inspect.tracer.settings import LONGEST_MS, Settings

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

type View = Callable[[Path, Path, str, Callable[[], str]], None]  # (recording, reports, title, how it ended or "")


def record_process(pid: int, options: Options, seconds: float | None, view: View | None) -> int:
    """Record this process for ``seconds`` (None: until Ctrl-C, or its end), write the reports; the exit status."""
    check_names(options.formats)
    options = replace(options, rules=configured())
    one = process.inspect(pid)
    folder = writable(options.output.absolute() / FOLDER)
    title = process.command(pid) if options.settings.argv else os.path.basename(one.exe)
    with StopCondition() as stop, place(one, folder) as where:
        session = Session(one, where, say, stop.signalled)
        recording = session.start(options.settings, options.core or os.environ.get(env.CORE, ""))
        stop.begin(pid, seconds)
        register, unregister = registry.registration(os.environ, where.outside, title)
        status = 0
        try:
            register(pid)
            if view is not None:
                view(recording, options.output.absolute(), title, stop.reason)
            else:
                say(f"recording {one.name} ({title}){stop.until}")
                stop.wait()
        finally:
            unregister()
            status = _stop_recording(session, stop)
            kept = keep(recording, folder)
    return report(heads([kept]), options) or status


@contextlib.contextmanager
def snapshot(pid: int) -> Iterator[Path]:
    """A recording of this process's state at one moment; the file exists until the block ends."""
    one = process.inspect(pid)
    with tempfile.TemporaryDirectory(prefix="async-inspect-") as folder:
        with StopCondition() as stop, place(one, Path(folder)) as where:
            session = Session(one, where, say, stop.signalled)
            recording = session.start(Settings(slow_poll_ms=0), os.environ.get(env.CORE, ""))
            session.stop()
            kept = keep(recording, Path(folder))
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


class StopCondition:
    """When to stop recording: the time is up, the process has ended, or we got a signal."""

    def __init__(self) -> None:
        self.until = ""
        self._signalled = self._ended = False
        self._due: float | None = None
        self._pidfd = -1
        self._wake, self._woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in ENDS:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_signal)
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

    def reason(self) -> str:
        """ "ended": the process has; "left": the time is up, or a signal came; "": go on."""
        if not self._ended:
            self._ended = bool(select.select([self._pidfd], [], [], 0)[0])
        if self._ended:
            return "ended"
        if self._signalled or (self._due is not None and time.monotonic() >= self._due):
            return "left"
        return ""

    def signalled(self) -> bool:
        """Whether a signal came."""
        return self._signalled

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self.reason() == "ended"

    def wait(self) -> None:
        """Block until there is a reason to stop."""
        while not self.reason():
            left = None if self._due is None else max(self._due - time.monotonic(), 0)
            select.select([self._pidfd, self._wake], [], [], left)

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._signalled = True
        with contextlib.suppress(BlockingIOError):
            os.write(self._woken, b"\0")


def _stop_recording(session: Session, stop: StopCondition) -> int:
    at_ns = time.monotonic_ns()
    if not stop.ended:
        try:
            session.stop()
        except UserError as exc:
            if session.is_alive():
                say(f"{exc.message}; it goes on recording up to --max-size (attach to it again to end that)")
                return FAILED
    if session.recording is not None:
        closing.note_end(session.recording, at_ns)  # where the process ended before it could do so itself
    return 0


def keep(recording: Path, folder: Path) -> Path:
    """The recording's path in this folder, into which it is copied from wherever it was made."""
    if recording.parent == folder:
        return recording
    try:
        with (
            open(open_regular(recording, follow=False), "rb") as source,  # other users may write to that folder
            replacing(folder / recording.name) as target,
        ):
            shutil.copyfileobj(source, target)
    except OSError as exc:
        raise UserError(f"the recording is lost: {exc.filename or folder}: {exc.strerror}") from None
    return folder / recording.name
