"""``async-inspect attach``: its options, as the main job wants them."""

from pathlib import Path
from typing import Annotated

import typer

from async_inspect.attach import DEFAULT_FOLDER, Options, parse_size
from async_inspect.attach import attach as run
from async_inspect.cli.filters import Wanted, with_filters


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
        max_size=parse_size(max_size),
        quiet=quiet,
        core=core,
        wanted=wanted,
    )
    run(context.obj, options)
