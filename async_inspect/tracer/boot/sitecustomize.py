# ruff: noqa: INP001 - no package: its folder is put on the path
"""The door: what ``site`` imports at the start of every Python that inherits our PYTHONPATH.

Leaves no trace of itself: takes its folder off the import path, starts the recorder, and hands over to the
``sitecustomize`` that the program would have had.  Any Python may come by, so this file keeps to what Python 2 reads;
on one that cannot be recorded it only hands over.
"""

import os
import sys


def _start(package):
    """Load the tracer under a private name, without running the package around it."""
    private = type(sys)("_async_inspect")
    private.__path__ = [package]
    sys.modules["_async_inspect"] = private
    try:
        from _async_inspect import tracer

        tracer.attach()
    finally:
        for path in list(sys.path_importer_cache):
            if path == package or path.startswith(package + os.sep):
                del sys.path_importer_cache[path]


def _go(here):
    sys.path[:] = [path for path in sys.path if path != here]
    sys.path_importer_cache.pop(here, None)
    if sys.version_info >= (3, 12) and "_async_inspect" not in sys.modules:
        try:
            _start(os.path.dirname(os.path.dirname(here)))
        except Exception:  # not BaseException: a Ctrl-C is the program's
            pass  # and whatever it was is in the log, or there is no place for a log
    # Only now is this the name of another module. If there is none, this raises what ``site`` expects then.
    sys.modules.pop("sitecustomize", None)
    import sitecustomize  # noqa: F401


_go(os.path.dirname(__file__))
