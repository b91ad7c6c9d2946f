"""The detail ``awaits``: of coroutines only roots have an id and are written about; a root's suspension says its chain.

Hears the same events, and keeps whole chains, as at ``calls``: what is here is what of that is written, and as whom.
The C core hears roots alone and reads a chain off the frames (core/awaits.c, core/chains.c): that both write the same
is what either is tested by.
"""

from ... import events as ev
from .. import actions as act
from . import introspect
from .coroutine import Coro
from .coroutines import ASYNC, Coroutines
from .definitions import CO_ASYNC_GENERATOR
from .recorder import Recorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FrameType


class RootCoroutines(Coroutines):
    """What is awaited has no id, and counts as its root."""

    def __init__(self, *of: object) -> None:
        super().__init__(*of)  # type: ignore[arg-type]
        self.chains: dict[tuple[int, int, int], int] = {}
        self.chain_ids = 0

    def new(self, key: int, code: "CodeType") -> Coro:
        coro = self.live[key] = Coro(0, key, self.defs.entry_of(code))
        return coro

    def of(self, made: object) -> Coro | None:
        coro = super().of(made)
        return coro if coro is not None and coro.id else None

    def number(self, coro: Coro) -> None:
        super().number(coro)
        self.defs.define_once(coro.code)

    def is_told(self, coro: Coro, awaiter: Coro | None = None) -> bool:
        return awaiter is None and bool(coro.id or coro.closing)

    def told_as(self, coro: Coro) -> Coro:
        root = coro.root
        return root.child if root.step and root.child is not None else root

    def node_for(self, coro: Coro, awaiter: Coro | None) -> int:
        return super().node_for(coro, None) if awaiter is None else 0

    def put(self, kind: int, ts: int, coro: int, aux: int, after: Coro | None, off: int, flags: int = 0) -> None:
        if ts:
            aux = coro if kind == ev.RESUME else aux
            super().put(kind, ts, coro, aux, self.told_as(after) if after is not None else None, off, flags)

    def put_throw(self, coro: Coro, aux: int, off: int) -> None:
        super().put_throw(self.told_as(coro), aux, 0)

    def open(self, frame: "FrameType", flags: int, thrown: bool = False) -> Coro:
        coro = super().open(frame, flags, thrown)
        if thrown:  # what an exception goes through was suspended, and is so again if the one it comes to yields
            coro.off = self.defs.suspended_at(frame)
            if coro.awaiter is not None:
                coro.awaiter.child = coro
        return coro

    def enter(self, coro: Coro, awaiter: Coro | None, flags: int) -> None:
        if awaiter is not None or coro.id:
            super().enter(coro, awaiter, flags)
            return
        before, coro.awaiter = coro.awaiter, None  # it was awaited until now, and is seen for the first time
        if before is not None and before.child is coro:
            before.child = None
        self.begin(coro, None, flags | ev.BEFORE)
        leaf = coro
        while leaf.child is not None:
            leaf = leaf.child
            leaf.root = coro.root
        self.thread.resume, self.thread.top = coro.child, leaf

    def running(self, frame: "FrameType") -> Coro:
        top, coro = self.thread.top, self.live.get(id(frame))
        if coro is None or top is None or self.told_as(top) is not coro or top is coro:
            return super().running(frame)
        coro.child = None  # it runs already, and what it awaited let go of it unseen
        self.thread.top = coro
        return coro

    def end_burst(self) -> None:
        last = self.thread.spawned, self.thread.sleeper
        super().end_burst()
        self.thread.spawned, self.thread.sleeper = last  # only a root's event is the next one

    def drop(self, coro: Coro) -> None:
        super().drop(coro)
        root = self.told_as(coro)
        if root.thrown is coro:
            root.thrown = None
        coro.thrown = None

    def chain_of(self, coro: Coro) -> int:
        """The id of the chain in which a root is suspended."""
        links, n, inner = coro.links, 0, coro
        while True:
            if n == len(links) or links[n][0] is not inner.code or links[n][1] != inner.off:
                del links[n:]
                above, parent = (links[-1][2], links[-1][3]) if links else (0, 0)
                self.defs.define_once(inner.code)
                node = self.defs.node_of(parent, inner.code) if links else coro.node
                links.append((inner.code, inner.off, self._chain(above, node, inner.off), node))
            n += 1
            if inner.child is None:
                return links[n - 1][2]
            inner = inner.child

    def _chain(self, above: int, node: int, off: int) -> int:
        found = self.chains.get((above, node, off), 0)
        if not found:
            if len(self.chains) >= ev.MAX_CHAINS:  # what comes again is defined again
                self.chains.clear()
            self.chain_ids += 1
            found = self.chains[above, node, off] = self.chain_ids
            self.tape.put_definition(ev.CHAIN, found, above, off, node=node)
        return found


class Roots(Recorder):
    """The recorder at ``awaits``."""

    lazy = True
    coros: RootCoroutines

    def new_coroutines(self) -> RootCoroutines:
        return RootCoroutines(self.tape, self.defs)

    def runs_as_root(self, frame: "FrameType") -> bool:
        top = self.thread.top
        return top is not None and top.key == id(frame) and top.awaiter is None

    def on_start(self, frame: "FrameType", code: "CodeType", off: int) -> object:
        if code.co_flags & ASYNC:
            self.coros.forget_last()
        return super().on_start(frame, code, off)

    def on_resume(self, frame: "FrameType", code: "CodeType", off: int) -> object:
        expected = self.thread.resume
        burst = expected is not None and expected.key == id(frame)
        if code.co_flags & ASYNC and not burst and self.coros.awaiter_of(frame) is None:
            self.coros.forget_last()
        return super().on_resume(frame, code, off)

    def on_yield(self, frame: "FrameType", code: "CodeType", off: int, value: object) -> object:
        thread = self.thread
        up = thread.up
        if up is not None and up.key == id(frame):
            up.child, up.off = thread.up_child, off
            self.rise(up, frame, value)
            return None
        if not code.co_flags & ASYNC:
            self.probes.edges.on_yield(frame)
            return None
        self.coros.end_burst()
        coro = self.coros.running(frame)
        if code.co_flags & CO_ASYNC_GENERATOR and self.defs.is_item(code, off):
            if coro.awaiter is None:
                self.coros.forget_last()
            self.hand_item(coro, off)
            return None
        coro.child = None
        coro.off = off
        thread.waits = ()
        self.rise(coro, frame, value)
        return None

    def rise(self, coro: Coro, frame: "FrameType", value: object) -> None:
        """What yields now is ``coro``: on from there to who awaits it, or the whole chain is suspended."""
        thread = self.thread
        if coro.role & act.AT_SUSPENSION:
            thread.waits += ((coro, frame),)
        root = self.coros.told_as(coro)
        if coro.awaiter is None or root.thrown is coro:
            thread.up = thread.up_child = None
            waits, thread.waits = thread.waits, ()
            self.suspend(root, value, dict(waits))
        else:
            thread.up, thread.up_child = coro.awaiter, coro

    def suspend(self, root: Coro, value: object, frames: "dict[Coro, FrameType]") -> None:
        """``frames``: of its chain, those that yielded now and have a role."""
        thread = self.thread
        sleeper = thread.sleeper
        self.coros.forget_last()
        self.record_tags(root)
        aux, flags = self.awaited(value)
        chain = self.coros.chain_of(root)
        if root.thrown is not None:
            root.thrown.closing = False
        root.closing, root.thrown = False, None
        after = root.root.outer
        root.root.bare = introspect.is_bare(value)
        ts = self.tape.now()
        self.coros.put(ev.SUSPEND, ts, root.id, aux, after, chain, flags | ev.IN_CHAIN)
        self.coros.stop_at(after)
        if sleeper == id(value):
            self.coros.put(ev.TIMER, ts, root.id, thread.due & 0xFFFFFFFF, after, thread.due >> 32)
        inner: Coro | None = root
        while inner is not None and not root.root.bare:
            if inner.role & act.AT_SUSPENSION:
                self.record_wait_target(inner, frames.get(inner), ts)
            inner = inner.child
        if self.edges and not flags and aux:
            self.probes.edges.to(root.root, value)

    def record_wait_target(self, coro: Coro, frame: "FrameType | None", ts: int) -> None:
        """Of this suspension.  ``frame``: None where an exception went past it; then nothing is new."""
        root = self.coros.told_as(coro)
        place, above = 0, coro
        while above is not root and above.awaiter is not None:
            place, above = place + 1, above.awaiter
        if coro.role & act.USE:
            coro.uses = self.probes.resource_of(frame) if frame is not None else coro.uses
            if coro.uses:
                self.probes.put(ev.USE, ts, root.id, coro.uses, root.links[place][2])
        if frame is not None:
            role, coro.role = coro.role, coro.role & ~act.USE
            self.probes.record_wait_target(coro, frame, ts)
            coro.role = role & ~(act.AT_SUSPENSION & ~act.USE)  # these stay the same

    def record_tags(self, coro: Coro) -> None:
        if coro.awaiter is None:
            super().record_tags(coro)

    def on_return(self, frame: "FrameType", code: "CodeType", off: int, value: object) -> object:
        if self.runs_as_root(frame):
            self.coros.forget_last()
        return super().on_return(frame, code, off, value)

    def on_unwind(self, frame: "FrameType", code: "CodeType", off: int, exc: BaseException) -> object:
        if self.runs_as_root(frame):
            self.coros.forget_last()
        return super().on_unwind(frame, code, off, exc)

    def on_throw(self, frame: "FrameType", code: "CodeType", off: int, exc: BaseException) -> object:
        if not code.co_flags & ASYNC:
            return super().on_throw(frame, code, off, exc)
        self.coros.forget_last()
        # By an athrow() that the chain awaits which runs?
        within = self.coros.takes_athrow(frame) and self.coros.awaiter_of(frame) is not None
        super().on_throw(frame, code, off, exc)
        coro = self.live[id(frame)]
        root = self.coros.told_as(coro)
        if root is coro:
            root.thrown = None
        elif not within:
            root.thrown = coro
        return None

    def put_suspended(
        self, chain: "list[tuple[Coro, FrameType]]", aux: int, flags: int, ts: int
    ) -> "Iterable[tuple[Coro, FrameType]]":
        root = chain[0][0]
        self.coros.put(ev.SUSPEND, ts, root.id, aux, self.thread.top, self.coros.chain_of(root), flags | ev.IN_CHAIN)
        return chain
