"""``async-inspect doctor``: a bundle for a bug report."""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = (
    ("async-inspect doctor async_inspect_exports", "of the newest run there"),
    ("async-inspect doctor run.rec --records 1000 -o bundle.tar.gz", "with fewer records, there"),
)


def doctor(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="The file, its folder, or attach's DIR.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="The bundle (default: async-inspect-doctor-WHEN.tar.gz, here)."
        ),
    ] = None,
    records: Annotated[
        int, typer.Option(metavar="N", min=0, help="So many slots of each recording: the first and the last of them.")
    ] = 100_000,
) -> None:
    """Make a bundle for a bug report: versions, header, records, internal errors, what was found damaged.

    Names of the program (tasks, functions, files, messages, tags, command lines, paths) are replaced by tokens, the
    same name by the same token. Names of the standard library, and of packages in site-packages, stay.

    Nothing is sent: look at it before you do.
    """
    from async_inspect.launcher.bug_report import bundle
    from async_inspect.terminal.plain import say

    made = bundle(recording, output, records)
    for name, size in made.files:
        say(f"{size:>12,} bytes  {name}")
    left_out = f" ({made.left_out:,} left out)" if made.left_out else ""
    problems = f"; {made.problems:,} problems, see problems.txt" if made.problems else ""
    say(f"{made.path}: {made.records:,} records{left_out}, {made.names:,} names replaced{problems}")
    say(f"Look at it before you send it: tar -xzf {made.path}")
