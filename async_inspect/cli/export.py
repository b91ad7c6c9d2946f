"""``async-inspect export``: one format of a recording, to a file or to stdout."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from async_inspect.cli.options.filters import Wanted, with_filters
from async_inspect.errors import UserError

EXAMPLES = (
    ("async-inspect export async_inspect_exports -f speedscope -o run.speedscope.json", "one format to one file"),
    ("async-inspect export async_inspect_exports -f json -o - | jq .metadata", "to another program"),
)


@with_filters
def export(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="The file, its folder, or attach's DIR.")],
    format: Annotated[str, typer.Option("-f", "--format", metavar="FORMAT", help="Which format.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where to; - is stdout. A folder for csv.")
    ],
    options: Annotated[
        list[str] | None,
        typer.Option("-O", "--option", metavar="NAME=VALUE", help="An option of the format (may be repeated)."),
    ] = None,
    *,
    wanted: Wanted,
) -> None:
    """Convert a recording into one format."""
    from async_inspect.formats import members, writing
    from async_inspect.formats.options import parse
    from async_inspect.support import internal
    from async_inspect.terminal import plain, progress

    to_stdout = str(output) == "-"
    chosen = writing.single(format) if to_stdout else members(format)[0]
    keywords = parse(format, chosen.write, options or ())
    trace = progress.load(recording, wanted)
    if large := writing.announced(trace, [format]):
        internal.say(large)
    if to_stdout:
        try:
            writing.stream(trace, format, sys.stdout.buffer, **keywords)
        except OSError as error:  # a full disk, a reader that didn't want all of it
            plain.silence()
            raise UserError(f"stdout: {error.strerror}") from None
        return
    with progress.writing_bar() as tell_size:
        writing.export(trace, format, output, tell_size, **keywords)
