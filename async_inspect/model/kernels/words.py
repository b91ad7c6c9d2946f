"""Texts for a task, its error, a place, a resource and a wait, the same in reports and in the live view."""

from collections.abc import Mapping, Sequence
from typing import Final

from .. import tables as t

SAYS_ITSELF: Final = ("", "task")
SAYS_IT: Final = ("lock", "event", "condition", "semaphore", "barrier")  # reasons that are a resource's name
HOLDERS: Final = 3  # that are named


def task_name(names: Mapping[int, str], coro: int, function: str) -> str:
    """The name that the program gave, by the id of the task, or that of its root coroutine's function."""
    return names.get(coro, function)


def error(kind: str, message: str | None) -> str:
    """ "ValueError: message" """
    return f"{kind}: {message}" if message else kind


def task(number: int, name: str) -> str:
    return f"task {number} ({name})"


def place(function: t.Function, line: int) -> str:
    """ "file:line"; "file:?" where the line isn't known."""
    return f"{function.file}:{line or '?'}"


def resource(kind: str, which: str, made: str | None) -> str:
    """ "Lock 3 (made at app.py:12)" of a kind as ``tables.Resources`` has it; ``which``: the recording's id, mostly."""
    type_, _, part = kind.partition(" ")
    name = " ".join(filter(None, (type_.rpartition(".")[2], which, part)))
    return f"{name} (made at {made})" if made else name


def why(
    reason: str,
    awaiting: str,
    resource: str = "",
    holders: Sequence[int] = (),
    itself: int = 0,
    timer: str | None = None,
) -> str:
    """Why a task waits: the reason (``reasons/``), what it awaits (``TraceData.awaiting``), the resource, and the tasks
    that hold that.  ``itself``: the task.  ``timer``: how long it sleeps; "": that is over; None: it doesn't.
    "": not known."""
    if timer is not None and reason in ("", "timer"):
        return f"sleeping for {timer}" if timer else "its timer is due"
    what = resource or (awaiting if reason in SAYS_ITSELF else "")
    word = "" if reason in SAYS_ITSELF or (resource and reason in SAYS_IT) else reason
    what_for = " ".join(filter(None, (word, what))) or awaiting
    if not holders or not resource:
        return what_for
    held = ", ".join(f"task {one}" if one != itself else "itself" for one in holders[:HOLDERS])
    return f"{what_for}, held by {held}{', …' * (len(holders) > HOLDERS)}"


def hold(resource: str, taken_at: str | None, since: str) -> str:
    return f"holds {resource}, taken at {taken_at}, since {since}"
