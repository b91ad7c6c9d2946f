"""``async-inspect check``: what is wrong with a recorded run."""

from pathlib import Path
from typing import Annotated

import typer

from async_inspect.cli.options.filters import Wanted, with_filters
from async_inspect.errors import FAILED, FOUND

EXAMPLES = (
    ("async-inspect check async_inspect_exports", "the worst first"),
    ("async-inspect check run.rec --json || exit 1", "in CI"),
)


@with_filters
def check(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="The file, its folder, or attach's DIR.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; times are nanoseconds.")] = False,
    *,
    wanted: Wanted,
) -> None:
    """Say what is wrong: deadlocks, blockers, what was never awaited … Status 3 if anything is, but for hints."""
    from async_inspect import checks
    from async_inspect.model.metadata import endings
    from async_inspect.support import internal
    from async_inspect.terminal import findings, plain, printing, progress

    trace = progress.load(recording, wanted)
    found, failed = checks.survey(trace)
    if as_json:
        plain.say_all(findings.as_json(trace))
    else:
        console = printing.Console(highlight=False)
        for part in findings.detailed(found):
            console.print(part, soft_wrap=True)
        for line in endings(trace):
            console.print(f"{line}; what came later was not looked at", style="yellow", soft_wrap=True)
        if blind := checks.not_looked_for(trace):
            console.print(blind, style="yellow", soft_wrap=True)
    for line in failed:
        internal.say(line)
    if checks.serious(found):
        raise SystemExit(FOUND)
    if failed:
        raise SystemExit(FAILED)
