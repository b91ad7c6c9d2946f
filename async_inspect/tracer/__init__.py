"""The recorder in the traced program: how recording starts there, survives a fork and ends.

Knows cores, files, tool ids and probes well enough to bring them together.  Knows nothing of what is recorded.  Entry
points: ``start_from_environment`` (for ``boot/``; all settings from the environment; never raises, never prints),
``start`` (called by hand; raises where it fails), and ``enter`` and ``leave`` (for the tool that injects the recorder
into a process that runs already, and removes it again).

Under the door this package is loaded as ``_async_inspect.tracer``, so that the program's own ``async_inspect``, if it
imports one, is another and untouched.
"""

import _thread
import os
import sys

from .. import events as ev
from . import choose, cold, env, existing, hooks, unrecorded, writer
from .actions import ACTIONS
from .settings import DEFAULT_MAX_SIZE, DEFAULT_SLOW_POLL_MS, DETAILS, Settings
from .sources import SOURCES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from types import FrameType, ModuleType, TracebackType

TOOL_NAME = "async-inspect"
CORES = ("c", "python")  # by which a process can be recorded
TOOL_IDS = (3, 4, 2, 5)  # the unnamed ones first; 0, 1 (debugger, coverage) are never ours

# Helpers of multiprocessing, which run nothing of the program's but imports, by what stands behind their -c.
_FORKSERVER = "from multiprocessing.forkserver import main"
_TRACKER = "from multiprocessing.resource_tracker import main"

_core: "ModuleType | None" = None  # since the first start of this process
_core_reason = ""
_tool_id: int | None = None  # the one that we took
_path: str | None = None  # of the recording
_unhook: "Callable[[], object] | None" = None  # unregisters our fork and exit hooks
_injected_by = ""  # the tool that injected the recorder
_on_process: "Callable[[FrameType], None] | None" = None  # notes children that subprocess starts


_settings = Settings()


def start_from_environment() -> None:
    """Start with the settings in the environment.  Errors are written to a log beside the recordings."""
    get = os.environ.get
    if not get(env.DIR) or get(env.DISABLE) == "1" or get(env.ONLY, own := str(os.getpid())) != own:
        return
    if not _thread._is_main_interpreter():  # type: ignore[attr-defined,unused-ignore]
        writer.log(f"{get(env.DIR)}/{own}.log", f"pid {own}: a subinterpreter began; it is not recorded")
        return
    code = _code(sys.orig_argv)
    if _FORKSERVER in code:
        os.register_at_fork(after_in_child=_start_recording)
    elif _TRACKER not in code and not _is_the_tool(sys.orig_argv):
        _start_recording()


def _start_recording() -> None:
    global _on_process
    folder = os.environ.get(env.DIR)
    try:
        if folder and recording() is None:
            settings = _settings_of(os.environ.get)
            follows = os.environ.get(env.FOLLOW_ENV) == "1"
            _on_process = unrecorded.hook(_note_unrecorded, follows, settings.argv) if settings.children else None
            start(folder=folder, settings=settings)
            if follows:
                from . import inherit_env

                inherit_env.install()
    except KeyboardInterrupt:
        raise  # it is the program's
    except BaseException as exc:
        _log_error(f"{folder}/{os.getpid()}", exc)


def _note_unrecorded(line: str) -> None:
    if _path is not None:
        writer.append(_path.removesuffix(".rec") + ev.MISSED_SUFFIX, line)


def _code(words: "list[str]") -> str:
    """The code after -c on Python's command line; mostly ""."""
    return words[words.index("-c") + 1] if "-c" in words[:-1] else ""


def _is_the_tool(words: "list[str]") -> bool:
    """Whether this is async-inspect itself, started from a shell that has our variables (``async-inspect env``)."""
    script = words[1].rpartition("/")[2] if len(words) > 1 else ""
    return script == TOOL_NAME or words[1:3] == ["-m", "async_inspect"]


def enter(request: "Mapping[str, str]") -> str:
    """Start in a process that runs already, with ``request`` in place of the environment; raises as ``start`` does."""
    global _injected_by
    get = request.get
    path = start(folder=request[env.DIR], settings=_settings_of(get), get=get)
    _injected_by = request["by"]
    return path


def leave() -> None:
    """Stop, and unregister everything from the process."""
    global _unhook
    stop()
    unhook, _unhook = _unhook, None
    if unhook is not None:
        unhook()


def start(
    path: str | None = None,
    *,
    folder: str = ".",
    settings: Settings | None = None,
    core: str = "",
    get: "Callable[[str], str | None]" = os.environ.get,
) -> str:
    """Record this process into ``path``, or into a new file in ``folder``; the file's path is returned.

    ``core``: "c" or "python" has to record.  ``get``: reads the variables about the core.
    Raises RuntimeError where nothing can be recorded, or not by that core; OSError where the file cannot be had.
    """
    global _core, _core_reason, _settings, _tool_id
    if not _thread._is_main_interpreter():  # type: ignore[attr-defined,unused-ignore]
        raise RuntimeError("a subinterpreter is not recorded")
    if recording() is not None:
        raise RuntimeError("this process is being recorded already")
    if _core is None or core not in ("", _core.NAME):
        _core, _core_reason = choose.choose(core or get(env.CORE) or "", get(env.CORES) or "", get(env.CORE_HINT) or "")
    if core not in ("", _core.NAME):
        raise RuntimeError(f"the {core} core can't record here: {_core_reason}")
    _settings = settings or Settings()
    _tool_id = _take_tool_id()
    try:
        _open(path, folder, existing.tasks())
    except BaseException:
        _free_tool_id()
        raise
    _hook()
    _core.adopt(existing.tasks())  # those created meanwhile
    assert _path is not None
    return _path


def stop(last: bool = False) -> None:
    """Stop recording, if something is recorded.  ``last``: the process ends."""
    if _core is not None:
        _core.stop(last)
    _free_tool_id()


def recording() -> "ModuleType | None":
    """The core that records this process now, whoever started it."""
    for name in "_async_inspect.tracer", "async_inspect.tracer":
        core: ModuleType | None = getattr(sys.modules.get(name), "_core", None)
        if core is not None and core.recording():
            return core
    return None


def path() -> str:
    """The path of the recording that is, or was, made."""
    return _path or ""


def injected_by() -> str:
    """The tool that injected the recorder, "pid:start time"; "": the process was recorded from its start."""
    return _injected_by


def _open(path: str | None, folder: str, tasks: "Collection[object]" = ()) -> None:
    """Create a recording and start the core, which writes it."""
    global _path
    assert _core is not None
    if path is None:
        fd, made = writer.create(os.path.abspath(folder))
        path = made
    else:
        path = os.path.abspath(path)
        fd, made = writer.create_replacement(path)
    try:
        metadata = writer.metadata(_core.NAME, _core_reason, _settings)
        size = writer.write_header(fd, metadata)
        assert _tool_id is not None
        _set_probes(_core, _tool_id, _settings.without)
        slow_poll_ns = int(_settings.slow_poll_ms * 1e6)
        _core.start(
            fd,
            size,
            _settings.max_size,
            _tool_id,
            writer.stdlib(),
            False,
            slow_poll_ns,
            _settings.callees,
            _settings.tags,
            tasks,
            _settings.detail,
        )
        if made != path:
            os.replace(made, path)
        _path = path
    except BaseException:
        os.unlink(made)
        raise
    finally:
        os.close(fd)


def _settings_of(get: "Callable[[str], str | None]") -> Settings:
    """The settings in the environment.  ValueError names the variable that can't be so."""
    checks: dict[str, Callable[[str], Settings]] = {
        env.MAX_SIZE: lambda text: Settings(max_size=int(text)),
        env.SLOW_POLL_MS: lambda text: Settings(slow_poll_ms=float(text)),
        env.DETAIL: lambda text: Settings(detail=text),
    }
    for name, check in checks.items():
        text = get(name)
        try:
            if text:
                check(text)
        except ValueError as exc:
            raise ValueError(f"{name}={text}: {exc}") from None
    slow = get(env.SLOW_POLL_MS)
    return Settings(
        max_size=int(get(env.MAX_SIZE) or DEFAULT_MAX_SIZE),
        without=(get(env.WITHOUT) or "").split(","),
        slow_poll_ms=float(slow) if slow else DEFAULT_SLOW_POLL_MS,
        callees=get(env.CALLEES) == "1",
        detail=get(env.DETAIL) or DETAILS[0],
        run=get(env.RUN) or "",
        tags=tuple(name for name in (get(env.TAGS) or "").split(",") if name),
        children=not get(env.ONLY),
        argv=get(env.NO_ARGV) != "1",
    )


def _set_probes(core: "ModuleType", tool_id: int, without: "Collection[str]") -> None:
    probes = [probe for name, source in SOURCES.items() if name not in without for probe in source.PROBES]
    if _on_process is not None:
        probes.append(unrecorded.PROBE)
    wanted: dict[str, dict[str, int]] = {}
    for qualname, file_tail, actions in probes:
        files = wanted.setdefault(qualname, {})
        for action in actions:  # two sources may ask for one function
            tail = file_tail.replace("/", os.sep)
            files[tail] = files.get(tail, 0) | ACTIONS[action]
        _enable(tool_id, qualname, file_tail)
    core.set_probes(wanted, cold.handler(core, _on_process))


def _enable(tool_id: int, qualname: str, file_tail: str) -> None:
    """Enable a function's events again: DISABLE outlives the recording in which a callback returned it."""
    found: object = sys.modules.get(file_tail.strip("/").removesuffix(".py").replace("/", "."))
    for name in qualname.split("."):
        found = getattr(found, "__dict__", {}).get(name)
    if type(found) is type(start):
        for events in sys.monitoring.events.PY_START, 0:
            sys.monitoring.set_local_events(tool_id, found.__code__, events)


def _take_tool_id() -> int:
    monitoring = sys.monitoring
    for tool_id in TOOL_IDS:
        if monitoring.get_tool(tool_id) is None:
            monitoring.use_tool_id(tool_id, TOOL_NAME)
            return tool_id
    holders = ", ".join(f"{tool_id} {monitoring.get_tool(tool_id)!r}" for tool_id in range(6))
    raise RuntimeError(f"no sys.monitoring tool id is free; they are held by {holders}")


def _free_tool_id() -> None:
    global _tool_id
    tool_id, _tool_id = _tool_id, None
    if tool_id is not None:
        sys.monitoring.free_tool_id(tool_id)


def _hook() -> None:
    """Once a process: register for its end, and for forks."""
    global _unhook
    if _unhook is None:
        _unhook = hooks.add(_before_fork, _after_fork, _at_exit)


def _at_exit() -> None:
    try:
        stop(last=True)
    except BaseException as exc:
        _log_error(_path, exc)


def _before_fork() -> None:
    if _core is not None:
        _core.rest()


def _after_fork() -> None:
    """In a forked child: abandon the parent's recording and begin one of the child's own."""
    try:
        if _core is not None and _core.recording():
            _core.abandon()
            if _settings.children:
                _open(None, os.path.dirname(_path or ""))
            else:
                _free_tool_id()
    except BaseException as exc:
        _log_error(_path, exc)
        _free_tool_id()


def _log_error(recording_path: str | None, exc: BaseException) -> None:
    if recording_path:
        writer.log(
            f"{recording_path.removesuffix('.rec')}.log", f"pid {os.getpid()}: {type(exc).__name__}: {exc}{_where(exc)}"
        )


def _where(exc: BaseException) -> str:
    """The traceback, without the module that would have to be imported for it."""
    lines = []
    tb: TracebackType | None = exc.__traceback__
    while tb is not None:
        lines.append(f"\n  {tb.tb_frame.f_code.co_filename}:{tb.tb_lineno} {tb.tb_frame.f_code.co_qualname}")
        tb = tb.tb_next
    return "".join(lines)
