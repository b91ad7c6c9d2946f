"""Waits for many tasks at once: gather, task groups, shield.

Knows how to find the tasks, and the records that say so.  Knows nothing of which functions wait so (``sources/``).
"""

from ... import events as ev
from . import introspect
from .coroutine import Coro
from .objects import Objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from .probes import Probes

_MAX_FRESH = 8


class Edges:
    """The edges of a recorder."""

    def __init__(self, probes: "Probes") -> None:
        self.probes = probes
        self.shields = Objects(probes.tape.lose)  # worth to ask the future itself

    def begins(self, frame: "FrameType", actions: int, value: object) -> None:
        """A generator: the tasks it waits for are known when it first yields."""
        stack, below = set(), frame.f_back
        while below is not None:
            stack.add(id(below))
            below = below.f_back
        # One that raised before it yielded is not on the stack any more.
        fresh = tuple(each for each in self.probes.thread.fresh if each in stack)
        if len(fresh) < _MAX_FRESH:
            fresh += (id(frame),)
        else:
            self.probes.tape.lose()
        self.probes.thread.fresh = fresh

    def was_fresh(self, frame: "FrameType") -> bool:
        """Whether it was, which it is no more."""
        fresh = self.probes.thread.fresh
        if id(frame) not in fresh:
            return False
        self.probes.thread.fresh = fresh[: fresh.index(id(frame))]
        return True

    def on_yield(self, frame: "FrameType") -> None:
        if self.was_fresh(frame) and self.probes.thread.top is not None:
            self.to_all(self.probes.thread.top.root, many_of(frame), 0)

    def ends(self, frame: "FrameType", actions: int, value: object) -> None:
        """It, without having yielded."""
        self.was_fresh(frame)

    def wait_for_many(self, frame: "FrameType", actions: int, value: object) -> None:
        if self.probes.thread.top is not None:
            self.to_all(self.probes.thread.top.root, many_of(frame), 0)

    def shield(self, frame: "FrameType", actions: int, outer: object) -> None:
        if frame.f_locals.get("inner") is not outer:
            self.shields.set(id(outer), 1, outer)

    def to(self, waits: Coro, value: object, depth: int = 0) -> None:
        """``waits`` awaits ``value``, which may gather others."""
        if depth > introspect.MAX_GATHERED:
            return
        if introspect.is_task(value) or introspect.is_trio_task(value):
            self.put(waits, self.probes.coro_of(value))
        elif introspect.is_gathering(value):
            self.to_all(waits, introspect.get(value, "_children"), depth + 1)
        elif self.shields.get(id(value)):
            inner = introspect.shielded(value)
            if inner is not None:
                self.to(waits, inner, depth + 1)

    def to_all(self, waits: Coro, many: object, depth: int) -> None:
        if type(many) in (list, set, frozenset, tuple):
            members: tuple[object, ...] = tuple(many)  # type: ignore[arg-type]
            for value in members:
                self.to(waits, value, depth)

    def put(self, waits: Coro | None, awaited: Coro | None) -> None:
        if waits is not None and awaited is not None and waits is not awaited:
            ts = self.probes.thread.moment or self.probes.tape.now()
            self.probes.put(ev.EDGE, ts, waits.id, awaited.id)


def many_of(frame: "FrameType") -> object:
    """The local variable that holds what a function waits for all of."""
    values = frame.f_locals
    return values["todo"] if "todo" in values else values.get("fs")
