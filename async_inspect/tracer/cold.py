"""Rare actions (``actions.py``), implemented once, in Python, for both cores.

Knows which local variables of the called function each action reads, and the records that it writes.  Knows nothing of
how a core finds an id or writes: what it uses of the core is in ``_core.pyi``, under "for cold.py".  Standard library
only.

An action belongs here if no program triggers it once a task or once an await.  Our events are off meanwhile, and the
core is in a consistent state: other threads may run, and signal handlers.
"""

from .. import events as ev
from . import actions as act
from .errors import is_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, ModuleType

_DESTROYED = "Task was destroyed but it is pending!"
_NEVER_RETRIEVED = "exception was never retrieved"


def never_awaited(core: "ModuleType", frame: "FrameType") -> None:
    """A coroutine was never awaited."""
    code = core.get(frame.f_locals.get("coro"), "cr_code")
    if type(code) is type(frame.f_code):
        core.put(ev.RUNTIME_WARNING, 0, code, frame.f_back or 0, ev.NEVER_AWAITED)


def exception_handler(core: "ModuleType", frame: "FrameType") -> None:
    """A loop's exception handler was called: for an exception never retrieved, or a task destroyed while pending."""
    context = frame.f_locals.get("context")
    message = context.get("message") if type(context) is dict else None
    if type(context) is not dict or type(message) is not str:
        return
    if message == _DESTROYED:
        core.put(ev.RUNTIME_WARNING, context.get("task"), 0, 0, ev.DESTROYED)
    elif message.endswith(_NEVER_RETRIEVED):
        exc = context.get("exception")
        core.put(ev.RUNTIME_WARNING, context.get("future"), type(exc) if exc is not None else 0, 0, ev.NEVER_RETRIEVED)


def moves(core: "ModuleType", frame: "FrameType") -> None:
    """``status.started()`` in trio: the task moves to another nursery, with all others in its old one."""
    status = frame.f_locals.get("self")
    owner = core.get(core.get(status, "_new_nursery"), "_parent_task")
    children = core.get(core.get(status, "_old_nursery"), "_children")
    if type(children) in (set, frozenset, list, tuple):
        for child in tuple(children):
            core.edge(owner, child)


def is_member(core: "ModuleType", frame: "FrameType") -> None:
    """A task of asyncio's was made in a task group of anyio's."""
    values = frame.f_locals
    owner = core.get(core.get(values.get("self"), "cancel_scope"), "_host_task")
    core.edge(owner, values.get("task"))


ACTIONS: "dict[int, Callable[[ModuleType, FrameType], object]]" = {
    act.NEVER: never_awaited,
    act.HANDLER: exception_handler,
    act.MOVE: moves,
    act.MEMBER: is_member,
}


def handler(
    core: "ModuleType", on_process: "Callable[[FrameType], object] | None"
) -> "Callable[[int, FrameType], None]":
    """The function that the core calls with an action and the called function's frame.

    It re-raises only exceptions of the program's, such as KeyboardInterrupt.  ``on_process``: implements PROCESS.
    """

    def do(action: int, frame: "FrameType") -> None:
        try:
            if action == act.PROCESS:
                if on_process is not None:
                    on_process(frame)
            else:
                ACTIONS[action](core, frame)
        except BaseException as exc:
            if not is_ours(exc):
                raise
            core.lose()

    return do
