"""What keys make of the view's state, as a table; and what a terminal sends for them."""

from dataclasses import replace

import pytest

from async_inspect.tui.keys import decode
from async_inspect.tui.state import PANES, RATES, SORTS, SPEEDS, VIEWS, Facts, State, update

FACTS = Facts(rows=100, page=10, at=7, processes=3)
BEGIN = State()


def at(cursor: int, view: str = "tasks") -> State:
    cursors = tuple(cursor if name == view else 0 for name in VIEWS)
    return State(view=view, cursors=cursors)


TABLE: list[tuple[State, str, State]] = [
    # walking
    (at(0), "down", at(1)),
    (at(0), "up", at(0)),
    (at(99), "down", at(99)),
    (at(5), "pgdn", at(15)),
    (at(5), "pgup", at(0)),
    (at(95), "pgdn", at(99)),
    (at(5), "end", at(99)),
    (at(5), "home", at(0)),
    (at(500), "up", at(98)),  # there are fewer now
    (at(3), "k", at(2)),
    (at(3), "j", at(4)),
    # views
    *((BEGIN, str(number), State(view=name)) for number, name in enumerate(VIEWS, 1)),
    (State(view="tasks"), "tab", State(view="task")),
    (State(view="findings"), "tab", State(view="tasks")),
    (State(view="tasks"), "backtab", State(view="findings")),
    # one task, and back
    (at(4), "enter", replace(at(4), view="task", task=7, back=(("tasks", 0),))),
    (replace(at(4), view="task", task=7, back=(("tree", 3),)), "esc", replace(at(4), view="tree", task=3)),
    (State(view="loop"), "esc", State()),
    (State(text="abc", only=2), "esc", State()),
    (State(view="task", task=2), "enter", State(view="task", task=7, back=(("task", 2),))),
    # order and filters
    (BEGIN, "s", State(sorts=(1, 0, 0, 0, 0, 0))),
    (State(sorts=(len(SORTS["tasks"]) - 1, 0, 0, 0, 0, 0)), "s", BEGIN),
    (at(9), "s", State(sorts=(1, 0, 0, 0, 0, 0))),
    (BEGIN, "S", State(reversed=frozenset({"tasks"}))),
    (State(reversed=frozenset({"tasks"})), "S", BEGIN),
    (State(view="loop"), "s", State(view="loop")),
    (BEGIN, "f", State(only=1)),
    (State(only=7), "f", BEGIN),
    (BEGIN, "/", State(typing=True)),
    (State(typing=True, text="a"), "b", State(typing=True, text="ab")),
    (State(typing=True, text="a"), "q", State(typing=True, text="aq")),
    (State(typing=True, text="a"), "space", State(typing=True, text="a ")),
    (State(typing=True, text="ab"), "backspace", State(typing=True, text="a")),
    (State(typing=True, text="ab"), "enter", State(text="ab")),
    (State(typing=True, text="ab"), "esc", BEGIN),
    (State(typing=True, text="ab"), "up", State(typing=True, text="ab")),
    # processes
    (replace(at(5), text="a"), "]", replace(BEGIN, text="a", wishes=("next",))),
    (State(view="task", task=3, back=(("tree", 0),), toggled=frozenset({3})), "[", State(wishes=("previous",))),
    (State(view="loop"), "[", State(view="loop", wishes=("previous",))),
    # the tree
    (State(view="tree"), "right", State(view="tree", toggled=frozenset({7}))),
    (State(view="tree", toggled=frozenset({7})), "left", State(view="tree")),
    (BEGIN, "left", BEGIN),
    (State(view="tree"), "w", State(view="tree", by_await=True)),
    # the rest
    (BEGIN, "space", State(paused=True)),
    (State(paused=True), "space", BEGIN),
    (BEGIN, "?", State(help=True)),
    (State(help=True), "x", BEGIN),
    (State(help=True), "q", State(help=True, wishes=("quit",))),
    (BEGIN, "q", State(wishes=("quit",))),
    (BEGIN, "r", State(wishes=("reset",))),
    (BEGIN, "e", State(wishes=("reports",))),
    (BEGIN, "t", State(light=True)),
    (BEGIN, "o", State(pane=1)),
    (State(pane=len(PANES) - 1), "o", BEGIN),
    (BEGIN, "+", State(rate=4)),
    (State(rate=len(RATES) - 1), "+", State(rate=len(RATES) - 1)),
    (State(rate=0), "-", State(rate=0)),
    (BEGIN, ">", State(speed=4)),
    (State(speed=len(SPEEDS) - 1), ">", State(speed=len(SPEEDS) - 1)),
    (BEGIN, "<", State(speed=2)),
    (BEGIN, "ü", BEGIN),
]


@pytest.mark.parametrize(("state", "key", "after"), TABLE, ids=lambda x: x if isinstance(x, str) else "")
def test_keys(state: State, key: str, after: State) -> None:
    assert update(state, key, FACTS) == after


def test_nothing_to_open() -> None:
    assert update(BEGIN, "enter", Facts()) == BEGIN
    assert update(BEGIN, "down", Facts()) == BEGIN


@pytest.mark.parametrize(
    ("sent", "keys", "rest"),
    [
        (b"", [], b""),
        (b"q", ["q"], b""),
        (b"ab", ["a", "b"], b""),
        (b"\x1b[A\x1b[B", ["up", "down"], b""),
        (b"\x1bOH\x1b[4~", ["home", "end"], b""),
        (b"\x1b[5~x\x1b[6~", ["pgup", "x", "pgdn"], b""),
        (b"\x1b[Z\t\r\x7f ", ["backtab", "tab", "enter", "backspace", "space"], b""),
        ("ü漢".encode(), ["ü", "漢"], b""),
        ("ü".encode()[:1], [], "ü".encode()[:1]),
        (b"\x1b", [], b"\x1b"),
        (b"\x1b[", [], b"\x1b["),
        (b"\x1b[5", [], b"\x1b[5"),
        (b"\x1b\x1b[A", ["esc", "up"], b""),
        (b"\x1b[1;5C", [], b""),  # Ctrl and an arrow: no name
        (b"\x1bx", ["esc", "x"], b""),
        (b"\x01\x02", [], b""),
        (b"\xff\xff\xff\xff", [], b""),
    ],
)
def test_what_a_terminal_sends(sent: bytes, keys: list[str], rest: bytes) -> None:
    assert decode(sent) == (keys, rest)


def test_of_one_process_there_is_no_next() -> None:
    for key in "[]":
        assert update(at(5), key, Facts(rows=100)) == at(5)
