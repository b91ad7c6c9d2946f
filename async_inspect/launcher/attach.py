"""The main job: run a program under the recorder, then write the reports.

Knows the order of the steps and the message for each that fails.  The steps are elsewhere: the target (``target``,
``interpreter``), its core (``corebuild``), the process (``child``), the recordings' ends (``closing``), reports and
summary.
"""

import os
import shlex
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from async_inspect.errors import FAILED, INTERRUPTED, USAGE, UserError
from async_inspect.formats import check_names
from async_inspect.launcher import child, corebuild, interpreter, registry
from async_inspect.launcher.target import Target, check, environment
from async_inspect.recording import closing
from async_inspect.recording.header import FOLDER, Head
from async_inspect.recording.runs import heads
from async_inspect.support import files, internal, system
from async_inspect.support.internal import say
from async_inspect.support.settings import Rule, configured
from async_inspect.tracer import env
from async_inspect.tracer.settings import Settings, size_of

if TYPE_CHECKING:
    from async_inspect.model.filters import Filter

DEFAULT_FOLDER = "async_inspect_exports"
SUMMARY = "summary.txt"  # what --exec's watcher says


@dataclass(frozen=True)
class Options:
    """The options of ``attach``."""

    output: Path = Path(DEFAULT_FOLDER)
    formats: tuple[str, ...] = ()  # none: the default ones
    python: str | None = None
    settings: Settings = field(default_factory=Settings)
    quiet: bool = False
    core: str = ""  # c, python, or "": the C core if there is one
    wanted: "Filter | None" = None  # the part of the recording that is reported
    rules: tuple[Rule, ...] = ()  # the user's, for reasons
    in_place: bool = False  # --exec: the target gets our pid, and a watcher process makes the reports
    follow_env: bool = False
    preload: bool = False
    live: "Callable[[Path, Path], child.Companion] | None" = None  # (recordings, reports) -> the live view


def launch(target: Target | None, options: Options) -> NoReturn:
    """Run the target recorded, write the reports, and end as it ended."""
    environ = dict(os.environ)
    system.spare_threads()  # for this process, not for the target
    target = check(target)
    python = _python(target, options, environ)
    argv = target.argv(python.path if python else "")
    if environ.get(env.DISABLE) == "1":
        child.mirror(child.run(argv, environ))
    check_names(options.formats)
    options = replace(options, rules=configured())  # now: an error in them must not wait for the program's end
    folder = writable(options.output.absolute() / FOLDER)
    run = f"{time.time_ns():x}-{os.getpid()}"
    environ = recorded(environ, folder, python, options, run)
    pid_in = "" if options.settings.children else env.ONLY
    old = closing.recordings(folder)
    register, unregister = registry.registration(
        os.environ, folder, target.title if options.settings.argv else target.name
    )
    if options.in_place:
        system.require("--exec", "fork", "pidfd_open")
        from async_inspect.launcher import exec_mode

        def afterwards(pid: int, at_ns: int) -> None:
            unregister()
            try:
                after_run(closing.recordings(folder) - old, child.Ended(pid, 0, at_ns), options, run)
            except Exception as exc:  # noqa: BLE001 - the program has its own status to end with
                say(internal.explained("the reports failed", exc, options.output.absolute()))

        register(os.getpid())
        try:
            exec_mode.run(argv, environ, options.output.absolute() / SUMMARY, afterwards, pid_in)
        finally:
            unregister()  # the exec failed
    companion = options.live(folder, options.output.absolute()) if options.live else None
    try:
        ended = child.run(argv, environ, companion, register, pid_in)
    finally:
        unregister()
    with SecondInterrupt():
        new = closing.recordings(folder) - old
        status = after_run(new, ended, options, run)
    if ended.code == 0 and status:
        raise SystemExit(status)
    child.mirror(ended)


def recorded(
    environ: dict[str, str], folder: Path, python: interpreter.Interpreter | None, options: Options, run: str = ""
) -> dict[str, str]:
    """The environment under which this Python, and others where possible, record into the folder.

    ``run``: the id of the run that all these recordings belong to; "": each stands alone.
    """
    core = options.core or environ.get(env.CORE, "")
    preload = corebuild.preload() if options.preload else ""
    made = environment(environ, str(folder), options.settings, run, follow_env=options.follow_env, preload=preload)
    if core:
        made[env.CORE] = core
    if python is None:
        return made
    found = corebuild.prepare(python, core)
    if found.refused:
        say(f"{found.reason}; the Python core records meanwhile")
    return made | found.variables()


def after_run(recordings: set[Path], ended: child.Ended, options: Options, run_id: str = "") -> int:
    """Close this run's recordings and report on them; the exit status, should the target's be 0."""
    run = [one for one in heads(recordings) if one.run == run_id]
    if not run:
        say(f"nothing was recorded: {_why_nothing(options.output / FOLDER, ended.pid)}")
        return FAILED
    still_running = closing.close_recordings(run, ended.pid, ended.at_ns)
    for line in closing.logged_errors(options.output / FOLDER, ended.pid):
        say(line)
    status = report(run, options)
    for one in still_running if not status else ():
        say(f"process {one.header.pid} ({' '.join(one.meta.get('argv', ()))}) runs still, and so does its recording")
    return status


def report(run: Sequence[Head], options: Options) -> int:
    """Write the reports; 0, or the status of the error, which is printed."""
    try:
        return write_reports(run, options)
    except KeyboardInterrupt:
        say(f"stopped; the recording is kept. To finish: {finishing_command(run, options)}")
        return INTERRUPTED
    except UserError as exc:
        for line in exc.lines:
            say(line)
        if exc.status == FAILED:
            say(f"the recording is kept. To try again: {finishing_command(run, options)}")
        return exc.status
    except Exception as exc:  # noqa: BLE001 - the recording is kept, and how to go on is said
        say(internal.explained("the reports failed", exc, options.output.absolute()))
        say(f"the recording is kept. To try again: {finishing_command(run, options)}")
        return FAILED


def write_reports(run: Sequence[Head], options: Options) -> int:
    """Recordings → Trace → files and summary; 0, or FAILED where that says that a check failed."""
    # Only now: numpy starts threads when it is imported, and nobody forks with those.
    from async_inspect.model import load_run
    from async_inspect.terminal import progress, reports

    with progress.reading_bar() as show_progress:
        trace = load_run(run, options.output, show_progress, options.wanted, options.rules)
    return reports.report(trace, options.output, options.formats, options.quiet)


def finishing_command(run: Sequence[Head], options: Options) -> str:
    """The command that writes the reports of a run whose reports were interrupted or failed."""
    recording = str(run[0].path if len(run) == 1 else options.output)
    words = ["async-inspect", "report", recording, "-o", str(options.output)]
    words += (word for name in options.formats for word in ("-f", name))
    return f"{shlex.join(words)} {options.wanted}" if options.wanted else shlex.join(words)


def parse_size(text: str) -> int:
    """Bytes, from "500MB", "4G" or "123"."""
    try:
        return size_of(text)
    except ValueError as error:
        raise UserError(f"--max-size {error}", USAGE) from None


def writable(folder: Path, make: bool = True) -> Path:
    """This folder, made if need be.  UserError: it can't be written to."""
    try:
        if make:
            files.folder(folder)
        files.try_writing(folder)
    except OSError as exc:
        raise UserError(f"cannot write to {folder}: {exc.strerror}") from exc
    return folder


class SecondInterrupt:
    """Ctrl-C while the reports are written: the first was meant for the target, the second interrupts us."""

    def __init__(self) -> None:
        self.interrupted = False

    def __enter__(self) -> None:
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._interrupt)

    def __exit__(self, *exc: object) -> None:
        if signal.getsignal(signal.SIGINT) == self._interrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        say("the reports are being written; Ctrl-C again stops that and keeps the recording")


def _python(target: Target, options: Options, environ: dict[str, str]) -> interpreter.Interpreter | None:
    """The target's Python, as far as it is known before it runs."""
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
        return None  # then each Python that it starts looks for a core by itself
    return python if python.recordable else None


def _why_nothing(folder: Path, pid: int) -> str:
    logs = sorted(folder.glob(f"*-{pid}.log")) or sorted(folder.glob(f"{pid}.log"))
    if logs:
        return f"see {logs[-1]}"
    try:
        writable(folder, make=False)
    except UserError as exc:
        return f"{exc.message}; the program could not either"
    return (
        "no CPython 3.12 or newer was started, or only with -I, -E or -S (see --preload), "
        f"or as a user who can't write to {folder}"
    )
