"""``async-inspect attach``: its options, turned into the launcher's ``Options``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from async_inspect.cli.configuration import is_setting
from async_inspect.cli.options.filters import Wanted, with_filters_of_tasks
from async_inspect.cli.options.recording import How, with_recording
from async_inspect.errors import USAGE, UserError
from async_inspect.launcher.attach import DEFAULT_FOLDER, Options, launch
from async_inspect.launcher.child import Companion
from async_inspect.support import system
from async_inspect.support.internal import say

if TYPE_CHECKING:
    from async_inspect.launcher.inject.attach import View

EXAMPLES = (
    ("async-inspect attach app.py --its-own option", "a script"),
    ("async-inspect attach -m package.module", "a module"),
    ("async-inspect attach -- uvicorn app:app --workers 2", "any command"),
    ("async-inspect attach --live app.py", "watch it while it runs"),
    ("async-inspect attach --exec -- gunicorn app:app", "in a container or a unit: it keeps the pid"),
    ("async-inspect attach -o out -f html -f json app.py", "only these reports, there"),
    ("async-inspect attach --pid 4321 --duration 30s", "a program that runs already"),
)


@with_recording
@with_filters_of_tasks
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
            help="Write this format (may be repeated), or `all`; default: those that stay small.",
        ),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(metavar="PYTHON", help="Which Python runs the script (default: $VIRTUAL_ENV's, or the tool's)."),
    ] = None,
    no_children: Annotated[
        bool, typer.Option("--no-children", help="Record the program itself alone, not what it starts or forks.")
    ] = False,
    in_place: Annotated[
        bool,
        typer.Option(
            "--exec",
            help="Become the program instead of starting it: it keeps this pid. A process in the background writes the "
            "reports when it has ended, and the summary to DIR/summary.txt.",
        ),
    ] = False,
    pid: Annotated[
        int | None, typer.Option(metavar="PID", min=1, help="Record this process, which runs already, and leave it.")
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="With --pid: for so long (30s, 500ms, 2m; default: until Ctrl-C)."),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Show the program while it runs.")] = False,
    leave: Annotated[bool, typer.Option("--exit", help="Leave the live view when the program ends.")] = False,
    stdin: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The program's input under --live (default: none).")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No summary; with --pid no live view either.")] = False,
    how: How,
    wanted: Wanted,
) -> None:
    """Run an unchanged program, record every await, write the reports.

    All before the program is the tool's, all after it the program's. The exit status is the program's own.
    What is recorded is always all; --task … --exclude are about the reports.

    With --pid the program is one that runs already. On a terminal it is shown meanwhile; q, or Ctrl-C, leaves it as it
    was. The exit status is 0.
    """
    if in_place and live:
        raise UserError(
            "--exec leaves nobody here who could show anything; leave out --live, and use monitor in another terminal",
            USAGE,
        )
    if (pid is not None or (context.obj is not None and context.obj.is_command)) and is_setting(context, "python"):
        python = None  # it is for scripts, and this is none
    how.settings.children = not no_children
    options = Options(
        output=output,
        formats=tuple(formats or ()),
        python=python,
        settings=how.settings,
        quiet=quiet,
        core=how.core,
        in_place=in_place,
        follow_env=how.follow_env,
        preload=how.preload,
        wanted=wanted,
        live=None if pid else _view(live, leave, stdin),
    )
    if pid is None:
        if duration is not None:
            raise UserError("--duration is about --pid", USAGE)
        launch(context.obj, options)
    if context.obj is not None or python is not None or stdin is not None:
        raise UserError("--pid is about a process that runs already: no program, --python or --stdin beside it", USAGE)
    from async_inspect.launcher.inject.attach import parse_duration, record_process

    if how.any_detail:
        how.settings.detail = "awaits"  # it costs the program less, and leaves less behind in it
    seconds = None if duration is None else parse_duration(duration)
    raise typer.Exit(record_process(pid, options, seconds, _view_of_running(quiet)))


def _view(live: bool, leave: bool, stdin: Path | None) -> Callable[[Path, Path], Companion] | None:
    """What makes the live view, if there is to be one."""
    if not live:
        if leave or stdin:
            raise UserError("--exit and --stdin are about --live", USAGE)
        return None
    system.require("--live", "fork", "openpty", "waitid")
    from async_inspect.tui.attached import AttachedView, has_terminal

    if not has_terminal():
        say("--live needs a terminal, and there is none: going on without")
        return None
    return lambda recordings, reports: AttachedView(recordings, reports, stdin, leave)


def _view_of_running(quiet: bool) -> "View | None":
    """The live view of a process that runs already; None: there is no terminal, or ``quiet``."""
    from async_inspect.tui.attached import has_terminal
    from async_inspect.tui.monitor import watch

    return watch if has_terminal() and not quiet else None
