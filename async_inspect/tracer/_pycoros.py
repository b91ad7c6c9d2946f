"""The coroutines that live: who runs on which thread, who awaits whom, how each begins, is entered and ends.

Knows each coroutine by the identity of its frame, and how to find an awaiter by walking frames; writes the events of a
life (START, ENTER, RETURN, RAISE, VANISH and what goes with them).  Does not know which ``sys.monitoring`` event
says what: that is ``_pycore``.

Each coroutine that lives has a ``Coro``.  Each thread has a ``top``: the coroutine that runs on it.
"""

from _thread import get_native_id
from types import CoroutineType

from .. import events as ev
from . import _pyask as ask
from ._pyactions import ROLES
from ._pydefs import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE
from ._pythreads import NOT_YET, State, Thread, Threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType

    from ._pydefs import Code, Definitions
    from ._pytape import Tape

CO_GENERATOR = 0x20
ASYNC = CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR

# Where a coroutine stands.
CREATED = 0  # made a task, not run yet
ALIVE = 1  # runs, or its chain waits
ITEM = 2  # an async generator between two items
DEAD = 3


class Coro:
    """A coroutine that lives, or was made a task and is yet to run."""

    __slots__ = (
        "_root",
        "awaiter",
        "bare",
        "child",
        "closing",
        "code",
        "id",
        "is_task",
        "key",
        "name_hash",
        "node",
        "off",
        "outer",
        "role",
        "state",
        "tags",
    )

    def __init__(self, id: int, key: int, code: "Code") -> None:
        self.id = id
        self.key = key
        self.code = code
        self.node = 0
        self.state = ALIVE
        self.is_task = False
        self.role = 0  # what its code does that sources ask for (ROLES), less what was told
        self.bare = False  # of a root: it only yielded, and is ready at once
        self.closing = False  # a close() runs it: not by way of its awaiter, to whom it doesn't return either
        self.name_hash = 0  # of the name that was written, 0: none
        self.tags = 0  # ... and of the tags
        self.off = -1  # where it stood in its last suspension ...
        self.child: Coro | None = None  # ... and whom it awaited there
        self.awaiter: Coro | None = None  # who awaits it; None: a root
        self._root: Coro | None = None  # None: itself, which would be a cycle for the program's collector to find
        self.outer: Coro | None = None  # of a root: what ran on the thread when it was last entered

    @property
    def root(self) -> "Coro":
        return self._root or self

    @root.setter
    def root(self, root: "Coro") -> None:
        self._root = None if root is self else root


class Coroutines:
    """All that live in one recording."""

    def __init__(self, tape: "Tape", defs: "Definitions") -> None:
        self.tape = tape
        self.defs = defs
        self.threads = Threads()
        self.thread: State = Thread(self.threads)
        self.live: dict[int, Coro] = {}  # by frame
        self.tasks: dict[int, int] = {}  # ids by the coroutine of a task, after its end, too: whoever asks holds that
        self.coro_ids = 0

    # --- writing ---

    def put(self, kind: int, ts: int, coro: int, aux: int, after: Coro | None, off: int, flags: int = 0) -> None:
        """Write an event. ``after`` runs when it is over."""
        thread = self.thread
        if thread.index < 0:
            if thread.index == NOT_YET:
                thread.index = self.threads.new_index()
                if thread.index >= 0:
                    self.tape.put_definition(ev.THREAD, thread.index, thread.native_id or get_native_id())
            if thread.index < 0:
                self.tape.lose()
                return
        node = after.node if after is not None else 0
        task = after.root.id if after is not None else 0
        self.tape.put_raw(ts, coro, aux, node, task, off, thread.index, flags, kind)

    # --- frames ---

    def awaiter_of(self, frame: "FrameType", thrown: bool = False) -> Coro | None:
        """The coroutine that awaits the one that runs in ``frame``, if one does.

        Plain generators are looked through.
        """
        below = frame.f_back
        while below is not None:
            code = below.f_code
            if not code.co_flags & (ASYNC | CO_GENERATOR):
                return None
            stands = self.defs.stands
            if not stands(code, below.f_lasti, True) and not (thrown and stands(code, below.f_lasti, False)):
                return None
            if code.co_flags & ASYNC:
                return self.live.get(id(below)) or self.open(below, 0, thrown)
            below = below.f_back
        return None

    def passed(self, coro: Coro, awaiter: Coro | None) -> bool:
        """Whether a throw() that comes from ``awaiter`` (None: from outside) came to ``coro`` along its chain."""
        below, up = coro, coro.awaiter
        while up is not None and up.child is below:
            if up is awaiter:
                return True
            below, up = up, up.awaiter
        if up is not None or awaiter is not None or below is coro:
            return False
        # By hand it may be thrown into past its awaiters, but not into an async generator, which then says it runs.
        return coro.code.kind == ev.CODE_ASYNC_GENERATOR or self.step_of(below) is not None

    # --- coroutines ---

    def new(self, key: int, code: "CodeType") -> Coro:
        self.coro_ids += 1
        coro = self.live[key] = Coro(self.coro_ids, key, self.defs.code_of(code))
        return coro

    def begin(self, coro: Coro, awaiter: Coro | None, flags: int) -> None:
        """``coro`` begins to run; write its START."""
        thread = self.thread
        is_task = awaiter is None and (coro.is_task or self.step_of(coro) is not None)
        if awaiter is not None:
            coro.awaiter = awaiter
            coro.root = awaiter.root
            coro.node = self.defs.node_of(awaiter.node, coro.code)
        else:
            coro.outer = thread.top
            coro.node = self.defs.node_of(0, coro.code)
        coro.is_task = is_task
        coro.state = ALIVE
        coro.role = coro.code.probe & ROLES
        if is_task:
            flags |= ev.IS_TASK
            self.tasks[id(ask.coroutine_of(self.step_of(coro)))] = coro.id
        self.put(ev.START, self.tape.now(), coro.id, awaiter.id if awaiter else 0, coro, coro.code.id, flags)
        thread.top = coro

    def open(self, frame: "FrameType", flags: int, thrown: bool = False) -> Coro:
        """A frame is met in mid-life: it was there before the recording, or an exception is the first it sees."""
        code = frame.f_code
        if not thrown or self.defs.stands(code, frame.f_lasti, False):
            flags |= ev.BEFORE
        awaiter = self.awaiter_of(frame, thrown)
        coro = self.live.get(id(frame)) or self.new(id(frame), code)
        self.begin(coro, awaiter, flags)
        return coro

    def enter_root(self, root: Coro) -> None:
        """What ran until now goes on when ``root`` stops; not one of its own, which then stopped unseen."""
        top = self.thread.top
        if top is None or top.root is not root:
            root.outer = top

    def enter(self, coro: Coro, awaiter: Coro | None, flags: int) -> None:
        """``coro`` is entered again, by another awaiter or at another await than it stood in: write an ENTER."""
        thread = self.thread
        if awaiter is None:
            self.enter_root(coro)
            if self.step_of(coro) is not None:
                coro.is_task = True
                flags |= ev.IS_TASK
        if coro.code.kind == ev.CODE_ASYNC_GENERATOR:
            coro.node = self.defs.node_of(awaiter.node if awaiter is not None else 0, coro.code)
        before = coro.awaiter
        if before is not None and before is not awaiter and before.child is coro:
            before.child = None
        coro.awaiter = awaiter
        coro.state = ALIVE
        coro.closing = False
        leaf: Coro = coro
        root = awaiter.root if awaiter is not None else coro
        while True:
            leaf.root = root
            if leaf.child is None:
                break
            leaf = leaf.child
        self.put(ev.ENTER, self.tape.now(), coro.id, awaiter.id if awaiter else 0, leaf, 0, flags)
        thread.resume = coro.child
        thread.top = leaf

    def drop(self, coro: Coro) -> None:
        coro.state = DEAD
        if self.live.get(coro.key) is coro:
            del self.live[coro.key]
        if coro.awaiter is not None and coro.awaiter.child is coro:
            coro.awaiter.child = None
        if coro.child is not None and coro.child.awaiter is coro:
            coro.child.awaiter = None
        coro.child = coro.outer = None

    def started(self, frame: "FrameType | None") -> Coro | None:
        """The one of this frame, if it has run."""
        coro = self.live.get(id(frame)) if frame is not None else None
        return coro if coro is not None and coro.state != CREATED else None

    def vanish(self, coro: Coro, flags: int = 0) -> None:
        """``coro`` has ended and no event said so."""
        self.put(ev.VANISH, self.tape.now(), coro.id, 0, self.thread.top, 0, flags)
        self.drop(coro)

    def finish(self, coro: Coro, kind: int, off: int, exc: BaseException | None) -> None:
        thread = self.thread
        flags = aux = 0
        message = name = None
        if coro.awaiter is None:
            task = self.step_of(coro) if coro.is_task else None
            flags = _outcome(coro, task, exc)
            if exc is not None:
                message = ask.message_of(exc)
            if task is not None:
                name = _last_name(coro, task)
                thread.ended = id(ask.coroutine_of(task))
                thread.ended_id = coro.id
            after = coro.outer
        else:
            after = coro.root.outer if coro.closing else coro.awaiter
        if exc is not None:
            aux = self.defs.type_of(type(exc))
        self.vanish_below(coro)
        ts = self.tape.now()
        if name is not None:
            self.put_name(coro, name, ts, coro)
        self.put(kind, ts, coro.id, aux, after, off, flags)
        if message:
            data = ask.utf8(message)
            self.put(ev.MESSAGE, ts, coro.id, 0, after, len(data))
            self.tape.put_text(data)
        self.drop(coro)
        self.stop_at(after)

    def stop_at(self, after: Coro | None) -> None:
        """What ran has stopped; ``after`` goes on."""
        self.thread.top = after
        if after is None:
            self.thread.serial += 1

    def vanish_below(self, coro: Coro) -> None:
        chain = []
        below = coro.child
        while below is not None:
            chain.append(below)
            below = below.child
        for gone in reversed(chain):
            self.vanish(gone)

    # --- tasks ---

    def step_of(self, coro: Coro) -> object:
        """The task of which a step runs just now, if ``coro`` is its root."""
        task = ask.current_task()
        if task is not None:
            awaited = ask.coroutine_of(task)
            if type(awaited) is CoroutineType:
                its = id(awaited.cr_frame) == coro.key
            else:  # a task around an async generator's aclose()
                its = coro.outer is None and self.thread.top in (None, coro)
            if its:
                return task
        task = ask.trio_now("task")
        awaited = ask.coroutine_of(task) if ask.is_trio_task(task) else None
        return task if type(awaited) is CoroutineType and id(awaited.cr_frame) == coro.key else None

    def put_name(self, coro: Coro, name: str, ts: int, after: Coro | None) -> None:
        coro.name_hash = hash(name)
        data = ask.utf8(name)
        self.put(ev.NAME, ts, coro.id, 0, after, len(data))
        self.tape.put_text(data)

    # --- what an event finds ---

    def settle(self) -> None:
        """Whatever burst went on is over: something else happens now."""
        thread = self.thread
        if thread.resume is not None:
            thread.top = thread.resume.awaiter  # the burst stopped short of its leaf
            thread.resume = None
        thread.up = thread.up_child = thread.spawned = None
        thread.sleeper = 0

    def running(self, frame: "FrameType") -> Coro:
        """The coroutine of the frame that an event is about, and that runs."""
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


def _outcome(coro: Coro, task: object, exc: BaseException | None) -> int:
    """How it ended, as flags; ``task``: whose step ended it."""
    if coro.is_task:
        if task is None:
            return ev.CLOSED
        if exc is None:
            return ev.CANCELLED if ask.get(task, "_must_cancel") is True else 0
    elif type(exc) is GeneratorExit:
        return ev.CLOSED
    return ev.CANCELLED if exc is not None and ask.is_cancellation(exc) else 0


def _last_name(coro: Coro, task: object) -> str | None:
    """The task's name at its end, if the program gave it and it was not written yet."""
    name = ask.task_name(task)
    if name is None or hash(name) == coro.name_hash:
        return None
    if ask.is_trio_task(task):  # which tells no name of its making from the program's
        return name if coro.name_hash else None
    return None if ask.is_made_up(name) else name
