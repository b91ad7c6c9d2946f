"""Tables and styled text on the terminal: names as data.

Knows rich, and how it takes text for more than text: strings for its markup.  Here no string ever is.
"""

import sys
from contextlib import suppress
from typing import IO, Any, cast

import rich.console
import rich.table
from rich.text import Text

from ..support.names import clean_lines
from .plain import silence


class Console(rich.console.Console):
    """rich's console, for which a string is what it says."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*map(_harmless, objects), **options)

    def on_broken_pipe(self) -> None:
        """Say no more; rich's own ends the program with status 1."""
        self.quiet = True
        silence()


class _Tolerant:
    """A stream that drops what can't be written: a terminal that is gone must not cost the reports."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def stderr(**options: Any) -> Console:
    """A console on stderr that never raises OSError."""
    if sys.stderr is None:  # we were started without
        return Console(stderr=True, **options)
    return Console(file=cast("IO[str]", _Tolerant(sys.stderr)), **options)


class Table(rich.table.Table):
    """rich's table, for which a string in a cell is what it says."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*map(_harmless, cells), **options)


def numbers_table(title: str, *numbers: str) -> Table:
    """A table with these columns of numbers; whoever asks for it adds those of words."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _harmless(part: Any) -> Any:
    """Lines stay lines; of the rest that is no letter only its sign."""
    if isinstance(part, str):
        return Text(clean_lines(part))
    if isinstance(part, Text):
        part.plain = clean_lines(part.plain)
    return part
