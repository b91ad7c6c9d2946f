"""One coroutine, as the Python core knows it: its position, its awaiter, its root, how it ended.

Knows nothing of the others (``coroutines``) nor of what is written of it.
"""

from types import CoroutineType

from ... import events as ev
from . import introspect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .definitions import Code

    type Link = tuple[Code, int, int, int]  # where it stands, the chain's id, its node

# Where a coroutine stands.
CREATED = 0  # made a task, not run yet
ALIVE = 1  # runs, or its chain waits
ITEM = 2  # an async generator between two items
DEAD = 3
ADOPTED = 4  # begun by hand, and then made a task


class Coro:
    """A coroutine that is alive, or was made a task and has not run yet.

    Or a task that is made of a *step* of an async generator (``create_task(gen.__anext__())``): it has an id and no
    frame, ``child`` is the generator, whose ``root`` it is, and its key is that of the step, negative.
    """

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
        "links",
        "made",
        "name_hash",
        "node",
        "off",
        "outer",
        "role",
        "state",
        "step",
        "tags",
        "thrown",
        "uses",
    )

    def __init__(self, id: int, key: int, code: "Code") -> None:
        self.id = id
        self.key = key
        self.code = code
        self.node = 0
        self.made = 0  # of a task: where that is which it was made of
        self.state = ALIVE
        self.is_task = False
        self.step = False  # it is a task that is made of one
        self.role = 0  # what its code does that sources ask for (ROLES), less what was told
        self.bare = False  # of a root: it only yielded, and is ready at once
        self.closing = False  # a close() runs it: not by way of its awaiter, to whom it doesn't return either
        self.name_hash = 0  # of the name that was written, 0: none
        self.tags = 0  # ... and of the tags
        self.off = -1  # where it stood in its last suspension ...
        self.child: Coro | None = None  # ... and whom it awaited there
        self.awaiter: Coro | None = None  # who awaits it; None: a root
        self._root: Coro | None = None  # None: itself, which would be a cycle for the program's collector to find
        self.links: list[Link] = []  # at ``awaits``, of a root: the chain in which it was suspended last
        self.thrown: Coro | None = (
            None  # ... and of whom it awaits, who tells what becomes of an exception thrown into it
        )
        self.uses = 0  # ... of any: the resource that it waits for
        self.outer: Coro | None = None  # of a root: what ran on the thread when it was last entered

    @property
    def root(self) -> "Coro":
        return self._root or self

    @root.setter
    def root(self, root: "Coro") -> None:
        self._root = None if root is self else root

    def outcome(self, task: object, exc: BaseException | None) -> int:
        """How it ended, as flags; ``task``: the task whose step ended it."""
        if self.is_task:
            if task is None:
                return ev.CLOSED
            if exc is None:
                return ev.CANCELLED if introspect.get(task, "_must_cancel") is True else 0
        elif type(exc) is GeneratorExit:
            return ev.CLOSED
        return ev.CANCELLED if exc is not None and introspect.is_cancellation(exc) else 0

    def last_name(self, task: object) -> str | None:
        """The task's name at its end, if the program gave one and it has not been written."""
        name = introspect.task_name(task)
        if name is None or hash(name) == self.name_hash:
            return None
        if introspect.is_trio_task(task):  # which tells no name of its making from the program's
            return name if self.name_hash else None
        return None if introspect.is_made_up(name) else name


def step_of(coro: Coro, top: Coro | None) -> object:
    """The task that is running now, if ``coro`` is its root."""
    task = introspect.current_task()
    if task is not None:
        awaited = introspect.coroutine_of(task)
        if type(awaited) is CoroutineType:
            its = id(awaited.cr_frame) == coro.key
        elif coro.step or introspect.agen_of(awaited) is not None:
            its = -id(awaited) == coro.key
        else:  # a task of what is no coroutine of Python's own
            its = coro.outer is None and top in (None, coro)
        if its:
            return task
    task = introspect.trio_now("task")
    awaited = introspect.coroutine_of(task) if introspect.is_trio_task(task) else None
    return task if type(awaited) is CoroutineType and id(awaited.cr_frame) == coro.key else None
