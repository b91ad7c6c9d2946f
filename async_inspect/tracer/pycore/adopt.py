"""Adopting what existed before the recording: suspended tasks in their current state, and what runs on each thread.

Knows how to walk from a task's root to what it waits for, and the records that say so: those of a life that begins and
is suspended at one moment, flagged BEFORE.  Does not know how tasks are found (``tracer/existing.py``).
"""

import sys
from _thread import get_ident
from gc import get_referents
from types import AsyncGeneratorType, CoroutineType, GeneratorType

from ... import events as ev
from ..actions import MANY, ROLES, RUN, USE
from . import introspect
from .coroutine import ALIVE, CREATED, Coro
from .coroutines import ASYNC
from .threads import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from types import FrameType

    from .recorder import Recorder

_FRAME: dict[type, str] = {CoroutineType: "cr_frame", GeneratorType: "gi_frame", AsyncGeneratorType: "ag_frame"}
_AWAITED: dict[type, str] = {CoroutineType: "cr_await", GeneratorType: "gi_yieldfrom", AsyncGeneratorType: "ag_await"}
_STEPS = ("async_generator_asend", "async_generator_athrow", "coroutine_wrapper", "anext_awaitable")
_MOST_FRAMES = 8 * ev.MAX_SITE_FRAMES


def adopt(recorder: "Recorder", tasks: "Collection[object]") -> None:
    """Write the records of what exists."""
    for task in tasks:
        _expect(recorder, task)
    for ident, frame in sys._current_frames().items():
        _adopt_running(recorder, ident, frame)
    looked_up: set[int] = set()
    thread = recorder.coros.thread
    thread.moment = recorder.tape.now()
    try:
        for task in tasks:
            _adopt_suspended(recorder, task, thread.moment, looked_up)
    finally:
        thread.moment = 0
    for ident, frame in sys._current_frames().items():
        if ident != get_ident():
            _put_stack(recorder, ident, frame)


def _expect(recorder: "Recorder", task: object) -> None:
    """A task's root coroutine, if it is alive and new to us: created, and not run yet as far as is known."""
    made = introspect.get(task, "_coro")
    frame = made.cr_frame if type(made) is CoroutineType else None
    agen = introspect.agen_of(made)
    if agen is not None:
        _expect_step(recorder, task, made, agen)
    if frame is not None and id(frame) not in recorder.live:
        coro = recorder.coros.new(id(frame), frame.f_code)
        recorder.coros.number(coro)
        coro.state = CREATED
        coro.is_task = True
        coro.made = id(made)


def _expect_step(recorder: "Recorder", task: object, step: object, agen: "AsyncGeneratorType[object, object]") -> None:
    """A task that is made of a step of an async generator.

    One that waits for a future is the one that drives its generator: any other fails as it begins.  Where the
    generator is in no step this one has not begun.  Else it can't be told.
    """
    frame = agen.ag_frame
    if frame is None or -id(step) in recorder.live:
        return
    drives = agen.ag_running and agen.ag_suspended and introspect.get(task, "_fut_waiter") is not None
    if (drives and id(frame) not in recorder.live) or not agen.ag_running:
        coro = recorder.coros.new_step(step, recorder.defs.code_of(agen.ag_code))
        coro.state = CREATED
        coro.bare = not drives


def _adopt_running(recorder: "Recorder", ident: int, frame: "FrameType") -> None:
    """The coroutines running on a thread, outermost first."""
    frames: list[FrameType] = []
    below: FrameType | None = frame
    while below is not None and len(frames) < _MOST_FRAMES:
        if below.f_code.co_flags & ASYNC:
            frames.append(below)
        elif recorder.wanted_of(below.f_code) & RUN:
            recorder.probes.run_code = id(below.f_code)
        below = below.f_back
    coros, own = recorder.coros, recorder.coros.thread
    elsewhere = ident != get_ident()
    state = own
    if elsewhere:
        state = State()
        state.__dict__ = coros.threads.states.get(ident) or {"native_id": _native_id(ident)}
    if not frames or state.top is not None:
        return
    if elsewhere and ident not in coros.threads.states:
        coros.threads.states[ident] = coros.threads.before[ident] = state.__dict__
    coros.thread = state  # what is written is about that thread; nobody else writes meanwhile
    try:
        for one in reversed(frames):
            known = recorder.live.get(id(one))
            recorder.watch(one.f_code)
            if known is None or known.state == CREATED:
                coros.open(one, 0)
    finally:
        coros.thread = own


def _put_stack(recorder: "Recorder", ident: int, frame: "FrameType") -> None:
    """Record what a thread with a running coroutine does."""
    state = recorder.coros.threads.states.get(ident, {})
    top = state.get("top")
    if top is not None:
        site = recorder.defs.site_of(frame, recorder.probes.run_code)
        ts, root = recorder.tape.now(), top.root.id
        recorder.tape.put_raw(ts, root, 0, recorder.coros.told_as(top).node, root, site, state["index"], 0, ev.STACK)


def _native_id(ident: int) -> int:
    """Of a thread that Python's own module of them knows."""
    active = introspect.part("threading", "_active")
    native = introspect.get(active.get(ident), "_native_id") if type(active) is dict else None
    return native if type(native) is int else 0


def _adopt_suspended(recorder: "Recorder", task: object, ts: int, looked_up: set[int]) -> None:
    """A suspended task, whose chain began before the recording.

    ``asked``: the futures of which it is known whether they stand for another, which takes the longer the more wait
    for them.
    """
    made = introspect.get(task, "_coro")
    root = recorder.coros.of(made)
    if root is None or root.state != CREATED or (type(made) is CoroutineType and made.cr_running):
        return
    if root.id in recorder.coros.unrun:
        return
    begun = not root.bare if root.step else type(made) is CoroutineType and made.cr_suspended
    coros, top = recorder.coros, recorder.coros.thread.top
    name = introspect.task_name(task)
    if name is not None and introspect.is_made_up(name):
        name = None
    chain: list[tuple[Coro, FrameType]] = []
    if not begun:
        if root.step:
            root.off = recorder.coros.thread.index
            recorder.coros.unrun[root.id] = root
        flags = ev.BEFORE | (ev.NAME_GIVEN if name is not None else 0)
        coros.put(ev.SPAWN, ts, root.id, root.code.id, top, 0, flags)
    else:
        chain = _begin_chain(recorder, root, introspect.agen_of(made) if root.step else made, ts)
    if name is not None:
        coros.put_name(root, name, ts, chain[-1][0] if chain else top)
    if chain:
        _suspend_chain(recorder, chain, introspect.get(task, "_fut_waiter"), ts, looked_up)


def _begin_chain(recorder: "Recorder", root: Coro, made: object, ts: int) -> "list[tuple[Coro, FrameType]]":
    """Write the STARTs of a chain, from its root; the coroutines and their frames."""
    coros, defs = recorder.coros, recorder.defs
    chain: list[tuple[Coro, FrameType]] = []
    above: Coro | None = None
    inner = made
    while inner is not None:
        frame: FrameType | None = introspect.get(inner, _FRAME[type(inner)]) if type(inner) in _FRAME else None  # type: ignore[assignment]
        if frame is not None and frame.f_code.co_flags & ASYNC:
            if (above is not None or root.step) and id(frame) in recorder.live:
                break
            recorder.watch(frame.f_code)
            coro = root if above is None and not root.step else coros.new(id(frame), frame.f_code)
            coro.awaiter, coro.root, coro.state = above, root, ALIVE
            if above is None:
                coros.number(coro)
            coro.node = coros.node_for(coro, above)
            coro.role = coro.code.probe & ROLES
            coro.off = defs.suspended_at(frame)
            if above is not None or root.step:
                (above or root).child = coro
            root.state = ALIVE
            flags = ev.BEFORE | (ev.IS_TASK if above is None else 0)
            coros.put(
                ev.START,
                ts if coros.is_told(coro, above) else 0,
                coro.id,
                above.id if above is not None else 0,
                coro,
                coro.code.id,
                flags,
            )
            chain.append((coro, frame))
            above = coro
        inner = _awaited_by(inner)
    return chain


def _suspend_chain(
    recorder: "Recorder", chain: "list[tuple[Coro, FrameType]]", waiter: object, ts: int, looked_up: set[int]
) -> None:
    """Write that it is suspended, where, and what it waits for."""
    coros, probes, top = recorder.coros, recorder.probes, recorder.coros.thread.top
    root = chain[0][0].root
    aux, flags = recorder.awaited(waiter)
    root.bare = waiter is None
    for coro, frame in recorder.put_suspended(chain, aux, flags | ev.BEFORE, ts):
        if coro.role & (USE | MANY):
            recorder.record_wait_target(coro, frame, ts)
        if recorder.edges and introspect.exact(frame.f_code.co_qualname) == "TaskGroup.__aexit__":
            probes.edges.to_all(root, introspect.get(frame.f_locals.get("self"), "_tasks"), 0)
    if waiter is not None:
        first = id(waiter) not in looked_up
        looked_up.add(id(waiter))
        if first and introspect.shielded(waiter) is not None:
            probes.edges.shields.set(id(waiter), 1, waiter)
        if recorder.edges and not flags:
            probes.edges.to(root, waiter)
        state = introspect.get(waiter, "_state")
        if recorder.hears_wakes and type(state) is str and state != "PENDING":
            coros.put(ev.WAKE, ts, root.id, 0, top, 0, ev.BY_CODE)  # it runs as soon as the loop comes


def _awaited_by(one: object) -> object:
    """The coroutine that a suspended one awaits; None: something without a frame."""
    inner: object = None
    if type(one) in _AWAITED:
        inner = introspect.get(one, _AWAITED[type(one)])
    elif introspect.short_name(type(one)) in _STEPS:
        inner = next((found for found in get_referents(one) if _runs_code(found)), None)
    return inner if _runs_code(inner) else None


def _runs_code(one: object) -> bool:
    return type(one) in _FRAME or introspect.short_name(type(one)) in _STEPS
