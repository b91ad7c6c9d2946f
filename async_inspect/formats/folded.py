"""flamegraph.txt: folded stacks, ``frame;frame;frame weight``, weights in whole microseconds.

The format is that of Brendan Gregg's flamegraph.pl: https://www.brendangregg.com/flamegraphs.html.  It knows no
escapes, so ``;`` and newlines in names are replaced.

Rounding errors don't add up: each weight's remainder is carried over to the next, so the weights add up to the exact
sum, rounded once.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import tee
from typing import Final, Literal, NamedTuple

from ..errors import USAGE, UserError
from ..model.tables import Function
from ..model.trace import Trace
from ..support import names
from .shared.stacks import GROUPINGS, Grouping, functions, grouped, stacks

type Weight = Literal["wall", "run", "wait"]
type Frames = Literal["line", "function"]
WEIGHTS: Final = ("wall", "run", "wait")
FRAMES: Final = ("line", "function")
BLOCK = 1_000  # tasks at a time, where each stands for itself
_SPACES = re.compile(r"[\s\x00-\x1f\x7f]+")


class Line(NamedTuple):
    """A line of the file, in pieces."""

    frames: tuple[str, ...]  # the outermost first
    waits: bool  # its last frame names what is waited for
    us: int


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
    """The options are those of ``lines``."""
    for line in lines(
        trace,
        weight=weight,
        include_polls=include_polls,
        include_awaits=include_awaits,
        min_duration_ms=min_duration_ms,
        frames=frames,
        tasks=tasks,
    ):
        yield f"{';'.join(line.frames)} {line.us}\n".encode("utf-8", "replace")


def lines(
    trace: Trace,
    *,
    weight: Weight = "wall",
    include_polls: bool = True,
    include_awaits: bool = True,
    min_duration_ms: float = 0,
    frames: Frames = "line",
    tasks: Grouping = "merged",
) -> Iterator[Line]:
    """``weight``: what is counted, time that ran, that waited, or both.  ``include_polls``: stacks that ran.
    ``include_awaits``: stacks that waited.  ``min_duration_ms``: lines that come to less in all are left out.
    ``frames``: ``name (file:line)``, the line being that of the function's ``def``, or the ``name`` only.
    ``tasks``: all merged by their coroutines, or below a frame for their name, numbers left out, or below one each.
    """
    for name, value, allowed in (("weight", weight, WEIGHTS), ("frames", frames, FRAMES), ("tasks", tasks, GROUPINGS)):
        if value not in allowed:
            raise UserError(f"{name}={value}: it is one of {', '.join(allowed)}", USAGE)
    run, wait = include_polls and weight != "wait", include_awaits and weight != "run"
    kept = (item for item in _summed(trace, run, wait, frames, tasks) if item[2] >= min_duration_ms * 1e6)
    lines_, for_rounding = tee(kept)  # consumed in step: neither is ahead by more than one
    for (text, waits, _), us in zip(lines_, whole_microseconds(ns for _, _, ns in for_rounding), strict=True):
        if us:
            yield Line(text, waits, us)


def _summed(
    trace: Trace, run: bool, wait: bool, frames: Frames, tasks: Grouping
) -> Iterator[tuple[tuple[str, ...], bool, int]]:
    """(frames, waits, ns), as few tasks at a time as the grouping allows."""
    groups, names = grouped(trace, tasks)
    end = len(trace.task_table) + 1
    size = BLOCK if tasks == "each" else max(end, 1)
    texts: dict[Function, str] = {}
    for begin in range(1, end, size):
        found: dict[tuple[tuple[str, ...], bool], int] = {}
        for stack in stacks(trace, run, wait, groups, range(begin, min(begin + size, end))):
            if not stack.ns:
                continue
            text = [clean(names[stack.group])] if tasks != "merged" else []
            for function in functions(trace, stack):
                if function not in texts:
                    texts[function] = clean(_frame(function, frames))
                text.append(texts[function])
            if stack.wait:
                text.append(clean(stack.wait.text))
            key = tuple(text), stack.wait is not None
            found[key] = found.get(key, 0) + stack.ns
        for (text_, waits), ns in found.items():
            yield text_, waits, ns


def whole_microseconds(ns: Iterable[int]) -> Iterator[int]:
    """Nanoseconds as whole microseconds, each rounded up or down such that their sum is the rounded sum."""
    exact = written = 0
    for value in ns:
        exact += value
        now = (exact + 500) // 1000
        yield now - written
        written = now


def clean(text: str) -> str:
    """A name as a frame: on one line, without ";", and not empty."""
    return names.clean(_SPACES.sub(" ", text.replace(";", ","))).strip() or "?"


def _frame(function: Function, frames: Frames) -> str:
    where = f" ({function.file}:{function.line})" if function.file and frames == "line" else ""
    return f"{function.name}{where}"
