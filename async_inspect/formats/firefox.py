"""firefox.json: the Firefox Profiler's processed profile, with samples and markers.

Knows: that format, version 47, which later versions of the profiler upgrade by themselves:
https://github.com/firefox-devtools/profiler/blob/main/docs-developer/CHANGELOG-formats.md

The first thread holds all tasks, merged: its samples weigh what the stacks took, and are laid out one after another
over the recording's time (their place there says nothing), its markers are the tasks' lifetimes and the inspection
points.  The longest tasks have a thread each, whose samples and markers stand where they happened.  Times are
milliseconds since the recording began, weights milliseconds; ``round(ms * 1e6)`` is the nanosecond.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np

from .._version import __version__
from ..model import tables as t
from ..model.text import on_one_line
from ..model.trace import Trace
from .shared.life import life, longest_tasks
from .shared.stacks import Wait, deeper, function_of, label, label_key, stacks

VERSION = 47
OTHER, RAN, WAITED = 0, 1, 2
CATEGORIES: Final = (("Other", "grey"), ("Ran", "orange"), ("Waited", "blue"))
INSTANT, INTERVAL = 0, 1
MAX_MARKERS = 100_000  # of all tasks' lifetimes
DISPLAY = ["marker-chart", "marker-table", "timeline-overview"]
SCHEMA: Final = {
    "Task": {"name": "string", "state": "string", "id": "integer", "polls": "integer", "ran": "milliseconds"},
    "Await": {"what": "string"},
    "Point": {"label": "string", "message": "string"},
}


class Marker(NamedTuple):
    kind: str  # of SCHEMA
    start_ns: int
    end_ns: int | None  # None: a moment
    category: int
    data: dict[str, str | int | float]


def write(trace: Trace, *, longest: int = 20, max_events: int = 200_000) -> Iterator[bytes]:
    """``longest``: how many tasks have a thread, as long as these have ``max_events`` samples together at most."""
    yield b'{"meta":' + _json(_meta(trace)) + b',\n"libs":[],"pages":[],\n"threads":[\n'
    yield from _merged(trace)
    for number in longest_tasks(trace, longest, max_events):
        yield b",\n"
        yield from _of_task(trace, number)
    yield b"\n]}\n"


def _merged(trace: Trace) -> Iterator[bytes]:
    tables = _Tables(trace)
    thread = _Thread("all tasks, merged", trace, 0, trace.meta.duration_ns)
    found = [stack for stack in stacks(trace) if stack.ns]
    scale = trace.meta.duration_ns / max(sum(stack.ns for stack in found), 1)
    now = 0
    for stack in found:
        at = tables.nodes(stack.node)
        if stack.deeper:
            at = tables.under(at, tables.function(deeper(trace)))
        thread.sample(int(now * scale), tables.under(at, tables.wait(stack.wait)) if stack.wait else at, stack.ns)
        now += stack.ns
    yield from thread.written(tables, chain(_lifetimes(trace), _points(trace, None)))


def _of_task(trace: Trace, number: int) -> Iterator[bytes]:
    table, tables = trace.task_table, _Tables(trace)
    created, end = int(table.created_ns[number - 1]), int(table.end_ns[number - 1])
    thread = _Thread(f"task {number}: {on_one_line(table.name[number - 1])}", trace, number, end)
    open_: list[int | None] = [None]  # stacks
    since = 0
    for kind, frame, at in life(trace, number, tables):
        if at > since:
            thread.sample(created + since, open_[-1], at - since)
            since = at
        if kind == "O":
            open_.append(tables.under(open_[-1], frame))
        else:
            open_.pop()
    yield from thread.written(tables, chain(_awaits(trace, number), _points(trace, number)))


# --- what markers there are ------------------------------------------------------------------------------------------


def _lifetimes(trace: Trace) -> Iterator[Marker]:
    table = trace.task_table
    for row in range(min(len(table), MAX_MARKERS)):
        data: dict[str, str | int | float] = {
            "name": on_one_line(table.name[row]),
            "state": t.SHOWN_STATES[table.state[row]],
            "id": row + 1,
            "polls": int(table.polls[row]),
            "ran": int(table.run_ns[row]) / 1e6,
        }
        yield Marker("Task", int(table.created_ns[row]), int(table.end_ns[row]), OTHER, data)


def _awaits(trace: Trace, number: int) -> Iterator[Marker]:
    awaits = trace.awaits
    for row in range(*np.searchsorted(awaits.task, [number, number + 1]).tolist()):
        data: dict[str, str | int | float] = {"what": on_one_line(label(trace, *label_key(trace, row)).text)}
        yield Marker("Await", int(awaits.start_ns[row]), int(awaits.end_ns[row]), WAITED, data)


def _points(trace: Trace, number: int | None) -> Iterator[Marker]:
    points = trace.points
    rows = range(len(points)) if number is None else np.flatnonzero(points.task == number).tolist()
    for row in rows[:MAX_MARKERS]:
        data: dict[str, str | int | float] = {
            "label": on_one_line(points.label[row]),
            "message": on_one_line(points.message[row]),
        }
        yield Marker("Point", int(points.ts_ns[row]), None, OTHER, data)


# --- the file format -------------------------------------------------------------------------------------------------


def _meta(trace: Trace) -> dict[str, Any]:
    meta = trace.meta
    program = " ".join(meta.argv) or meta.executable or "async-inspect"
    return {
        "interval": 1,
        "startTime": meta.started_unix_ns / 1e6,
        "processType": 0,
        "product": f"{program} ({trace.caveat})" if trace.caveat else program,
        "importedFrom": f"async-inspect {__version__}",
        "stackwalk": 0,
        "version": 29,
        "preprocessedProfileVersion": VERSION,
        "symbolicated": True,
        "usesOnlyOneStackType": True,
        "doesNotUseFrameImplementation": True,
        "sourceCodeIsNotOnSearchfox": True,
        "keepProfileThreadOrder": True,
        "initialSelectedThreads": [0],
        "categories": [{"name": name, "color": colour, "subcategories": ["Other"]} for name, colour in CATEGORIES],
        "markerSchema": [
            {
                "name": kind,
                "display": DISPLAY,
                "chartLabel": "{marker.data." + next(iter(fields)) + "}",
                "tableLabel": "{marker.data." + next(iter(fields)) + "}",
                "tooltipLabel": kind,
                "data": [{"key": key, "label": key, "format": how, "searchable": True} for key, how in fields.items()],
            }
            for kind, fields in SCHEMA.items()
        ],
    }


class _Tables:
    """A thread's strings, functions and stacks, each once.  A function and its frame have one number."""

    def __init__(self, trace: Trace) -> None:
        self.strings: dict[str, int] = {}
        self._trace = trace
        self._frames: dict[tuple[str, str, int, int], int] = {}  # name, file, line, category
        self._stacks: dict[tuple[int | None, int], int] = {}
        self._of_node: dict[int, int] = {}
        self._categories: list[int] = []

    def string(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))

    def add(self, key: object, name: str) -> int:  # noqa: ARG002 - frames of one name are one here
        return self._frame(on_one_line(name), "", 0, OTHER)

    def node(self, node: int) -> int:
        return self.function(function_of(self._trace, node))

    def function(self, function: t.Function) -> int:
        return self._frame(function.name, function.file, function.line, RAN)

    def wait(self, wait: Wait) -> int:
        return self._frame(wait.text, wait.file, wait.line, WAITED)

    def _frame(self, name: str, file: str, line: int, category: int) -> int:
        return self._frames.setdefault((on_one_line(name), file, line, category), len(self._frames))

    def under(self, stack: int | None, frame: int) -> int:
        """The stack of this frame on top of another stack."""
        return self._stacks.setdefault((stack, frame), len(self._stacks))

    def nodes(self, node: int) -> int:
        """The stack from the root down to this node."""
        steps, at = [], node
        while at >= 0 and at not in self._of_node:
            steps.append(at)
            at = int(self._trace.nodes.parent[at])
        stack = self._of_node.get(at)
        for step in reversed(steps):
            stack = self._of_node[step] = self.under(stack, self.node(step))
        assert stack is not None
        return stack

    def columns(self) -> Iterator[tuple[str, dict[str, Any]]]:
        frames, stacks_ = list(self._frames), list(self._stacks)
        size, places = len(frames), [(line or None) for _, _, line, _ in frames]
        categories = [category for *_, category in frames]
        yield (
            "stackTable",
            {
                "frame": [frame for _, frame in stacks_],
                "prefix": [prefix for prefix, _ in stacks_],
                "category": [categories[frame] for _, frame in stacks_],
                "subcategory": [0] * len(stacks_),
                "length": len(stacks_),
            },
        )
        yield (
            "frameTable",
            {
                "address": [-1] * size,
                "inlineDepth": [0] * size,
                "category": categories,
                "subcategory": [0] * size,
                "func": list(range(size)),
                "nativeSymbol": [None] * size,
                "innerWindowID": [0] * size,
                "implementation": [None] * size,
                "line": places,
                "column": [None] * size,
                "length": size,
            },
        )
        yield (
            "funcTable",
            {
                "name": [self.string(name) for name, *_ in frames],
                "isJS": [False] * size,
                "relevantForJS": [False] * size,
                "resource": [-1] * size,
                "fileName": [self.string(file) if file else None for _, file, *_ in frames],
                "lineNumber": places,
                "columnNumber": [None] * size,
                "length": size,
            },
        )
        yield "resourceTable", {"lib": [], "name": [], "host": [], "type": [], "length": 0}
        yield "nativeSymbols", {"libIndex": [], "address": [], "name": [], "functionSize": [], "length": 0}


class _Thread:
    """A thread of the profile: its samples, and how it is written."""

    def __init__(self, name: str, trace: Trace, number: int, end_ns: int) -> None:
        process = trace.processes[trace.task_table.process[number - 1]] if number else trace.processes[0]
        one = len(trace.processes) == 1
        self._head: dict[str, object] = {
            "processType": "default",
            "processName": "async-inspect" if one else process.command if number else "all processes",
            "processStartupTime": process.start_ns / 1e6,
            "processShutdownTime": None,
            "registerTime": 0,
            "unregisterTime": end_ns / 1e6,
            "pausedRanges": [],
            "name": name,
            "isMainThread": not number,
            "showMarkersInTimeline": True,
            "pid": str(process.pid) if one or number else "all",
            "tid": number,
        }
        self._stack: list[int | None] = []
        self._time: list[float] = []
        self._weight: list[float] = []

    def sample(self, start_ns: int, stack: int | None, ns: int) -> None:
        self._stack.append(stack)
        self._time.append(start_ns / 1e6)
        self._weight.append(ns / 1e6)

    def written(self, tables: _Tables, markers: Iterable[Marker]) -> Iterator[bytes]:
        yield _json(self._head)[:-1]
        columns = {"stack": self._stack, "time": self._time, "weight": self._weight, "length": len(self._stack)}
        yield b',\n"samples":' + _json({"weightType": "tracing-ms", **columns})
        ordered = sorted(markers, key=lambda marker: marker.start_ns)
        yield b',\n"markers":' + _json(
            {
                "data": [{"type": marker.kind, **marker.data} for marker in ordered],
                "name": [tables.string(marker.kind) for marker in ordered],
                "startTime": [marker.start_ns / 1e6 for marker in ordered],
                "endTime": [None if marker.end_ns is None else marker.end_ns / 1e6 for marker in ordered],
                "phase": [INSTANT if marker.end_ns is None else INTERVAL for marker in ordered],
                "category": [marker.category for marker in ordered],
                "length": len(ordered),
            }
        )
        for name, table in tables.columns():
            yield f',\n"{name}":'.encode() + _json(table)
        yield b',\n"stringArray":' + _json(list(tables.strings)) + b"}"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
