"""``async-inspect env``: lines for a shell, after which what it starts is recorded."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from async_inspect.cli.options.recording import How, with_recording
from async_inspect.launcher import shell
from async_inspect.launcher.attach import DEFAULT_FOLDER, Options

EXAMPLES = (
    ('eval "$(async-inspect env -o out)"', "from now on every Python that this shell starts is recorded"),
    ("async-inspect report out -o out", "the reports, afterwards"),
    ('eval "$(async-inspect env --unset)"', "no more"),
)


@with_recording
def env(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where the recordings go.")] = Path(
        DEFAULT_FOLDER
    ),
    python: Annotated[
        str | None,
        typer.Option(metavar="PYTHON", help="Have the C core ready for this Python (default: as attach)."),
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Print the lines that undo it.")] = False,
    *,
    how: How,
) -> None:
    """Print lines for a shell under which every Python that it starts is recorded."""
    environ = dict(os.environ)
    options = Options(
        output=output,
        python=python,
        settings=how.settings,
        core=how.core,
        follow_env=how.follow_env,
        preload=how.preload,
    )
    for line in shell.leave(environ) if unset else shell.enter(options, environ):
        sys.stdout.buffer.write(os.fsencode(f"{line}\n"))  # to the byte: a shell reads it
    sys.stdout.flush()
