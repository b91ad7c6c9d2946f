"""The main job: run a program under the recorder, then write the reports.

Knows the order of things and what to say when one of them fails.  Everything else is done by others: the target
(``target``, ``interpreter``), its core (``corebuild``), the process (``launch``), the recordings' ends (``finish``),
reports and summary.
"""

import os
import shlex
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from async_inspect import corebuild, finish, interpreter, launch, running, system
from async_inspect.errors import FAILED, USAGE, UserError
from async_inspect.rules import Rule, configured
from async_inspect.target import Target, check, environment
from async_inspect.tracer import Settings, env

if TYPE_CHECKING:
    from async_inspect.model.filters import Filter

DEFAULT_FOLDER = "async_inspect_exports"
RECORDINGS = "recording"  # the folder in it where recordings lie
SUMMARY = "summary.txt"  # what --exec's watcher says
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class Options:
    """What ``attach`` was asked for beside the target itself."""

    output: Path = Path(DEFAULT_FOLDER)
    formats: tuple[str, ...] = ()  # none: every one that is worth it
    python: str | None = None
    settings: Settings = field(default_factory=Settings)
    quiet: bool = False
    core: str = ""  # c, python, or whichever can be had
    wanted: "Filter | None" = None  # the part of the recording that is reported
    rules: tuple[Rule, ...] = ()  # the user's, for reasons
    in_place: bool = False  # --exec: the target gets our pid, and the reports are made by somebody else
    follow_env: bool = False
    preload: bool = False
    live: "Callable[[Path, Path], launch.Beside] | None" = None  # (recordings, reports) -> who shows the run meanwhile


def attach(target: Target | None, options: Options) -> NoReturn:
    """Run the target recorded, write the reports, and end as it ended."""
    environ = dict(os.environ)
    target = check(target)
    python = _python(target, options, environ)
    argv = target.argv(python.path if python else "")
    if environ.get(env.DISABLE) == "1":
        launch.mirror(launch.run(argv, environ))
    _check_formats(options.formats)
    options = replace(options, rules=configured())  # a wrong one is said now, not when all is over
    folder = writable(options.output.absolute() / RECORDINGS)
    environ = recorded(environ, folder, python, options)
    pid_in = "" if options.settings.children else env.ONLY
    old = finish.recordings(folder)
    put, take = running.lister(os.environ, folder, target.title)
    if options.in_place:
        system.require("--exec", "fork", "pidfd_open")
        from async_inspect import inplace

        def afterwards(pid: int, at_ns: int) -> None:
            take()
            after_run(finish.recordings(folder) - old, launch.Ended(pid, 0, at_ns), options)

        put(os.getpid())
        try:
            inplace.run(argv, environ, options.output.absolute() / SUMMARY, afterwards, pid_in)
        finally:
            take()  # it is not to be
    beside = options.live(folder, options.output.absolute()) if options.live else None
    try:
        ended = launch.run(argv, environ, beside, put, pid_in)
    finally:
        take()
    with Patience():
        new = finish.recordings(folder) - old
        status = after_run(new, ended, options)
    if ended.code == 0 and status:
        raise SystemExit(status)
    launch.mirror(ended)


def recorded(
    environ: dict[str, str], folder: Path, python: interpreter.Interpreter | None, options: Options
) -> dict[str, str]:
    """The environment under which this Python, and others as far as they can be, record into the folder."""
    core = options.core or environ.get(env.CORE, "")
    preload = corebuild.preload() if options.preload else ""
    made = environment(environ, str(folder), options.settings, follow_env=options.follow_env, preload=preload)
    if core:
        made[env.CORE] = core
    return made | corebuild.prepare(python, core).variables() if python else made


def after_run(recordings: set[Path], ended: launch.Ended, options: Options) -> int:
    """Put the recordings in order and report on the target's own; what is returned counts if the target's was 0."""
    root = finish.root(recordings, ended.pid)
    if root is not None and finish.is_of(root, ended.pid):
        finish.note_end(root, ended.at_ns)
    if root is None:
        tell(f"nothing was recorded: {_why_nothing(options.output / RECORDINGS, ended.pid)}")
        return FAILED
    for line in finish.complaints(root.parent, ended.pid):
        tell(line)
    try:
        write_reports(root, options)
    except KeyboardInterrupt:
        tell(f"stopped; the recording is kept. To finish: {finishing_command(root, options)}")
        return 130
    except UserError as exc:
        tell(exc.message)
        return exc.status
    except Exception as exc:
        tell(f"the reports failed ({type(exc).__name__}: {exc}). To try again: {finishing_command(root, options)}")
        return FAILED
    return 0


def write_reports(recording: Path, options: Options) -> None:
    """Recording → Trace → files and summary."""
    # Only now: numpy starts threads when it is imported, and nobody forks with those.
    from async_inspect import progress, reports, summary
    from async_inspect.model import load

    with progress.reading() as tell_read:
        trace = load(recording, tell_read, options.wanted, options.rules)
    files = reports.write(trace, options.output, options.formats, progress=True)
    if not options.quiet:
        summary.render(trace, files)


def finishing_command(recording: Path, options: Options) -> str:
    """What the user types to get the reports of a run that was stopped while they were written."""
    words = ["async-inspect", "report", str(recording), "-o", str(options.output)]
    words += (word for name in options.formats for word in ("-f", name))
    return f"{shlex.join(words)} {options.wanted}" if options.wanted else shlex.join(words)


def parse_size(text: str) -> int:
    """Bytes, from "500MB", "4G" or "123"."""
    number = text.strip().upper().removesuffix("B").removesuffix("I").strip()
    unit = number[-1:] if number[-1:] in UNITS else ""
    try:
        size = int(float(number.removesuffix(unit)) * UNITS[unit])
    except (ValueError, OverflowError):
        size = 0
    if size < 1 << 16:
        raise UserError(f"--max-size {text}: give a size like 500MB or 4GB, at least 64KB", USAGE)
    return size


def tell(message: str) -> None:
    """One line to the user, where the target's output is not."""
    print(f"async-inspect: {message}", file=sys.stderr, flush=True)


class Patience:
    """Ctrl-C while the reports are written: the first was meant for the target, the second is for us."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> None:
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._interrupt)

    def __exit__(self, *exc: object) -> None:
        if signal.getsignal(signal.SIGINT) == self._interrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        tell("the reports are being written; Ctrl-C again stops that and keeps the recording")


def _python(target: Target, options: Options, environ: dict[str, str]) -> interpreter.Interpreter | None:
    """The target's Python, as far as it can be told before it runs."""
    if not target.is_command:
        path = interpreter.find(options.python, environ)
        python = interpreter.ask(path)
        if not python.recordable:
            raise UserError(f"{path} is {python.name}; only CPython 3.12 and newer can be recorded (see --python)")
        return python
    if options.python:
        raise UserError("--python says which Python runs a script; after -- the command says it itself", USAGE)
    named = interpreter.of_command(list(target.words), environ)
    try:
        python = interpreter.ask(named or interpreter.find(None, environ))
    except UserError:
        return None  # then whatever it starts looks for a core by itself
    return python if python.recordable else None


def _why_nothing(folder: Path, pid: int) -> str:
    logs = sorted(folder.glob(f"*-{pid}.log")) or sorted(folder.glob(f"{pid}.log"))
    if logs:
        return f"see {logs[-1]}"
    return "no CPython 3.12 or newer was started, or only with -I, -E or -S (see --preload)"


def _check_formats(names: tuple[str, ...]) -> None:
    if names:
        from async_inspect.formats import members

        for name in names:
            members(name)


def writable(folder: Path) -> Path:
    """This folder, made if need be.  UserError: nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{os.getpid()}"
        probe.touch(0o600)
        probe.unlink()
    except OSError as exc:
        raise UserError(f"cannot write to {folder}: {exc.strerror}") from exc
    return folder
