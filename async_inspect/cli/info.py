"""``async-inspect info``: what is installed, and which core records."""

from typing import Annotated

import typer

from async_inspect.launcher.info import facts
from async_inspect.terminal.plain import say

EXAMPLES = (
    ("async-inspect info", "of the Python that attach would take"),
    ("async-inspect info --python .venv/bin/python", "of another"),
)


def info(
    python: Annotated[
        str | None,
        typer.Option(metavar="PYTHON", help="Tell about this Python too (default: the one that attach would take)."),
    ] = None,
) -> None:
    """Version, Python, which core (C or Python) and why, tool ids in use."""
    for what, how in facts(python):
        say(f"{what:<16} {how}")
