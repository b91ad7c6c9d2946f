"""``async-inspect dump``: one picture of now, or a recording as it is, for debugging."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from async_inspect.attach import DEFAULT_FOLDER

EXAMPLES = (
    ("async-inspect dump", "how it stood at the end"),
    ("async-inspect dump --at 1500", "1.5 s in"),
    ("async-inspect dump run.rec --records | less", "what was recorded, raw"),
)


def dump(
    recording: Annotated[
        Path, typer.Argument(metavar="[RECORDING]", help="The file, its folder, or attach's DIR.", show_default=False)
    ] = Path(DEFAULT_FOLDER),
    at: Annotated[
        float | None,
        typer.Option(metavar="MS", min=0, help="Then, after the recording's beginning (default: its end, or Ctrl-C)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; times are nanoseconds.")] = False,
    header: Annotated[bool, typer.Option("--header", help="The recording's header and metadata instead.")] = False,
    records: Annotated[bool, typer.Option("--records", help="Every raw record as one line of text instead.")] = False,
) -> None:
    """Every task with its stack, what it waits for and since when, who holds what, and who waits in a circle."""
    try:
        for line in _raw(recording, records) if header or records else _picture(recording, at, as_json):
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None


def _raw(recording: Path, records: bool) -> Iterator[str]:
    from async_inspect.recording import dump_header, dump_records, open_recording

    with open_recording(recording) as opened:
        yield from dump_records(opened) if records else dump_header(opened)


def _picture(recording: Path, at: float | None, as_json: bool) -> Iterator[str]:
    from async_inspect import picture
    from async_inspect.model.now import snapshot

    now, title = snapshot(recording, at)
    yield from [now.model_dump_json(indent=2)] if as_json else picture.lines(now, title)
