"""The Python core: the readable twin of ``_core.c``, the same contract (``_core.pyi``) and the same records.

It is the reference, and what runs where no C core can be had.  Knows how ``sys.monitoring`` events become the records
of ``events.py``.  Knows nothing of files (the header is written by ``writer.py``) or of what records mean together.

How it works.  Each coroutine that lives has a ``_Coro``, found by the identity of its frame.  Each thread has a
``top``: the coroutine that runs on it.  A suspension at depth *d* fires *d* PY_YIELDs, leaf to root, and the next step
*d* PY_RESUMEs, root to leaf.  Each suspended coroutine remembers whom it awaited and at which offset; while such a burst
goes as it went the last time, only its first event is written (SUSPEND of the leaf, RESUME of the root): the rest is
implied.  Where it differs, a LINK says so.

What the events are worth, as seen on 3.12 to 3.15: PY_THROW means "resumed", not "an exception comes" (a leaf that
swallows one and returns re-enters its parents so); ``throw()`` goes to the leaf and its parents see nothing before the
leaf ends; ``close()`` may end inner coroutines without any event (3.13+); an async generator's ``yield`` hands over an
item and suspends nobody.
"""

import posix
import sys
import time
from fcntl import F_DUPFD_CLOEXEC, fcntl
from _thread import RLock, _local, get_native_id
from _weakref import ref
from opcode import opmap  # type: ignore[attr-defined,unused-ignore]
from types import CodeType, CoroutineType, FrameType

from .. import events as ev

NAME = "python"
SPAWN_PROBE = 1
HIGH_FD = 1000
WATCHED = -1

CO_GENERATOR = 0x20
CO_COROUTINE = 0x80
CO_ITERABLE_COROUTINE = 0x100
CO_ASYNC_GENERATOR = 0x200
ASYNC = CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR

# Where a coroutine stands.
CREATED = 0  # made a task, not run yet
ALIVE = 1  # runs, or its chain waits
ITEM = 2  # an async generator between two items
DEAD = 3

_MON = sys.monitoring
_E = _MON.events
_LOCAL_THROW = sys.version_info >= (3, 15)  # before, PY_UNWIND and PY_THROW can only be set for all code
_ASYNC_EVENTS = _E.PY_RESUME | _E.PY_YIELD | _E.PY_RETURN
_THROW_EVENTS = _E.PY_UNWIND | _E.PY_THROW
# Set for all code, to meet each once: plain code then says DISABLE. What began before the recording is met resumed.
_MEET_EVENTS = _E.PY_START | _E.PY_RESUME | (_E.PY_THROW if _LOCAL_THROW else 0)
_SEND, _CACHE, _YIELD_VALUE, _RESUME = (opmap.get(name, 0) for name in ("SEND", "CACHE", "YIELD_VALUE", "RESUME"))

_type_module = type.__dict__["__module__"].__get__
_type_qualname = type.__dict__["__qualname__"].__get__
_exc_args = BaseException.__dict__["args"].__get__
_SAFE_STR = (BaseException.__str__, OSError.__str__, KeyError.__str__)


class _Coro:
    """A coroutine that lives, or was made a task and is yet to run."""

    __slots__ = ("awaiter", "child", "code", "id", "is_task", "key", "name_hash", "node", "off", "outer", "root", "state")

    def __init__(self, id: int, key: int, code: "_Code") -> None:
        self.id = id
        self.key = key
        self.code = code
        self.node = 0
        self.state = ALIVE
        self.is_task = False
        self.name_hash = 0  # of the name that was written, 0: none
        self.off = -1  # where it stood in its last suspension ...
        self.child: _Coro | None = None  # ... and whom it awaited there
        self.awaiter: _Coro | None = None  # who awaits it; None: a root
        self.root: _Coro = self
        self.outer: _Coro | None = None  # of a root: what ran on the thread when it was last entered


class _Code:
    """A code object that was seen, by its id in the recording."""

    __slots__ = ("ends_stack", "id", "kind", "probe", "ref", "sends", "suspends")

    def __init__(self, id: int) -> None:
        self.id = id
        self.kind = ev.CODE_PLAIN
        self.ends_stack = False  # no frame outside this one says more about where a task was made
        self.probe = 0  # what to do when it is called; WATCHED: it has our local events
        self.ref: ref[CodeType] | None = None
        self.sends: frozenset[int] | None = None
        self.suspends: frozenset[int] = frozenset()


class _Thread(_local):
    """What runs on this thread."""

    index = -1
    top: _Coro | None = None
    resume: _Coro | None = None  # a resuming burst goes on: who is next, root to leaf
    up: _Coro | None = None  # a suspending burst goes on: who is next, leaf to root ...
    up_child: _Coro | None = None  # ... whom that one awaits ...
    up_ts = 0  # ... and when the burst began
    spawned: _Coro | None = None  # the task made last, until the next event


class _Recorder:
    """One recording being written."""

    def __init__(self, fd: int, header_size: int, max_size: int, tool_id: int, stdlib: str, ticks: bool) -> None:
        self.fd = _high_duplicate(fd)
        self.identity = _identity(fd)
        try:
            self.path = posix.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            self.path = ""
        self.tail = header_size  # where it begins in the file
        self.body = header_size + ev.TAIL_SIZE
        posix.posix_fallocate(self.fd, 0, self.body)
        self.newest: list[bytes] = []  # the slots in the tail
        self.max_slots = (max_size - self.body) // ev.RECORD_SIZE
        self.flushed = 0
        self.tool = tool_id
        self.stdlib = stdlib.rstrip("/") + "/"
        self.ticks = ticks
        self.tick = 0
        self.lock = RLock()
        self.full = False
        self.lost = 0
        self.callbacks = self.timed = self.timed_ns = 0
        self.thread = _Thread()
        self.threads = 0
        self.live: dict[int, _Coro] = {}  # by frame
        self.coros = 0
        self.codes: dict[int, _Code] = {}  # by id(code); the weak reference takes it out
        self.code_ids = 0
        self.nodes: dict[tuple[int, int], int] = {}
        self.node_ids = 0
        self.strings: dict[str, int] = {}
        self.sites: dict[tuple[int, int, int], int] = {}
        self.throws_on = False
        self.set_header(ev.TAIL_SIZE_OFFSET, ev.TAIL_SIZE, 4)
        self.node_ids = ev.OTHER_NODE
        self.put_definition(ev.NODE, ev.OTHER_NODE)

    # --- writing ---

    def now(self) -> int:
        if self.ticks:
            self.tick += 1
            return self.tick
        return time.monotonic_ns()

    def own_fd(self) -> int:
        """Our descriptor, if it still is ours: a daemon closes all it finds, and may give the number to another file."""
        if _identity(self.fd) != self.identity:
            self.fd = -1
            try:
                fd = posix.open(self.path, posix.O_RDWR | posix.O_CLOEXEC | posix.O_NOFOLLOW)
            except OSError:
                return -1
            if _identity(fd) == self.identity:
                self.fd = _high_duplicate(fd)
            posix.close(fd)
        return self.fd

    def write(self, data: bytes, at: int) -> bool:
        """Write into the file at once: no mapping, since Python's own would close descriptors that are no longer ours."""
        try:
            fd = self.own_fd()
            while data and fd >= 0:
                done = posix.pwrite(fd, data, at)
                at += done
                data = data[done:]
        except OSError:
            return False
        return not data

    def set_header(self, offset: int, value: int, size: int = 8) -> None:
        self.write(value.to_bytes(size, "little"), offset)

    def flush(self) -> None:
        """Append the tail to the body and begin it anew; the order is what ``events.py`` says."""
        slots = len(self.newest)
        at = self.body + self.flushed * ev.RECORD_SIZE
        if self.full or self.flushed + slots > self.max_slots or not self.write(b"".join(self.newest), at):
            self.full = True
            return
        self.flushed += slots
        self.newest.clear()
        self.set_header(ev.FLUSHED_OFFSET, self.flushed)
        self.write(bytes(ev.TAIL_SIZE), self.tail)
        self.set_header(ev.TAIL_BASE_OFFSET, self.flushed)

    def put_slot(self, body: bytes, kind: int) -> None:
        """Write one slot into the tail, or count it as lost."""
        if len(self.newest) * ev.RECORD_SIZE == ev.TAIL_SIZE:
            self.flush()
        slot = body + bytes((kind,))  # the kind comes last: then it is there
        if self.full or not self.write(slot, self.tail + len(self.newest) * ev.RECORD_SIZE):
            self.lost += 1
            self.set_header(ev.LOST_OFFSET, self.lost)
        else:
            self.newest.append(slot)

    def put(self, kind: int, ts: int, coro: int, aux: int, after: _Coro | None, off: int, flags: int = 0) -> None:
        """Write an event. ``after`` runs when it is over."""
        thread = self.thread
        if thread.index < 0:
            thread.index = min(self.threads, 0xFFFF)
            self.threads += 1
            self.put_definition(ev.THREAD, thread.index, get_native_id())
        node = after.node if after is not None else 0
        task = after.root.id if after is not None else 0
        self.put_raw(ts, coro, aux, node, task, off, thread.index, flags, kind)

    def put_definition(self, kind: int, id: int, aux: int = 0, off: int = 0, flags: int = 0, node: int = 0) -> None:
        self.put_raw(0, id, aux, node, 0, off, 0, flags, kind)

    def put_raw(
        self, ts: int, coro: int, aux: int, node: int, task: int, off: int, thread: int, flags: int, kind: int
    ) -> None:
        word = (ts, 8), (coro, 4), (aux, 4), (node, 4), (task, 4), (off, 4), (thread, 2), (flags, 1)
        self.put_slot(b"".join([(value & (1 << 8 * size) - 1).to_bytes(size, "little") for value, size in word]), kind)

    def put_text(self, text: bytes) -> None:
        for i in range(0, len(text), ev.TEXT_BYTES):
            self.put_slot(text[i : i + ev.TEXT_BYTES].ljust(ev.TEXT_BYTES, b"\0"), ev.TEXT)

    # --- definitions ---

    def code_of(self, code: CodeType) -> _Code:
        found = self.codes.get(id(code))
        if found is not None:
            return found
        self.code_ids += 1
        info = _Code(self.code_ids)
        key = id(code)
        codes = self.codes
        info.ref = ref(code, lambda _: codes.pop(key, None))
        codes[key] = info
        name = code.co_filename
        info.ends_stack = code.co_qualname == "Handle._run" or not (
            name.startswith((self.stdlib, "<frozen ")) or "/site-packages/" in name or "/dist-packages/" in name
        )
        flags = code.co_flags
        info.kind = (
            ev.CODE_COROUTINE
            if flags & CO_COROUTINE
            else ev.CODE_ASYNC_GENERATOR
            if flags & CO_ASYNC_GENERATOR
            else ev.CODE_GENERATOR_BASED
            if flags & CO_ITERABLE_COROUTINE
            else ev.CODE_PLAIN
        )
        text = _utf8(name) + b"\0" + _utf8(code.co_qualname) + b"\0" + code.co_linetable
        self.put_definition(ev.CODE, info.id, code.co_firstlineno, len(text), info.kind)
        self.put_text(text)
        return info

    def node_of(self, parent: int, code: _Code) -> int:
        if parent == ev.OTHER_NODE:
            return parent
        node = self.nodes.get((parent, code.id), 0)
        if not node:
            if self.node_ids >= ev.MAX_NODES:
                return ev.OTHER_NODE
            self.node_ids += 1
            node = self.nodes[parent, code.id] = self.node_ids
            self.put_definition(ev.NODE, node, parent, code.id)
        return node

    def string_of(self, text: str) -> int:
        id = self.strings.get(text, 0)
        if not id:
            id = self.strings[text] = len(self.strings) + 1
            data = _utf8(text)
            self.put_definition(ev.STRING, id, off=len(data))
            self.put_text(data)
        return id

    def type_of(self, cls: type) -> int:
        return self.string_of(_type_name(cls))

    def site_of(self, frame: FrameType | None) -> int:
        """The stack from ``frame`` outward, as far as the program's own code, the loop, or MAX_SITE_FRAMES."""
        site = 0
        for _ in range(ev.MAX_SITE_FRAMES):
            if frame is None:
                break
            code = self.code_of(frame.f_code)
            key = (site, code.id, frame.f_lasti)
            inner, site = site, self.sites.get(key, 0)
            if not site:
                site = self.sites[key] = len(self.sites) + 1
                self.put_definition(ev.SITE, site, inner, frame.f_lasti, node=code.id)
            if code.ends_stack:
                break
            frame = frame.f_back
        return site

    # --- frames ---

    def stands(self, code: CodeType, lasti: int, at_send: bool) -> bool:
        """Whether a frame awaits: it stands at a SEND (or, as 3.12 has it, at that one's cache).

        Not ``at_send``: at a suspended await, where a frame stands while ``throw()`` goes through it.
        """
        info = self.code_of(code)
        if info.sends is None:
            ops = code.co_code
            sends = [i for i in range(0, len(ops), 2) if ops[i] == _SEND]
            info.sends = frozenset([*sends, *[i + 2 for i in sends if ops[i + 2] == _CACHE]])
            yields = [i for i in range(0, len(ops), 2) if ops[i] == _YIELD_VALUE]
            info.suspends = frozenset([*yields, *[i + 2 for i in yields if ops[i + 2] == _RESUME]])
        return lasti in (info.sends if at_send else info.suspends)

    def awaiter_of(self, frame: FrameType, thrown: bool = False) -> _Coro | None:
        """The coroutine that awaits the one that runs in ``frame``, if one does: plain generators are looked through."""
        below = frame.f_back
        while below is not None:
            code = below.f_code
            if not code.co_flags & (ASYNC | CO_GENERATOR):
                return None
            if not self.stands(code, below.f_lasti, True) and not (
                thrown and self.stands(code, below.f_lasti, False)
            ):
                return None
            if code.co_flags & ASYNC:
                return self.live.get(id(below)) or self.open(below, 0, thrown)
            below = below.f_back
        return None

    # --- coroutines ---

    def new(self, key: int, code: CodeType) -> _Coro:
        self.coros += 1
        coro = self.live[key] = _Coro(self.coros, key, self.code_of(code))
        return coro

    def begin(self, coro: _Coro, awaiter: _Coro | None, flags: int) -> None:
        """``coro`` begins to run; write its START."""
        thread = self.thread
        is_task = awaiter is None and (coro.is_task or self.is_step_of(coro))
        if awaiter is not None:
            coro.awaiter = awaiter
            coro.root = awaiter.root
            coro.node = self.node_of(awaiter.node, coro.code)
        else:
            coro.outer = thread.top
            coro.node = self.node_of(0, coro.code)
        coro.is_task = is_task
        coro.state = ALIVE
        if is_task:
            flags |= ev.IS_TASK
        self.put(ev.START, self.now(), coro.id, awaiter.id if awaiter else 0, coro, coro.code.id, flags)
        thread.top = coro

    def open(self, frame: FrameType, flags: int, thrown: bool = False) -> _Coro:
        """A frame is met in mid-life: it was there before the recording, or an exception is the first it sees."""
        code = frame.f_code
        if not thrown or self.stands(code, frame.f_lasti, False):
            flags |= ev.BEFORE
        awaiter = self.awaiter_of(frame, thrown)
        coro = self.live.get(id(frame)) or self.new(id(frame), code)
        self.begin(coro, awaiter, flags)
        return coro

    def enter(self, coro: _Coro, awaiter: _Coro | None, flags: int) -> None:
        """``coro`` is entered again, by another awaiter or at another await than it stood in: write an ENTER."""
        thread = self.thread
        if awaiter is None:
            coro.outer = thread.top
            if self.is_step_of(coro):
                coro.is_task = True
                flags |= ev.IS_TASK
        if coro.code.kind == ev.CODE_ASYNC_GENERATOR:
            coro.node = self.node_of(awaiter.node if awaiter is not None else 0, coro.code)
        before = coro.awaiter
        if before is not None and before is not awaiter and before.child is coro:
            before.child = None
        coro.awaiter = awaiter
        coro.state = ALIVE
        leaf: _Coro = coro
        root = awaiter.root if awaiter is not None else coro
        while True:
            leaf.root = root
            if leaf.child is None:
                break
            leaf = leaf.child
        self.put(ev.ENTER, self.now(), coro.id, awaiter.id if awaiter else 0, leaf, 0, flags)
        thread.resume = coro.child
        thread.top = leaf

    def drop(self, coro: _Coro) -> None:
        coro.state = DEAD
        if self.live.get(coro.key) is coro:
            del self.live[coro.key]
        if coro.awaiter is not None and coro.awaiter.child is coro:
            coro.awaiter.child = None
        if coro.child is not None and coro.child.awaiter is coro:
            coro.child.awaiter = None
        coro.child = None

    def vanish(self, coro: _Coro) -> None:
        """``coro`` has ended and no event said so."""
        self.put(ev.VANISH, self.now(), coro.id, 0, self.thread.top, 0)
        self.drop(coro)

    def finish(self, coro: _Coro, kind: int, off: int, exc: BaseException | None) -> None:
        thread = self.thread
        flags = aux = 0
        message = name = None
        if coro.awaiter is None:
            flags = self.outcome(coro, exc)
            if exc is not None:
                message = _message(exc)
            if coro.is_task and not flags & ev.CLOSED:
                name = self.last_name(coro)
            after = coro.outer
        else:
            after = coro.awaiter
        if exc is not None:
            aux = self.type_of(type(exc))
        self.vanish_below(coro)
        ts = self.now()
        if name is not None:
            self.put_name(coro, name, ts, coro)
        self.put(kind, ts, coro.id, aux, after, off, flags)
        if message:
            data = _utf8(message)
            self.put(ev.MESSAGE, ts, coro.id, 0, after, len(data))
            self.put_text(data)
        self.drop(coro)
        thread.top = after

    def vanish_below(self, coro: _Coro) -> None:
        chain = []
        below = coro.child
        while below is not None:
            chain.append(below)
            below = below.child
        for gone in reversed(chain):
            self.vanish(gone)

    # --- tasks ---

    def is_step_of(self, coro: _Coro) -> bool:
        """Whether asyncio runs a step of the task that ``coro`` is the root of."""
        task = _current_task()
        if task is None:
            return False
        awaited = _get(task, "_coro")
        if type(awaited) is CoroutineType:
            return id(awaited.cr_frame) == coro.key
        return coro.outer is None and self.thread.top in (None, coro)  # a task around an async generator's aclose()

    def outcome(self, coro: _Coro, exc: BaseException | None) -> int:
        if coro.is_task:
            if not self.is_step_of(coro):
                return ev.CLOSED
            if exc is None:
                return ev.CANCELLED if _get(_current_task(), "_must_cancel") is True else 0
        elif type(exc) is GeneratorExit:
            return ev.CLOSED
        if exc is not None:
            exceptions = sys.modules.get("asyncio.exceptions")
            cancelled = getattr(exceptions, "CancelledError", None)
            if cancelled is not None and issubclass(type(exc), cancelled):
                return ev.CANCELLED
        return 0

    def last_name(self, coro: _Coro) -> str | None:
        """The task's name at its end, if the program gave it and it was not written yet."""
        name = _task_name(_current_task())
        if name is None or hash(name) == coro.name_hash:
            return None
        if name.startswith("Task-") and name[5:].isascii() and name[5:].isdigit():
            return None  # asyncio's own; an eager task ends its first step before create_task names it
        return name

    def put_name(self, coro: _Coro, name: str, ts: int, after: _Coro | None) -> None:
        coro.name_hash = hash(name)
        data = _utf8(name)
        self.put(ev.NAME, ts, coro.id, 0, after, len(data))
        self.put_text(data)

    def spawn(self, frame: FrameType) -> None:
        """A function whose argument ``coro`` is being made a task was called."""
        values = frame.f_locals
        made = values.get("coro")
        if type(made) is not CoroutineType or made.cr_running or made.cr_suspended or made.cr_frame is None:
            return
        thread = self.thread
        key = id(made.cr_frame)
        known = self.live.get(key)
        if known is not None:
            if known is thread.spawned:
                return  # one call of create_task inside another
            self.vanish(known)
        name = values.get("name")
        if name is None:
            more = values.get("kwargs")
            name = more.get("name") if type(more) is dict else None
        coro = self.new(key, made.cr_code)
        coro.state = CREATED
        coro.is_task = True
        site = self.site_of(frame.f_back)
        top = thread.top
        flags = ev.NAME_GIVEN if name is not None else 0
        ts = self.now()
        self.put(ev.SPAWN, ts, coro.id, coro.code.id, top, site, flags)
        if type(name) is str:
            self.put_name(coro, name, ts, top)
        thread.spawned = coro

    def awaited(self, value: object) -> tuple[int, int]:
        """What a suspended leaf yielded, as SUSPEND's aux and flags."""
        if value is None:
            return 0, 0
        if _is_task(value):
            made = _get(value, "_coro")
            if type(made) is CoroutineType and made.cr_frame is not None:
                coro = self.live.get(id(made.cr_frame))
                if coro is not None:
                    return coro.id, ev.AWAITS_TASK
        return self.type_of(type(value)), 0

    # --- events ---

    def settle(self) -> None:
        """Whatever burst went on is over: something else happens now."""
        thread = self.thread
        if thread.resume is not None:
            thread.top = thread.resume.awaiter  # the burst stopped short of its leaf
            thread.resume = None
        thread.up = thread.up_child = thread.spawned = None

    def running(self, frame: FrameType) -> _Coro:
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

    def on_start(self, frame: FrameType, code: CodeType, off: int) -> object:
        if not code.co_flags & ASYNC:
            return self.on_plain_start(frame, code)
        self.settle()
        self.watch(code)
        key = id(frame)
        coro = self.live.get(key)
        if coro is not None and coro.state != CREATED:
            self.vanish(coro)
            coro = None
        if coro is None:
            coro = self.new(key, code)
        self.begin(coro, self.awaiter_of(frame), 0)
        return None

    def on_plain_start(self, frame: FrameType, code: CodeType) -> object:
        info = self.codes.get(id(code))
        if info is None or not info.probe:
            action = _probes.get(code.co_qualname)
            if action is None or not code.co_filename.endswith(action[0]):
                return _MON.DISABLE
            info = self.code_of(code)
            info.probe = action[1]
            self.watch_throws()
            if _LOCAL_THROW:
                _MON.set_local_events(self.tool, code, _E.PY_UNWIND)
        self.spawn(frame)
        return None

    def watch(self, code: CodeType) -> None:
        info = self.codes.get(id(code))
        if info is None or not info.probe:
            self.code_of(code).probe = WATCHED
            _MON.set_local_events(self.tool, code, _ASYNC_EVENTS | (_THROW_EVENTS if _LOCAL_THROW else 0))
            self.watch_throws()

    def watch_throws(self) -> None:
        # Not before there is a coroutine: these tax every exception of synchronous code.
        if not self.throws_on and not _LOCAL_THROW:
            self.throws_on = True
            _MON.set_events(self.tool, _MEET_EVENTS | _THROW_EVENTS)

    def on_resume(self, frame: FrameType, code: CodeType, off: int) -> object:
        thread = self.thread
        expected = thread.resume
        key = id(frame)
        if expected is not None and expected.key == key:
            thread.resume = expected.child
            return None
        if not code.co_flags & ASYNC:
            return _MON.DISABLE
        self.settle()
        coro = self.live.get(key)
        if coro is None or coro.state == CREATED:
            self.watch(code)
            self.open(frame, 0)
            return None
        awaiter = self.awaiter_of(frame)
        if awaiter is None and coro.root is coro and coro.state == ALIVE:
            coro.outer = thread.top
            leaf = coro
            while leaf.child is not None:
                leaf = leaf.child
            self.put(ev.RESUME, self.now(), coro.id, leaf.id, leaf, 0)
            thread.resume = coro.child
            thread.top = leaf
        else:
            self.enter(coro, awaiter, 0)
        return None

    def on_yield(self, frame: FrameType, code: CodeType, off: int, value: object) -> object:
        thread = self.thread
        up = thread.up
        if up is not None and up.key == id(frame):
            child = thread.up_child
            assert child is not None
            if up.child is not child or up.off != off:
                up.child = child
                up.off = off
                self.put(ev.LINK, thread.up_ts, up.id, child.id, thread.top, off)
            thread.up_child = up
            thread.up = up.awaiter
            return None
        self.settle()
        coro = self.running(frame)
        if code.co_flags & CO_ASYNC_GENERATOR and type(value).__name__ == "async_generator_wrapped_value":
            awaiter = coro.awaiter
            coro.state = ITEM
            if awaiter is not None and awaiter.child is coro:
                awaiter.child = None
            after = awaiter if awaiter is not None else coro.outer
            self.put(ev.ITEM, self.now(), coro.id, awaiter.id if awaiter is not None else 0, after, off)
            thread.top = after
            return None
        aux, flags = self.awaited(value)
        coro.child = None
        coro.off = off
        after = coro.root.outer
        ts = self.now()
        self.put(ev.SUSPEND, ts, coro.id, aux, after, off, flags)
        thread.top = after
        thread.up = coro.awaiter
        thread.up_child = coro
        thread.up_ts = ts
        return None

    def on_return(self, frame: FrameType, code: CodeType, off: int, value: object) -> object:
        if code.co_flags & ASYNC:
            self.settle()
            self.finish(self.running(frame), ev.RETURN, off, None)
        return None

    def on_unwind(self, frame: FrameType, code: CodeType, off: int, exc: BaseException) -> object:
        if code.co_flags & ASYNC:
            self.settle()
            self.finish(self.running(frame), ev.RAISE, off, exc)
            return None
        info = self.codes.get(id(code))
        if info is not None and info.probe > 0:
            made = self.thread.spawned
            if made is not None and made.state == CREATED:
                self.vanish(made)  # create_task itself failed
            self.thread.spawned = None
        return None

    def on_throw(self, frame: FrameType, code: CodeType, off: int, exc: BaseException) -> object:
        if not code.co_flags & ASYNC:
            return _MON.DISABLE if _LOCAL_THROW else None
        self.settle()
        self.watch(code)
        thread = self.thread
        coro = self.live.get(id(frame))
        if coro is None or coro.state == CREATED:
            self.open(frame, ev.THROWN, thrown=True)
        elif coro is thread.top:
            self.vanish_below(coro)  # mostly none: its awaited one ended just now, and it only goes on
        elif coro.state == ITEM or (coro.awaiter is None and coro.root is not coro):
            self.vanish_below(coro)
            self.enter(coro, self.awaiter_of(frame), ev.THROWN)
        else:
            self.vanish_below(coro)
            coro.root.outer = thread.top
            aux = self.type_of(type(exc))
            self.put(ev.THROW, self.now(), coro.id, aux, coro, off)
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

    def guard(self, handler):  # type: ignore[no-untyped-def]
        """A callback that holds the lock, is timed now and then, and never raises into the program."""
        getframe = sys._getframe
        every = ev.COST_EVERY

        def callback(*args):  # type: ignore[no-untyped-def]
            frame = getframe(1)
            with self.lock:
                self.callbacks += 1
                begun = 0 if self.callbacks % every else time.monotonic_ns()
                try:
                    return handler(frame, *args)
                except Exception:
                    self.lost += 1
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
        self.flush()
        self.set_header(ev.END_NS_OFFSET, self.now())
        self.set_costs()
        self.set_header(ev.STATE_OFFSET, ev.STOPPED, 4)
        self.release()

    def set_costs(self) -> None:
        self.set_header(ev.CALLBACKS_OFFSET, self.callbacks)
        self.set_header(ev.TIMED_CALLBACKS_OFFSET, self.timed)
        self.set_header(ev.TIMED_NS_OFFSET, self.timed_ns)

    def release(self) -> None:
        self.full = True
        if _identity(self.fd) == self.identity:
            posix.close(self.fd)


# --- the file ---


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = posix.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _high_duplicate(fd: int) -> int:
    """The same under a number that programs which count descriptors from below don't meet."""
    for least in HIGH_FD, 3:
        try:
            return fcntl(fd, F_DUPFD_CLOEXEC, least)
        except OSError:
            pass
    return posix.dup(fd)


# --- what the program's objects are asked, without running its code ---


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _type_name(cls: type) -> str:
    module = _type_module(cls)
    name: str = _type_qualname(cls)
    return name if type(module) is not str or module == "builtins" else f"{module}.{name}"


def _message(exc: BaseException) -> str | None:
    """What ``exc`` says, if saying it runs no code of the program."""
    if type.__getattribute__(type(exc), "__str__") not in _SAFE_STR:
        return None
    parts = list(_exc_args(exc))
    if issubclass(type(exc), OSError):
        parts += [OSError.__dict__[name].__get__(exc) for name in ("errno", "strerror", "filename", "filename2")]
    if any(part is not None and type(part) not in (str, int) for part in parts):
        return None
    return str(exc)[: ev.MAX_MESSAGE]


def _get(task: object, name: str) -> object:
    try:
        return object.__getattribute__(task, name)
    except Exception:
        return None


def _current_task() -> object:
    module = sys.modules.get("_asyncio")
    if module is not None:
        try:
            return module.current_task()
        except Exception:  # no loop runs on this thread
            return None
    return None


def _is_task(value: object) -> bool:
    cls = type(value)
    for module, name in (("_asyncio", "Task"), ("asyncio.tasks", "_PyTask")):
        task_type = getattr(sys.modules.get(module), name, None)
        if task_type is not None and issubclass(cls, task_type):
            return True
    return False


def _task_name(task: object) -> str | None:
    c_task = getattr(sys.modules.get("_asyncio"), "Task", None)
    if c_task is not None and issubclass(type(task), c_task):
        name = c_task.get_name(task)
    else:
        name = _get(task, "_name")
    return name if type(name) is str else None


# --- the contract ---

_probes: dict[str, tuple[str, int]] = {}
_recorder: _Recorder | None = None


def add_probe(qualname: str, file_tail: str, action: int) -> None:
    _probes[qualname] = (file_tail, action)


def start(fd: int, header_size: int, max_size: int, tool_id: int, stdlib: str, ticks: bool = False) -> None:
    global _recorder
    if _recorder is not None:
        raise RuntimeError("it records already")
    recorder = _Recorder(fd, header_size, max_size, tool_id, stdlib, ticks)
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
        recorder.release()


def recording() -> bool:
    return _recorder is not None


def point(label: str, message: str) -> None:
    recorder = _recorder
    if recorder is not None:
        with recorder.lock:
            data = _utf8(label).replace(b"\0", b"") + b"\0" + _utf8(message)
            top = recorder.thread.top
            recorder.put(ev.POINT, recorder.now(), top.id if top is not None else 0, 0, top, len(data))
            recorder.put_text(data)
