"""The table of tasks: each with its state, its await point and since when, and its figures."""

import numpy as np

from ...model import tables as t
from ...model.fields import LIVE
from ...model.grouping import Ints
from ...model.live import LiveSnapshot
from ..draw import Column, Line, Page, fit, heading, row, widths, window
from ..state import FILTERS, State
from .scene import FIGURES, MARK_OF_STATE, STYLE_OF_STATE, Scene

STYLES = {"age": "dim", "run": "run", "wait": "wait"}
NARROW = (
    Column("id", 5), Column("name", 10, "<", 3), Column("state", 1, "<"), Column("await", 15, "/", 4),
    Column("since", 5), *(Column(live.name, 5) for _, live in LIVE if live.narrow), Column("parent", 4),
)  # fmt: skip
WIDE = (
    Column("id", 6), Column("name", 11, "<", 3), Column("state", 11, "<"), Column("await", 16, "/", 4),
    Column("for", 10, "<", 4), *(Column(name, max(6, len(name) + 1)) for name in FIGURES), Column("parent", 7),
)  # fmt: skip


def draw(scene: Scene) -> Page:
    """The body."""
    state, seen = scene.state, scene.seen
    rows, states = chosen(seen, state)
    page = max(scene.height - 2, 1)
    cursor = min(state.cursor, max(len(rows) - 1, 0))
    here = window(cursor, len(rows), page)
    columns = WIDE if scene.wide else NARROW
    sizes = widths(columns, scene.width)
    lines = [_title(scene, len(rows)), heading(columns, sizes, *state.sort)]
    shown = rows[here]
    names = [column.title for column in columns if column.title in FIGURES]
    columns_ = (states[here], seen.over(shown), seen.parent(shown), *(seen.figure(name, shown) for name in names))
    places = zip(shown.tolist(), *(of.tolist() for of in columns_), strict=True)
    for at, (task, code, over, parent, *values) in enumerate(places, here.start):
        word = t.SHOWN_STATES[code]
        colour = STYLE_OF_STATE[word]
        mark = f"{MARK_OF_STATE[word]} {word}" if scene.wide else MARK_OF_STATE[word]
        cells = {
            "id": (str(seen.number(task)), "dim"), "state": (mark, colour),
            "name": (f"{seen.name(task)} {seen.tags(task)}".rstrip(), "text"),
            "await": (fit(seen.error(task), sizes[3]), "bad") if word == "Failed" else (seen.place(task), "text"),
            "for": (seen.why(task, made=False), "dim"),
            **{
                name: (FIGURES[name](value), STYLES.get(name, "text"))
                for name, value in zip(names, values, strict=True)
            },
            "parent": (str(seen.number(parent)) if parent else "·", "dim"),
        }  # fmt: skip
        style = "chosen" if at == cursor else "dim" if over and word != "Failed" else ""
        lines.append(row(columns, sizes, [cells[column.title] for column in columns], style))
    if not len(rows):
        lines.append([("  no tasks" + (" like that" if state.text or state.only else " yet"), "dim")])
    at = seen.key(int(rows[cursor])) if len(rows) else 0
    return Page(lines, len(rows), page, at)


def chosen(seen: LiveSnapshot, state: State) -> tuple[Ints, t.Bytes]:
    """The tasks that are wanted, in the order that is wanted; with their states."""
    rows = seen.rows
    states = seen.state(rows)
    if state.only:
        word = FILTERS[state.only]
        kept = ~seen.over(rows) if word == "alive" else states == t.SHOWN_STATES.index(word)
        rows, states = rows[kept], states[kept]
    if state.text:
        text = state.text.lower()
        found = [text in f"{seen.name(r)} {seen.tags(r)} {seen.place(r)}".lower() for r in rows.tolist()]
        kept = np.array(found, np.bool_)
        rows, states = rows[kept], states[kept]
    name, largest = state.sort
    key = _keys(seen, rows, states, name)
    order = np.argsort(key, kind="stable")
    order = order[::-1] if largest else order
    return rows[order], states[order]


def _keys(seen: LiveSnapshot, rows: Ints, states: t.Bytes, name: str) -> Ints:
    if name == "name":
        names = np.array([seen.name(r) for r in rows.tolist()], dtype=np.str_)
        return np.unique(names, return_inverse=True)[1].astype(np.int64)
    if name == "state":
        return states.astype(np.int64)
    if name == "id":
        return seen.live.numbers()[rows]
    if name == "parent":
        return seen.live.numbers()[seen.parent(rows)]
    return seen.figure(name, rows)


def _title(scene: Scene, count: int) -> Line:
    state = scene.state
    name, largest = state.sort
    before = f" and {scene.seen.left_out:,} that ended before" if scene.seen.left_out else ""
    line: Line = [(f"{count:,} tasks", "head"), (before, "dim"), (f"  by {name}{' ▼' if largest else ' ▲'}", "dim")]
    if state.only:
        line.append((f"  only {FILTERS[state.only]}", "warn"))
    if state.text or state.typing:
        line.append((f"  /{state.text}{'▏' if state.typing else ''}", "warn"))
    legend = "◌ pending ▶ running ● waiting ✓ ✗ ⊘ cancelled"
    if not scene.wide and not state.only and not state.text and not state.typing:
        line.append((fit(legend, max(scene.width - sum(len(text) for text, _ in line) - 2, 0), ">"), "dim"))
    return line
