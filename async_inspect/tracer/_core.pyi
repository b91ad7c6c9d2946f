"""The interface that both cores implement, ``_core`` (C) and ``pycore`` (Python).

A core turns ``sys.monitoring`` events into the records of ``events.py``.  One per process, as module-level functions,
since a process has one recording at a time.  Both cores write the same records for the same program.
"""

from collections.abc import Callable, Collection
from types import FrameType
from typing import Final

NAME: Final[str]  # "c" or "python"

def start(
    fd: int,
    header_size: int,
    max_size: int,
    tool_id: int,
    stdlib: str,
    ticks: bool = False,
    slow_poll_ns: int = 0,
    callees: bool = False,
    tags: tuple[str, ...] = (),
    tasks: Collection[object] = (),
    detail: str = "calls",
) -> None:
    """Begin to record into ``fd``, whose header is already written; the fd is duplicated or mapped, never closed.

    ``max_size`` bounds the file in bytes.  ``tool_id`` is in use already, under our name; the core registers its
    callbacks and sets the events.  ``stdlib`` is the directory of the standard library (to tell the program's own
    frames when a stack is taken).  With ``ticks`` the clock counts its own readings, 1, 2, 3 …, for exact tests.
    ``slow_poll_ns``: a watchdog looks, once, what a poll does that lasts longer (0: no watchdog).  ``callees``: each
    call that a coroutine's own code makes is written.  ``tags``: names of context variables whose text is written, by
    task.  What was there before is written first, at one moment: of these ``tasks`` (a list) those that wait, as they
    stand, or have not run yet; and what coroutines run, on any thread.
    ``detail``: "calls", or "awaits": how much of all that is written (``events.py``).
    Raises RuntimeError when it records already, OSError when the file can't be reserved or mapped.
    """

def stop(last: bool = False) -> None:
    """Stop recording: no events, no callbacks, the header says so.  Does nothing when it doesn't record.

    ``last``: the process ends, so the callbacks may stay: to take them back is an audit event each.
    """

def abandon() -> None:
    """In a forked child: forget the parent's recording without touching its file.  Then ``start`` may follow."""

def rest() -> None:
    """Before a fork: stop our threads.  The watchdog starts again by itself."""

def recording() -> bool: ...
def kept() -> dict[str, int]:
    """The number of entries for living objects, by table; for tests.

    ``objects`` (by address), ``coroutines``, ``codes``, ``threads``: what bounds each is what the program has of these
    at once, not what it ever had.  ``held``: 1 where the watchdog had its lock as this process was forked.
    """

def point(label: str, message: str) -> None:
    """Write a POINT record; nothing when it doesn't record."""

def self_test(outer: object, inner: object, mark: object, stage: int) -> None:
    """Of the C core: ImportError where what it reads of these coroutines' frames is not what CPython's API says.

    ``outer`` awaits ``inner``, of which ``job`` is a local variable, ``mark``.  ``stage``: 0 none has run, 1 called by
    ``inner``, 2 they are suspended.
    """

def adopt(tasks: Collection[object]) -> None:
    """Record further tasks that exist already, as ``start`` does."""

def set_probes(wanted: dict[str, dict[str, int]], cold: Callable[[int, FrameType], object]) -> None:
    """Before each ``start``: which actions (those of ``actions.py``) are done when a function is called; its file's
    path ends so, by its qualified name.  Forgotten when the recording ends.

    Probes are how a *source* (``sources/``) sees what happens above coroutines without patching anything.  ``cold``
    does those that are rare (COLD_AT_START, COLD_AT_RETURN): it is called with one of them and the function's frame,
    while none of our events are on.  What it raises reaches the program, but for MemoryError and RecursionError: then
    a record is lost.
    """

# For cold.py. Nothing when it doesn't record. None of them runs code of the program's.

def get(one: object, name: str) -> object:
    """An attribute; None where there is none, or where to get it would run code of the program's."""

def put(kind: int, coro: object, aux: object, off: object, flags: int) -> None:
    """Write a record with the current time, which does not change what runs.

    What isn't a number stands for its id: a task of asyncio's for its coroutine's, also where that failed (what became
    of one that never ran is written first, if nothing said so); a code object; a type, for its name's; a frame, for
    that of the site from there outward.  Of all else, and of what isn't known, it is 0.
    """

def edge(waits: object, awaited: object) -> None:
    """Write that a task awaits another, or those that it gathers; nothing where either is not alive."""

def lose() -> None:
    """Count a record that could not be written."""
