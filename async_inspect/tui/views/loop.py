"""The event loop: how much it polls and how busy it is, how long tasks were ready, the longest polls."""

import numpy as np

from ...model.grouping import Any1d
from ...model.live.rates import SLICE_NS, SLICES
from ..draw import Column, Line, Page, chart, heading, number, row, span, widths, window
from .scene import Scene

POLLS = (
    Column("poll", 6), Column("task", 6), Column("name", 10, "<", 2), Column("from", 12, "/", 3),
    Column("to", 12, "/", 3),
)  # fmt: skip


def draw(scene: Scene) -> Page:
    """The body."""
    seen, width = scene.seen, scene.width
    room = min(max(width - 24, 10), SLICES)
    slices = seen.slices(room)
    high = 1 if scene.height < 20 else 2 if scene.height < 34 else 4
    mean = slices.ready / np.maximum(slices.readied, 1)
    rows = (
        ("polls", f"{number(seen.a_second(slices.polls))}/s", slices.polls, 0.0),
        ("tasks ran", f"{seen.a_second(slices.ran) / 1e7:.0f}%", slices.ran, float(SLICE_NS)),
        ("ready", f"{span(_of_last(mean))} mean", mean, 0.0),
        ("  longest", span(float(slices.most[-5:].max())), slices.most, 0.0),
        ("tasks", number(seen.alive), slices.tasks, 0.0),
    )
    lines: list[Line] = [[("the last ", "head"), (span(room * SLICE_NS), "head"), (", half a second a column", "dim")]]
    for name, value, values, most in rows:
        lines += _row(name, value, values, most, high)
    page = max(scene.height - len(lines) - 2, 1)
    longest = seen.longest(20)
    cursor = min(scene.state.cursor, max(len(longest) - 1, 0))
    here = window(cursor, len(longest), page)
    sizes = widths(POLLS, width)
    lines += [[("longest polls", "head"), ("  of all; from the await they came from, to the next", "dim")]]
    lines += [heading(POLLS, sizes, "poll", largest=True)]
    for at, poll in enumerate(longest[here], here.start):
        points, task = seen.live.points, seen.row(poll.task)
        cells = [
            (span(poll.ns), "bad" if poll.ns >= 100_000_000 else "run"),
            (str(seen.number(task)), "dim"),
            (seen.name(task), "text"),
            (points.place(poll.since) if poll.since >= 0 else "its start", "text"),
            (
                points.place(poll.until) if poll.until >= 0 else "it runs still" if poll.until < -1 else "its end",
                "text",
            ),
        ]
        lines.append(row(POLLS, sizes, cells, "chosen" if at == cursor else ""))
    return Page(lines, len(longest), page, longest[cursor].task if longest else 0)


def _row(name: str, value: str, values: Any1d, most: float, high: int) -> list[Line]:
    bars = chart(values.tolist(), high, most)
    heads = [f"{name:<10}{value:>12} ", *[" " * 23] * (high - 1)]
    return [[(head, "text"), (bar, "chart")] for head, bar in zip(heads, bars, strict=True)]


def _of_last(values: Any1d) -> float:
    last = values[-5:]
    return float(last[last > 0].mean()) if (last > 0).any() else 0.0
