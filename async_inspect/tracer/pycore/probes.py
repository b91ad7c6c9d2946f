"""The probes: creation of tasks, wake-ups, resources and their holders, waits for many tasks.

Knows what each action that a source asks for (``actions.py``) reads off the function that was called, and the
records that come of it.  Knows nothing of which functions these are (``sources/``), nor of coroutines' own events.
"""

from types import CoroutineType

from ... import events as ev
from .. import actions as act
from . import introspect, steps
from .coroutine import ADOPTED, ALIVE, CREATED, Coro
from .coroutines import Coroutines
from .edges import Edges, many_of
from .objects import Objects
from .scopes import Scopes
from .trio import Trio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from .definitions import Code, Definitions, Handler
    from .tape import Tape

    type Table = tuple[tuple[int, Handler, int], ...]

_NEAR = 4  # frames

_IO = -1  # in place of a callback's id
_SIGNAL = -2


class Probes:
    """What is known of the program's objects, by their addresses.

    What is put in one's place is seen, and begins a new entry.
    """

    def __init__(
        self,
        tape: "Tape",
        defs: "Definitions",
        coros: Coroutines,
        wanted_of: "Callable[[CodeType], int]",
        cold: "Callable[[int, FrameType], object]",
    ) -> None:
        """``cold``: the handler of the rare actions."""
        self.tape = tape
        self.defs = defs
        self.coros = coros
        self.thread = coros.thread
        self.live = coros.live
        self.codes = defs.codes
        self.resources = Objects(tape.lose)
        self.resource_ids = 0
        self.handles = Objects(tape.lose)  # callback id, _IO or _SIGNAL; put there anew each time it is to run
        self.callback_ids = 0
        self.posted = Objects(tape.lose)  # callback id by the callback itself, as long as its handle isn't known
        self.cold = cold
        self.run_code = 0
        self.wanted_of = wanted_of
        self.edges = Edges(self)
        self.trio = Trio(self)
        self.scopes = Scopes(self)
        parts = self, self.edges, self.trio
        self.at_start, self.at_return = _table(parts, act.AT_START), _table(parts, act.AT_RETURN)

    def objects(self) -> tuple[Objects, ...]:
        own = self.resources, self.handles, self.posted, self.edges.shields
        return *own, self.scopes.sites, self.trio.jobs, self.coros.failed

    def put(self, kind: int, ts: int, coro: int, aux: int, off: int = 0, flags: int = 0) -> None:
        """Write an event that does not change what runs."""
        self.coros.put(kind, ts, coro, aux, self.thread.top, off, flags)

    # --- functions that are called ---

    def prepare(self, info: "Code", code: "CodeType", actions: int) -> None:
        """A plain function that a source asks for is called for the first time."""
        info.probe = actions
        info.at_start = _first_of(self.at_start, actions, code)
        info.at_return = _first_of(self.at_return, actions, code)
        if actions & act.RUN:
            self.run_code = id(code)

    def cold_start(self, frame: "FrameType", actions: int, value: object) -> None:
        self.cold(_lowest(actions & act.COLD_AT_START), frame)

    def cold_return(self, frame: "FrameType", actions: int, value: object) -> None:
        self.cold(_lowest(actions & act.COLD_AT_RETURN), frame)

    # --- tasks ---

    def spawn(self, frame: "FrameType", actions: int, value: object) -> None:
        """A function whose argument ``coro`` is being made a task was called."""
        self.make_task(frame)
        if actions & act.GROUP and self.thread.spawned is not None:
            owner = introspect.get(frame.f_locals.get("self"), "_parent_task")
            if introspect.is_task(owner):
                self.edges.put(self.coro_of(owner), self.thread.spawned)

    def spawned(self, frame: "FrameType", actions: int, task: object) -> None:
        self.unrun(task, self.thread.spawned)  # an eager one that is over has forgotten what it ran

    def make_task(self, frame: "FrameType") -> None:
        values = frame.f_locals
        made = values.get("coro")
        thread = self.thread
        agen = introspect.agen_of(made)
        known = self.coros.of(made)
        if known is not None and known is thread.spawned and thread.spawner == id(frame.f_back):
            return  # one call of create_task inside another
        thread.spawned = None
        if type(made) is CoroutineType:
            if made.cr_running or made.cr_suspended or made.cr_frame is None:
                if known is not None and known.state == ALIVE and known.awaiter is None and not known.is_task:
                    known.state = ADOPTED  # its next step is the task's
                return
        elif agen is None:
            return
        if known is not None:
            self.coros.vanish_chain(known)
        name = values.get("name")
        if name is None:
            more = values.get("kwargs")
            name = more.get("name") if type(more) is dict else None
        if agen is not None:
            coro = self.coros.new_step(made, self.defs.code_of(agen.ag_code))
            coro.state = CREATED
        else:
            assert type(made) is CoroutineType
            coro = self.new_task(made)
        self.put_spawn(coro, frame, name)
        if agen is not None:
            coro.off = thread.index
            self.coros.unrun[coro.id] = coro
        thread.spawned = coro
        thread.spawner = id(frame)

    def unrun(self, task: object, coro: Coro | None) -> None:
        """If ``coro`` is a task of a step of an async generator that is over, and nothing said so, write that.

        It never ran, or what ran in its step was the generator's end, and not on its behalf.
        """
        if coro is not None and coro.step and introspect.is_task(task):
            steps.finish_unrun(self.coros, coro, task)

    def new_task(self, made: "CoroutineType[object, object, object]") -> Coro:
        """A coroutine that is being made a task."""
        coro = self.coros.new(id(made.cr_frame), made.cr_code)
        self.coros.number(coro)
        coro.state = CREATED
        coro.is_task = True
        coro.made = id(made)
        return coro

    def put_spawn(self, coro: Coro, frame: "FrameType", name: object) -> None:
        site = self.defs.site_of(frame.f_back)
        ts = self.tape.now()
        self.put(ev.SPAWN, ts, coro.id, coro.code.id, site, ev.NAME_GIVEN if name is not None else 0)
        if type(name) is str:
            self.coros.put_name(coro, name, ts, self.thread.top)

    def coro_of(self, task: object) -> Coro | None:
        """The coroutine of a Task, as far as it is known and has not ended."""
        return self.coros.of(introspect.coroutine_of(task))

    # --- who wakes whom ---

    def soon(self, frame: "FrameType", actions: int, handle: object) -> None:
        """A callback was scheduled, as ``handle``."""
        callback = frame.f_locals.get("callback")
        task = introspect.stepped_task(callback)
        if task is not None:
            coro = self.coro_of(task)
            if coro is not None and coro.state != CREATED and not coro.bare:
                self.put_wake(coro, frame)
        elif callback is not None:
            known = self.posted.pop(id(callback)) if actions & act.POST else 0
            self.handles.set(id(handle), known or self.put_callback(frame), handle)

    def post(self, frame: "FrameType", actions: int, value: object) -> None:
        """A callback is about to be scheduled, and another thread may run it at once."""
        callback = frame.f_locals.get("callback")
        if callback is not None and introspect.stepped_task(callback) is None:
            self.posted.set(id(callback), self.put_callback(frame), callback)

    def put_wake(self, coro: Coro, frame: "FrameType") -> None:
        """A suspended task was scheduled, by the code in ``frame``."""
        by, aux, off = self.cause(frame)
        ts = self.tape.now()
        self.put(ev.WAKE, ts, coro.id, aux, off, by)
        self.scopes.put(coro, ts)

    def put_callback(self, frame: "FrameType") -> int:
        by, aux, off = self.cause(frame)
        self.scopes.cancelled = None
        self.callback_ids += 1
        self.put(ev.SOON, self.tape.now(), self.callback_ids, aux, off, by)
        return self.callback_ids

    def ready(self, frame: "FrameType", actions: int, value: object) -> None:
        """The selector, or a signal, says that a handle's callback is to run."""
        caller = frame.f_back
        if caller is not None:
            io = introspect.exact(caller.f_code.co_name).endswith("_process_events")
            handle = frame.f_locals.get("handle")
            self.handles.set(id(handle), _IO if io else _SIGNAL, handle)

    def cause(self, frame: "FrameType") -> tuple[int, int, int]:
        """The cause of scheduling something, as (BY_*, aux, off)."""
        top = self.thread.top
        self.scopes.cancelled = None
        below = frame.f_back
        while below is not None:
            if top is not None and top.key == id(below):
                return ev.BY_CODE, 0, 0
            wanted = self.wanted_of_frame(below.f_code)
            self.scopes.look(below, wanted)
            step = wanted & act.STEPS
            if step & act.SIGNAL:
                return ev.BY_SIGNAL, 0, 0
            if step & act.RUN:
                task = introspect.current_task()
                return self.by_step(task) if task is not None else self.by_handle(below.f_locals.get("self"))
            if step:
                return self.trio.by(below, step)
            below = below.f_back
        posted = self.wanted_of_frame(frame.f_code) & (act.POST | act.LEAVE)
        other = posted and top is None and introspect.trio_now("runner") is None
        return (ev.BY_THREAD if other else ev.BY_CODE), 0, 0

    def wanted_of_frame(self, code: "CodeType") -> int:
        info = self.codes.get(id(code))
        return info.probe if info is not None and info.probe else self.wanted_of(code)

    def by_step(self, task: object) -> tuple[int, int, int]:
        """The cause where it is a task's step whose coroutine has stopped."""
        coro, thread = self.coro_of(task), self.thread
        self.unrun(task, coro)
        ended = id(introspect.coroutine_of(task)) == thread.ended
        stopped = coro.id if coro is not None else thread.ended_id if ended else 0
        return (ev.BY_TASK if stopped else ev.BY_CODE), stopped, 0

    def by_handle(self, handle: object) -> tuple[int, int, int]:
        """The cause where it is a handle that is no step of a task."""
        if introspect.is_timer(handle):
            due = self.moment_of(introspect.get(handle, "_loop"), introspect.get(handle, "_when"))
            return ev.BY_TIMER, due & 0xFFFFFFFF, due >> 32
        # What was posted comes first: of its handle's address we may know what was there before.
        callback = self.posted.get(id(introspect.get(handle, "_callback"))) or self.handles.get(id(handle))
        if callback < 0:
            return (ev.BY_IO if callback == _IO else ev.BY_SIGNAL), 0, 0
        return (ev.BY_CALLBACK if callback else ev.BY_CODE), callback, 0

    def moment_of(self, loop: object, when: object) -> int:
        """A loop's time on our clock, if both are the same clock; else 0."""
        if type(when) is float and 0 < when < 1e10 and not self.tape.ticks and introspect.has_our_clock(loop):
            return int(when * 1e9)
        return 0

    def timer(self, frame: "FrameType", actions: int, value: object) -> None:
        """A timer is set; the suspension it belongs to follows."""
        values = frame.f_locals
        args = values.get("args")
        if (
            introspect.is_function(values.get("callback"), "_set_result_unless_cancelled")
            and type(args) is tuple
            and args
        ):
            self.thread.sleeper = id(args[0])
            self.thread.due = self.moment_of(values.get("self"), values.get("when"))

    def ask_selector(self, frame: "FrameType", actions: int, value: object) -> None:
        if actions & act.ALONE and introspect.is_guest():
            return
        timeout = frame.f_locals.get("timeout")
        # Only built-in numbers are looked at: a zero lets it return at once.
        self.thread.idle = not (type(timeout) in (int, float) and timeout <= 0)  # type: ignore[operator]
        if self.coros.unrun and _called_by_loop(frame):
            steps.had_turns(self.coros)
        self.thread.select_began = self.tape.now()

    def selector_answers(self, frame: "FrameType", actions: int, value: object) -> None:
        select_began, self.thread.select_began = self.thread.select_began, 0
        if select_began:
            flags = ev.IDLE if self.thread.idle else 0
            self.put(ev.SELECT, self.tape.now(), 0, select_began & 0xFFFFFFFF, select_began >> 32, flags)

    # --- who holds what ---

    def define_resource(self, thing: object, site: int) -> int:
        kind = self.defs.type_of(type(thing))
        self.resource_ids += 1
        self.tape.put_definition(ev.RESOURCE, self.resource_ids, kind, site)
        self.resources.set(id(thing), self.resource_ids, thing)
        return self.resource_ids

    def resource_of(self, frame: "FrameType") -> int:
        """The resource id of a method's object."""
        return self.resource_for(frame.f_locals.get("self"))

    def resource_for(self, thing: object) -> int:
        return self.resources.get(id(thing)) or self.define_resource(thing, 0)

    def made(self, frame: "FrameType", actions: int, value: object) -> None:
        made, site = frame.f_locals.get("self"), self.defs.site_of(frame.f_back)
        if actions & act.SCOPE:
            self.scopes.made(made, site)
        else:
            self.define_resource(made, site)

    def give(self, frame: "FrameType", actions: int, value: object) -> None:
        top = self.thread.top
        resource = self.resource_of(frame)
        self.put(ev.GIVE, self.tape.now(), top.root.id if top is not None else 0, resource)

    def taken(self, frame: "FrameType", actions: int, value: object) -> None:
        """A plain function took the resource, for the running task."""
        top = self.thread.top
        if top is not None:
            self.take(top, frame)
            if top.key == id(frame.f_back):
                top.role &= ~act.TAKE  # it needn't say so again

    def take(self, coro: Coro, frame: "FrameType") -> None:
        thing = frame.f_locals.get("self")
        lock = introspect.get(thing, "_lock") if introspect.trio_part("Task") else None
        resource = self.resource_for(thing if lock is None else lock)
        site = self.defs.site_of(frame.f_back)
        self.coros.put(ev.TAKE, self.tape.now(), coro.root.id, resource, coro, site)

    # --- who waits for many ---

    def record_wait_target(self, coro: Coro, frame: "FrameType", ts: int) -> None:
        """At the first suspension in a coroutine: the resource, tasks or deadline that its function waits for."""
        if coro.role & act.USE:
            self.put(ev.USE, ts, coro.id, self.resource_of(frame))
        if coro.role & act.MANY:
            self.edges.to_all(coro.root, many_of(frame), 0)
        if coro.role & act.CHILDREN:
            self.edges.to_all(coro.root, introspect.get(frame.f_locals.get("self"), "_children"), 0)
        if coro.role & act.UNTIL:
            self.trio.wait_until(coro, frame.f_locals.get("deadline"), ts)
        coro.role &= ~act.AT_SUSPENSION


def _called_by_loop(frame: "FrameType") -> bool:
    """Whether a loop called its selector, directly or by way of a selector of the program's."""
    caller = frame.f_back
    for _ in range(_NEAR):
        if caller is None or caller.f_code.co_qualname == "BaseEventLoop._run_once":
            break
        caller = caller.f_back
    else:
        return False
    return caller is not None


def _table(parts: tuple[object, ...], rows: tuple[tuple[int, str, int], ...]) -> "Table":
    """With what does it, of whichever part has it, in place of its name."""
    return tuple(
        (action, next(getattr(part, name) for part in parts if hasattr(part, name)), flags)
        for action, name, flags in rows
    )


def _first_of(table: "Table", actions: int, code: "CodeType") -> "Handler | None":
    for action, handler, flags in table:
        if actions & action and code.co_flags & flags == flags:
            return handler
    return None


def _lowest(actions: int) -> int:
    return actions & -actions
