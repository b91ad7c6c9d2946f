"""Tables and styled text on the terminal: names as data.

Knows rich, and how it takes text for more than text: strings for its markup.  Here no string ever is.
"""

from typing import Any

import rich.console
import rich.table
from rich.text import Text

from ..support.names import clean_lines


class Console(rich.console.Console):
    """rich's console, for which a string is what it says."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*map(_harmless, objects), **options)


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
