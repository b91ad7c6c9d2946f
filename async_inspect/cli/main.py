"""The command line's way in: errors become one line, the target's arguments are kept from typer.

Imports typer only where there is something to parse.
"""

import errno
import os
import sys
from contextlib import suppress
from typing import NoReturn

from async_inspect.cli.commands import AT_ONCE, COMMANDS, WITH_TARGET, function
from async_inspect.errors import FAILED, INTERRUPTED, UserError
from async_inspect.support import internal, system
from async_inspect.terminal.plain import prepare, silence


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
    if args == [name] and name in AT_ONCE:
        function(name)()
        return
    from async_inspect.cli import configuration
    from async_inspect.cli.application import application, options_with_value

    commands = application([name] if name in COMMANDS and name != "config" else COMMANDS)
    to_run = None
    if name in WITH_TARGET:
        from async_inspect.launcher import target

        own_args, to_run = target.split(args[1:], options_with_value(commands, name))
        args = [name, *own_args]
    else:
        system.spare_threads()
    asks = name in configuration.COMMANDS and not {"-h", "--help"} & set(args)
    settings = configuration.held(commands.commands[name], os.environ) if asks else {}
    defaults = {name: configuration.defaults(commands.commands[name], settings)} if settings else None
    try:
        commands.main(args=args, prog_name="async-inspect", obj=to_run, default_map=defaults)
    except UserError as exc:
        raise configuration.explained(exc, settings) from exc
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
    """The exit status after flushing stdout: FAILED if that can't be written (a full disk)."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError) as exc:
        with suppress(OSError, ValueError):  # or the interpreter would try again at exit, and print an error
            silence()
        if isinstance(exc, BrokenPipeError):  # its reader has what it wanted
            return status
        internal.say(f"stdout: {getattr(exc, 'strerror', None) or exc}")
        return status or FAILED
    return status
