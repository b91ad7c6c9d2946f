"""Coroutines that nobody awaited, tasks that failed unheard or were destroyed: what asyncio itself says of them.

Knows where asyncio says so, and the records that come of it.  Standard library only.
"""

from types import CoroutineType

from ... import events as ev
from . import introspect as ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from .probes import Probes


class Troubles:
    """Those of a recorder."""

    def __init__(self, probes: "Probes") -> None:
        self.probes = probes

    def never_awaited(self, frame: "FrameType") -> None:
        probes = self.probes
        made = frame.f_locals.get("coro")
        if type(made) is CoroutineType:
            code = probes.defs.code_of(made.cr_code)
            site = probes.defs.site_of(frame.f_back)
            probes.put(ev.TROUBLE, probes.tape.now(), 0, code.id, site, ev.NEVER_AWAITED)

    def handler(self, frame: "FrameType") -> None:
        """A loop's exception handler is called: asyncio found that a task failed unheard, or is gone."""
        probes = self.probes
        context = frame.f_locals.get("context")
        message = context.get("message") if type(context) is dict else None
        if type(context) is not dict or type(message) is not str:
            return
        gone = message == "Task was destroyed but it is pending!"
        if not gone and not message.endswith("exception was never retrieved"):
            return
        task = context.get("task" if gone else "future")
        number = probes.coros.id_of(task) if ask.is_task(task) else 0
        probes.unrun(task, probes.coro_of(task))
        exc = None if gone else context.get("exception")
        kind = probes.defs.type_of(type(exc)) if exc is not None else 0
        probes.put(ev.TROUBLE, probes.tape.now(), number, kind, 0, ev.DESTROYED if gone else ev.NEVER_RETRIEVED)
