"""The Python core: the readable twin of ``_core.c``, the same contract (``_core.pyi``) and the same records.

It is the reference, and what runs where no C core can be had.  Its modules have a job each: ``recorder`` (events to
records: begin there), ``guard`` (what stands before it), ``coroutines`` (who lives and who awaits whom), ``threads``,
``things`` (what is known by address), ``probes``, ``edges`` and ``actions`` (what is seen above coroutines),
``watchdog`` (a look at what lasts too long), ``definitions`` (ids), ``introspect`` (what objects may be asked),
``tape`` (the file).  Knows, here, the contract alone.
"""

from ... import events as ev
from . import introspect as ask
from .adopt import meet as _meet
from .recorder import Recorder
from .tape import Tape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import FrameType

__all__ = [
    "NAME", "abandon", "add_probe", "clear_probes", "kept", "meet", "on_process", "point", "recording",
    "rest", "start", "stop",
]  # fmt: skip

NAME = "python"

_wanted: dict[str, dict[str, int]] = {}
_on_process: "Callable[[FrameType], object]" = id
_recorder: Recorder | None = None


def add_probe(qualname: str, file_tail: str, action: int) -> None:
    files = _wanted.setdefault(qualname, {})
    files[file_tail] = files.get(file_tail, 0) | action


def clear_probes() -> None:
    _wanted.clear()


def on_process(hook: "Callable[[FrameType], object] | None") -> None:
    global _on_process
    _on_process = hook or id


def start(
    fd: int,
    header_size: int,
    max_size: int,
    tool_id: int,
    stdlib: str,
    ticks: bool = False,
    slow_poll_ns: int = 0,
    calls: bool = False,
    tags: tuple[str, ...] = (),
    tasks: "Collection[object]" = (),
) -> None:
    global _recorder
    if _recorder is not None:
        raise RuntimeError("it records already")
    tape = Tape(fd, header_size, max_size, ticks)
    recorder = Recorder(tape, tool_id, stdlib, dict(_wanted), slow_poll_ns, calls, tags)
    recorder.probes.on_process = _on_process
    try:
        with recorder.lock:  # nothing is written before what was there
            recorder.attach()
            _meet(recorder, tasks)
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
        return dict.fromkeys(("things", "coroutines", "codes", "threads", "held"), 0)
    return {
        "held": 0,
        "things": sum(len(each.numbers) for each in recorder.probes.things()),
        "coroutines": len(recorder.live),
        "codes": len(recorder.codes),
        "threads": len(recorder.coros.threads.states),
    }


def point(label: str, message: str) -> None:
    recorder = _recorder
    if recorder is not None:
        with recorder.lock:
            data = ask.utf8(label).replace(b"\0", b"") + b"\0" + ask.utf8(message)
            top = recorder.thread.top
            recorder.coros.put(ev.POINT, recorder.tape.now(), top.id if top is not None else 0, 0, top, len(data))
            recorder.tape.put_text(data)


def meet(tasks: "Collection[object]") -> None:
    recorder = _recorder
    if recorder is not None:
        with recorder.lock:
            _meet(recorder, tasks)
