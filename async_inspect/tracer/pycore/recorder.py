"""The Recorder: how ``sys.monitoring`` events become the records of ``events.py``.

Knows what each event says and which record it makes.  Knows nothing of how records are written, or of what they mean
together.

How it works.  A suspension at depth *d* fires *d* PY_YIELDs, leaf to root, and the next step *d* PY_RESUMEs, root to
leaf.  Each suspended coroutine remembers whom it awaited and at which offset; while such a burst goes as it went the
last time, only its first event is written (SUSPEND of the leaf, RESUME of the root): the rest is implied.  Where it
differs, a LINK says so.

What the events are worth, as seen on 3.12 to 3.15: PY_THROW means "resumed", not "an exception comes" (a leaf that
swallows one and returns re-enters its parents so); ``throw()`` goes to the leaf and its parents see nothing before the
leaf ends; ``close()`` may end inner coroutines without any event (3.13+); an async generator's ``yield`` hands over an
item and suspends nobody.
"""

import sys
from _thread import RLock

from ... import events as ev
from .. import actions as act
from . import introspect, probes, steps
from .coroutine import ADOPTED, ALIVE, CREATED, ITEM, Coro
from .coroutines import ASYNC, CO_GENERATOR, Coroutines
from .definitions import CO_ASYNC_GENERATOR, Definitions
from .guard import guarded
from .tags import Tags
from .tape import Tape
from .watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType, FrameType

    type Wanted = dict[str, dict[str, int]]

_MON = sys.monitoring
_E = _MON.events
_LOCAL_THROW = sys.version_info >= (3, 15)  # before, PY_UNWIND and PY_THROW can only be set for all code
_ASYNC_EVENTS = _E.PY_RESUME | _E.PY_YIELD | _E.PY_RETURN
_EVENTS = (_E.PY_START, _E.PY_RESUME, _E.PY_YIELD, _E.PY_RETURN, _E.PY_UNWIND, _E.PY_THROW, _E.CALL)
_THROW_EVENTS = _E.PY_UNWIND | _E.PY_THROW
# Set for all code, to see each once: plain code then says DISABLE. What began before is first seen resumed.
_EVENTS_OF_ALL_CODE = _E.PY_START | _E.PY_RESUME | (_E.PY_THROW if _LOCAL_THROW else 0)


class Recorder:
    """A recording in progress: the callbacks and their shared state."""

    def __init__(
        self,
        tape: Tape,
        tool_id: int,
        stdlib: str,
        wanted: "Wanted",
        slow_poll_ns: int,
        callees: bool,
        tags: tuple[str, ...],
        cold: "Callable[[int, FrameType], object]",
    ) -> None:
        """``wanted``: the actions of sources, by qualified name and the end of the file's path.  ``cold``:
        who does those that are rare."""
        self.tape = tape
        self.defs = Definitions(self.tape, stdlib, self.lazy)
        self.coros = self.new_coroutines()
        self.probes = probes.Probes(self.tape, self.defs, self.coros, self.wanted_of, cold)
        self.watchdog = Watchdog(self, slow_poll_ns)
        self.tags = Tags(self.coros, tags) if tags else None
        self.wanted = wanted
        self.callees = callees
        self.edges = any(action & act.MANY for files in wanted.values() for action in files.values())
        self.hears_wakes = any(action & act.SOON for files in wanted.values() for action in files.values())
        self.thread = self.coros.thread
        self.live = self.coros.live
        self.codes = self.defs.codes
        self.tool = tool_id
        self.lock = RLock()
        self.makes_record = False  # outside of any callback (``guard.Record``)
        self.callbacks = self.timed = self.timed_ns = 0
        self.throws_on = False

    lazy = False

    def new_coroutines(self) -> Coroutines:
        return Coroutines(self.tape, self.defs)

    def wanted_of(self, code: "CodeType") -> int:
        """The actions that sources request for this function."""
        for tail, action in self.wanted.get(introspect.exact(code.co_qualname), {}).items():
            if introspect.exact(code.co_filename).endswith(tail):
                return action
        return 0

    def awaited(self, value: object) -> tuple[int, int]:
        """SUSPEND's aux and flags for the value that a suspended leaf yielded."""
        if introspect.is_bare(value):
            return 0, 0
        if introspect.is_task(value):
            coro = self.coros.of(introspect.get(value, "_coro"))
            if coro is not None:
                return coro.id, ev.AWAITS_TASK
        return self.defs.type_of(type(value)), 0

    # --- events ---

    def on_start(self, frame: "FrameType", code: "CodeType", off: int) -> object:
        if not code.co_flags & ASYNC:
            return self.on_plain_start(frame, code)
        self.coros.end_burst()
        self.watch(code)
        key = id(frame)
        coro = self.live.get(key)
        if coro is not None and (coro.state != CREATED or coro.code is not self.defs.entry_of(code)):
            self.coros.vanish_chain(coro)
            coro = None
        if coro is None:
            coro = self.coros.new(key, code)
        self.coros.begin(coro, self.coros.awaiter_of(frame), 0)
        return None

    def on_plain_start(self, frame: "FrameType", code: "CodeType") -> object:
        info = self.codes.get(id(code))
        generator = code.co_flags & CO_GENERATOR
        if info is None or not info.probe:
            action = self.wanted_of(code)
            if not action:
                return _MON.DISABLE
            info = self.defs.code_of(code)
            self.probes.prepare(info, code, action)
            if action & act.SPAWN:
                self.watch_throws()
            events = _E.PY_RETURN if info.at_return is not None and not action & act.SPAWN else 0
            events |= _E.PY_YIELD if action & act.MANY and generator else 0
            self.ask_for(code, action, events)
        if info.at_start is None:
            return _MON.DISABLE
        info.at_start(frame, info.probe, None)
        made = self.thread.spawned
        if info.probe & act.SPAWN and made is not None and made.step and not info.returns:
            info.returns = True  # an eager one is over then
            self.ask_for(code, info.probe, _E.PY_RETURN)
        return None

    def ask_for(self, code: "CodeType", action: int, events: int) -> None:
        """Enable these events for a plain function."""
        events |= _E.PY_UNWIND if action & act.SPAWN and _LOCAL_THROW else 0
        if events:
            _MON.set_local_events(self.tool, code, events)

    def watch(self, code: "CodeType") -> None:
        info = self.codes.get(id(code))
        if info is None or not info.probe:
            self.defs.entry_of(code).probe = act.WATCHED | (self.wanted_of(code) & act.ROLES)
            more = (_E.CALL if self.callees else 0) | (_THROW_EVENTS if _LOCAL_THROW else 0)
            _MON.set_local_events(self.tool, code, _ASYNC_EVENTS | more)
            self.watch_throws()
            self.watchdog.start()  # not before there is a coroutine, and anew after a fork

    def watch_throws(self) -> None:
        # Not before there is a coroutine: these tax every exception of synchronous code.
        if not self.throws_on and not _LOCAL_THROW:
            self.throws_on = True
            _MON.set_events(self.tool, _EVENTS_OF_ALL_CODE | _THROW_EVENTS)

    def on_resume(self, frame: "FrameType", code: "CodeType", off: int) -> object:
        thread = self.thread
        expected = thread.resume
        key = id(frame)
        if expected is not None and expected.key == key:
            thread.resume = expected.child
            return None
        if not code.co_flags & ASYNC:
            return _MON.DISABLE
        self.coros.end_burst()
        coro = self.live.get(key)
        if coro is None or coro.state == CREATED:
            self.watch(code)
            self.coros.open(frame, 0)
            return None
        awaiter = self.coros.awaiter_of(frame)
        if awaiter is None and self.coros.top_of(coro) is coro.root and coro.state == ALIVE:
            self.coros.enter_root(coro.root)
            leaf = coro
            while leaf.child is not None:
                leaf = leaf.child
            self.coros.put(ev.RESUME, self.tape.now(), coro.id, leaf.id, leaf, 0)
            thread.resume = coro.child
            thread.top = leaf
        else:
            self.coros.enter(coro, awaiter, 0)
        return None

    def on_yield(self, frame: "FrameType", code: "CodeType", off: int, value: object) -> object:
        thread = self.thread
        up = thread.up
        if up is not None and up.key == id(frame):
            child = thread.up_child
            assert child is not None
            if up.child is not child or up.off != off:
                up.child = child
                up.off = off
                self.coros.put(ev.LINK, thread.up_ts, up.id, child.id, thread.top, off)
                if up.role & act.AT_SUSPENSION and not up.root.bare:
                    self.probes.record_wait_target(up, frame, thread.up_ts)
            thread.up_child = up
            thread.up = up.awaiter
            return None
        if not code.co_flags & ASYNC:
            self.probes.edges.on_yield(frame)
            return None
        sleeper = thread.sleeper
        self.coros.end_burst()
        coro = self.coros.running(frame)
        if code.co_flags & CO_ASYNC_GENERATOR and self.defs.is_item(code, off):
            self.hand_item(coro, off)
            return None
        self.record_tags(coro)
        aux, flags = self.awaited(value)
        coro.child = None
        coro.off = off
        coro.closing = False
        after = coro.root.outer
        coro.root.bare = introspect.is_bare(value)
        ts = self.tape.now()
        self.coros.put(ev.SUSPEND, ts, coro.id, aux, after, off, flags)
        self.coros.stop_at(after)
        thread.up = coro.awaiter
        thread.up_child = coro
        thread.up_ts = ts
        if sleeper == id(value):
            self.coros.put(ev.TIMER, ts, coro.id, thread.due & 0xFFFFFFFF, after, thread.due >> 32)
        if coro.role & act.AT_SUSPENSION and not coro.root.bare:
            self.probes.record_wait_target(coro, frame, ts)
        if self.edges and not flags and aux:
            self.probes.edges.to(coro.root, value)
        return None

    def record_tags(self, coro: Coro) -> None:
        if self.tags is not None:
            self.tags.record_tags(coro.root)

    def hand_item(self, coro: Coro, off: int) -> None:
        """An async generator yields an item, and its awaiter continues."""
        awaiter = coro.awaiter
        coro.state = ITEM
        if awaiter is not None and awaiter.child is coro:
            awaiter.child = None
        root = self.coros.top_of(coro)
        coro.awaiter, coro.root = None, coro
        after = awaiter if awaiter is not None else root.outer
        ts = self.coros.stamp(coro, awaiter)
        self.coros.put(ev.ITEM, ts, coro.id, awaiter.id if awaiter is not None else 0, after, off)
        if awaiter is not None:
            self.thread.top = after
        else:
            self.coros.stop_at(after)
        if root is not coro:
            steps.finish(self.coros, root, ev.ITEM, None, ts)

    def put_suspended(
        self, chain: "list[tuple[Coro, FrameType]]", aux: int, flags: int, ts: int
    ) -> "Iterable[tuple[Coro, FrameType]]":
        """Of a chain that was suspended before: write that it is, where; in the order in which more is told of it."""
        top, leaf = self.thread.top, chain[-1][0]
        self.coros.put(ev.SUSPEND, ts, leaf.id, aux, top, leaf.off, flags)
        for coro, _ in reversed(chain[:-1]):
            assert coro.child is not None
            self.coros.put(ev.LINK, ts, coro.id, coro.child.id, top, coro.off)
        return reversed(chain)

    def record_wait_target(self, coro: Coro, frame: "FrameType", ts: int) -> None:
        self.probes.record_wait_target(coro, frame, ts)

    def on_return(self, frame: "FrameType", code: "CodeType", off: int, value: object) -> object:
        if code.co_flags & ASYNC:
            self.coros.end_burst()
            coro = self.coros.running(frame)
            if coro.role & act.TAKE:
                self.probes.take(coro, frame)
            self.record_tags(coro)
            self.coros.finish(coro, ev.RETURN, off, None)
            return None
        info = self.codes.get(id(code))
        if info is not None and info.at_return is not None:
            info.at_return(frame, info.probe, value)
        return None

    def on_call(self, frame: "FrameType", code: "CodeType", off: int, callable: object, _: object) -> object:
        top = self.thread.top
        if top is not None and top.key == id(frame) and self.thread.resume is None:
            name = self.defs.string_of(introspect.callable_name(callable))
            self.coros.put(ev.CALL, self.tape.now(), top.id, name, top, off)
        return None

    def on_unwind(self, frame: "FrameType", code: "CodeType", off: int, exc: BaseException) -> object:
        if code.co_flags & ASYNC:
            self.coros.end_burst()
            coro = self.coros.running(frame)
            if type(exc) is not GeneratorExit:  # anybody may close it
                self.record_tags(coro)
            self.coros.finish(coro, ev.RAISE, off, exc)
            return None
        info = self.codes.get(id(code))
        if info is not None and info.probe & act.SPAWN:
            made = self.thread.spawned
            if made is not None and made.state == CREATED:
                self.coros.vanish(made, ev.NO_TASK)  # create_task itself failed
            self.thread.spawned = None
        return None

    def on_throw(self, frame: "FrameType", code: "CodeType", off: int, exc: BaseException) -> object:
        if not code.co_flags & ASYNC:
            return _MON.DISABLE if _LOCAL_THROW else None
        self.coros.end_burst()
        self.watch(code)
        thread = self.thread
        coro = self.live.get(id(frame))
        if coro is None or coro.state == CREATED:
            self.coros.open(frame, ev.THROWN, thrown=True)
        elif coro is thread.top:
            self.coros.vanish_below(coro)  # mostly none: its awaited one ended just now, and it only goes on
        else:
            self.coros.vanish_below(coro)
            # A throw() goes inward by way of the frames, but for those that await what is no coroutine itself (the
            # step of an async generator, the __await__() of another one): these are not among them. A close() goes
            # past all frames.
            awaiter = self.coros.awaiter_of(frame, thrown=True)
            closing = awaiter is None and coro.awaiter is not None and coro.state != ITEM and type(exc) is GeneratorExit
            if closing or self.coros.passed(coro, awaiter):
                awaiter = coro.awaiter
            loose = awaiter is None and self.coros.top_of(coro) is not coro.root
            if coro.state in (ITEM, ADOPTED) or awaiter is not coro.awaiter or loose:
                self.coros.enter(coro, awaiter, ev.THROWN)  # not by way of who awaits it
                return None
            coro.closing = closing
            self.coros.enter_root(coro.root)
            self.coros.put_throw(coro, self.defs.type_of(type(exc)), off)
            thread.top = coro
        return None

    # --- life ---

    def register_callbacks(self) -> None:
        for event, handler in (
            (_E.PY_START, self.on_start),
            (_E.PY_RESUME, self.on_resume),
            (_E.PY_YIELD, self.on_yield),
            (_E.PY_RETURN, self.on_return),
            (_E.PY_UNWIND, self.on_unwind),
            (_E.PY_THROW, self.on_throw),
            (_E.CALL, self.on_call),
        ):
            _MON.register_callback(self.tool, event, guarded(self, handler))
        _MON.set_events(self.tool, _EVENTS_OF_ALL_CODE)
        frame: FrameType | None = sys._getframe()
        while frame is not None:  # who starts us may run in a coroutine
            if frame.f_code.co_flags & ASYNC:
                self.watch(frame.f_code)
            frame = frame.f_back

    def detach(self, last: bool = False) -> None:
        """No more events.

        ``last``: nobody takes the tool's id any more, so the callbacks stay (an audit event each, else).
        """
        self.switch_off()
        for event in () if last else _EVENTS:
            _MON.register_callback(self.tool, event, None)

    def switch_off(self) -> None:
        """The same but for the callbacks: also amid an event, once the recording has broken off."""
        _MON.set_events(self.tool, 0)
        for info in list(self.codes.values()):
            code = info.ref() if info.ref is not None else None
            if code is not None and info.probe:
                info.probe = 0
                _MON.set_local_events(self.tool, code, 0)

    def close(self) -> None:
        self.tape.flush()
        self.tape.set_header(ev.END_NS_OFFSET, self.tape.now())
        self.set_costs()
        self.tape.set_header(ev.STATE_OFFSET, ev.STOPPED, 4)
        self.tape.release()

    def set_costs(self) -> None:
        self.tape.set_header(ev.CALLBACKS_OFFSET, self.callbacks)
        self.tape.set_header(ev.TIMED_CALLBACKS_OFFSET, self.timed)
        self.tape.set_header(ev.TIMED_NS_OFFSET, self.timed_ns)
