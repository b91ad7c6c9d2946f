"""The Python core: the readable twin of ``_core.c``, the same contract (``_core.pyi``) and the same records.

It is the reference, and what runs where no C core can be had.  Its modules have a job each: ``recorder`` (events to
records: begin there), ``guard`` (what stands before it), ``coroutines`` (who lives and who awaits whom), ``threads``,
``objects`` (what is known by address), ``probes``, ``edges`` and ``actions`` (what is seen above coroutines),
``watchdog`` (a look at what lasts too long), ``definitions`` (ids), ``introspect`` (what objects may be asked),
``tape`` (the file).  Knows, here, the contract alone.
"""

from types import CodeType, FrameType

from ... import events as ev
from . import introspect
from .adopt import adopt as _adopt
from .awaits import Roots
from .guard import Record
from .recorder import Recorder
from .tape import Tape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = [
    "NAME", "abandon", "adopt", "edge", "get", "kept", "lose", "point", "put", "recording", "rest", "set_probes",
    "start", "stop",
]  # fmt: skip

NAME = "python"


def _nothing(action: int, frame: FrameType) -> None:
    return None


_wanted: dict[str, dict[str, int]] = {}
_cold: "Callable[[int, FrameType], object]" = _nothing
_recorder: Recorder | None = None


def set_probes(wanted: dict[str, dict[str, int]], cold: "Callable[[int, FrameType], object]") -> None:
    global _wanted, _cold
    _wanted, _cold = wanted, cold


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
    tasks: "Collection[object]" = (),
    detail: str = "calls",
) -> None:
    global _recorder, _wanted, _cold
    if _recorder is not None:
        raise RuntimeError("it records already")
    if detail not in ("calls", "awaits"):
        raise ValueError("detail: calls or awaits")
    tape = Tape(fd, header_size, max_size, ticks)
    made = Roots if detail == "awaits" else Recorder
    recorder = made(tape, tool_id, stdlib, _wanted, slow_poll_ns, callees, tags, _cold)
    _wanted, _cold = {}, _nothing
    try:
        with Record(recorder):  # nothing is written before what was there
            recorder.register_callbacks()
            _adopt(recorder, tasks)
    except BaseException:
        try:
            recorder.detach()
        except Exception:
            pass  # as why it could not begin: the tool's id is none, say
        tape.release()
        raise
    _recorder = recorder


def stop(last: bool = False) -> None:
    global _recorder
    recorder, _recorder = _recorder, None
    if recorder is not None:
        recorder.detach(last)
        with recorder.lock:  # whoever is amid a callback has left it, and nobody wakes the watchdog any more
            recorder.watchdog.over = True
        recorder.watchdog.stop()
        with recorder.lock:
            recorder.close()


def rest() -> None:
    if _recorder is not None:
        _recorder.watchdog.stop()


def abandon() -> None:
    global _recorder
    recorder, _recorder = _recorder, None
    if recorder is not None:
        recorder.detach()
        recorder.tape.release()


def recording() -> bool:
    return _recorder is not None


def kept() -> dict[str, int]:
    recorder = _recorder
    if recorder is None:
        return dict.fromkeys(("objects", "coroutines", "codes", "threads", "held"), 0)
    return {
        "held": 0,
        "objects": sum(len(each.numbers) for each in recorder.probes.objects()),
        "coroutines": len(recorder.live),
        "codes": len(recorder.codes),
        "threads": len(recorder.coros.threads.states),
    }


def point(label: str, message: str) -> None:
    recorder = _recorder
    if recorder is not None:
        with Record(recorder) as free:
            if not free:
                return
            data = introspect.utf8(label).replace(b"\0", b"") + b"\0" + introspect.utf8(message)
            top = recorder.thread.top
            own = recorder.coros.told_as(top).id if top is not None else 0
            recorder.coros.put(ev.POINT, recorder.tape.now(), own, 0, top, len(data))
            recorder.tape.put_text(data)


def adopt(tasks: "Collection[object]") -> None:
    recorder = _recorder
    if recorder is not None:
        with Record(recorder) as free:
            if free:
                _adopt(recorder, tasks)


# --- for cold.py ---

get = introspect.get


def put(kind: int, coro: object, aux: object, off: object, flags: int) -> None:
    recorder = _recorder
    if recorder is not None:
        with recorder.lock:
            its, other, at = (_number_of(recorder, one) for one in (coro, aux, off))
            recorder.probes.put(kind, recorder.tape.now(), its, other, at, flags)


def _number_of(recorder: Recorder, one: object) -> int:
    """The id of a task, of a code object, of a type, of a frame, or the number itself."""
    if type(one) is int:
        return one
    if type(one) is CodeType:
        return recorder.defs.code_of(one).id
    if issubclass(type(one), type):
        return recorder.defs.type_of(one)  # type: ignore[arg-type]
    if type(one) is FrameType:
        return recorder.defs.site_of(one)
    if not introspect.is_task(one):
        return 0
    number = recorder.coros.id_of(one)
    recorder.probes.unrun(one, recorder.probes.coro_of(one))
    return number


def edge(waits: object, awaited: object) -> None:
    recorder = _recorder
    if recorder is not None and (introspect.is_task(waits) or introspect.is_trio_task(waits)):
        with recorder.lock:
            coro = recorder.probes.coro_of(waits)
            if coro is not None:
                recorder.probes.edges.to(coro, awaited)


def lose() -> None:
    recorder = _recorder
    if recorder is not None:
        with recorder.lock:
            recorder.tape.lose()
