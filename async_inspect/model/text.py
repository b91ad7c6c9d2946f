"""How times and tasks are said: to people in findings, summaries and pictures, and exactly in what events say.

Knows nothing of what is said of them.  The page says times in the same way (``words.js``); the live view has five
columns for one, and so its own (``tui/draw.py``).
"""

from typing import Final

from . import tables as t
from .data import TraceData

SEVERAL: Final = 5  # tasks that are named in one line


def who(trace: TraceData, task: int) -> str:
    """task 3 (worker)"""
    return f"task {task} ({trace.task_table.name[task - 1]})" if task else "?"


def several(trace: TraceData, tasks: list[int] | tuple[int, ...]) -> str:
    """Some tasks in one line."""
    named = ", ".join(who(trace, task) for task in tasks[:SEVERAL])
    return f"{named} and {len(tasks) - SEVERAL:,} more" if len(tasks) > SEVERAL else named


def shown_state(state: str) -> str:
    """A state's name as people read it: a task that awaits is Waiting, "blocked" is said of loops alone."""
    return t.SHOWN_STATES[t.STATES.index(state)] if state in t.STATES else state


def many(count: int, what: str) -> str:
    """3 tasks"""
    return f"{count:,} {what}{'' if count == 1 else 'es' if what.endswith('s') else 's'}"


def ms(ns: int) -> str:
    """Nanoseconds as people read them: three digits or more, or all there are."""
    if ns >= 10_000_000_000:
        return f"{ns / 1e9:,.1f} s"
    if ns < 1_000:
        return f"{ns} ns"
    value, unit = (ns / 1e6, "ms") if ns >= 1_000_000 else (ns / 1e3, "µs")
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"


def exact_ms(ns: int) -> str:
    """Nanoseconds as milliseconds, with all their digits and no more; without the unit."""
    return f"{ns // 1_000_000}.{ns % 1_000_000:06d}".rstrip("0").rstrip(".")


def on_one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


def short(text: str, most: int = 60) -> str:
    """So many letters of it at most."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
