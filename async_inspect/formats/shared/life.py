"""A task's lifetime as frames that open and close: its calls, and on top of them what it waited for.

Knows: how entries and awaits nest; and that where only roots were heard, the frames of a chain are known while it
waits, and those of a poll are not.  Knows nothing of how a format numbers its frames.
"""

from collections.abc import Iterator
from functools import cache
from typing import Protocol

import numpy as np

from ...model.grouping import sums
from ...model.trace import Trace
from .stacks import DEEPEST, Wait, depths, label, label_key, path


class Frames(Protocol):
    """Numbers of frames, as a format assigns them."""

    def add(self, key: object, name: str) -> int: ...
    def node(self, node: int) -> int: ...
    def wait(self, wait: Wait) -> int: ...


def longest_tasks(trace: Trace, count: int, max_events: int) -> list[int]:
    """The longest-lived tasks: at most ``count``, whose lives together have at most ``max_events`` entries."""
    table = trace.task_table
    order = np.argsort(table.created_ns - table.end_ns, kind="stable")[:count] + 1
    of, awaits = len(table) + 1, trace.awaits
    deep = np.minimum(np.append(depths(trace), 0), DEEPEST)[awaits.leaf_node]  # the last is that of -1
    frames = np.where(trace.calls_heard[awaits.task], 1, deep)
    sizes = np.bincount(trace.entries.task, minlength=of) + sums(awaits.task, frames, of)
    sizes += np.where(trace.calls_heard, 0, np.bincount(trace.polls.task, minlength=of))
    chosen: list[int] = []
    for number in order.tolist():
        max_events -= 2 * int(sizes[number]) + 2
        if max_events >= 0:
            chosen.append(number)
        else:
            max_events += 2 * int(sizes[number]) + 2
    return chosen


def _not_divided(trace: Trace, number: int, frames: Frames) -> Iterator[tuple[int, int, int, int]]:
    """The polls of a task of which only the root was heard, as spans (start, end, order at one moment, frame)."""
    entries, polls, inside = trace.entries, trace.polls, trace.not_divided
    for row in np.flatnonzero(entries.task == number).tolist():
        begin, end, node = int(entries.start_ns[row]), int(entries.end_ns[row]), int(inside[entries.node[row]])
        for poll in range(int(entries.first_poll[row]), int(entries.last_poll[row]) + 1) if node >= 0 else ():
            start, over = max(int(polls.start_ns[poll]), begin), min(int(polls.end_ns[poll]), end)
            yield start, over, 1, frames.node(node)


def life(trace: Trace, number: int, frames: Frames) -> Iterator[tuple[str, int, int]]:
    """A task's life as (O or C, frame, ns since it was created), well nested and in order of time."""
    table, entries, awaits = trace.task_table, trace.entries, trace.awaits
    created, end = int(table.created_ns[number - 1]), int(table.end_ns[number - 1])
    spans: list[tuple[int, int, int, int]] = []  # start, end, order at one moment, frame
    for row in np.flatnonzero(entries.task == number).tolist():
        frame = frames.node(int(entries.node[row])) if entries.node[row] >= 0 else frames.add(None, "(other)")
        spans.append((int(entries.start_ns[row]), int(entries.end_ns[row]), 0, frame))
    first, last = np.searchsorted(awaits.task, [number, number + 1]).tolist()
    heard = bool(trace.calls_heard[number])
    if not heard:
        spans += _not_divided(trace, number, frames)

    @cache
    def chain(leaf: int) -> list[int]:
        """The frames below the root's, at most DEEPEST."""
        return [frames.node(node) for node in path(trace, leaf)[1 : DEEPEST + 1]]

    for row in range(first, last):
        start, over = int(awaits.start_ns[row]), int(awaits.end_ns[row])
        if not heard:
            spans += [(start, over, 1, frame) for frame in chain(int(awaits.leaf_node[row]))]
        spans.append((start, over, 1, frames.wait(label(trace, *label_key(trace, row)))))
    # Stable: entries of one moment stay in the order they came, and so do frames of one chain.
    spans.sort(key=lambda span: (span[0], span[2], span[1] if span[2] else 0))

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
