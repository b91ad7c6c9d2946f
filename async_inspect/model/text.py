"""Times and tasks as text: rounded for findings, summaries and pictures, exact for the details of events.

The page formats times in the same way (``words.js``); the live view has only five columns for one, and so a format of
its own (``tui/draw.py``).
"""

from typing import Final

from . import tables as t
from .data import TraceData
from .figures.long_polls import BlockingPoll

UNKNOWN: Final = "–"  # in place of a number that is not known
NOT_DIVIDED: Final = "how the polls of tasks divide over coroutines, and which of these never waited, is not known"
SEVERAL: Final = 5  # tasks that are named in one line


def who(trace: TraceData, task: int) -> str:
    """task 3 (worker)"""
    return f"task {task} ({trace.task_table.name[task - 1]})" if task else "?"


def several(trace: TraceData, tasks: list[int] | tuple[int, ...]) -> str:
    """Some tasks in one line: the first SEVERAL, and how many more."""
    named = ", ".join(who(trace, task) for task in tasks[:SEVERAL])
    return f"{named} and {len(tasks) - SEVERAL:,} more" if len(tasks) > SEVERAL else named


def shown_state(state: str) -> str:
    """A state's name as people read it: a task that awaits is Waiting, "blocked" is said of loops alone."""
    return t.SHOWN_STATES[t.STATES.index(state)] if state in t.STATES else state


def many(count: int, what: str) -> str:
    """3 tasks"""
    return f"{count:,} {what}{'' if count == 1 else 'es' if what.endswith('s') else 's'}"


def count(number: int | None) -> str:
    """1,234; None: it is not known."""
    return UNKNOWN if number is None else f"{number:,}"


def ms(ns: int) -> str:
    """Nanoseconds, rounded to three digits or more: "1.23 ms"."""
    if ns >= 10_000_000_000:
        return f"{ns / 1e9:,.1f} s"
    if ns < 1_000:
        return f"{ns} ns"
    value, unit = (ns / 1e6, "ms") if ns >= 1_000_000 else (ns / 1e3, "µs")
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"


def on_processor(poll: BlockingPoll) -> str:
    """What a poll's thread did: "its last 447 ms: 289 ms on a processor, 157 ms waiting for one"; "": not known."""
    if poll.processor_ns is None or poll.on_cpu_ns is None:
        return ""
    parts = [f"{ms(poll.on_cpu_ns)} on a processor"]
    if poll.no_cpu_ns is None or poll.asleep_ns is None:
        parts.append("the rest is not known")
    else:
        parts += [f"{ms(poll.no_cpu_ns)} waiting for one"] * (poll.no_cpu_ns * 100 > poll.processor_ns)
        parts += [f"{ms(poll.asleep_ns)} asleep in the kernel"] * (poll.asleep_ns * 100 > poll.processor_ns)
    return f"its last {ms(poll.processor_ns)}: {', '.join(parts)}"


def exact_ms(ns: int) -> str:
    """Nanoseconds as milliseconds, exact, without trailing zeros and without the unit."""
    return f"{ns // 1_000_000}.{ns % 1_000_000:06d}".rstrip("0").rstrip(".")


def on_one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


def short(text: str, most: int = 60) -> str:
    """At most ``most`` characters of a text."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
