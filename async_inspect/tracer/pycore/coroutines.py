"""The coroutines that are alive: which runs on which thread, which awaits which, how each begins, is entered and ends.

Identifies a coroutine by its frame, and finds an awaiter by walking frames; writes the records of its lifetime (START,
ENTER, RETURN, RAISE, VANISH and what belongs to them).  The meaning of ``sys.monitoring`` events is in ``recorder.py``.

Each coroutine alive has a ``Coro`` (``coroutine.py``).  Each thread has a ``top``: the coroutine that runs on it.
"""

from _thread import get_native_id
from types import CoroutineType

from ... import events as ev
from ..actions import ROLES
from . import introspect, steps
from .coroutine import ALIVE, CREATED, DEAD, Coro, step_of
from .definitions import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE
from .objects import Objects
from .processor import put_processor
from .threads import NOT_YET, State, Thread, Threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType

    from .definitions import Code, Definitions
    from .tape import Tape

CO_GENERATOR = 0x20
ASYNC = CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR


class Coroutines:
    """All coroutines alive in one recording."""

    def __init__(self, tape: "Tape", defs: "Definitions") -> None:
        self.tape = tape
        self.defs = defs
        self.threads = Threads()
        self.thread: State = Thread(self.threads)
        self.live: dict[int, Coro] = {}  # by frame
        self.unrun: dict[int, Coro] = {}  # tasks that are made of steps of async generators and have not run, by id
        self.failed = Objects(tape.lose)  # ids of tasks that ended so, by what they were made of, as long as these live
        self.coro_ids = 0
        self.slow_poll_ns = 0

    # --- writing ---

    def put(self, kind: int, ts: int, coro: int, aux: int, after: Coro | None, off: int, flags: int = 0) -> None:
        """Write an event; ``after`` is the coroutine that runs after it."""
        thread = self.thread
        if thread.index < 0:
            if thread.index == NOT_YET:
                thread.index = self.threads.new_index()
                if thread.index >= 0:
                    thread.native_id = thread.native_id or get_native_id()
                    self.tape.put_definition(ev.THREAD, thread.index, thread.native_id)
            if thread.index < 0:
                self.tape.lose()
                return
        node = after.node if after is not None else 0
        task = after.root.id if after is not None else 0
        self.tape.put_raw(ts, coro, aux, node, task, off, thread.index, flags, kind)

    # --- frames ---

    def awaiter_of(self, frame: "FrameType", thrown: bool = False) -> Coro | None:
        """The awaiter of the coroutine that runs in ``frame``, if it has one.

        Plain generators are looked through.  ``thrown``: an exception was thrown into ``frame``.  What a frame at an
        await awaits isn't visible from here (the C core looks at its stack); but from one that waits for an answer an
        exception comes by an ``athrow()`` alone: else that is a finalizer's, of what died there.
        """
        inner, below = frame, frame.f_back
        while below is not None:
            code = below.f_code
            if not code.co_flags & (ASYNC | CO_GENERATOR):
                return None
            if self.defs.is_at_await(code, below.f_lasti, True):
                if thrown and not self.takes_athrow(inner):
                    return None
                thrown = False
            elif not thrown or not self.defs.is_at_await(code, below.f_lasti, False):
                return None
            if code.co_flags & ASYNC:
                return self.live.get(id(below)) or self.open(below, 0, thrown)
            inner, below = below, below.f_back
        return None

    def takes_athrow(self, frame: "FrameType") -> bool:
        """Whether an ``athrow()`` can be what throws into it: that awaits nothing itself."""
        coro = self.live.get(id(frame))
        return bool(frame.f_code.co_flags & CO_ASYNC_GENERATOR) and (coro is None or coro.state != ALIVE)

    def passed(self, coro: Coro, awaiter: Coro | None) -> bool:
        """Whether a throw() from ``awaiter`` (None: from outside) reached ``coro`` along its chain."""
        below, up = coro, coro.awaiter
        while up is not None and up.child is below:
            if up is awaiter:
                return True
            below, up = up, up.awaiter
        if up is not None or awaiter is not None or below is coro:
            return False
        # By hand it may be thrown into past its awaiters, but not into an async generator, which then says it runs.
        return coro.code.kind == ev.CODE_ASYNC_GENERATOR or step_of(self.top_of(below), self.thread.top) is not None

    # --- coroutines ---

    def new(self, key: int, code: "CodeType") -> Coro:
        coro = self.live[key] = Coro(0, key, self.defs.entry_of(code))
        self.number(coro)
        return coro

    def number(self, coro: Coro) -> None:
        """Records are about this coroutine, from now on."""
        if not coro.id:
            self.coro_ids += 1
            coro.id = self.coro_ids

    def is_told(self, coro: Coro, awaiter: Coro | None = None) -> bool:
        """Whether a record is written of what this coroutine, awaited so, does."""
        return True

    def told_as(self, coro: Coro) -> Coro:
        """As whom a coroutine runs, in records."""
        return coro

    def stamp(self, coro: Coro, awaiter: Coro | None = None) -> int:
        """The time for that record; 0: it isn't written."""
        return self.tape.now() if self.is_told(coro, awaiter) else 0

    def node_for(self, coro: Coro, awaiter: Coro | None) -> int:
        return self.defs.node_of(awaiter.node if awaiter is not None else 0, coro.code)

    def new_step(self, step: object, code: "Code") -> Coro:
        """A task that is made of a step of an async generator."""
        self.coro_ids += 1
        task = self.live[-id(step)] = Coro(self.coro_ids, -id(step), code)
        task.step = task.is_task = True
        task.made = id(step)
        return task

    def of(self, made: object) -> Coro | None:
        """The coroutine of a task that is made of this, if it is known and has not ended."""
        if type(made) is CoroutineType:
            return self.live.get(id(made.cr_frame)) if made.cr_frame is not None else None
        return self.live.get(-id(made))

    def top_of(self, coro: Coro) -> Coro:
        """The root of a coroutine that none awaits: itself, or the task that is made of its step."""
        return coro.root if coro.root.step and coro.root.child is coro else coro

    def root_of(self, coro: Coro) -> Coro:
        """The root of one that is being entered."""
        if coro.code.kind == ev.CODE_ASYNC_GENERATOR:
            step = introspect.coroutine_of(introspect.current_task())
            agen = introspect.agen_of(step)
            if agen is not None and id(agen.ag_frame) == coro.key:
                task = self.live.get(-id(step)) or self.new_step(step, coro.code)
                self.unrun.pop(task.id, None)
                task.state = ALIVE
                task.child = coro
                return task
        return coro

    def begin(self, coro: Coro, awaiter: Coro | None, flags: int) -> None:
        """``coro`` begins to run; write its START."""
        thread = self.thread
        is_task = False
        if awaiter is not None:
            coro.awaiter = awaiter
            coro.root = awaiter.root
            coro.node = self.node_for(coro, awaiter)
        else:
            self.number(coro)
            root = coro.root = self.root_of(coro)
            is_task = root.is_task or step_of(root, self.thread.top) is not None
            root.outer = thread.top
            coro.node = self.node_for(coro, None)
        coro.is_task = is_task and coro.root is coro
        coro.state = ALIVE
        coro.role = coro.code.probe & ROLES
        if is_task:
            flags |= ev.IS_TASK
            coro.root.made = coro.root.made or id(introspect.coroutine_of(step_of(coro.root, self.thread.top)))
        self.put(ev.START, self.stamp(coro, awaiter), coro.id, awaiter.id if awaiter else 0, coro, coro.code.id, flags)
        thread.top = coro

    def open(self, frame: "FrameType", flags: int, thrown: bool = False) -> Coro:
        """A frame is first seen while alive: it began before the recording, or its first event is an exception."""
        code = frame.f_code
        if not thrown or self.defs.is_at_await(code, frame.f_lasti, False):
            flags |= ev.BEFORE
        awaiter = self.awaiter_of(frame, thrown)
        coro = self.live.get(id(frame)) or self.new(id(frame), code)
        self.begin(coro, awaiter, flags)
        return coro

    def enter_root(self, root: Coro) -> None:
        """The coroutine that ran until now continues when ``root`` stops; unless it is of ``root``'s own chain: then
        its stop was not seen."""
        top = self.thread.top
        if top is None or top.root is not root:
            root.outer = top

    def enter(self, coro: Coro, awaiter: Coro | None, flags: int) -> None:
        """``coro`` is entered again, by another awaiter or at another await than before: write an ENTER."""
        thread = self.thread
        root = awaiter.root if awaiter is not None else self.root_of(coro)
        left = self.top_of(coro)
        if left is not coro and left is not root:
            self.vanish(left)  # its step is over, or the generator would not run for another
        if awaiter is None:
            self.enter_root(root)
            if step_of(root, self.thread.top) is not None:
                root.is_task = True
                flags |= ev.IS_TASK
        if coro.code.kind == ev.CODE_ASYNC_GENERATOR:
            coro.node = self.node_for(coro, awaiter)
        before = coro.awaiter
        if before is not None and before is not awaiter and before.child is coro:
            before.child = None
        coro.awaiter = awaiter
        coro.state = ALIVE
        coro.closing = False
        leaf: Coro = coro
        while True:
            leaf.root = root
            if leaf.child is None:
                break
            leaf = leaf.child
        self.put(ev.ENTER, self.stamp(coro, awaiter), coro.id, awaiter.id if awaiter else 0, leaf, 0, flags)
        thread.resume = coro.child
        thread.top = leaf

    def drop(self, coro: Coro) -> None:
        coro.state = DEAD
        if coro.step:
            self.unrun.pop(coro.id, None)
        if self.live.get(coro.key) is coro:
            del self.live[coro.key]
        if coro.awaiter is not None and coro.awaiter.child is coro:
            coro.awaiter.child = None
        if coro.child is not None and coro.child.awaiter is coro:
            coro.child.awaiter = None
        coro.child = coro.outer = None

    def vanish(self, coro: Coro, flags: int = 0) -> None:
        """``coro`` has ended without an event."""
        root = self.top_of(coro)
        if coro.step:
            self.remember_failed(coro, None, True)
        self.put(ev.VANISH, self.stamp(coro), coro.id, 0, self.thread.top, 0, flags)
        self.drop(coro)
        if root is not coro:
            self.vanish(root)

    def finish(self, coro: Coro, kind: int, off: int, exc: BaseException | None) -> None:
        thread = self.thread
        flags = aux = 0
        message = name = None
        root = self.top_of(coro)
        if root is not coro:
            after = root.outer
        elif coro.awaiter is None:
            task = step_of(coro, self.thread.top) if coro.is_task else None
            flags = coro.outcome(task, exc)
            if exc is not None:
                message = introspect.message_of(exc)
            if task is not None:
                name = coro.last_name(task)
                thread.ended = id(introspect.coroutine_of(task))
                thread.ended_id = coro.id
            self.remember_failed(coro, task, kind == ev.RAISE and not flags & ev.CANCELLED)
            after = coro.outer
        else:
            after = coro.root.outer if coro.closing else coro.awaiter
        if exc is not None and self.is_told(coro):
            aux = self.defs.type_of(type(exc))
        self.vanish_below(coro)
        ts = self.stamp(coro)
        if name is not None:
            self.put_name(coro, name, ts, coro)
        self.put(kind, ts, coro.id, aux, after, off, flags)
        if message:
            self.put_message(coro, message, ts, after)
        self.drop(coro)
        self.stop_at(after)
        if root is not coro:
            steps.finish(self, root, kind, exc, ts)

    def remember_failed(self, coro: Coro, owner: object, failed: bool) -> None:
        """A task has failed, or its coroutine was ended from outside: asyncio may warn about it later."""
        if coro.is_task and (owner is None or (failed and introspect.is_task(owner))):
            self.failed.set(coro.made, coro.id, owner)

    def id_of(self, task: object) -> int:
        """The id of a task that may have ended; 0: not known."""
        made, coro = introspect.get(task, "_coro"), self.of(introspect.get(task, "_coro"))
        if coro is not None:
            return coro.id
        unseen = (each.id for each in self.live.values() if each.made == id(made))  # closed before it ever ran
        return self.failed.get(id(made)) or next(unseen, 0)

    def put_throw(self, coro: Coro, aux: int, off: int) -> None:
        self.put(ev.THROW, self.tape.now(), coro.id, aux, coro, off)

    def put_message(self, coro: Coro, message: str, ts: int, after: Coro | None) -> None:
        data = introspect.utf8(message)
        self.put(ev.MESSAGE, ts, coro.id, 0, after, len(data))
        self.tape.put_text(data)

    def stop_at(self, after: Coro | None) -> None:
        """The running coroutine has stopped; ``after`` continues."""
        thread = self.thread
        if after is None:
            if thread.seen is not None and thread.seen[0] == thread.serial and thread.top is not None:
                put_processor(self, thread, thread.top.root.id, thread.seen[1])
            thread.serial += 1
        thread.top = after

    def vanish_below(self, coro: Coro) -> None:
        chain = []
        below = coro.child
        while below is not None:
            chain.append(below)
            below = below.child
        for gone in reversed(chain):
            self.vanish(gone)

    def is_running(self, root: Coro) -> bool:
        """Whether any thread runs a coroutine of this chain."""
        for state in self.threads.states.values():
            coro: Coro | None = state.get("top")
            for _ in range(len(self.live) + 1):  # one that stopped unseen may lead back
                if coro is None:
                    break
                if coro.root is root:
                    return True
                coro = coro.root.outer
        return False

    def vanish_chain(self, coro: Coro) -> None:
        """Another coroutine has the address of ``coro``, which has therefore ended unseen.

        So have those that were suspended in it, since they held it, and what it held itself: whatever the collector
        finalizes while events are off, as in a callback of another tool, or in one of ours.
        """
        if not self.is_running(coro.root):
            while coro.awaiter is not None and coro.awaiter.child is coro:
                coro = coro.awaiter
            self.vanish_below(coro)
        self.vanish(coro)

    # --- tasks ---

    def put_name(self, coro: Coro, name: str, ts: int, after: Coro | None) -> None:
        coro.name_hash = hash(name)
        data = introspect.utf8(name)
        self.put(ev.NAME, ts, coro.id, 0, after, len(data))
        self.tape.put_text(data)

    # --- what an event finds ---

    def end_burst(self) -> None:
        """End the current burst: another kind of event comes."""
        thread = self.thread
        if thread.resume is not None:
            thread.top = thread.resume.awaiter  # the burst stopped short of its leaf
            thread.resume = None
        thread.up = thread.up_child = None
        self.forget_last()

    def forget_last(self) -> None:
        """What the last event left for the next one."""
        self.thread.spawned = None
        self.thread.sleeper = 0

    def running(self, frame: "FrameType") -> Coro:
        """The coroutine of a running frame that an event is about."""
        thread = self.thread
        top = thread.top
        if top is not None and top.key == id(frame):
            return top
        coro = self.live.get(id(frame))
        if coro is None or coro.state == CREATED:
            return self.open(frame, 0)
        coro.child = None  # it runs itself: whatever it awaited let go of it unseen
        self.enter(coro, self.awaiter_of(frame), 0)
        return coro
