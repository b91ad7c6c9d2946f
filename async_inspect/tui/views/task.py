"""One task: its whole await stack with source lines, the tasks it awaits, its awaiters, its children, its polls."""

import numpy as np

from ...model.fields import LIVE
from ...model.live import LiveSnapshot
from ...model.live.state import ENDED_KEPT
from ..draw import Line, Page, chart, fit, span, window
from ..source import line as line_of
from .scene import FIGURES, MARK_OF_STATE, STYLE_OF_STATE, Scene, one_line, state_of

BINS = 24  # from 1 µs on, two an octave of ten


def draw(scene: Scene) -> Page:
    """The body."""
    seen, row = scene.seen, scene.seen.row(scene.state.task)
    if not row:
        gone = f"This task has ended, and {ENDED_KEPT:,} others since: it is no more kept.  A report has it."
        choose = "Choose a task: Enter in the view of tasks, or of the tree."
        return Page([[(gone if scene.state.task else choose, "dim")]])
    lines = _head(seen, row)
    lines += _polls(seen, row)
    stack = _stack(seen, row, scene.width)
    others = _others(seen, row)
    room = max(scene.height - len(lines) - 1, 3)
    for_stack = min(len(stack), max(room - min(len(others), room // 2), 2))
    if len(stack) > for_stack:  # the leaf is what matters
        cut = len(stack) - for_stack + 1
        stack = [[(f"  … {cut} lines further out", "dim")], *stack[cut:]]
    lines += [[("awaits, from its root to the leaf", "head")], *stack]
    page = max(scene.height - len(lines), 1)
    cursor = min(scene.state.cursor, max(len(others) - 1, 0))
    here = window(cursor, len(others), page)
    for at, (other, line) in enumerate(others[here], here.start):
        lines.append([(text, "chosen") for text, _ in line] if at == cursor and other else line)
    return Page(lines, len(others), page, seen.key(others[cursor][0]) if others else 0)


def _head(seen: LiveSnapshot, row: int) -> list[Line]:
    state, at = state_of(seen, row), np.array([row])
    figures = {live.name: FIGURES[live.name](seen.figure(live.name, at)[0]) for _, live in LIVE}
    function = seen.function(row)
    mark = (f"{MARK_OF_STATE[state]} {state} for {span(seen.since(at)[0])}", STYLE_OF_STATE[state])
    lines: list[Line] = [
        [(f"task {seen.number(row)} ", "dim"), (seen.name(row), "title"), ("  ", "text"), mark],
        [(f"{function.name}  {function.file}:{function.line}", "dim")],
        [piece for name, value in figures.items() for piece in ((f"{name} ", "dim"), (f"{value}  ", "text"))],
    ]
    if tags := seen.tags(row):
        lines.append([(tags, "text")])
    lines += [[(text, "text")] for text in seen.holds(row)]
    if error := seen.error(row):
        lines.append([(error, "bad")])
    return lines


def _polls(seen: LiveSnapshot, row: int) -> list[Line]:
    """Its last polls as a histogram: how many took how long."""
    ns = seen.last_polls(row)
    if not len(ns):
        return []
    at = np.clip(np.floor(np.log10(np.maximum(ns, 1)) * 4) - 12, 0, BINS - 1).astype(np.int64)
    count = np.bincount(at, minlength=BINS)
    bars = chart(count.tolist())[0]
    return [
        [
            (f"last {len(ns):,} polls  1µs ", "dim"),
            (bars, "chart"),
            (" 1s", "dim"),
            (f"  longest {span(int(ns.max()))}", "dim"),
        ]
    ]


def _stack(seen: LiveSnapshot, row: int, width: int) -> list[Line]:
    stack = seen.stack(row)
    if not stack:
        place = seen.place(row)
        return [[(f"  it runs; it came from {place}" if place else "  it is not suspended", "dim")]]
    lines: list[Line] = []
    for depth, stand in enumerate(stack):
        style = "text" if stand.function.user else "dim"
        place = f"{stand.function.file}:{stand.line or '?'}"
        source = line_of(stand.file, stand.line, seen.live.recording.owner, seen.live.recording.header.start_unix_ns)
        pad = " " * min(depth, 8)
        left = f"{pad}{stand.function.name} "
        lines.append([("  ", style), (left, style), (place, "key" if stand.function.user else "dim")])
        if source and stand.function.user:
            lines.append([(fit(f"  {pad}│ {source}", width), "dim")])
    if what := seen.why(row):
        lines.append([("  → ", "wait"), (what, "wait")])
    return lines


def _others(seen: LiveSnapshot, row: int) -> list[tuple[int, Line]]:
    """Tasks around this one: (row, line); 0: a heading."""
    who, others = seen.edges
    around = {
        "it awaits": others[who == row].tolist(),
        "awaited by": who[others == row].tolist(),
        "its parent": [p for p in seen.parent(np.array([row])).tolist() if p],
        "its children": seen.rows[seen.parent(seen.rows) == row].tolist(),
    }
    found: list[tuple[int, Line]] = []
    for title, rows in around.items():
        if rows:
            found.append((0, [(title, "head"), (f"  {len(rows)}" if len(rows) > 1 else "", "dim")]))
            found += [(other, [("  ", "text"), *one_line(seen, other)]) for other in rows[:200]]
    return found
