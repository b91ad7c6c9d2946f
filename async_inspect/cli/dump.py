"""``async-inspect dump``: a recording as it is, for debugging."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def dump(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="The file, its folder, or attach's DIR.")],
    records: Annotated[bool, typer.Option("--records", help="Every raw record as one line of text.")] = False,
) -> None:
    """The header and metadata of a recording, or its records."""
    from async_inspect.recording import dump_header, dump_records, open_recording

    with open_recording(recording) as opened:
        try:
            for line in dump_records(opened) if records else dump_header(opened):
                print(line)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
