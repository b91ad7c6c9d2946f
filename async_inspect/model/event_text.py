"""The details of an event as text: ``key=value, …``, as exports have it.

Knows which keys an event of each kind has, in which order.  Fast enough for a million events.
"""

from collections.abc import Callable

from . import tables as t
from .data import TraceData
from .figures import cancelled_waits
from .reasons import coded
from .text import exact_ms, on_one_line

type Describe = Callable[[int], str]  # of a row


def describer(trace: TraceData) -> Callable[[int, int, int], str]:
    """A function (kind, task, row) -> ``details``."""
    tasks, points = trace.task_table, trace.points
    names = [on_one_line(name) for name in tasks.name]
    places = [trace.place(i) or "?" for i in range(len(trace.locations))]
    started, ended = _awaits(trace, places)

    def spawned(row: int) -> str:
        parent, place = int(tasks.parent[row]), int(tasks.location[row])
        more = ", created_before_recording=true" if tasks.before[row] else ""
        return f"name={names[row]}, parent={parent or 'None'}, location={places[place] if place >= 0 else 'None'}{more}"

    def describe(kind: int, number: int, row: int) -> str:
        if kind in (t.POLL_STARTED, t.POLL_ENDED):
            return f"name={names[number - 1]}"
        if kind == t.AWAIT_STARTED:
            return f"name={names[number - 1]}, {started(row)}"
        if kind == t.AWAIT_ENDED:
            return f"name={names[number - 1]}, {ended(row)}"
        return rare[kind](row)

    rare: dict[int, Describe] = {
        t.TASK_SPAWNED: spawned,
        t.TASK_COMPLETED: lambda row: f"name={names[row]}",
        t.TASK_FAILED: lambda row: f"name={names[row]}, error={on_one_line(tasks.error.get(row, '?'))}",
        t.TASK_CANCELLED: lambda row: f"name={names[row]}",
        t.STATE_CHANGED: lambda row: f"name={names[row]}, state={t.STATES[tasks.state[row]]}, reason=closed",
        t.INSPECTION_POINT: lambda row: (
            f"label={on_one_line(points.label[row])}, message={on_one_line(points.message[row])}"
        ),
    }
    return describe


def _awaits(trace: TraceData, places: list[str]) -> tuple[Describe, Describe]:
    """(details of an await's start, details of its end), by row."""
    awaits, strings = trace.awaits, trace.strings
    functions = [trace.functions[f].name for f in trace.locations.function.tolist()]
    words, codes = coded(trace)
    point, leaf, kind_of, task_of = awaits.location, awaits.leaf_location, awaits.awaited, awaits.awaited_task
    resources = [trace.resource(row, made=False) for row in range(len(trace.resources))]
    resource, due, woken_by, waker = awaits.resource, awaits.due_ns, awaits.woken_by, awaits.waker
    scopes, scope = cancelled_waits.scopes(trace)
    start, end, least, most = awaits.start_ns, awaits.end_ns, awaits.ready_ns, awaits.ready_most_ns

    def both(row: int) -> str:
        place, inner = int(point[row]), int(leaf[row])
        other, kind = int(task_of[row]), int(kind_of[row])
        what = f"task {other}" if other else strings[kind] if kind >= 0 else "yield"
        text = f"location={places[place]}, function={functions[place]}, awaiting={what}"
        if (why := words[codes[row]]) not in ("", "task", "yield"):
            text = f"{text}, reason={why}"
        return text if inner == place else f"{text}, leaf={functions[inner]} at {places[inner]}"

    def started(row: int) -> str:
        text = both(row)
        if (which := int(resource[row])) >= 0:
            text = f"{text}, resource={resources[which]}"
        if (when := int(due[row])) >= 0:
            text = f"{text}, due_in={exact_ms(max(0, when - int(start[row])))}ms"
        return text

    def ended(row: int) -> str:
        text = both(row)
        if how := t.WAKERS[woken_by[row]]:
            text = f"{text}, woken_by={how} {waker[row]}" if waker[row] else f"{text}, woken_by={how}"
        if (which := int(scope[row])) >= 0:
            text = f"{text}, cancelled_by={scopes[which].name}"
        return text + _ready(int(least[row]), int(most[row]), int(end[row] - start[row]))

    return started, ended


def _ready(least: int, most: int, wait: int) -> str:
    """For how long it was ready."""
    if least < 0:
        return ""
    most = wait if most < 0 else most
    return f", ready={exact_ms(least)}{'' if least == most else f'..{exact_ms(most)}'}ms"
