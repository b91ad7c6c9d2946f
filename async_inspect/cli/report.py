"""``async-inspect report``: the reports of a recording, as attach writes them."""

from pathlib import Path
from typing import Annotated

import typer

from async_inspect.cli.options.filters import Wanted, with_filters
from async_inspect.launcher.attach import DEFAULT_FOLDER

EXAMPLES = (
    ("async-inspect report async_inspect_exports", "the reports anew"),
    ("async-inspect report async_inspect_exports -f all", "in every format, however large"),
    ("async-inspect report run.rec -o long --min-duration 20", "of tasks that lived at least 20 ms"),
)


@with_filters
def report(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="The file, its folder, or attach's DIR.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder for the reports.")] = Path(
        DEFAULT_FOLDER
    ),
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "-f", "--format", metavar="FORMAT", help="Only this format (may be repeated), or `all`; default: as attach."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No summary.")] = False,
    *,
    wanted: Wanted,
) -> None:
    """Write the reports of a recording, and its summary."""
    from async_inspect.terminal import progress, reports

    trace = progress.load(recording, wanted)
    if status := reports.report(trace, output, formats, quiet):
        raise SystemExit(status)
