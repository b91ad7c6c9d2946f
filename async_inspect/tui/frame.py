"""A whole screen: what recording it is and how it goes, the view, the program's output, and what may be pressed.

Knows the places of the parts.  What is in them comes from the views, and from whoever runs the program.
"""

from dataclasses import dataclass, field

from ..model.live import LiveSnapshot
from .draw import Line, chart, fit, number, span, width_of
from .state import HELP, PANES, RATES, SPEEDS, VIEWS, Facts, State
from .views import VIEWS as DRAWN
from .views import Scene


@dataclass
class Around:
    """What is shown around a view: title, status, messages."""

    title: str = ""  # of the program
    status: str = ""  # how the program ended
    message: str = ""  # what a key led to
    behind: int = 0  # records not shown yet
    replaying: bool = False
    process: tuple[int, int, int] = (1, 1, 0)  # which, of how many, its pid
    findings: list[Line] = field(default_factory=list)
    output: list[str] | None = None  # the program's last lines; None: it has its own terminal


def compose(state: State, seen: LiveSnapshot, around: Around, width: int, height: int) -> tuple[list[Line], Facts]:
    """The lines of a screen, and what is on it."""
    pane = _pane(state, around, height)
    body = max(height - 4 - len(pane), 1)
    scene = Scene(state, seen, width, body, around.findings)
    page = DRAWN[state.view][1](scene)
    lines = page.lines[:body]
    lines += [[]] * (body - len(lines))
    if state.help:
        lines = _help(body)
    drawn = [_title(state, seen, around, width), _figures(seen, width), _tabs(state), *lines, *pane]
    return [*drawn[: height - 1], _foot(state, around)], Facts(page.rows, page.page, page.at, around.process[1])


def _title(state: State, seen: LiveSnapshot, around: Around, width: int) -> Line:
    badges = []
    if around.process[1] > 1:
        badges.append(" [ process {} of {}: pid {} ] ".format(*around.process))
    if state.paused:
        badges.append(" PAUSED ")
    if around.replaying:
        badges.append(f" REPLAY ×{SPEEDS[state.speed]:g} ")
    if around.behind > 500_000:
        badges.append(f" {number(around.behind)} records behind ")
    if seen.live.broken_off:
        badges.append(f" {seen.live.ending.upper()}: no more is known ")
    if seen.live.recording.damaged:
        badges.append(" DAMAGED: no figure is exact ")
    if around.status:
        badges.append(f" {around.status} ")
    right = sum(width_of(badge) + 1 for badge in badges)
    room = width - right
    name, elapsed = "async-inspect ", f"  {span(seen.elapsed_ns)}"
    title = fit(around.title, min(width_of(around.title), max(room - width_of(name + elapsed), 0)))
    left: Line = [(name, "title"), (title, "head"), (elapsed, "text")]
    used = 0
    line: Line = []
    for text, style in left:
        line.append((text[: max(room - used, 0)], style))
        used += width_of(text)
    line.append((" " * max(room - used, 0), "text"))
    for badge in badges:
        line += [(badge, "badge"), (" ", "text")]
    return line


def _figures(seen: LiveSnapshot, width: int) -> Line:
    slices = seen.slices(240)
    ran = seen.a_second(slices.ran) / 1e7
    line: Line = [
        (f"{number(seen.alive)} ", "head"), (f"tasks, {number(seen.live.ended)} ended  ", "dim"),
        (f"{number(seen.a_second(slices.polls))}", "head"), (" polls/s  ", "dim"),
        (f"{ran:.0f}%", "bad" if ran > 90 else "head"), (" ran  ", "dim"),
        (span(int(slices.most[-3:].max())), "head"), (" ready  ", "dim"),
    ]  # fmt: skip
    room = min(max(width - sum(width_of(text) for text, _ in line), 0), 240)
    return [*line, (chart(slices.polls[240 - room :].tolist())[0] if room else "", "chart")]


def _tabs(state: State) -> Line:
    line: Line = []
    for at, name in enumerate(VIEWS, 1):
        chosen = name == state.view
        line += [(f" {at} {DRAWN[name][0]} ", "tab" if chosen else "dim"), (" ", "text")]
    return line


def _pane(state: State, around: Around, height: int) -> list[Line]:
    size = min(PANES[state.pane], max(height // 3, 3))
    if around.output is None or not PANES[state.pane] or state.help:
        return []
    lines: list[Line] = [[("── the program's output ", "dim"), ("─" * 300, "dim")]]
    tail = around.output[-(size - 1) :]
    return [*lines, *([(text, "text")] for text in tail), *([[]] * (size - 1 - len(tail)))]


def _help(height: int) -> list[Line]:
    lines: list[Line] = [[("  keys", "head")], *([(f"  {keys:<26}", "key"), (what, "text")] for keys, what in HELP)]
    return lines[:height] + [[]] * (height - len(lines))


def _foot(state: State, around: Around) -> Line:
    if state.typing:
        return [(" /", "key"), (state.text, "head"), ("▏  Enter keeps it, Esc drops it", "dim")]
    if around.message:
        return [(f" {around.message}", "warn")]
    words = ["? help", "q quit", "⏎ task", "s sort", "f / filter", "Space pause", "e report", "r reset"]
    line: Line = []
    for word in words:
        key, _, what = word.rpartition(" ")
        line += [(f" {key}", "key"), (f" {what}", "dim")]
    return [*line, (f"  {RATES[state.rate]:g}/s", "dim")]
