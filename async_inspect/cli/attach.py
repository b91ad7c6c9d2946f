"""``async-inspect attach``: its options, as the main job wants them."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from async_inspect.attach import DEFAULT_FOLDER, Options, parse_size, tell
from async_inspect.attach import attach as run
from async_inspect.cli.filters import Wanted, with_filters
from async_inspect.errors import USAGE, UserError
from async_inspect.events import MAX_TAGS
from async_inspect.launch import Beside
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
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="VAR", help="Record this context variable's text, by task (may be repeated)."),
    ] = None,
    core: Annotated[
        str, typer.Option(metavar="c|python", help="Which core records (default: c where it can be had).")
    ] = "",
    live: Annotated[bool, typer.Option("--live", help="Show the program while it runs.")] = False,
    leave: Annotated[bool, typer.Option("--exit", help="Leave the live view when the program ends.")] = False,
    stdin: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The program's input under --live (default: none).")
    ] = None,
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
        settings=Settings(parse_size(max_size), _sources(without or []), slow_poll, calls, _tags(tags or [])),
        quiet=quiet,
        core=core,
        wanted=wanted,
        live=_view(live, leave, stdin),
    )
    run(context.obj, options)


def _view(live: bool, leave: bool, stdin: Path | None) -> Callable[[Path, Path], Beside] | None:
    """Who shows the program while it runs."""
    if not live:
        if leave or stdin:
            raise UserError("--exit and --stdin are about --live", USAGE)
        return None
    from async_inspect.tui.beside import Live, has_terminal

    if not has_terminal():
        tell("--live needs a terminal, and there is none: going on without")
        return None
    return lambda recordings, reports: Live(recordings, reports, stdin, leave)


def _tags(names: list[str]) -> tuple[str, ...]:
    for name in names:
        if not name or "," in name:
            raise UserError(f"--tag {name!r}: not the name of a context variable", USAGE)
    if len(names) > MAX_TAGS:
        raise UserError(f"--tag: at most {MAX_TAGS} variables", USAGE)
    return tuple(dict.fromkeys(names))


def _sources(names: list[str]) -> tuple[str, ...]:
    for name in names:
        if name not in SOURCES:
            raise UserError(f"--without {name}: there is no such source; there are {', '.join(SOURCES)}", USAGE)
    return tuple(names)
