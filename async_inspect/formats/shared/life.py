"""A task's lifetime as frames that open and close: its calls, and on top of them what it waited for.

Knows: how entries and awaits nest.  Knows nothing of how a format numbers its frames.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from ...model.trace import Trace
from .stacks import Wait, label, label_key


class Frames(Protocol):
    """Numbers of frames, as a format assigns them."""

    def add(self, key: object, name: str) -> int: ...
    def node(self, node: int) -> int: ...
    def wait(self, wait: Wait) -> int: ...


def longest_tasks(trace: Trace, count: int, max_events: int) -> list[int]:
    """The longest-lived tasks: at most ``count``, whose lives together have at most ``max_events`` entries."""
    table = trace.task_table
    order = np.argsort(table.created_ns - table.end_ns, kind="stable")[:count] + 1
    sizes = np.bincount(trace.entries.task, minlength=len(table) + 1) + np.bincount(
        trace.awaits.task, minlength=len(table) + 1
    )
    chosen: list[int] = []
    for number in order.tolist():
        max_events -= 2 * int(sizes[number]) + 2
        if max_events >= 0:
            chosen.append(number)
        else:
            max_events += 2 * int(sizes[number]) + 2
    return chosen


def life(trace: Trace, number: int, frames: Frames) -> Iterator[tuple[str, int, int]]:
    """A task's life as (O or C, frame, ns since it was created), well nested and in order of time."""
    table, entries, awaits = trace.task_table, trace.entries, trace.awaits
    created, end = int(table.created_ns[number - 1]), int(table.end_ns[number - 1])
    spans: list[tuple[int, int, int, int]] = []  # start, end, order at one moment, frame
    for row in np.flatnonzero(entries.task == number).tolist():
        frame = frames.node(int(entries.node[row])) if entries.node[row] >= 0 else frames.add(None, "(other)")
        spans.append((int(entries.start_ns[row]), int(entries.end_ns[row]), 0, frame))
    first, last = np.searchsorted(awaits.task, [number, number + 1]).tolist()
    for row in range(first, last):
        wait = label(trace, *label_key(trace, row))
        spans.append((int(awaits.start_ns[row]), int(awaits.end_ns[row]), 1, frames.wait(wait)))
    spans.sort(key=lambda span: (span[0], span[2]))  # stable: entries of one moment stay in the order they came

    open_: list[tuple[int, int]] = [(end, frames.add(("task", number), f"task {number}: {table.name[number - 1]}"))]
    yield "O", open_[0][1], 0
    now = created
    for begin, over, _, frame in spans:
        while len(open_) > 1 and open_[-1][0] <= begin:
            until, closed = open_.pop()
            now = max(now, until)
            yield "C", closed, now - created
        now = max(now, begin)
        yield "O", frame, now - created
        open_.append((min(over, open_[-1][0]), frame))  # a frame ends with the one below it at the latest
    while open_:
        until, closed = open_.pop()
        now = max(now, until)
        yield "C", closed, now - created
