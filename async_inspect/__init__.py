"""async-inspect: an X-ray for async Python.

The library, for those who prefer code to a command line::

    with async_inspect.trace("run.rec"):
        asyncio.run(main())
    trace = async_inspect.load("run.rec")
    trace.export("json", "data.json")

Importing it costs next to nothing: a traced program may call ``inspection_point`` wherever it likes.
"""

import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .api import Trace

__all__ = ["Trace", "__version__", "inspection_point", "load", "trace"]

# Under either name the tracer may record this process: the launcher starts it under a private one.
_TRACERS = ("_async_inspect.tracer", "async_inspect.tracer")


@contextmanager
def trace(
    path: str | os.PathLike[str],
    *,
    without: Collection[str] = (),
    slow_poll_ms: float = 100,
    detail: str = "calls",
    callees: bool = False,
    tags: Collection[str] = (),
    argv: bool = True,
    max_size: int | str = "4GB",
    core: str = "",
    **older: bool,
) -> Iterator[None]:
    """Record this process into a new file at ``path`` while the block runs; an old recording there is replaced.

    ``without``: what is not wanted of "tasks", "wakes", "edges", "locks", "scopes", "warnings" (``tracer/sources``).
    What a poll does that lasts longer than ``slow_poll_ms`` is looked into (0: never).  ``detail``: "calls" records
    every coroutine call, "awaits" tasks and what they await, at a fraction of the cost.  ``callees`` (with "calls")
    records by name each call that a coroutine makes; ``tags`` are names of context variables of which each task's text
    is recorded; ``argv``: so is the command line.  At ``max_size``, in bytes or as "500MB", the recording ends, and
    nothing more is heard.  ``core``: "c" or "python" has to record.

    RuntimeError: it is being recorded already, or can't be, or not by that core.  FileExistsError: what is at
    ``path`` is no recording, or one that another process still makes.  OSError: it can't be made.  ValueError: there is
    no such source, time, detail, size or core, or ``callees`` don't go with it.  TypeError: an argument is of another
    type.
    Does nothing where ``ASYNC_INSPECT_DISABLE`` is 1.
    """
    if os.environ.get("ASYNC_INSPECT_DISABLE") == "1":
        yield
        return
    from . import tracer
    from .tracer.settings import Settings, size_of
    from .tracer.sources import SOURCES

    callees = older.pop("calls", callees)  # what it was called once
    if older:
        raise TypeError(f"trace() has no argument {next(iter(older))!r}")
    off, named = ((some,) if isinstance(some, str) else tuple(some) for some in (without, tags))
    if unknown := [source for source in off if source not in SOURCES]:
        raise ValueError(f"no source {unknown[0]!r}; there are {', '.join(SOURCES)}")
    if others := [name for name in named if not isinstance(name, str)]:
        raise TypeError(f"tags: {others[0]!r} is no name of a context variable")
    if core not in ("", *tracer.CORES):
        raise ValueError(f"no core {core!r}; there are {', '.join(tracer.CORES)}")
    settings = Settings(size_of(max_size), off, slow_poll_ms, bool(callees), tags=named, argv=argv, detail=detail)
    tracer.start(os.fspath(path), settings=settings, core=core)
    try:
        yield
    finally:
        tracer.stop()


def load(path: str | os.PathLike[str], progress: "Callable[[int, int], None] | None" = None) -> "Trace":
    """What the recording at ``path`` means: its file, the folder it lies in, or the folder given to ``attach -o``.

    ``progress`` hears (done, in all).  The user's rules for reasons (support/settings.py) are those that
    hold in the current folder, as on the command line.  errors.UserError: nothing there, not a recording, of a newer
    version, can't be read; or a rule is wrong.
    """
    from .api import load as load_

    return load_(path, progress)


def inspection_point(label: str, message: str = "") -> None:
    """Leave a mark in the recording: an ``InspectionPoint`` event of the task that runs.  Free when nothing records."""
    for name in _TRACERS:
        tracer = sys.modules.get(name)
        if tracer is not None:
            core = tracer.recording()
            if core is not None:
                core.point(label, message)
            return


def __getattr__(name: str) -> object:
    if name == "Trace":
        from .api import Trace

        return Trace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
