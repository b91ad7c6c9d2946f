"""``async-inspect monitor``: a recording on the terminal, while it grows or again."""

from pathlib import Path
from typing import Annotated

import typer

from async_inspect.cli.options.filters import Pid
from async_inspect.support import system

EXAMPLES = (
    ("async-inspect monitor", "the newest of the programs that are being recorded"),
    ("async-inspect monitor async_inspect_exports", "this one, or how it went"),
)


def monitor(
    recording: Annotated[
        Path | None,
        typer.Argument(metavar="[RECORDING]", help="The file, its folder, or attach's DIR (default: what runs now)."),
    ] = None,
    replay: Annotated[
        float | None,
        typer.Option(metavar="SPEED", min=0.01, max=1e6, help="Show it again from its beginning, so fast."),
    ] = None,
    pid: Pid = None,
) -> None:
    """Watch a program that is being recorded, from another terminal; or look at a recording."""
    system.require("monitor", "openpty")  # a terminal as POSIX has it; stats and report need none
    from async_inspect.tui.monitor import end_by
    from async_inspect.tui.monitor import monitor as show

    end_by(show(recording, replay, pid or ()))
