"""The state of the view, and how each key changes it.

Pure: (state, key, facts about the screen) → state.  What other parts must do for a key (leave, write reports) is in
``wishes``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..model.fields import LIVE

VIEWS = ("tasks", "task", "tree", "awaits", "loop", "findings")
# What a view's rows can be ordered by; the first is how it begins, ``-`` for the largest first.
SORTS = {
    "tasks": ("id", "name", "state", "-since", *(f"-{live.name}" for _, live in LIVE), "parent"),
    "awaits": ("-wait", "-count", "-mean", "-p95", "-max", "place"),
}
FILTERS = ("all", "alive", "Running", "Waiting", "Pending", "Completed", "Failed", "Cancelled")
RATES = (1.0, 2.0, 4.0, 10.0, 20.0)  # times a second
SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0, 50.0, 250.0)
PANES = (6, 14, 0)  # lines of the target's output


@dataclass(frozen=True)
class Facts:
    """What is on the screen."""

    rows: int = 0  # that the cursor can be on
    page: int = 1  # of them on the screen at once
    at: int = 0  # the task at the cursor, 0: none
    processes: int = 1  # that the run has


@dataclass(frozen=True)
class State:
    """The state of the view; tasks are named by their id in the recording."""

    view: str = "tasks"
    cursors: tuple[int, ...] = (0,) * len(VIEWS)
    sorts: tuple[int, ...] = (0,) * len(VIEWS)
    reversed: frozenset[str] = frozenset()  # views whose order is turned round
    task: int = 0  # what the view of one task is about
    back: tuple[tuple[str, int], ...] = ()  # where Esc leads: (view, task)
    only: int = 0  # of FILTERS
    text: str = ""
    typing: bool = False
    toggled: frozenset[int] = frozenset()  # tasks in the tree that are not as a tree begins
    by_await: bool = False
    paused: bool = False
    help: bool = False
    light: bool = False
    rate: int = 3  # of RATES
    speed: int = 3  # of SPEEDS
    pane: int = 0  # of PANES
    wishes: tuple[str, ...] = ()  # quit, reset, reports, next, previous

    @property
    def at(self) -> int:
        """The number of this view."""
        return VIEWS.index(self.view)

    @property
    def cursor(self) -> int:
        return self.cursors[self.at]

    @property
    def sort(self) -> tuple[str, bool]:
        """By what this view's rows are ordered, and whether the largest comes first."""
        words = SORTS.get(self.view, ("",))
        word = words[self.sorts[self.at] % len(words)]
        return word.lstrip("-"), word.startswith("-") != (self.view in self.reversed)


def update(state: State, key: str, facts: Facts) -> State:
    """The state after a key."""
    if state.typing:
        return _type(state, key)
    if state.help:
        return _wish(state, "quit") if key == "q" else replace(state, help=False)
    if key in _MOVES:
        return _move(state, key, facts)
    if key in "123456" and len(key) == 1:
        return replace(state, view=VIEWS[int(key) - 1])
    if key in _KEYS:
        return _KEYS[key](state, facts)
    return state


def _type(state: State, key: str) -> State:
    """A text is being typed."""
    if key == "enter":
        return replace(state, typing=False)
    if key == "esc":
        return replace(state, typing=False, text="")
    if key == "backspace":
        return replace(state, text=state.text[:-1])
    key = " " if key == "space" else key
    return _top(replace(state, text=state.text + key)) if len(key) == 1 else state


_MOVES = {"up": -1, "k": -1, "down": 1, "j": 1, "pgup": 0, "pgdn": 0, "home": 0, "end": 0}


def _move(state: State, key: str, facts: Facts) -> State:
    last = max(facts.rows - 1, 0)
    step = {"pgup": -facts.page, "pgdn": facts.page, "home": -last - 1, "end": last + 1}.get(key, _MOVES[key])
    to = min(max(min(state.cursor, last) + step, 0), last)
    return _with(state, "cursors", to)


def _with(state: State, name: str, value: int) -> State:
    """One of a tuple of numbers by view."""
    values: tuple[int, ...] = getattr(state, name)
    at = state.at
    return replace(state, **{name: (*values[:at], value, *values[at + 1 :])})  # type: ignore[arg-type]


def _top(state: State) -> State:
    return _with(state, "cursors", 0)


def _next(state: State, step: int) -> State:
    return replace(state, view=VIEWS[(state.at + step) % len(VIEWS)])


def _open(state: State, facts: Facts) -> State:
    if not facts.at:
        return state
    back = (*state.back, (state.view, state.task))[-50:]
    return _top(replace(state, view="task", task=facts.at, back=back))


def _leave(state: State) -> State:
    if state.back:
        view, task = state.back[-1]
        return replace(state, view=view, task=task, back=state.back[:-1])
    return _top(replace(state, text="", only=0)) if state.view == "tasks" else replace(state, view="tasks")


def _sort(state: State) -> State:
    if state.view not in SORTS:
        return state
    after = (state.sorts[state.at] + 1) % len(SORTS[state.view])
    return _top(_with(replace(state, reversed=state.reversed - {state.view}), "sorts", after))


def _toggle(state: State, facts: Facts) -> State:
    return replace(state, toggled=state.toggled ^ {facts.at}) if facts.at and state.view == "tree" else state


def _wish(state: State, wish: str) -> State:
    return replace(state, wishes=(*state.wishes, wish))


def _turn(state: State, facts: Facts, wish: str) -> State:
    """To another process: nothing that was about the tasks of this one stays."""
    if facts.processes < 2:
        return state
    view = "tasks" if state.view == "task" else state.view
    return _wish(replace(state, view=view, cursors=State.cursors, task=0, back=(), toggled=frozenset()), wish)


def _step(state: State, name: str, by: int, most: int) -> State:
    return replace(state, **{name: min(max(getattr(state, name) + by, 0), most)})


_KEYS: dict[str, Callable[[State, Facts], State]] = {
    "q": lambda state, _: _wish(state, "quit"),
    "?": lambda state, _: replace(state, help=True),
    "tab": lambda state, _: _next(state, 1),
    "backtab": lambda state, _: _next(state, -1),
    "enter": _open,
    "esc": lambda state, _: _leave(state),
    "backspace": lambda state, _: _leave(state),
    "s": lambda state, _: _sort(state),
    "S": lambda state, _: replace(state, reversed=state.reversed ^ {state.view}),
    "f": lambda state, _: _top(replace(state, view="tasks", only=(state.only + 1) % len(FILTERS))),
    "/": lambda state, _: replace(state, view="tasks", typing=True, text=""),
    "left": _toggle,
    "right": _toggle,
    "w": lambda state, _: replace(state, by_await=not state.by_await) if state.view == "tree" else state,
    "space": lambda state, _: replace(state, paused=not state.paused),
    "]": lambda state, facts: _turn(state, facts, "next"),
    "[": lambda state, facts: _turn(state, facts, "previous"),
    "r": lambda state, _: _wish(state, "reset"),
    "e": lambda state, _: _wish(state, "reports"),
    "t": lambda state, _: replace(state, light=not state.light),
    "o": lambda state, _: replace(state, pane=(state.pane + 1) % len(PANES)),
    "+": lambda state, _: _step(state, "rate", 1, len(RATES) - 1),
    "-": lambda state, _: _step(state, "rate", -1, len(RATES) - 1),
    ">": lambda state, _: _step(state, "speed", 1, len(SPEEDS) - 1),
    "<": lambda state, _: _step(state, "speed", -1, len(SPEEDS) - 1),
}
HELP = (
    ("Tab 1…6", "views"), ("↑↓ PgUp PgDn Home End", "walk (also k j)"), ("Enter", "the task at the cursor"),
    ("Esc", "back; in Tasks: no filter"), ("s S", "order by the next column; turn it round"),
    ("f", "tasks by state"), ("/", "tasks by text in name or place"),
    ("← →", "fold and unfold (Tree)"), ("w", "by parent, by who awaits whom (Tree)"),
    ("[ ]", "the process before, the next one"),
    ("Space", "pause: the program and its recording go on"),
    ("r", "count anew: Awaits, coroutines, longest polls"), ("e", "write the reports now"),
    ("o", "the program's output: more, none"), ("+ -", "refresh rate"), ("< >", "speed of a replay"),
    ("t", "dark, light"), ("q", "leave; the program goes on"),
    ("Ctrl-C", "interrupts the program, as without the view"),
)  # fmt: skip
