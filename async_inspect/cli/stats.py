"""``async-inspect stats``: the figures of a recording."""

from pathlib import Path
from typing import Annotated

import typer

from async_inspect.cli.options.filters import Wanted, with_filters
from async_inspect.tracer.settings import LONGEST_MS

EXAMPLES = (
    ("async-inspect stats async_inspect_exports --detailed", "locks, ready delays, blocking polls too"),
    ("async-inspect stats async_inspect_exports --json | jq '.top_awaits[0]'", "for programs"),
)


@with_filters
def stats(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="The file, its folder, or attach's DIR.")],
    detailed: Annotated[bool, typer.Option("--detailed", help="More rows, spreads, and the longest polls.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; times are nanoseconds.")] = False,
    slow_poll: Annotated[
        float | None,
        typer.Option(
            "--slow-poll", metavar="MS", min=0, max=LONGEST_MS, help="From where on a poll is called blocking (100)."
        ),
    ] = None,
    *,
    wanted: Wanted,
) -> None:
    """Tasks by state, where it waited, where it ran, the longest polls."""
    from async_inspect.model import stats as figures_of
    from async_inspect.support import names
    from async_inspect.terminal import plain, printing, progress, summary

    trace = progress.load(recording, wanted)
    figures = figures_of(trace, 25 if detailed else 10, slow_poll)
    if as_json:
        plain.say_all(names.to_json(figures))
        return
    console = printing.Console(highlight=False)
    for part in summary.summary(trace, figures):
        console.print(part)
    if detailed:
        for part in (*summary.detailed(figures), *summary.delays(figures)):
            console.print(part)
