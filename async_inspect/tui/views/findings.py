"""What the checks say; they run beside the view (``background.py``), so each finding says how old it is."""

from ..draw import Page, window
from .scene import Scene


def draw(scene: Scene) -> Page:
    """The body."""
    lines = scene.findings
    cursor = min(scene.state.cursor, max(len(lines) - 1, 0))
    return Page(lines[window(cursor, len(lines), scene.height)], len(lines), scene.height)
