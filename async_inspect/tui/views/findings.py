"""What the checks say; they run beside the view (``background.py``), so each finding says how old it is."""

from textwrap import wrap

from ..draw import Line, Page, window
from .scene import Scene


def draw(scene: Scene) -> Page:
    """The body."""
    lines = [short for line in scene.findings for short in _wrapped(line, scene.width)]
    cursor = min(scene.state.cursor, max(len(lines) - 1, 0))
    return Page(lines[window(cursor, len(lines), scene.height)], len(lines), scene.height)


def _wrapped(line: Line, width: int) -> list[Line]:
    """A finding is a sentence, and read whole."""
    if len(line) != 1:
        return [line]
    ((text, style),) = line
    begun = " " * (len(text) - len(text.lstrip()))
    pieces = wrap(text.strip(), max(width, 20), initial_indent=begun, subsequent_indent=f"{begun}  ") or [text]
    return [[(piece, style)] for piece in pieces]
