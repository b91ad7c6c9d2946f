"""``async-inspect dump``: one picture of now, or a recording as it is, for debugging."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from async_inspect.attach import DEFAULT_FOLDER
from async_inspect.errors import USAGE, UserError

EXAMPLES = (
    ("async-inspect dump", "how it stood at the end"),
    ("async-inspect dump --at 1500", "1.5 s in"),
    ("async-inspect dump run.rec --records | less", "what was recorded, raw"),
)


def dump(
    recording: Annotated[
        Path | None, typer.Argument(metavar="[RECORDING]", help="The file, its folder, or attach's DIR.")
    ] = None,
    pid: Annotated[
        int | None, typer.Option(metavar="PID", min=1, help="Of this process, which runs: it is looked at, and left.")
    ] = None,
    at: Annotated[
        float | None,
        typer.Option(metavar="MS", min=0, help="Then, after the recording's beginning (default: its end, or Ctrl-C)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; times are nanoseconds.")] = False,
    header: Annotated[bool, typer.Option("--header", help="The recording's header and metadata instead.")] = False,
    records: Annotated[bool, typer.Option("--records", help="Every raw record as one line of text instead.")] = False,
) -> None:
    """Every task with its stack, what it waits for and since when, who holds what, and who waits in a circle."""
    if pid is not None and (recording is not None or at is not None):
        raise UserError("--pid is about a process that runs: no RECORDING and no --at beside it", USAGE)
    try:
        for line in _lines(recording or Path(DEFAULT_FOLDER), pid, at, header, records, as_json):
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None


def _lines(
    recording: Path, pid: int | None, at: float | None, header: bool, records: bool, as_json: bool
) -> Iterator[str]:
    if pid is not None:
        from async_inspect.inject.attach import snapshot

        with snapshot(pid) as path:
            yield from _lines(path, None, at, header, records, as_json)
    elif header or records:
        yield from _raw(recording, records)
    else:
        yield from _picture(recording, at, as_json)


def _raw(recording: Path, records: bool) -> Iterator[str]:
    from async_inspect.recording import dump_header, dump_records, open_recording

    with open_recording(recording) as opened:
        yield from dump_records(opened) if records else dump_header(opened)


def _picture(recording: Path, at: float | None, as_json: bool) -> Iterator[str]:
    from async_inspect import picture
    from async_inspect.model.now import snapshot

    now, title = snapshot(recording, at)
    yield from [now.model_dump_json(indent=2)] if as_json else picture.lines(now, title)
