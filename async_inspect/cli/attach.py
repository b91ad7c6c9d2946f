"""``async-inspect attach``: its options, as the main job wants them."""

from pathlib import Path
from typing import Annotated

import typer

from async_inspect.attach import DEFAULT_FOLDER, Options, parse_size
from async_inspect.attach import attach as run
from async_inspect.cli.filters import Wanted, with_filters
from async_inspect.errors import USAGE, UserError
from async_inspect.tracer import DEFAULT_SLOW_POLL_MS, Settings
from async_inspect.tracer.sources import SOURCES


@with_filters
def attach(
    context: typer.Context,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where reports and recordings go.")
    ] = Path(DEFAULT_FOLDER),
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "-f",
            "--format",
            metavar="FORMAT",
            help="Write this format (may be repeated; default: all that are worth it).",
        ),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(metavar="PYTHON", help="Which Python runs the script (default: $VIRTUAL_ENV's, or the tool's)."),
    ] = None,
    max_size: Annotated[
        str, typer.Option(metavar="SIZE", help="Stop recording events when a recording is this big.")
    ] = "4GB",
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help=f"Don't look for this (may be repeated): {', '.join(SOURCES)}.",
        ),
    ] = None,
    slow_poll: Annotated[
        float, typer.Option(metavar="MS", min=0, help="Look what a poll does that lasts longer (0: never).")
    ] = DEFAULT_SLOW_POLL_MS,
    calls: Annotated[bool, typer.Option("--calls", help="Record each call that a coroutine's own code makes.")] = False,
    core: Annotated[
        str, typer.Option(metavar="c|python", help="Which core records (default: c where it can be had).")
    ] = "",
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No summary.")] = False,
    wanted: Wanted,
) -> None:
    """Run an unchanged program, record every await, write the reports.

    All before the program is the tool's, all after it the program's. The exit status is the program's own.
    What is recorded is always all; --task … --exclude are about the reports.
    """
    options = Options(
        output=output,
        formats=tuple(formats or ()),
        python=python,
        settings=Settings(parse_size(max_size), _sources(without or []), slow_poll, calls),
        quiet=quiet,
        core=core,
        wanted=wanted,
    )
    run(context.obj, options)


def _sources(names: list[str]) -> tuple[str, ...]:
    for name in names:
        if name not in SOURCES:
            raise UserError(f"--without {name}: there is no such source; there are {', '.join(SOURCES)}", USAGE)
    return tuple(names)
