"""What runs on each thread, and when a thread has ended.

Knows which of a thread's events is its first, and which index it has in the recording.  Nothing is known of a thread by
its identity alone: another has that once it has ended.
"""

from _thread import _local, get_ident
from _weakref import ref

from ... import events as ev

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from .coroutine import Coro
    from .processor import Seen

NOT_YET, NONE_LEFT = -1, -2  # of indexes


class State:
    """What runs on a thread."""

    index = -1  # NOT_YET, NONE_LEFT
    native_id = 0  # of another thread than the one that writes
    life: "ref[object] | None" = None  # of something that ends with the thread; None: it has had no event of its own
    serial = 0  # how many polls have ended here
    seen: "tuple[int, Seen] | None" = None  # the poll that the watchdog saw twice: ``serial``, and when it saw it first
    top: "Coro | None" = None
    resume: "Coro | None" = None  # a resuming burst goes on: who is next, root to leaf
    up: "Coro | None" = None  # a suspending burst goes on: who is next, leaf to root ...
    up_child: "Coro | None" = None  # ... whom that one awaits ...
    up_ts = 0  # ... and when the burst began
    spawned: "Coro | None" = None  # the task made last, until the next event ...
    spawner = 0  # ... and the frame that was making it
    sleeper = 0  # the future that a timer was just set for, until the next event ...
    due = 0  # ... and for when
    waits: "tuple[tuple[Coro, FrameType], ...]" = ()  # amid a burst: of whom to tell for what each waits
    select_began = 0  # when the selector was asked
    moment = 0  # at which it adopts what is there, all at once; else 0
    idle = False
    ended = 0  # the coroutine of the task that ended last ...
    ended_id = 0
    fresh: "tuple[int, ...]" = ()  # the frames of generators that run and have not yielded yet, innermost last
    job = 0  # the callback id of what was posted and runs now


class Thread(State, _local):
    """What runs on this thread."""

    def __init__(self, threads: "Threads") -> None:
        self.life = threads.begin(get_ident(), self.__dict__)


class Life:
    """An object that dies with its thread."""


class Threads:
    """What runs on each thread: the attributes of its ``State``, by its identity (another's, once it has ended)."""

    def __init__(self) -> None:
        self.states: dict[int, dict[str, Any]] = {}
        self.before: dict[int, dict[str, Any]] = {}  # of those that have had no event of their own yet
        self.count = 0  # that have an index
        self.spare: list[int] = []  # indexes of those that have ended: for when there are no new ones left
        self.most = 64  # looked at when there are twice as many as lived the last time
        self.own = _local()

    def begin(self, ident: int, state: "dict[str, Any]") -> "ref[object]":
        """A thread has its first event."""
        prepared = self.before.pop(ident, None)
        if prepared is not None:
            state.update(prepared)
        else:
            self.end(self.states.get(ident, {}))  # of one that had this identity
        if len(self.states) >= self.most:
            for known, its in list(self.states.items()):
                if has_ended(its):
                    self.end(self.states.pop(known))
            self.most = max(2 * len(self.states), 64)
        self.states[ident] = state
        life = self.own.life = Life()
        return ref(life)

    def end(self, state: "dict[str, Any]") -> None:
        if state.get("index", NOT_YET) >= 0 and state.get("top") is None:  # else time goes on there
            self.spare.append(state["index"])

    def new_index(self) -> int:
        if self.count < ev.MAX_THREADS:
            self.count += 1
            return self.count - 1
        return self.spare.pop() if self.spare else NONE_LEFT


def has_ended(state: "dict[str, Any]") -> bool:
    """Whether the thread of this state has ended, though another may have its identity by now."""
    life: ref[object] | None = state.get("life")
    return life is not None and life() is None
