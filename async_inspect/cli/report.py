"""``async-inspect report``: the reports of a recording, as attach writes them."""

from pathlib import Path
from typing import Annotated

import typer

from async_inspect.cli.filters import Wanted, with_filters


@with_filters
def report(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="The file, its folder, or attach's DIR.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder for the reports.")],
    formats: Annotated[
        list[str] | None, typer.Option("-f", "--format", metavar="FORMAT", help="Only this format (may be repeated).")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No summary.")] = False,
    *,
    wanted: Wanted,
) -> None:
    """Write the reports of a recording, and its summary."""
    from async_inspect import progress, reports, summary
    from async_inspect.model import load
    from async_inspect.rules import configured

    with progress.reading() as tell:
        trace = load(recording, tell, wanted, configured())
    files = reports.write(trace, output, formats, progress=True)
    if not quiet:
        summary.render(trace, files)
