# ruff: noqa: F821 - REQUEST is there when this runs
"""The script that runs inside a process that runs already, in a thread of its own.

Never imported: ``session`` sends it as text, with ``REQUEST``.  Leaves nothing in the program but the recorder, and
that only from "start" to "stop".  Its result, also an error, is written into a file that the tool has made.  Where that
file is gone the tool has given up, or the request was served already: then it does nothing."""

import posix
import sys

REQUEST: "dict[str, str]"


def start() -> "tuple[str, ...]":
    """Load the tracer under its private name, without the package around it, and record."""
    loaded = sys.modules.get("_async_inspect.tracer")
    if loaded is not None and loaded.recording() is not None:
        return "recorded", loaded.path(), loaded.injected_by()
    forget()
    cached = list(sys.path_importer_cache)
    package = REQUEST["package"]
    private = sys.modules["_async_inspect"] = type(sys)("_async_inspect")
    private.__path__ = [package]
    try:
        from _async_inspect import tracer  # type: ignore[import-not-found]

        return "started", tracer.enter(REQUEST)
    except BaseException:
        forget()
        raise
    finally:
        for path in set(sys.path_importer_cache).difference(cached):
            sys.path_importer_cache.pop(path, None)


def stop() -> "tuple[str, ...]":
    """Stop recording and unload the tracer."""
    tracer = sys.modules.get("_async_inspect.tracer")
    if tracer is not None and tracer.path() == REQUEST["recording"]:
        tracer.leave()
        forget()
    return ("stopped",)


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "_async_inspect"]:
        del sys.modules[name]


def result() -> "tuple[str, ...]":
    """Of what was asked for, or its error.  The program's own switch interval holds again when this returns."""
    # Importing releases the GIL at each file, and beside a thread that computes waits 5 ms and more to get it back.
    switch = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    often = sys.getswitchinterval()
    try:
        return start() if REQUEST["do"] == "start" else stop()
    except BaseException as exc:
        return "failed", type(exc).__name__, str(exc)
    finally:
        if sys.getswitchinterval() == often:  # else the program has set it meanwhile
            sys.setswitchinterval(switch)


def main() -> None:
    try:
        fd = posix.open(REQUEST["answer"], posix.O_WRONLY | posix.O_CLOEXEC)
        try:
            posix.unlink(REQUEST["answer"])  # the script may be run twice: only one of the runs can do this
            posix.write(fd, "\0".join(result()).encode("utf-8", "surrogateescape") + b"\0\n")
        finally:
            posix.close(fd)
    except BaseException:
        pass


main()
