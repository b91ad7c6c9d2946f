"""What the cores must not do to a program, whatever that does: each case has harmed one, or could have.

Programs run under the door, with each core, and must end and print as they do bare.
"""

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from async_inspect import events as ev
from async_inspect.recording.reader import open_recording
from async_inspect.tracer import pycore, writer
from async_inspect.tracer.pycore import tape as pytape
from async_inspect.tracer.settings import DETAILS

from ..tools import ROOT, TARGET
from . import ticks
from .test_core import Pause, drive, nested, rows
from .test_cpython_bugs import DEBUG_BUILD

BOOT = ROOT / "async_inspect" / "tracer" / "boot"


def run(code: str, folder: Path, core: str = "", **env: str) -> tuple[int, str, str]:
    """(status, stdout, stderr) of a program; ``core``: which records it into ``folder``, "": none."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("ASYNC_INSPECT_", "PYTHON"))}
    if core:
        variables |= {"PYTHONPATH": str(BOOT), "ASYNC_INSPECT_DIR": str(folder), "ASYNC_INSPECT_CORE": core, **env}
    command = [TARGET, "-c", code, str(ROOT)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def as_bare(code: str, folder: Path, core: types.ModuleType, **env: str) -> str:
    """What it prints, bare and recorded."""
    bare, recorded = run(code, folder), run(code, folder, core.NAME, **env)
    if "NOT HERE" in bare[1]:
        pytest.xfail(bare[1].strip())  # this Python can't have it, whatever is installed
    if "SKIP" in bare[1]:
        (pytest.skip if sys.executable == TARGET else pytest.xfail)(bare[1].strip())  # other targets get no packages
    assert bare[0] == 0, bare
    assert recorded == bare
    [path] = folder.glob("*.rec")
    with open_recording(path) as recording:
        assert recording.first("core") == core.NAME
    assert not list(folder.glob("*.log"))
    return recorded[1]


ENDED_AMID_A_COROUTINE = """
import glob, os, sys, threading
try: import greenlet
except ImportError: sys.exit(print("SKIP: no greenlet"))
async def stuck(main): main.switch()
def in_thread():
    main = greenlet.getcurrent()
    def run():
        try: stuck(main).send(None)
        except StopIteration: pass
    keep.append(greenlet.greenlet(run)); keep[-1].switch()
keep = []
threads = [threading.Thread(target=in_thread) for _ in range(40)]
for each in threads: each.start()
for each in threads: each.join()
junk = [b"\\x11" * (300 + i % 80) for i in range(20000)]  # where the threads' states were
def looked_at():  # whether the watchdog has looked, so that it has come by those threads
    folder = os.environ.get("ASYNC_INSPECT_DIR")
    if folder is None: return True
    data = open(glob.glob(folder + "/*.rec")[0], "rb").read()
    return any(data[at] in (38, 38 + 64) for at in range(4096 + 15, len(data), 16))  # a STACK
async def slow():
    while not looked_at(): pass
try: slow().send(None)
except StopIteration: print("ok")
"""


@pytest.mark.e2e
def test_threads_that_end_amid_a_coroutine(core_module: types.ModuleType, tmp_path: Path) -> None:
    assert as_bare(ENDED_AMID_A_COROUTINE, tmp_path, core_module, ASYNC_INSPECT_SLOW_POLL_MS="20") == "ok\n"


CODE_EXTRA = """
import ctypes, asyncio
freefunc = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
calls = []
FREE = freefunc(calls.append)
request = ctypes.pythonapi.PyUnstable_Eval_RequestCodeExtraIndex
request.argtypes, request.restype = (freefunc,), ctypes.c_ssize_t
assert request(FREE) >= 0
asyncio.run(asyncio.sleep(0))
scope = {}
exec("async def f(): pass", scope)
try: scope["f"]().send(None)
except StopIteration: pass
scope.clear()
print(calls)
"""


@pytest.mark.e2e
def test_a_function_that_frees_the_programs_own_code_extra(core_module: types.ModuleType, tmp_path: Path) -> None:
    assert as_bare(CODE_EXTRA, tmp_path, core_module) == "[]\n"


CODELIKE = """
import sys
try: import _testcapi as t; t.fire_event_py_start
except (ImportError, AttributeError): sys.exit(print("NOT HERE: no events of compiled code"))
E = sys.monitoring.events
async def first(): pass
first().close()
try: first().send(None)
except StopIteration: pass
def fire(event, fire, *arguments):
    like = t.CodeLike(2)
    t.monitoring_enter_scope(like, event, E.PY_START)
    fire(like, *arguments)
    t.monitoring_exit_scope()
for i in range(500):
    fire(E.PY_START, t.fire_event_py_start, 0)
    fire(E.PY_RESUME, t.fire_event_py_resume, 0)
    fire(E.PY_YIELD, t.fire_event_py_yield, 0, None)
    fire(E.PY_RETURN, t.fire_event_py_return, 0, None)
    fire(E.CALL, t.fire_event_call, 0, print, None)
    fire(E.PY_UNWIND, t.fire_event_py_unwind, 0, ValueError())
    fire(E.PY_THROW, t.fire_event_py_throw, 0, ValueError())
print("ok")
"""


@pytest.mark.e2e
def test_events_whose_code_is_any_object(core_module: types.ModuleType, tmp_path: Path) -> None:
    assert as_bare(CODELIKE, tmp_path, core_module) == "ok\n"


@pytest.mark.tracer
def test_callbacks_that_anybody_calls(core_module: types.ModuleType, tmp_path: Path) -> None:
    """They can be had from sys.monitoring."""

    def program() -> None:
        events = sys.monitoring.events
        for name in ("PY_START", "PY_RESUME", "PY_YIELD", "PY_RETURN", "PY_UNWIND", "PY_THROW", "CALL"):
            callback: Any = sys.monitoring.register_callback(ticks.TOOL_ID, getattr(events, name), None)
            for arguments in (), (1,), (object(), 1), (object(), 1, 2), (object(), 1, 2, 3), ("", -1, None, None, None):
                assert callback(*arguments) is None
            own = sys._getframe().f_code
            for offset in -1, 1 << 40, "x":
                callback(own, offset), callback(own, offset, None), callback(own, offset, None, None)

    ticks.record(core_module, program, tmp_path / "run.rec").close()


ENDED_UNHEARD = """
import sys
locals = "; ".join(f"v{i} = 0" for i in range(40_000))  # a frame so large that its memory goes back to the system
class Pause:
    def __await__(self): yield
space = {"Pause": Pause}
exec(f"async def large():\\n await Pause()\\n if 0: {locals}", space)
async def inner():
    try: await Pause()
    except GeneratorExit: await Pause()
async def outer(inner): await inner
def end_all(*event):  # while this runs there are no events
    while left: left.pop().close()
def nothing(): pass
for size in "large", "small":
    left = [space["large"]() if size == "large" else outer(Pause()) for _ in range(100)]
    for one in left: one.send(None)
    sys.settrace(end_all)
    nothing()
    sys.settrace(None)
    other = [bytes(range(n % 256)) * 9 for n in range(1000)]  # where the small ones were
    for _ in range(3):
        awaited = inner()
        awaits = outer(awaited)
        awaits.send(None)
        try: awaited.throw(GeneratorExit)  # past its awaiter: whose chain was that?
        except BaseException as error: print(error)
        for one in awaited, awaits:
            try: one.close()
            except BaseException as error: print(error)
print("ok")
"""


@pytest.mark.e2e
@pytest.mark.parametrize("detail", DETAILS)
def test_roots_that_end_without_an_event(core_module: types.ModuleType, tmp_path: Path, detail: str) -> None:
    assert as_bare(ENDED_UNHEARD, tmp_path, core_module, ASYNC_INSPECT_DETAIL=detail).endswith("ok\n")


NO_MEMORY = """
import sys, time
try: import _testcapi
except ImportError: sys.exit(print("SKIP: no _testcapi"))
sleep, no, yes, seconds = time.sleep, _testcapi.set_nomemory, _testcapi.remove_mem_hooks, 0.2
async def f():
    no(0, 0)
    try: sleep(seconds)
    finally: yes()
try: f().send(None)
except StopIteration: print("ok")
"""


@pytest.mark.e2e
def test_a_watchdog_without_memory(core_module: types.ModuleType, tmp_path: Path) -> None:
    assert as_bare(NO_MEMORY, tmp_path, core_module, ASYNC_INSPECT_SLOW_POLL_MS="20") == "ok\n"


TWICE = """
import asyncio, sys
asyncio.run(asyncio.sleep(0))
sys.path.insert(0, sys.argv[1])
from async_inspect.tracer import choose
core, _ = choose.choose("c")
assert core.recording() in (True, False)
asyncio.run(asyncio.sleep(0))
print("ok")
"""


@pytest.mark.e2e
def test_the_core_under_another_name_too(core_module: types.ModuleType, tmp_path: Path) -> None:
    assert as_bare(TWICE, tmp_path, core_module) == "ok\n"


AUDITED = """
import asyncio, sys
asyncio.run(asyncio.sleep(0))
sys.addaudithook(lambda event, _: print(event) if event.startswith("sys.monitoring") else None)
"""


@pytest.mark.e2e
def test_no_audit_events_at_the_end(core_module: types.ModuleType, tmp_path: Path) -> None:
    assert as_bare(AUDITED, tmp_path, core_module) == ""


DEEP = """
import sys
def step(n):
    async def one(): list(map(step, [n + 1]))
    global deepest
    deepest = n
    try: one().send(None)
    except StopIteration: pass
try: step(0)
except RecursionError: print(deepest)
"""


@pytest.mark.e2e
def test_none_of_the_recursion_is_taken(tmp_path: Path) -> None:
    core = ticks.CORES["c"]
    if core is None:
        pytest.skip("no C core was built for this Python")
    as_bare(DEEP, tmp_path, core)  # the Python core takes a level (docs/ways-in.md)


@pytest.mark.tracer
def test_a_tool_id_that_is_none(core_module: types.ModuleType, tmp_path: Path) -> None:
    fd = writer.create_at(str(tmp_path / "run.rec"))
    size = writer.write_header(fd, [])
    try:
        with pytest.raises(ValueError, match="tool"):
            core_module.start(fd, size, 1 << 30, 99, writer.stdlib())
    finally:
        os.close(fd)
    assert not core_module.recording()


@pytest.mark.tracer
def test_several_threads_stop_at_once(core_module: types.ModuleType, tmp_path: Path) -> None:
    """And nobody else's tool is touched."""
    monitoring = sys.monitoring
    monitoring.use_tool_id(0, "a debugger")
    callback: Callable[..., object] = lambda *_: None  # noqa: E731
    monitoring.register_callback(0, monitoring.events.PY_START, callback)
    gate = threading.Barrier(6)

    def end() -> None:
        gate.wait()
        core_module.stop()

    def program() -> None:
        drive(nested(1, 1))
        threads = [threading.Thread(target=end) for _ in range(6)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert not core_module.recording()

    try:
        with ticks.record(core_module, program, tmp_path / "run.rec") as recording:
            assert recording.header.state == ev.STOPPED
        assert monitoring.register_callback(0, monitoring.events.PY_START, None) is callback
    finally:
        monitoring.free_tool_id(0)


@pytest.mark.tracer
def test_threads_that_have_ended_are_forgotten(core_module: types.ModuleType, tmp_path: Path) -> None:
    def in_thread() -> None:
        drive(nested(0, 0))

    def program() -> None:
        for _ in range(1000):
            thread = threading.Thread(target=in_thread)
            thread.start()
            thread.join()
        if core_module is pycore:
            assert pycore._recorder is not None
            assert len(pycore._recorder.coros.threads.states) <= 66

    with ticks.record(core_module, program, tmp_path / "run.rec") as recording:
        assert recording.header.lost == 0
        threads = recording.records["coro"][recording.records["kind"] == ev.THREAD].tolist()
        assert threads == list(range(1000))


@pytest.mark.tracer
def test_no_more_threads_than_can_be_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the Python core, which can be told a smaller number: the indexes of those that have ended are used again."""
    monkeypatch.setattr(ev, "MAX_THREADS", 70)

    def program() -> None:
        for _ in range(300):
            thread = threading.Thread(target=lambda: drive(nested(0, 0)))
            thread.start()
            thread.join()

    with ticks.record(pycore, program, tmp_path / "run.rec") as recording:
        threads = recording.records["coro"][recording.records["kind"] == ev.THREAD].tolist()
        assert max(threads) == 69
        starts = sum(row[0] == "START" for row in rows(recording))
        assert starts == 300 if recording.header.lost == 0 else starts + recording.header.lost // 2 == 300


@pytest.mark.tracer
@pytest.mark.parametrize("detail", DETAILS)
def test_no_cycles_for_the_programs_collector(core_module: types.ModuleType, tmp_path: Path, detail: str) -> None:
    async def main() -> None:
        for _ in range(20):
            await asyncio.create_task(nested(2, 1))

    def program() -> None:
        asyncio.run(main())
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        asyncio.run(main())
        gc.collect()
        found.extend(type(each).__module__ for each in gc.garbage)
        gc.set_debug(0)
        gc.garbage.clear()

    found: list[str] = []
    ticks.record(core_module, program, tmp_path / "run.rec", detail=detail).close()
    assert not [name for name in found if "async_inspect" in name]


@pytest.mark.tracer
def test_sites_and_strings_are_forgotten_at_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes again is defined again, and says the same."""
    monkeypatch.setattr(ev, "MAX_SITES", 5)
    monkeypatch.setattr(ev, "MAX_STRINGS", 3)

    def raises(kind: type[Exception]) -> None:
        async def fail() -> None:
            raise kind

        with pytest.raises(kind):
            drive(fail())

    def program() -> None:
        for _ in range(2):
            for name in "abcdefgh":
                raises(type(name, (Exception,), {}))
        assert pycore._recorder is not None
        assert len(pycore._recorder.defs.strings) <= 3
        assert len(pycore._recorder.defs.sites) <= 5

    with ticks.record(pycore, program, tmp_path / "run.rec") as recording:
        raised = [recording.strings[aux] for kind, _, aux, _ in rows(recording) if kind == "RAISE"]
        assert [name.rpartition(".")[2] for name in raised] == list("abcdefgh") * 2


ASKED: list[str] = []


class Text(str):  # noqa: SLOT000
    def __hash__(self) -> int:
        ASKED.append("hash")
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        ASKED.append("eq")
        return super().__eq__(other)

    def encode(self, *arguments: Any) -> bytes:
        ASKED.append("encode")
        return super().encode(*arguments)

    def endswith(self, *arguments: Any) -> bool:
        ASKED.append("endswith")
        return super().endswith(*arguments)


class Loop(asyncio.SelectorEventLoop):
    def __hash__(self) -> int:
        ASKED.append("loop")
        return 1


class Task(asyncio.Task[object]):
    @property
    def _must_cancel(self) -> bool:
        ASKED.append("_must_cancel")
        return False

    @property
    def _callbacks(self) -> list[Any]:
        ASKED.append("_callbacks")
        return []


class Kind(Exception):
    pass


Kind.__qualname__ = Text("Kind")


async def fail() -> None:
    await asyncio.sleep(0)
    raise Kind


ODD = types.FunctionType(fail.__code__.replace(co_qualname=Text("fail"), co_filename=Text("odd.py")), globals())


@pytest.mark.tracer
@pytest.mark.parametrize("detail", DETAILS)
def test_nothing_of_the_program_is_asked(core_module: types.ModuleType, tmp_path: Path, detail: str) -> None:
    """No property, no hash, no method of a str of its own."""

    async def main() -> None:
        await Task(nested(1, 1), loop=asyncio.get_running_loop())
        for function in fail, ODD:
            with pytest.raises(Kind):
                await function()

    def program() -> None:
        ASKED.clear()
        loop = Loop()
        try:
            loop.run_until_complete(main())
        finally:
            loop.close()

    program()
    bare = list(ASKED)
    path = tmp_path / "run.rec"
    with ticks.record(core_module, program, path, sources=ticks.ALL, calls=True, detail=detail) as recording:
        assert recording.header.lost == 0
        names = {name.rpartition(".")[2] for name in recording.strings.values()}
        assert ("Kind" in names) == (detail == "calls")  # what an awaited one raised isn't heard at awaits
    assert bare == ASKED


class Timeout(Exception):
    """What a signal's handler raises."""


@pytest.mark.tracer
@pytest.mark.parametrize("error", [Timeout, TimeoutError, KeyboardInterrupt])
@pytest.mark.parametrize("event", ["PY_YIELD", "PY_RESUME"])
def test_what_a_signals_handler_raises_amid_a_callback_is_the_programs(
    error: type[BaseException], event: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The C core has no such moment. Of ours the event is lost, and counted; what follows is recorded as ever."""
    if event == "PY_YIELD" and DEBUG_BUILD:
        pytest.xfail("a debug build of CPython aborts at any callback's exception (test_cpython_bugs.py)")
    armed = [False]
    now = pytape.Tape.now

    def interrupted(tape: pytape.Tape) -> int:
        if armed[0]:
            armed[0] = False
            signal.raise_signal(signal.SIGALRM)
        return now(tape)

    def on_alarm(*_: object) -> None:
        raise error

    async def main() -> None:
        armed[0] = event == "PY_YIELD"
        with pytest.raises(error) as raised:
            await Pause(1)
        names = [entry.name for entry in raised.traceback]
        assert names[-1] == "on_alarm"
        assert len([entry for entry in raised.traceback if "pycore" in str(entry.path)]) <= 1

    def program() -> None:
        waiting = main()
        with contextlib.suppress(StopIteration):
            waiting.send(None)
            armed[0] = True
            waiting.send(None)
        drive(nested(1, 1))

    monkeypatch.setattr(pytape.Tape, "now", interrupted)
    before = signal.signal(signal.SIGALRM, on_alarm)
    try:
        with ticks.record(pycore, program, tmp_path / "run.rec") as recording:
            assert recording.header.lost == 1
            assert [row[:3] for row in rows(recording)][-7:] == [
                ("START", 2, 0),
                ("START", 3, 2),
                ("SUSPEND", 3, 0),
                ("LINK", 2, 3),
                ("RESUME", 2, 3),
                ("RETURN", 3, 0),
                ("RETURN", 2, 0),
            ]
    finally:
        signal.signal(signal.SIGALRM, before)
