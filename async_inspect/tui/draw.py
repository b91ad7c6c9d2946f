"""Drawing: lines of styled pieces, tables of fixed columns, small charts, and numbers in five columns.

Knows how things look, not what they mean.  rich turns the lines into a terminal's bytes; its tables are not used, as
they measure every cell, which is too slow ten times a second.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.theme import Theme

from ..support.names import clean

type Piece = tuple[str, str]  # (text, style)
type Line = list[Piece]

STYLES = {
    "text": "default", "dim": "bright_black", "head": "bold", "title": "bold cyan", "key": "cyan", "bad": "red",
    "warn": "yellow", "good": "green", "run": "green", "wait": "blue", "idle": "bright_black", "chart": "cyan",
    "chosen": "reverse", "badge": "bold black on yellow", "tab": "bold black on cyan",
}  # fmt: skip
LIGHT = STYLES | {
    "title": "bold blue", "key": "blue", "warn": "magenta", "chart": "blue", "tab": "bold white on blue",
    "badge": "bold white on magenta", "dim": "bright_black",
}  # fmt: skip
THEMES = {False: Theme(STYLES), True: Theme(LIGHT)}
MOST_CELLS = 2_000  # of a line: no screen is as wide
BLOCKS = " ▁▂▃▄▅▆▇█"


@dataclass
class Page:
    """What a view draws, and how the cursor moves in it."""

    lines: list[Line] = field(default_factory=list)
    rows: int = 0
    page: int = 1
    at: int = 0  # the task at the cursor, 0: none


class Screenful:
    """Lines as rich draws them, each as wide as the screen."""

    def __init__(self, lines: Sequence[Line], width: int) -> None:
        self._lines, self._width = lines, width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for number, line in enumerate(self._lines):
            if number:
                yield Segment.line()
            left = self._width
            for text, style in line:
                shown = clean(text)
                size = width_of(shown)
                if size > left:
                    shown, size = fit(shown, left), left
                if shown:
                    yield Segment(shown, console.get_style(style))
                left -= size
            if left > 0:
                yield Segment(" " * left, console.get_style(line[-1][1] if line else "text"))


def width_of(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, align: str = "<") -> str:
    """Exactly so many cells.  ``align``: "<", ">"; "/" keeps the end of what is too long."""
    text = clean(text if len(text) <= 4 * MOST_CELLS else text[-MOST_CELLS:] if align == "/" else text[:MOST_CELLS])
    size = width_of(text)
    if size <= width:
        return " " * (width - size) + text if align == ">" else text + " " * (width - size)
    if width <= 1:
        return set_cell_size(text, max(width, 0))
    if align == "/":
        while width_of(text) >= width:
            text = text[max(width_of(text) - width, 1) :]
        return set_cell_size("…" + text, width)
    return set_cell_size(text, width - 1) + "…"


# --- numbers ---------------------------------------------------------------------------------------------------------


def span(ns: float) -> str:
    """A duration in five columns or less."""
    if ns < 999.5:
        return f"{ns:.0f}ns"
    for unit, size in (("µs", 1e3), ("ms", 1e6)):
        if ns < 999.5 * size:
            return f"{ns / size:.{1 if ns < 9.95 * size else 0}f}{unit}"
    for unit, size, most in (("s", 1e9, 99.95), ("m", 60e9, 99.95), ("h", 3600e9, 99.95)):
        if ns < most * size:
            return f"{ns / size:.1f}{unit}"
    return f"{ns / 86400e9:.0f}d"


def number(value: float) -> str:
    """A count in five columns or less."""
    if value < 99_999.5:
        return f"{value:.0f}"
    for unit, size in (("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if value < 999.5 * size:
            return f"{value / size:.{1 if value < 99.95 * size else 0}f}{unit}"
    return f"{value / 1e12:.0f}T"


# --- tables ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A column: at least ``width`` wide; the rest of the screen's width is distributed by ``share``."""

    title: str
    width: int
    align: str = ">"
    share: int = 0


def widths(columns: Sequence[Column], width: int) -> list[int]:
    """How wide each is on a screen."""
    left = max(width - sum(column.width + 1 for column in columns) + 1, 0)
    shares = sum(column.share for column in columns)
    return [column.width + (left * column.share // shares if column.share else 0) for column in columns]


def heading(columns: Sequence[Column], sizes: Sequence[int], sort: str = "", largest: bool = False) -> Line:
    line: Line = []
    for column, size in zip(columns, sizes, strict=True):
        chosen = column.title == sort
        title = column.title + ("▼" if largest else "▲") * chosen
        line.append((fit(title, size, "<" if column.align == "/" else column.align), "head" if chosen else "dim"))
        line.append((" ", "dim"))
    return line


def row(columns: Sequence[Column], sizes: Sequence[int], cells: Iterable[Piece], style: str = "") -> Line:
    """``style``: of the whole row, in place of its cells'."""
    line: Line = []
    for column, size, (text, own) in zip(columns, sizes, cells, strict=True):
        line.append((fit(clean(text), size, column.align), style or own))
        line.append((" ", style or "text"))
    return line


def window(cursor: int, count: int, page: int) -> slice:
    """The rows to show, so that the cursor is among them, in the middle where that can be."""
    first = max(0, min(cursor - page // 2, count - page))
    return slice(first, min(first + page, count))


# --- charts ----------------------------------------------------------------------------------------------------------


def chart(values: Sequence[float], height: int = 1, most: float = 0) -> list[str]:
    """Columns of blocks, the top line first; ``most``: what reaches the top (0: the largest)."""
    top = most or max(values, default=0) or 1
    levels = [min(max(value / top, 0), 1) * height * 8 for value in values]
    lines = []
    for line in range(height - 1, -1, -1):
        part = [min(max(level - line * 8, 0), 8) for level in levels]
        lines.append("".join(BLOCKS[1 if 0 < p < 1 and line == 0 else int(p)] for p in part))
    return lines
