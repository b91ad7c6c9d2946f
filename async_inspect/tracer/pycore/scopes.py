"""Cancel scopes and timeouts: the twin of what core/wakes.c and core/waits.c do with SCOPE.

Knows where each scope was made, and which one is being cancelled.  Standard library only.
"""

from ... import events as ev
from ..actions import MADE, SCOPE
from .objects import Objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from .coroutine import Coro
    from .probes import Probes


class Scopes:
    """The cancel scopes of a recorder."""

    def __init__(self, probes: "Probes") -> None:
        self.probes = probes
        self.sites = Objects(probes.tape.lose)  # where each was made
        self.cancelled: object = None  # on whose behalf the cause that was found last is, until the record of it

    def made(self, scope: object, site: int) -> None:
        self.sites.set(id(scope), site, scope)

    def look(self, frame: "FrameType", wanted: int) -> None:
        """A frame on the way to the cause of a wake-up: whether it cancels a scope; the innermost counts."""
        if wanted & SCOPE and not wanted & MADE and self.cancelled is None:
            values = frame.f_locals
            origin = values.get("origin")
            self.cancelled = values.get("self") if origin is None else origin

    def put(self, coro: "Coro", ts: int) -> None:
        """A suspended task was woken."""
        scope, self.cancelled = self.cancelled, None  # nothing of the program's is kept
        if scope is not None:
            kind = self.probes.defs.type_of(type(scope))
            self.probes.put(ev.CANCEL, ts, coro.id, kind, self.sites.get(id(scope)))
