"""Tasks that are made of steps of async generators (``create_task(gen.__anext__())``): how they end.

Knows what a Task says of itself, and the generator's end of its step.  Knows nothing of how a generator runs.
"""

from ... import events as ev
from . import introspect
from .coroutine import Coro, step_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .coroutines import Coroutines


def finish(coros: "Coroutines", task: Coro, kind: int, exc: BaseException | None, ts: int) -> None:
    """A task made of a step of an async generator has ended: the generator yielded an item (ITEM), or ended."""
    thread = coros.thread
    owner, after = step_of(task, coros.thread.top), thread.top
    step = introspect.coroutine_of(owner)
    aux, message, good = 0, None, kind == ev.RETURN
    if owner is not None:
        thread.ended = id(step)
        thread.ended_id = task.id
        if kind == ev.ITEM:
            good = not introspect.is_aclose(step)
            aux = 0 if good else coros.defs.type_of(RuntimeError)
        else:
            good = introspect.swallows(step, exc)
            aux = 0 if good else coros.defs.type_of(StopAsyncIteration if exc is None else type(exc))
    elif exc is not None:
        aux = coros.defs.type_of(type(exc))
    if good:
        exc = None
    elif exc is not None:
        message = introspect.message_of(exc)
    flags = task.outcome(owner, exc)
    name = task.last_name(owner) if owner is not None else None
    if name is not None:
        coros.put_name(task, name, ts, after)
    coros.put(ev.RETURN if good else ev.RAISE, ts, task.id, aux, after, 0, flags)
    if message:
        coros.put_message(task, message, ts, after)
    coros.remember_failed(task, owner, not good and not flags & ev.CANCELLED)
    coros.drop(task)


def had_turns(coros: "Coroutines") -> None:
    """A loop of this thread begins a round: what was created before its last round began had its turn then.

    Where no frame ran the generator had ended, or ran already: the task failed, and nothing said so.
    """
    for task in [task for task in coros.unrun.values() if task.off == coros.thread.index]:
        if task.closing:
            coros.vanish(task)
        task.closing = True


def finish_unrun(coros: "Coroutines", task: Coro, owner: object) -> None:
    """The same where none of its code ran: if it is done, the Task itself has its outcome."""
    exc, state = introspect.get(owner, "_exception"), introspect.get(owner, "_state")
    if state == "PENDING":
        return
    raised = isinstance(exc, BaseException)
    aux = coros.defs.type_of(type(exc)) if raised else 0
    flags = ev.CANCELLED if state == "CANCELLED" else 0
    message = introspect.message_of(exc) if isinstance(exc, BaseException) else None
    ts = coros.tape.now()
    coros.put(ev.RAISE if raised or flags else ev.RETURN, ts, task.id, aux, coros.thread.top, 0, flags)
    if message:
        coros.put_message(task, message, ts, coros.thread.top)
    coros.remember_failed(task, owner, raised and not flags)
    coros.drop(task)
