"""The Python core: the readable twin of ``_core.c``, the same contract (``_core.pyi``) and the same records.

It is the reference, and what runs where no C core can be had.  Four modules carry it, a job each: ``_pytape`` (the
file), ``_pydefs`` (ids), ``_pyask`` (what objects may be asked), ``_pycoros`` (who lives and who awaits whom).  Knows,
here, how ``sys.monitoring`` events become the records of ``events.py``.  Knows nothing of how these are written, or of
what they mean together.

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
import time
from _thread import RLock
from types import CoroutineType

from .. import events as ev
from . import _pyask as ask
from ._pycoros import ALIVE, ASYNC, CREATED, ITEM, Coroutines
from ._pydefs import CO_ASYNC_GENERATOR, Definitions
from ._pytape import Tape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

NAME = "python"
SPAWN_PROBE = 1
WATCHED = -1

_MON = sys.monitoring
_E = _MON.events
_LOCAL_THROW = sys.version_info >= (3, 15)  # before, PY_UNWIND and PY_THROW can only be set for all code
_ASYNC_EVENTS = _E.PY_RESUME | _E.PY_YIELD | _E.PY_RETURN
_THROW_EVENTS = _E.PY_UNWIND | _E.PY_THROW
# Set for all code, to meet each once: plain code then says DISABLE. What began before the recording is met resumed.
_MEET_EVENTS = _E.PY_START | _E.PY_RESUME | (_E.PY_THROW if _LOCAL_THROW else 0)


class Recorder:
    """One recording being made: the callbacks, and what they share."""

    def __init__(self, fd: int, header_size: int, max_size: int, tool_id: int, stdlib: str, ticks: bool) -> None:
        self.tape = Tape(fd, header_size, max_size, ticks)
        self.defs = Definitions(self.tape, stdlib)
        self.coros = Coroutines(self.tape, self.defs)
        self.thread = self.coros.thread
        self.live = self.coros.live
        self.codes = self.defs.codes
        self.tool = tool_id
        self.lock = RLock()
        self.callbacks = self.timed = self.timed_ns = 0
        self.throws_on = False

    # --- tasks ---

    def spawn(self, frame: "FrameType") -> None:
        """A function whose argument ``coro`` is being made a task was called."""
        values = frame.f_locals
        made = values.get("coro")
        thread = self.thread
        agen = None  # an aclose() is being made a task: its generator will be the root
        new_frame = None
        if type(made) is CoroutineType:
            new_frame = made.cr_frame
            known = self.live.get(id(new_frame))
        else:
            agen = known = self.coros.started(ask.agen_frame(made))
        if known is not None and known is thread.spawned and thread.spawner == id(frame.f_back):
            return  # one call of create_task inside another
        thread.spawned = None
        if type(made) is CoroutineType:
            if made.cr_running or made.cr_suspended or new_frame is None:
                return
        elif agen is None:
            return
        if known is not None and agen is None:
            self.coros.vanish(known)
        name = values.get("name")
        if name is None:
            more = values.get("kwargs")
            name = more.get("name") if type(more) is dict else None
        if agen is not None:
            coro = agen
        else:
            assert new_frame is not None
            coro = self.coros.new(id(new_frame), new_frame.f_code)
            coro.state = CREATED
            coro.is_task = True
        site = self.defs.site_of(frame.f_back)
        top = thread.top
        flags = ev.NAME_GIVEN if name is not None else 0
        ts = self.tape.now()
        self.coros.put(ev.SPAWN, ts, coro.id, coro.code.id, top, site, flags)
        if type(name) is str:
            self.coros.put_name(coro, name, ts, top)
        thread.spawned = coro
        thread.spawner = id(frame)

    def awaited(self, value: object) -> tuple[int, int]:
        """What a suspended leaf yielded, as SUSPEND's aux and flags."""
        if value is None:
            return 0, 0
        if ask.is_task(value):
            made = ask.get(value, "_coro")
            if type(made) is CoroutineType and made.cr_frame is not None:
                coro = self.live.get(id(made.cr_frame))
                if coro is not None:
                    return coro.id, ev.AWAITS_TASK
        return self.defs.type_of(type(value)), 0

    # --- events ---

    def on_start(self, frame: "FrameType", code: "CodeType", off: int) -> object:
        if not code.co_flags & ASYNC:
            return self.on_plain_start(frame, code)
        self.coros.settle()
        self.watch(code)
        key = id(frame)
        coro = self.live.get(key)
        if coro is not None and (coro.state != CREATED or coro.code is not self.defs.code_of(code)):
            self.coros.vanish(coro)  # another was in this memory
            coro = None
        if coro is None:
            coro = self.coros.new(key, code)
        self.coros.begin(coro, self.coros.awaiter_of(frame), 0)
        return None

    def on_plain_start(self, frame: "FrameType", code: "CodeType") -> object:
        info = self.codes.get(id(code))
        if info is None or not info.probe:
            action = _probes.get(code.co_qualname)
            if action is None or not code.co_filename.endswith(action[0]):
                return _MON.DISABLE
            info = self.defs.code_of(code)
            info.probe = action[1]
            self.watch_throws()
            if _LOCAL_THROW:
                _MON.set_local_events(self.tool, code, _E.PY_UNWIND)
        self.spawn(frame)
        return None

    def watch(self, code: "CodeType") -> None:
        info = self.codes.get(id(code))
        if info is None or not info.probe:
            self.defs.code_of(code).probe = WATCHED
            _MON.set_local_events(self.tool, code, _ASYNC_EVENTS | (_THROW_EVENTS if _LOCAL_THROW else 0))
            self.watch_throws()

    def watch_throws(self) -> None:
        # Not before there is a coroutine: these tax every exception of synchronous code.
        if not self.throws_on and not _LOCAL_THROW:
            self.throws_on = True
            _MON.set_events(self.tool, _MEET_EVENTS | _THROW_EVENTS)

    def on_resume(self, frame: "FrameType", code: "CodeType", off: int) -> object:
        thread = self.thread
        expected = thread.resume
        key = id(frame)
        if expected is not None and expected.key == key:
            thread.resume = expected.child
            return None
        if not code.co_flags & ASYNC:
            return _MON.DISABLE
        self.coros.settle()
        coro = self.live.get(key)
        if coro is None or coro.state == CREATED:
            self.watch(code)
            self.coros.open(frame, 0)
            return None
        awaiter = self.coros.awaiter_of(frame)
        if awaiter is None and coro.root is coro and coro.state == ALIVE:
            self.coros.enter_root(coro)
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
            thread.up_child = up
            thread.up = up.awaiter
            return None
        self.coros.settle()
        coro = self.coros.running(frame)
        if code.co_flags & CO_ASYNC_GENERATOR and ask.short_name(type(value)) == "async_generator_wrapped_value":
            awaiter = coro.awaiter
            coro.state = ITEM
            if awaiter is not None and awaiter.child is coro:
                awaiter.child = None
            after = awaiter if awaiter is not None else coro.outer
            self.coros.put(ev.ITEM, self.tape.now(), coro.id, awaiter.id if awaiter is not None else 0, after, off)
            thread.top = after
            return None
        aux, flags = self.awaited(value)
        coro.child = None
        coro.off = off
        coro.closing = False
        after = coro.root.outer
        ts = self.tape.now()
        self.coros.put(ev.SUSPEND, ts, coro.id, aux, after, off, flags)
        thread.top = after
        thread.up = coro.awaiter
        thread.up_child = coro
        thread.up_ts = ts
        return None

    def on_return(self, frame: "FrameType", code: "CodeType", off: int, value: object) -> object:
        if code.co_flags & ASYNC:
            self.coros.settle()
            self.coros.finish(self.coros.running(frame), ev.RETURN, off, None)
        return None

    def on_unwind(self, frame: "FrameType", code: "CodeType", off: int, exc: BaseException) -> object:
        if code.co_flags & ASYNC:
            self.coros.settle()
            self.coros.finish(self.coros.running(frame), ev.RAISE, off, exc)
            return None
        info = self.codes.get(id(code))
        if info is not None and info.probe > 0:
            made = self.thread.spawned
            if made is not None and made.state == CREATED:
                self.coros.vanish(made, ev.NO_TASK)  # create_task itself failed
            self.thread.spawned = None
        return None

    def on_throw(self, frame: "FrameType", code: "CodeType", off: int, exc: BaseException) -> object:
        if not code.co_flags & ASYNC:
            return _MON.DISABLE if _LOCAL_THROW else None
        self.coros.settle()
        self.watch(code)
        thread = self.thread
        coro = self.live.get(id(frame))
        if coro is None or coro.state == CREATED:
            self.coros.open(frame, ev.THROWN, thrown=True)
        elif coro is thread.top:
            self.coros.vanish_below(coro)  # mostly none: its awaited one ended just now, and it only goes on
        else:
            self.coros.vanish_below(coro)
            # A throw() goes inward by way of the frames, a close() past them.
            awaiter = self.coros.awaiter_of(frame, thrown=True)
            closing = awaiter is None and coro.awaiter is not None and coro.state != ITEM and type(exc) is GeneratorExit
            if closing:
                awaiter = coro.awaiter
            if coro.state == ITEM or awaiter is not coro.awaiter or (awaiter is None and coro.root is not coro):
                self.coros.enter(coro, awaiter, ev.THROWN)  # not by way of who awaits it
                return None
            coro.closing = closing
            self.coros.enter_root(coro.root)
            aux = self.defs.type_of(type(exc))
            self.coros.put(ev.THROW, self.tape.now(), coro.id, aux, coro, off)
            thread.top = coro
        return None

    # --- life ---

    def attach(self) -> None:
        for event, handler in (
            (_E.PY_START, self.on_start),
            (_E.PY_RESUME, self.on_resume),
            (_E.PY_YIELD, self.on_yield),
            (_E.PY_RETURN, self.on_return),
            (_E.PY_UNWIND, self.on_unwind),
            (_E.PY_THROW, self.on_throw),
        ):
            _MON.register_callback(self.tool, event, self.guard(handler))
        _MON.set_events(self.tool, _MEET_EVENTS)
        frame: FrameType | None = sys._getframe()
        while frame is not None:  # who starts us may run in a coroutine
            if frame.f_code.co_flags & ASYNC:
                self.watch(frame.f_code)
            frame = frame.f_back

    def guard(self, handler: "Callable[..., object]") -> "Callable[..., object]":
        """A callback that holds the lock, is timed now and then, and never raises into the program."""
        getframe = sys._getframe
        every = ev.COST_EVERY

        def callback(*args: object) -> object:
            frame = getframe(1)
            with self.lock:
                self.callbacks += 1
                begun = 0 if self.callbacks % every else time.monotonic_ns()
                try:
                    return handler(frame, *args)
                except Exception:
                    self.tape.lost += 1
                    return None
                finally:
                    if begun:
                        self.timed += 1
                        self.timed_ns += time.monotonic_ns() - begun
                        self.set_costs()

        return callback

    def detach(self) -> None:
        _MON.set_events(self.tool, 0)
        for event in (_E.PY_START, _E.PY_RESUME, _E.PY_YIELD, _E.PY_RETURN, _E.PY_UNWIND, _E.PY_THROW):
            _MON.register_callback(self.tool, event, None)
        for info in list(self.codes.values()):
            code = info.ref() if info.ref is not None else None
            if code is not None and info.probe:
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


# --- the contract ---

_probes: dict[str, tuple[str, int]] = {}
_recorder: "Recorder | None" = None


def add_probe(qualname: str, file_tail: str, action: int) -> None:
    _probes[qualname] = (file_tail, action)


def start(fd: int, header_size: int, max_size: int, tool_id: int, stdlib: str, ticks: bool = False) -> None:
    global _recorder
    if _recorder is not None:
        raise RuntimeError("it records already")
    recorder = Recorder(fd, header_size, max_size, tool_id, stdlib, ticks)
    recorder.attach()
    _recorder = recorder


def stop() -> None:
    global _recorder
    recorder, _recorder = _recorder, None
    if recorder is not None:
        recorder.detach()
        with recorder.lock:
            recorder.close()


def abandon() -> None:
    global _recorder
    recorder, _recorder = _recorder, None
    if recorder is not None:
        recorder.detach()
        recorder.tape.release()


def recording() -> bool:
    return _recorder is not None


def point(label: str, message: str) -> None:
    recorder = _recorder
    if recorder is not None:
        with recorder.lock:
            data = ask.utf8(label).replace(b"\0", b"") + b"\0" + ask.utf8(message)
            top = recorder.thread.top
            recorder.coros.put(ev.POINT, recorder.tape.now(), top.id if top is not None else 0, 0, top, len(data))
            recorder.tape.put_text(data)
