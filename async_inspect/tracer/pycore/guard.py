"""The wrapper around every callback: no exception of ours gets into the program.

Knows which calls are events of the frame that runs, and whose an exception is that comes up amid one.  Knows nothing of
what an event means.
"""

import sys
import time

from ... import events as ev
from ..errors import is_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .recorder import Recorder


def guarded(recorder: "Recorder", handler: "Callable[..., object]") -> "Callable[..., object]":
    """A callback that holds the lock, is timed now and then, and raises no exception of ours into the program.

    Called for whatever ``sys.monitoring`` or a compiled module (``PyMonitoring_Fire*Event``) says; what is no event
    of the frame that runs is none of ours: its "code" may be any object.
    """
    getframe, at_end = sys._getframe, sys.is_finalizing  # at the end modules are emptied, ours among them
    every = ev.COST_EVERY

    # A short function: without memory, CPython goes round for ever in a "with" from its 257th instruction on.
    def callback(*args: object) -> object:
        try:
            with recorder.lock:
                frame = getframe(1)
                if frame.f_code is not args[0]:
                    return None
                recorder.callbacks += 1
                if recorder.callbacks % every:
                    return handler(frame, *args)
                return _timed(recorder, handler, frame, *args)
        except BaseException as exc:
            if not (at_end() or _passes_for_ours(recorder, exc)):
                raise
            return None

    return callback


def _timed(recorder: "Recorder", handler: "Callable[..., object]", *args: object) -> object:
    begun = time.monotonic_ns()
    result = handler(*args)
    recorder.timed += 1
    recorder.timed_ns += time.monotonic_ns() - begun
    recorder.set_costs()
    recorder.watchdog.start()  # anew after a fork, for those to whom no code is new
    return result


def _passes_for_ours(recorder: "Recorder", exc: BaseException) -> bool:
    """Whether an exception amid a callback is our error.

    What the event said may be lost; the next ones put it right.
    """
    try:
        with recorder.lock:
            recorder.tape.lose()
            recorder.coros.end_burst()
    except MemoryError:
        return True
    return is_ours(exc)
