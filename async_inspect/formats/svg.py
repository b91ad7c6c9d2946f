"""flamegraph.svg: the folded stacks as an interactive picture in one self-contained file.

Knows: where each frame is drawn, and in what colour: from orange (it ran) to blue (it waited).  Style and script are
files in ``assets/``, inserted as they are.  A frame's width and title are what flamegraph.pl makes of
``flamegraph.txt``; siblings lie side by side with the widest to the left.
"""

from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import NamedTuple

from ..model.trace import Trace
from ..support.names import clean
from .folded import Frames, Line, Weight, lines
from .shared.stacks import Grouping

WIDTH = 1200  # pixels, all of these
PAD = 10
HEIGHT = 16  # of a frame
TOP = 66
BOTTOM = 34
CHAR = 7.1  # a letter's width, on average
MIN_WIDTH = 0.1  # narrower frames are left out

HINT = "Point at a frame for its times, click it to zoom; Esc goes back, / searches."


class Box(NamedTuple):
    name: str
    depth: int  # 0: all
    start: int  # µs from the left
    run: int  # µs
    wait: int  # µs


def write(
    trace: Trace,
    *,
    weight: Weight = "wall",
    include_polls: bool = True,
    include_awaits: bool = True,
    min_duration_ms: float = 0,
    frames: Frames = "line",
    tasks: Grouping = "merged",
) -> Iterator[bytes]:
    """The options are those of the folded format."""
    tree = _Tree()
    for line in lines(
        trace,
        weight=weight,
        include_polls=include_polls,
        include_awaits=include_awaits,
        min_duration_ms=min_duration_ms,
        frames=frames,
        tasks=tasks,
    ):
        tree.add(line)
    total = tree.run[0] + tree.wait[0]
    boxes = list(tree.boxes(total * MIN_WIDTH / (WIDTH - 2 * PAD))) if total else []
    height = TOP + BOTTOM + HEIGHT * (1 + max((box.depth for box in boxes), default=2))
    yield from _head(trace, tree.run[0], tree.wait[0], height)
    for begin in range(0, len(boxes), 1000):
        yield "".join(_frame(box, total, height) for box in boxes[begin : begin + 1000]).encode("utf-8", "replace")
    if not boxes:
        yield f'<text x="{WIDTH // 2}" y="{TOP + 24}" text-anchor="middle">No stack took any time.</text>\n'.encode()
    yield f"</g>\n<script><![CDATA[\n{_asset('flamegraph.js')}]]></script>\n</svg>\n".encode()


class _Tree:
    """Frames by the frames below them; row 0 is all."""

    def __init__(self) -> None:
        self.name, self.run, self.wait = ["all"], [0], [0]
        self.children: list[dict[str, int]] = [{}]

    def add(self, line: Line) -> None:
        at, amount = 0, self.wait if line.waits else self.run
        amount[0] += line.us
        for name in line.frames:
            below = self.children[at].get(name)
            if below is None:
                below = self.children[at][name] = len(self.name)
                self.name.append(name)
                self.run.append(0)
                self.wait.append(0)
                self.children.append({})
            at = below
            amount[at] += line.us

    def boxes(self, least: float) -> Iterator[Box]:
        """Parents before children, from left to right; none of less than ``least`` µs."""
        stack = [(0, 0, 0)]
        while stack:
            at, depth, start = stack.pop()
            if self._us(at) >= least:
                yield Box(self.name[at], depth, start, self.run[at], self.wait[at])
                below = []
                for child in sorted(self.children[at].values(), key=lambda c: (-self._us(c), self.name[c])):
                    below.append((child, depth + 1, start))
                    start += self._us(child)
                stack += reversed(below)

    def _us(self, at: int) -> int:
        return self.run[at] + self.wait[at]


def _head(trace: Trace, run: int, wait: int, height: int) -> Iterator[bytes]:
    program = _text(" ".join(trace.meta.argv) or trace.meta.executable or "async-inspect")
    middle, end = WIDTH // 2, WIDTH - PAD
    totals = f"{len(trace.task_table):,} tasks: ran {run / 1000:,.3f} ms, waited {wait / 1000:,.3f} ms"
    totals += _text(f" ({trace.caveat})") if trace.caveat else ""
    yield f"""<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" \
data-pad="{PAD}" data-width="{WIDTH - 2 * PAD}" data-char="{CHAR}">
<title>{program}</title>
<style><![CDATA[
{_asset("flamegraph.css")}]]></style>
<rect class="back" width="100%" height="100%"/>
<text class="title" x="{middle}" y="24">{program}</text>
<text class="dim" x="{PAD}" y="46">{totals}</text>
<rect class="k0" x="{middle - 30}" y="36" width="12" height="12"/><text x="{middle - 13}" y="46">ran</text>
<rect class="k4" x="{middle + 25}" y="36" width="12" height="12"/><text x="{middle + 42}" y="46">waited</text>
<g class="wants-script"><text class="button off" id="reset" x="{end - 290}" y="46">reset zoom</text>
<foreignObject x="{end - 200}" y="32" width="200" height="22"><input xmlns="http://www.w3.org/1999/xhtml" \
id="search" type="search" placeholder="search (regular expression)" aria-label="search"/></foreignObject>
<text class="dim" id="matched" x="{end}" y="{height - 12}" text-anchor="end"></text>
<text class="dim" id="details" x="{PAD}" y="{height - 12}">{HINT}</text></g>
<g id="frames">
""".encode("utf-8", "replace")


def _frame(box: Box, total: int, height: int) -> str:
    us, scale = box.run + box.wait, (WIDTH - 2 * PAD) / total
    x, width, y = PAD + box.start * scale, us * scale, height - BOTTOM - HEIGHT * (box.depth + 1)
    percent = f"{100 * us / total:.2f}" if box.depth else "100"
    colour = 0 if not box.wait else 4 if not box.run else 1 + min(2, 3 * box.wait // us)
    fits = int((width - 6) / CHAR)
    text = ""
    if fits >= 3:
        short = box.name if len(box.name) <= fits else box.name[: fits - 2] + ".."
        text = f'<text x="{x + 3:.2f}" y="{y + 12}">{_text(short)}</text>'
    return (
        f'<g class="f" data-s="{box.start}" data-r="{box.run}" data-w="{box.wait}">'
        f"<title>{_text(box.name)} ({us:,} us, {percent}%)</title>"
        f'<rect class="k{colour}" x="{x:.2f}" y="{y}" width="{width:.2f}" height="{HEIGHT - 1}"/>{text}</g>\n'
    )


def _text(text: str) -> str:
    return escape(clean(text), quote=False)


def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")
