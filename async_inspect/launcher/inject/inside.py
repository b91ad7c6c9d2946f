# ruff: noqa: F821 - ASKED is there when this runs
"""What is run inside a process that runs already, by a thread of its own that ends with it.

Never imported: ``session`` sends it as text, with ``ASKED``.  Leaves nothing in the program but the recorder, and that
only from "start" to "stop"; whatever goes wrong is an answer, in a file that the tool has made.  If that is gone, so is
who asked, or it was done already, and nothing is done.
"""

import posix
import sys

ASKED: "dict[str, str]"


def start() -> "tuple[str, ...]":
    """Load the tracer under its private name, without the package around it, and record."""
    known = sys.modules.get("_async_inspect.tracer")
    if known is not None and known.recording() is not None:
        return "recorded", known.path(), known.entered_by()
    forget()
    looked = list(sys.path_importer_cache)
    package = ASKED["package"]
    private = sys.modules["_async_inspect"] = type(sys)("_async_inspect")
    private.__path__ = [package]
    try:
        from _async_inspect import tracer  # type: ignore[import-not-found]

        return "started", tracer.enter(ASKED)
    except BaseException:
        forget()
        raise
    finally:
        for path in set(sys.path_importer_cache).difference(looked):
            sys.path_importer_cache.pop(path, None)


def stop() -> "tuple[str, ...]":
    """Stop, and be as though it had never been there."""
    tracer = sys.modules.get("_async_inspect.tracer")
    if tracer is not None and tracer.path() == ASKED["recording"]:
        tracer.leave()
        forget()
    return ("stopped",)


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "_async_inspect"]:
        del sys.modules[name]


def answer(fd: int) -> None:
    try:
        said = start() if ASKED["do"] == "start" else stop()
    except BaseException as exc:
        said = "failed", type(exc).__name__, str(exc)
    posix.write(fd, "\0".join(said).encode("utf-8", "surrogateescape") + b"\0\n")


def main() -> None:
    # Loading gives the GIL away at each file, and beside a thread that computes waits 5 ms and more to have it back.
    switch = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    often = sys.getswitchinterval()
    try:
        fd = posix.open(ASKED["answer"], posix.O_WRONLY | posix.O_CLOEXEC)
        try:
            posix.unlink(ASKED["answer"])  # of two who come, one can do that
            answer(fd)
        finally:
            posix.close(fd)
    except BaseException:
        pass
    finally:
        if sys.getswitchinterval() == often:  # else the program has set it meanwhile
            sys.setswitchinterval(switch)


main()
