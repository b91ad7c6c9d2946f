"""``async-inspect critical-path``: what the end of a run, or of a task, hangs on."""

from pathlib import Path
from typing import Annotated

import typer

from async_inspect.cli.options.filters import Pid, of_process
from async_inspect.errors import UserError

EXAMPLES = (
    ("async-inspect critical-path async_inspect_exports", "of the run"),
    ("async-inspect critical-path async_inspect_exports --task 12", "of one task"),
)


def critical_path(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="The file, its folder, or attach's DIR.")],
    task: Annotated[
        str | None, typer.Option(metavar="ID|NAME", help="Of this task, since it was made (default: of the run).")
    ] = None,
    pid: Pid = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with every hop; times are nanoseconds.")] = False,
) -> None:
    """The chain of runs, waits and wakes that the end of the run hangs on, and what could be gained at most."""
    from async_inspect.model.figures.critical_path import critical_path as path_of
    from async_inspect.model.metadata import endings
    from async_inspect.support import names
    from async_inspect.terminal import critical_path, plain, printing, progress

    trace = progress.load(recording, of_process(pid))
    path = path_of(trace, None if task is None else trace.find(task))
    if path is None:
        raise UserError("nothing ran in this recording")
    if as_json:
        plain.say_all(names.to_json(path))
        return
    console = printing.Console(highlight=False)
    for part in critical_path.critical(path):
        console.print(part)
    for line in endings(trace):
        console.print(f"{line}; what came later is on no path", style="yellow", soft_wrap=True, markup=False)
