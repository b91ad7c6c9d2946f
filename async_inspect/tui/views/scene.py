"""The input of every view, and what several views draw alike."""

from dataclasses import dataclass, field

import numpy as np

from ...model import tables as t
from ...model.fields import LIVE
from ...model.live import LiveSnapshot
from ..draw import Line, Piece, number, span
from ..state import State

STYLE_OF_STATE = {
    "Pending": "dim", "Running": "run", "Waiting": "wait", "Completed": "dim", "Failed": "bad", "Cancelled": "warn",
    "Unknown": "bad",
}  # fmt: skip
MARK_OF_STATE = {
    "Pending": "◌", "Running": "▶", "Waiting": "●", "Completed": "✓", "Failed": "✗", "Cancelled": "⊘", "Unknown": "?",
}  # fmt: skip
# The figures of a task, and how each is written.
FIGURES = {"since": span, **{live.name: span if field.kind == "time" else number for field, live in LIVE}}


@dataclass
class Scene:
    """A moment, and the room to draw it in."""

    state: State
    seen: LiveSnapshot
    width: int
    height: int
    findings: list[Line] = field(default_factory=list)

    @property
    def wide(self) -> bool:
        return self.width >= 110


def state_of(seen: LiveSnapshot, row: int) -> str:
    return t.SHOWN_STATES[int(seen.state(np.array([row]))[0])]


def one_line(seen: LiveSnapshot, row: int) -> Line:
    """A task on one line: its name, its state and where it waits."""
    state = state_of(seen, row)
    since = int(seen.since(np.array([row]))[0])
    pieces: list[Piece] = [
        (f"{MARK_OF_STATE[state]} ", STYLE_OF_STATE[state]),
        (f"{seen.number(row)} ", "dim"),
        (seen.name(row), "text"),
    ]
    if place := seen.place(row):
        pieces += [(f"  {place}", "wait"), (f"  {seen.why(row, made=False)}", "dim")]
    return [*pieces, (f"  {span(since)}", "dim")]
