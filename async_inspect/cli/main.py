"""The registry of commands, and what they share: errors become one line, the target's arguments are kept from typer.

A new command is a module here with a function of the same name and EXAMPLES (command line, what it does), and its line
in COMMANDS.  Only the module of the command that is called is imported.
"""

import errno
import importlib
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NoReturn

import typer
import typer.core

from async_inspect.errors import FAILED, INTERRUPTED, UserError
from async_inspect.launcher import target
from async_inspect.support import internal, system
from async_inspect.terminal.plain import prepare

COMMANDS = (
    "attach",
    "monitor",
    "env",
    "export",
    "report",
    "stats",
    "check",
    "critical-path",
    "dump",
    "info",
    "doctor",
    "version",
)
# These run a program: what follows its name is the program's, and never seen by typer.
WITH_TARGET = {"attach": "SCRIPT [ARGS]... | -m MODULE | -c CODE | -- COMMAND"}


def application(names: Iterable[str] = COMMANDS) -> typer.core.TyperGroup:
    """The command line with these commands."""
    app = typer.Typer(
        cls=_Commands,
        callback=lambda: None,  # or an only command would be no group's
        help="An X-ray for async Python: records every await of an unchanged program, exactly.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name in names:
        usage = f"[OPTIONS] {WITH_TARGET[name]}" if name in WITH_TARGET else "[OPTIONS]"
        app.command(name, options_metavar=usage, epilog=_epilog(examples(name)))(_function(name))
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return group


def examples(name: str) -> tuple[tuple[str, str], ...]:
    """(command line, what it does) of each that the command's help shows."""
    shown: tuple[tuple[str, str], ...] = _module(name).EXAMPLES
    return shown


def _function(name: str) -> Callable[..., None]:
    found: Callable[..., None] = getattr(_module(name), name.replace("-", "_"))
    return found


def _module(name: str) -> Any:
    return importlib.import_module(f"async_inspect.cli.{name.replace('-', '_')}")


def _epilog(rows: tuple[tuple[str, str], ...]) -> str:
    """Examples for the help text; escaped, as rich would take brackets for markup."""
    lines = (line for row in rows for line in (f"  {row[0]}", f"    {row[1]}") if line.strip())
    return "\n".join(["Examples:", *lines]).replace("[", r"\[")


class _Commands(typer.core.TyperGroup):
    """All commands; Ctrl-C ends each as it ends other programs."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            internal.say("interrupted")
            raise SystemExit(INTERRUPTED) from None


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line; always ends by SystemExit."""
    prepare()
    args = sys.argv[1:] if args is None else args
    try:
        status = internal.guarded(lambda: _run(args), "an internal error")
    except UserError as exc:
        for line in exc.lines:
            internal.say(line)
        status = exc.status
    except KeyboardInterrupt:
        internal.say("interrupted")
        status = INTERRUPTED
    except SystemExit as exc:
        status = _status_of(exc.code)
    sys.exit(_flushed(status))


def _run(args: list[str]) -> None:
    name = args[0] if args else ""
    commands = application([name] if name in COMMANDS else COMMANDS)
    to_run = None
    if name in WITH_TARGET:
        own_args, to_run = target.split(args[1:], _valued(commands, name))
        args = [name, *own_args]
    else:
        system.spare_threads()
    try:
        commands.main(args=args, prog_name="async-inspect", obj=to_run)
    except OSError as exc:
        if exc.filename is None and exc.errno == errno.ENOENT:  # os.getcwd() says so
            raise UserError("the current folder is gone: change to one that is there, or give absolute paths") from None
        if exc.filename is not None or exc.errno not in (errno.ENOSPC, errno.EIO):
            raise
        raise UserError(f"stdout: {exc.strerror}") from None


def _status_of(code: object) -> int:
    if isinstance(code, str):
        internal.say(code)
        return FAILED
    return code if isinstance(code, int) else 0


def _flushed(status: int) -> int:
    """The exit status after flushing stdout: FAILED if that can't be written (a full disk, a reader that went away)."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError) as exc:
        with suppress(OSError, ValueError):  # or the interpreter would try again at exit, and print an error
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(exc, BrokenPipeError):
            internal.say(f"stdout: {getattr(exc, 'strerror', None) or exc}")
        return status or FAILED
    return status


def _valued(group: typer.core.TyperGroup, name: str) -> frozenset[str]:
    """The options of this command that take a value."""
    parameters = group.commands[name].params
    return frozenset(word for option in parameters if not getattr(option, "is_flag", False) for word in option.opts)
