"""Where tasks waited, by await point, and where they ran, by coroutine."""

import numpy as np

from ...model.text import UNKNOWN
from ..draw import Column, Line, Page, heading, number, row, span, widths, window
from .scene import Scene

POINTS = (
    Column("wait", 6), Column("count", 6), Column("mean", 6), Column("≈p95", 6), Column("max", 6),
    Column("place", 20, "/", 3), Column("function", 12, "<", 2),
)  # fmt: skip
COROUTINES = (
    Column("run", 6), Column("calls", 6), Column("mean", 6), Column("coroutine", 20, "<", 2),
    Column("defined", 14, "/", 3),
)  # fmt: skip


def draw(scene: Scene) -> Page:
    """The body."""
    state, seen = scene.state, scene.seen
    below = max(scene.height // 3, 4)
    page = max(scene.height - below - 2, 1)
    point, count, wait, most, p95 = seen.awaits()
    sort, largest = state.sort
    places = [seen.live.points.place(p) for p in point.tolist()]
    mean = wait // np.maximum(count, 1)
    keys = {"wait": wait, "count": count, "mean": mean, "≈p95": p95, "max": most}
    key = keys[sort] if sort in keys else np.unique(np.array(places, np.str_), return_inverse=True)[1]
    order = np.argsort(key, kind="stable")
    order = order[::-1] if largest else order
    cursor = min(state.cursor, max(len(order) - 1, 0))
    here = window(cursor, len(order), page)
    sizes = widths(POINTS, scene.width)
    since = f"  since {span(seen.now - seen.live.counted_from)} ago" if seen.live.counted_from else ""
    lines: list[Line] = [
        [("where it waited", "head"), (f"  {len(order)} await points{since}", "dim")],
        heading(POINTS, sizes, sort, largest),
    ]
    for number_, at in enumerate(order[here].tolist(), here.start):
        figures = (wait[at], count[at], mean[at], p95[at], most[at])
        cells = [(number(f) if n == 1 else span(f), "wait" if n == 0 else "text") for n, f in enumerate(figures)]
        function = seen.live.points.function(int(point[at]))
        cells += [(places[at], "key" if function.user else "dim"), (function.name, "text" if function.user else "dim")]
        lines.append(row(POINTS, sizes, cells, "chosen" if number_ == cursor else ""))
    lines += [[]] * (page + 2 - len(lines))
    return Page(lines + _coroutines(scene, below), len(order), page)


def _coroutines(scene: Scene, height: int) -> list[Line]:
    seen = scene.seen
    code, run, calls = seen.coroutines()
    order = np.argsort(-run, kind="stable")[: max(height - 2, 1)]
    sizes = widths(COROUTINES, scene.width)
    at_awaits = seen.live.recording.detail == "awaits"
    whose = "of tasks, with all they await: --detail awaits" if at_awaits else "their own time"
    lines: list[Line] = [
        [("where it ran", "head"), (f"  {len(code)} coroutines, {whose}", "dim")],
        heading(COROUTINES, sizes, "run", largest=True),
    ]
    for at in order.tolist():
        function = seen.live.functions.functions[int(code[at])]
        style, count = "text" if function.user else "dim", int(calls[at])
        mean = span(run[at] / max(count, 1)) if count >= 0 else UNKNOWN
        cells = [
            (span(run[at]), "run"), (number(count) if count >= 0 else UNKNOWN, "text"), (mean, "text"),
            (function.name, style), (f"{function.file}:{function.line}", style),
        ]  # fmt: skip
        lines.append(row(COROUTINES, sizes, cells))
    return lines
