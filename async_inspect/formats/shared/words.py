"""Names and arguments of slices and instants, for the timeline formats.

Knows a Trace and ``timeline.py``.  Knows no format.
"""

import re

from ..._version import __version__
from ...model import tables as t
from ...model.figures import unfinished
from ...model.metadata import known_until
from ...model.trace import Trace
from ...support.names import clean
from .stacks import function_of, label, label_key
from .timeline import AWAIT, FRAME, POLL, TASK, Instant, Slice

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # in names: viewers show them as they please

_GOES_ON: list[tuple[str, int | str]] = [("took", "at least so long")]  # what went on when no more is known


def _clean(name: str) -> str:
    return clean(_CONTROL.sub(" ", name)) or "(no name)"


class Words:
    """Names and arguments of slices and instants; cached, as many slices share one name."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._waits: dict[tuple[int, int, int, bool, int], str] = {}
        self._describe = trace.describe
        functions = [function_of(trace, node) for node in range(len(trace.nodes))]
        self._functions = [*functions, t.Function("(other)", "", 0, user=False)]  # the last is that of -1
        self._frames = [_clean(function.name) for function in self._functions]
        self._polls, self._awaits, self._tasks = (
            unfinished.polls(trace),
            unfinished.awaits(trace),
            unfinished.tasks(trace),
        )
        self._places = [trace.place(location) for location in range(len(trace.locations))]

    def function(self, node: int) -> t.Function:
        """The function of a FRAME's node."""
        return self._functions[node]

    def name(self, one: Slice) -> str:
        if one.kind == TASK:
            return _clean(self._trace.task_table.name[one.row])
        if one.kind == POLL:
            return "poll"
        if one.kind == FRAME:
            return self._frames[one.row]
        key = label_key(self._trace, one.row)
        if key not in self._waits:
            self._waits[key] = _clean(label(self._trace, *key).text)
        return self._waits[key]

    def args(self, one: Slice) -> list[tuple[str, int | str]]:
        """A slice's arguments; values that many slices share are strings, numbers are the slice's own."""
        trace = self._trace
        if one.kind == FRAME:
            function = self._functions[one.row]
            return [("defined", f"{function.file}:{function.line}")] if function.file else []
        if one.kind == POLL:
            number = int(trace.polls.task[one.row])
            process = trace.processes[trace.task_table.process[number - 1]]
            task, thread = ("task", number), int(trace.polls.thread[one.row]) - process.thread
            return [task, *[("thread", thread)] * (thread > 0), *_GOES_ON * bool(self._polls[one.row])]
        if one.kind == AWAIT:
            awaits = trace.awaits
            found: list[tuple[str, int | str]] = [("task", int(awaits.task[one.row]))]
            leaf, awaited = int(awaits.leaf_location[one.row]), int(awaits.awaited_task[one.row])
            if leaf != awaits.location[one.row]:
                found.append(("leaf", self._places[leaf] or "?"))
            return [*found, *[("awaited_task", awaited)] * (awaited > 0), *_GOES_ON * bool(self._awaits[one.row])]
        table, row = trace.task_table, one.row
        args_: list[tuple[str, int | str | None]] = [
            ("task", row + 1),
            ("state", t.SHOWN_STATES[table.state[row]]),
            ("kind", trace.functions[table.function[row]].name if table.function[row] >= 0 else None),
            ("parent", int(table.parent[row]) or None),
            ("location", trace.place(int(table.location[row]))),
            ("polls", int(table.polls[row])),
            ("run_ns", int(table.run_ns[row])),
            ("error", table.error.get(row)),
            ("tags", " ".join(table.tags[row]) if row in table.tags else None),
        ]
        return [*((key, value) for key, value in args_ if value is not None), *_GOES_ON * bool(self._tasks[row])]

    def instant(self, task: int, one: Instant) -> tuple[str, list[tuple[str, int | str]]]:
        """An instant's name and its arguments."""
        args_: list[tuple[str, int | str]] = [("task", task)] if task else []
        if one.kind == t.INSPECTION_POINT:
            points = self._trace.points
            return _clean(points.label[one.row]), [*args_, ("message", points.message[one.row])]
        return t.EVENT_KINDS[one.kind], [*args_, ("details", self._describe(one.kind, task, one.row))]


def trace_args(trace: Trace) -> dict[str, str | int]:
    """The arguments of the whole trace."""
    meta = trace.meta
    args_: dict[str, str | int] = {
        "exporter": f"async-inspect@{__version__}",
        "python": meta.python,
        "pid": meta.pid,
        "started_unix_ns": str(meta.started_unix_ns),  # more than a double holds
        "duration_ns": meta.duration_ns,
        "tasks": len(trace.task_table),
        "records": meta.records,
        "lost": meta.lost,
        "core": meta.core,
        "detail": meta.detail,
    }
    if until := known_until(trace):
        args_ |= {"known_until": until}
    if trace.inexact:
        args_["inexact"] = "; ".join(trace.inexact)
    return args_ | {"filter": meta.filter} if meta.filter else args_


def labels(trace: Trace) -> list[str]:
    """The same as labels of a process, "key: value"."""
    return [f"{key}: {value}" for key, value in trace_args(trace).items()]
