"""The contract of a core: what ``_core`` (C) and ``_pycore`` (Python) both are.

A core turns ``sys.monitoring`` events into the records of ``events.py``.  One per process, as module-level functions,
since a process has one recording at a time.  Both cores write the same records for the same program.
"""

from typing import Final

NAME: Final[str]  # "c" or "python"

def start(fd: int, header_size: int, max_size: int, tool_id: int, stdlib: str, ticks: bool = False) -> None:
    """Begin to record into ``fd``, whose header is already written; the fd is duplicated or mapped, never closed.

    ``max_size`` bounds the file in bytes.  ``tool_id`` is in use already, under our name; the core registers its
    callbacks and sets the events.  ``stdlib`` is the directory of the standard library (to tell the program's own
    frames when a stack is taken).  With ``ticks`` the clock counts its own readings, 1, 2, 3 …, for exact tests.
    Raises RuntimeError when it records already, OSError when the file can't be reserved or mapped.
    """

def stop() -> None:
    """Stop recording: no events, no callbacks, the header says so.  Does nothing when it doesn't record."""

def abandon() -> None:
    """In a forked child: forget the parent's recording without touching its file.  Then ``start`` may follow."""

def recording() -> bool: ...
def point(label: str, message: str) -> None:
    """Write a POINT record; nothing when it doesn't record."""

def add_probe(qualname: str, file_tail: str, action: int) -> None:
    """Before ``start``: when the function of this name, in a file that ends so, is called, do ``action``.

    Probes are how a *source* (``sources/``) sees what happens above coroutines without patching anything.
    """

SPAWN_PROBE: Final[int]  # the function's argument ``coro`` is being made a task; ``name`` (or kwargs) may name it
