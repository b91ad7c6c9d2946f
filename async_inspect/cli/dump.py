"""``async-inspect dump``: one picture of now, or a recording as it is, for debugging."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from async_inspect.cli.options.filters import of_process
from async_inspect.errors import USAGE, UserError
from async_inspect.launcher.attach import DEFAULT_FOLDER
from async_inspect.tracer.settings import LONGEST_MS

EXAMPLES = (
    ("async-inspect dump", "how it stood at the end"),
    ("async-inspect dump --at 1500", "1.5 s in"),
    ("async-inspect dump --pid 1234", "a process that runs, as it stands"),
    ("async-inspect dump run.rec --records | less", "what was recorded, raw"),
)


def dump(
    recording: Annotated[
        Path | None, typer.Argument(metavar="[RECORDING]", help="The file, its folder, or attach's DIR.")
    ] = None,
    pid: Annotated[
        list[int] | None,
        typer.Option(
            metavar="PID",
            help="Of this process, which runs: it is looked at, and left; with RECORDING: its part (may be repeated).",
        ),
    ] = None,
    at: Annotated[
        float | None,
        typer.Option(
            metavar="MS",
            min=0,
            max=LONGEST_MS,
            help="Then, after the recording's beginning (default: its end, or Ctrl-C).",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; times are nanoseconds.")] = False,
    header: Annotated[bool, typer.Option("--header", help="The recording's header and metadata instead.")] = False,
    records: Annotated[bool, typer.Option("--records", help="Every raw record as one line of text instead.")] = False,
) -> None:
    """Every task with its stack, what it waits for and since when, who holds what, and who waits in a cycle."""

    from async_inspect.terminal.plain import say, silence

    def lines(place: Path, pids: list[int] | None) -> Iterator[str]:
        yield from _raw(place, pids, records) if header or records else _picture(place, at, pids, as_json)

    try:
        for line in (
            _live(pid, at, lines) if pid and recording is None else lines(recording or Path(DEFAULT_FOLDER), pid)
        ):
            say(line)
        if sys.stdout is not None:  # we were started without
            sys.stdout.flush()
    except BrokenPipeError:
        silence()


def _live(pids: list[int], at: float | None, lines: Callable[[Path, None], Iterator[str]]) -> Iterator[str]:
    """Of processes that run."""
    from async_inspect.launcher.inject.attach import snapshot

    if at is not None:
        raise UserError("--pid without RECORDING is about now: no --at beside it", USAGE)
    for pid in pids:
        with snapshot(pid) as path:
            yield from lines(path, None)


def _raw(recording: Path, pid: list[int] | None, records: bool) -> Iterator[str]:
    from async_inspect.recording.dump import dump_header, dump_records
    from async_inspect.recording.reader import Recording
    from async_inspect.recording.runs import of_processes, run_at

    run = of_processes(run_at(recording), pid or ())
    for one in run:
        if len(run) > 1:
            yield f"recording: {one.path}"
        with Recording(one.path) as opened:
            yield from dump_records(opened) if records else dump_header(opened)


def _picture(recording: Path, at: float | None, pid: list[int] | None, as_json: bool) -> Iterator[str]:
    from async_inspect.model.snapshot import snapshot
    from async_inspect.support.names import to_json
    from async_inspect.support.settings import configured
    from async_inspect.terminal import picture

    now, title = snapshot(recording, at, of_process(pid), configured())
    yield from to_json(now).split("\n") if as_json else picture.lines(now, title)
