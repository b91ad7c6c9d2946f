"""The wrapper around every callback: no exception of ours gets into the program.

Knows which calls are events of the frame that runs, and whose an exception is that comes up amid one.  Knows nothing of
what an event means.
"""

import sys
import time

from ... import events as ev
from ..errors import is_ours
from .coroutines import ASYNC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from .recorder import Recorder


def guarded(recorder: "Recorder", handler: "Callable[..., object]") -> "Callable[..., object]":
    """A callback that holds the lock, is timed now and then, and raises no exception of ours into the program.

    Called for whatever ``sys.monitoring`` or a compiled module (``PyMonitoring_Fire*Event``) says; what is no event
    of the frame that runs is none of ours: its "code" may be any object.
    """
    tape, getframe, at_end = (
        recorder.tape,
        sys._getframe,
        sys.is_finalizing,
    )  # at the end modules are emptied, ours among them
    every = ev.COST_EVERY

    # A short function: without memory, CPython goes round for ever in a "with" from its 257th instruction on.
    def callback(*args: object) -> object:
        try:
            with recorder.lock:
                if tape.broken_off:  # here nothing is amid a record
                    recorder.switch_off()
                    return None
                frame = getframe(1)
                if frame.f_code is not args[0] or (recorder.makes_record and _is_lost(recorder, frame.f_code)):
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


class Record:
    """Where a record is made outside of any callback: true for who may make it.

    The collector may run there, and finalize what the program left; unlike in a callback there are events of that.  In
    the midst of a record none can be written: what would have been is counted as lost.
    """

    def __init__(self, recorder: "Recorder") -> None:
        self.recorder = recorder

    def __enter__(self) -> bool:
        recorder = self.recorder
        recorder.lock.acquire()
        self.amid = recorder.makes_record or recorder.lock._recursion_count() > 1  # type: ignore[attr-defined,unused-ignore]
        if self.amid:
            recorder.tape.lose()
        else:
            recorder.makes_record = True
        return not self.amid

    def __exit__(self, *_: object) -> None:
        if not self.amid:
            self.recorder.makes_record = False
        self.recorder.lock.release()


def _is_lost(recorder: "Recorder", code: "CodeType") -> bool:
    """Whether an event of this code would have been written, or changes what is known of who runs."""
    lost = bool(code.co_flags & ASYNC or recorder.wanted_of(code))
    if lost:
        recorder.tape.lose()
    return lost


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
