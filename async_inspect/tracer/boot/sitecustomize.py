# ruff: noqa: INP001 - no package: its folder is put on the path
"""The door: what ``site`` imports at the start of every Python that inherits our PYTHONPATH.

Leaves no trace of itself: takes its folder off the import path, starts the recorder, and hands over to the
``sitecustomize`` that the program would have had.  Any Python may come by, so this file keeps to what Python 2 reads;
on one that cannot be recorded it only hands over.

Where ``site`` doesn't look here, ``preload.c`` runs this file, if it is there, just before the program's first line.
"""

import os
import sys


def _start(package):
    """Load the tracer under a private name, without running the package around it."""
    known = list(sys.path_importer_cache)
    private = type(sys)("_async_inspect")
    private.__path__ = [package]
    sys.modules["_async_inspect"] = private
    try:
        from _async_inspect import tracer

        tracer.start_from_environment()
    finally:
        # What looking for the tracer left behind: its own folders, and those of the library that were looked into.
        for path in set(sys.path_importer_cache).difference(known):
            del sys.path_importer_cache[path]


def _enter(here):
    sys.path[:] = [path for path in sys.path if path != here]
    sys.path_importer_cache.pop(here, None)
    if _can:
        try:
            _start(os.path.dirname(os.path.dirname(here)))
        except Exception:  # not BaseException: a Ctrl-C is the program's
            pass  # and whatever it was is in the log, or there is no place for a log


def _hand_over(here):
    _enter(here)
    # Only now is this the name of another module. If there is none, this raises what ``site`` expects then.
    sys.modules.pop("sitecustomize", None)
    import sitecustomize  # noqa: F401


def _enter_late(here):
    """The program's own folder is on the path by now, and what lies there must not be taken for the library's."""
    library = os.path.dirname(os.__file__)
    kept = [path for path in sys.path if path != here]
    sys.path[:] = [path for path in kept if path == library or path.startswith(os.path.join(library, "lib-dynload"))]
    try:
        _enter(here)
    finally:
        sys.path[:] = kept


_can = sys.version_info >= (3, 12) and "_async_inspect" not in sys.modules
if __name__ == "sitecustomize":
    _hand_over(os.path.dirname(__file__))
elif _can:
    _enter_late(os.path.dirname(__file__))
