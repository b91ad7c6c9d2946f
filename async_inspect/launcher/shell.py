"""``async-inspect env``: the environment of a recorded program as lines for a shell.

Knows how a POSIX shell sets and forgets variables.  Starts nothing but, if need be, the compiler of the core.
"""

import shlex
from collections.abc import Iterator, Mapping

from async_inspect.launcher import interpreter
from async_inspect.launcher.attach import Options, recorded, writable
from async_inspect.launcher.target import without_ours
from async_inspect.recording.header import FOLDER


def enter(options: Options, environ: dict[str, str]) -> Iterator[str]:
    """Lines after which every Python that the shell starts is recorded."""
    python = interpreter.ask(interpreter.find(options.python, environ))
    folder = writable(options.output.absolute() / FOLDER)
    return difference(environ, recorded(environ, folder, python if python.recordable else None, options))


def leave(environ: dict[str, str]) -> Iterator[str]:
    """Lines that undo this."""
    return difference(environ, without_ours(environ))


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """What makes the one environment the other."""
    for name in sorted(before.keys() - after.keys()):
        yield f"unset {name}"
    for name, value in sorted(after.items()):
        if before.get(name) != value:
            yield f"export {name}={shlex.quote(value)}"
