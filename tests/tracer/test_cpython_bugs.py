"""What single versions of CPython do wrong, or otherwise than the rest: each shown by itself, then that both cores
record the truth all the same.

A test is named after CPython's issue where there is one (``gh_NUMBER``), else after what happens.  The first half of
each fails on the day when a version behaves otherwise: then a workaround may go, or is needed elsewhere.
"""

import asyncio
import contextlib
import gc
import mmap
import os
import signal
import subprocess
import sys
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

from async_inspect import events as ev
from async_inspect.recording.reader import Recording
from async_inspect.tracer import pycore

from . import ticks
from .test_core import drive, rows, suspend

pytestmark = pytest.mark.tracer

VERSION = sys.version_info[:3]
MON = sys.monitoring
E = MON.events
TOOL = 3
DEBUG_BUILD = hasattr(sys, "gettotalrefcount")

type Record = Callable[..., Recording]


@pytest.fixture
def record(core_module: types.ModuleType, tmp_path: Path) -> Record:
    def run(program: Callable[[], object], name: str = "run.rec", sources: tuple[str, ...] = ("tasks",)) -> Recording:
        return ticks.record(core_module, program, tmp_path / name, sources=sources)

    return run


@contextlib.contextmanager
def tool() -> Generator[int]:
    """A tool of the test's own, gone without a trace afterwards."""
    MON.use_tool_id(TOOL, "bug")
    try:
        yield TOOL
    finally:
        MON.set_events(TOOL, 0)
        for event in (E.PY_START, E.PY_RESUME, E.PY_YIELD, E.PY_RETURN, E.PY_UNWIND, E.PY_THROW):
            MON.register_callback(TOOL, event, None)
        MON.free_tool_id(TOOL)


def seen(program: Callable[[], object], *events: str) -> list[tuple[str, str]]:
    """(event, function) of what fires in this file's functions."""
    found: list[tuple[str, str]] = []

    def listener(name: str) -> Callable[..., None]:
        def hear(code: types.CodeType, *_: object) -> None:
            if code.co_filename in (__file__, suspend.__code__.co_filename) and code is not program.__code__:
                found.append((name, code.co_name))

        return hear

    with tool():
        for name in events:
            MON.register_callback(TOOL, getattr(E, name), listener(name))
        MON.set_events(TOOL, sum(getattr(E, name) for name in events))
        program()
        MON.set_events(TOOL, 0)
    return found


async def leaf() -> None:
    await suspend()


async def root() -> None:
    await leaf()


def ends(recording: Recording) -> dict[int, str]:
    return {coro: kind for kind, coro, _, _ in rows(recording) if kind in ("RETURN", "RAISE", "VANISH")}


# --- what ends unseen ------------------------------------------------------------------------------------------------

CLOSES_UNSEEN = (3, 13) <= VERSION < (3, 13, 10) or (3, 14) <= VERSION < (3, 14, 1)


def test_gh_140373_a_close_that_fires_nothing(record: Record) -> None:
    """What stands at a plain ``yield`` with no try around it is closed without any event."""

    def program() -> None:
        coro = root()
        coro.send(None)
        coro.close()
        drive(leaf())

    fired = seen(program, "PY_THROW", "PY_UNWIND")
    assert (("PY_UNWIND", "suspend") in fired) is not CLOSES_UNSEEN
    assert ("PY_UNWIND", "root") in fired

    run = record(program)
    assert ends(run) == {
        1: "RAISE", 2: "RAISE", 3: "VANISH" if CLOSES_UNSEEN else "RAISE", 4: "RETURN", 5: "RETURN",
    }  # fmt: skip
    assert ("START", 4, 0, 4) in rows(run), "what comes next is nobody's child"


def test_gh_140373_an_async_generator_closed_between_items(record: Record) -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def main() -> None:
        it = items()
        await anext(it)
        await it.aclose()  # type: ignore[attr-defined]
        await suspend()

    def program() -> None:
        drive(main())

    run = record(program)
    assert ends(run) == {1: "RETURN", 2: "RAISE", 3: "RETURN"}
    assert [row for row in rows(run) if row[0] == "SUSPEND"] == [("SUSPEND", 3, 0, 0)]


# --- exceptions ------------------------------------------------------------------------------------------------------


def test_gh_106895_an_unwind_that_is_not_to_be_disabled(record: Record) -> None:
    """Before 3.15, DISABLE from PY_UNWIND becomes a ValueError in the program."""

    def fails() -> None:
        raise KeyError("the program's own")

    def attempt() -> type[BaseException] | None:
        try:
            fails()
        except Exception as exc:
            return type(exc)
        return None

    with tool():
        MON.register_callback(TOOL, E.PY_UNWIND, lambda *_: MON.DISABLE)
        MON.set_events(TOOL, E.PY_UNWIND)
        first = attempt()
    assert first is (ValueError if VERSION < (3, 15) else KeyError)

    kept: list[object] = []

    async def main() -> None:
        kept.extend(attempt() for _ in range(3))

    record(lambda: drive(main()))
    assert kept == [KeyError] * 3


INTERRUPTED_AT_A_YIELD = """
import signal, sys
on, event = sys.monitoring, sys.monitoring.events.PY_YIELD
class Pause:
    def __await__(self): yield
async def main():
    on.set_local_events(3, main.__code__, event)
    try: await Pause()
    except KeyboardInterrupt: print("interrupted")
signal.signal(signal.SIGALRM, signal.default_int_handler)
on.use_tool_id(3, "bug")
on.register_callback(3, event, lambda *_: signal.raise_signal(signal.SIGALRM))
try: main().send(None)
except StopIteration: print("ended")
"""


def test_a_debug_build_aborts_at_what_comes_up_amid_a_yield() -> None:
    """What a signal's handler raises in any tool's callback; CLEANUP_THROW expects exceptions of throw() alone."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_AT_A_YIELD], capture_output=True, text=True, check=False)
    if DEBUG_BUILD:
        assert done.returncode == -signal.SIGABRT
        assert "Assertion `throwflag' failed" in done.stderr
    else:
        assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\nended\n", "")


def test_gh_132536_a_throw_that_is_not_to_be_disabled(record: Record) -> None:
    """The same of PY_THROW."""

    def plain() -> Generator[int]:
        while True:
            with contextlib.suppress(KeyError):
                yield 1

    def attempt() -> type[BaseException] | None:
        generator = plain()
        next(generator)
        try:
            generator.throw(KeyError())
        except Exception as exc:
            return type(exc)
        return None

    with tool():
        MON.register_callback(TOOL, E.PY_THROW, lambda *_: MON.DISABLE)
        MON.set_events(TOOL, E.PY_THROW)
        first = attempt()
    assert first is (ValueError if VERSION < (3, 15) else None)

    kept: list[object] = []

    async def main() -> None:
        kept.extend(attempt() for _ in range(3))

    record(lambda: drive(main()))
    assert kept == [None] * 3


def test_gh_142186_exceptions_are_told_of_all_code_or_none(record: Record) -> None:
    """Before 3.15, PY_UNWIND and PY_THROW cannot be asked for of one code object."""
    with tool():
        try:
            MON.set_local_events(TOOL, leaf.__code__, E.PY_UNWIND | E.PY_THROW)
            local = True
            MON.set_local_events(TOOL, leaf.__code__, 0)
        except ValueError:
            local = False
    assert local is (VERSION >= (3, 15))

    async def fails() -> None:
        await suspend()
        raise KeyError

    async def main() -> None:
        with contextlib.suppress(KeyError):
            await fails()

    assert ends(record(lambda: drive(main()))) == {1: "RETURN", 2: "RAISE", 3: "RETURN"}


def test_a_throw_that_only_resumes(record: Record) -> None:
    """An awaiter is re-entered by PY_THROW when the one it awaits swallowed an exception and returned: none comes.

    So on every version; CPython has no issue of it.
    """

    async def swallows() -> None:
        with contextlib.suppress(KeyError):
            await suspend()

    async def main() -> None:
        await swallows()
        await suspend()

    def program() -> None:
        coro = main()
        coro.send(None)
        coro.throw(KeyError)
        drive(coro)

    assert seen(program, "PY_THROW", "PY_UNWIND") == [
        ("PY_THROW", "suspend"),
        ("PY_UNWIND", "suspend"),
        ("PY_THROW", "swallows"),
        ("PY_THROW", "main"),
    ]
    run = record(program)
    assert [row[:2] for row in rows(run) if row[0] in ("THROW", "RAISE")] == [("THROW", 3), ("RAISE", 3)]
    assert ends(run) == {1: "RETURN", 2: "RETURN", 3: "RAISE", 4: "RETURN"}


# --- async generators ------------------------------------------------------------------------------------------------


def test_gh_129013_items_are_handed_over_wrapped(record: Record) -> None:
    """PY_YIELD of ``yield x`` hands over CPython's own wrapper of x.

    A change that unwraps it is proposed: so what a yield is, is told from its bytecode.
    """

    async def items() -> AsyncIterator[object]:
        await suspend()
        yield None  # unwrapped it would look like the bare yield of an await

    async def main() -> None:
        async for _ in items():
            pass

    kinds: list[str] = []
    with tool():
        MON.register_callback(
            TOOL,
            E.PY_YIELD,
            lambda code, _, value: kinds.append(type(value).__name__) if code.co_name == "items" else 0,
        )
        MON.set_events(TOOL, E.PY_YIELD)
        drive(main())
    assert kinds == ["NoneType", "async_generator_wrapped_value"]

    run = record(lambda: drive(main()))
    assert [row[:2] for row in rows(run) if row[0] in ("SUSPEND", "ITEM")] == [("SUSPEND", 3), ("ITEM", 2)]


# --- tools that come and go ------------------------------------------------------------------------------------------


def test_gh_111963_local_events_outlive_their_tool(record: Record) -> None:
    """Before 3.14, whoever takes a tool id next gets the local events of whoever had it."""

    def plain() -> None:
        pass

    heard: list[str] = []
    with tool():
        MON.set_local_events(TOOL, plain.__code__, E.PY_START)
    with tool():
        MON.register_callback(TOOL, E.PY_START, lambda code, _: heard.append(code.co_name))
        plain()
        if VERSION < (3, 14):
            MON.set_local_events(TOOL, plain.__code__, 0)
    assert heard == (["plain"] if VERSION < (3, 14) else [])

    record(lambda: drive(root()))
    with contextlib.ExitStack() as stack:
        MON.use_tool_id(ticks.TOOL_ID, "next")
        stack.callback(MON.free_tool_id, ticks.TOOL_ID)
        assert not MON.get_local_events(ticks.TOOL_ID, root.__code__)
        assert not MON.get_local_events(ticks.TOOL_ID, suspend.__code__)


def test_disable_outlives_its_tool(record: Record) -> None:
    """What a callback has disabled stays so for whoever takes the id next, until the code's events change; CPython's
    ``restart_events`` would do that to every tool.  No issue: it is as documented, if one reads it so."""

    space: dict[str, Any] = {}
    exec("def plain(): pass", space)  # anew each time, or the second core would meet what the first one disabled
    plain = space["plain"]
    heard: list[str] = []
    for answer in (MON.DISABLE, None):

        def hear(code: types.CodeType, _: int, answer: object = answer) -> object:
            heard.append(f"{code.co_name} {answer is MON.DISABLE}")
            return answer

        with tool():
            MON.register_callback(TOOL, E.PY_START, hear)
            MON.set_local_events(TOOL, plain.__code__, E.PY_START)
            plain()
    assert heard == ["plain True"]

    # Our probes are such functions: in a recording without their source they say DISABLE, and are met again after it.
    async def main() -> None:
        await asyncio.create_task(leaf())

    record(lambda: asyncio.run(main()), "without.rec", ())
    run = record(lambda: asyncio.run(main()), "with.rec")
    assert "SPAWN" in [row[0] for row in rows(run)]
    run = record(lambda: asyncio.run(main()), "again.rec")
    assert "SPAWN" in [row[0] for row in rows(run)]


# --- asyncio ---------------------------------------------------------------------------------------------------------


def names_of(run: Recording) -> list[str]:
    return sorted(run.names.values())


def eager(main: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def program() -> None:
        with asyncio.Runner() as runner:
            runner.get_loop().set_task_factory(asyncio.eager_task_factory)
            runner.run(main())

    return program


def test_gh_130033_a_task_named_none(record: Record) -> None:
    """3.13 names a task "None" that came from a task factory and was given no name."""
    found: list[str] = []

    async def works() -> None:
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        found.append(task.get_name())

    async def main() -> None:
        await asyncio.create_task(works())

    run = record(eager(main))
    assert (found == ["None"]) is (VERSION[:2] == (3, 13))
    assert names_of(run) == [], "the program gave none"


def test_gh_128308_an_eager_task_named_too_late(record: Record) -> None:
    """Before 3.14, an eager task has no name of its own in its first step; our record of it has."""
    found: list[str] = []

    async def works() -> None:
        task = asyncio.current_task()
        assert task is not None
        found.append(task.get_name())

    async def main() -> None:
        await asyncio.create_task(works(), name="given")

    run = record(eager(main))
    assert (found == ["given"]) is (VERSION >= (3, 14))
    assert names_of(run) == ["given"]


def test_gh_131709_python_tasks_that_are_not_current(record: Record) -> None:
    """From 3.14 on, ``current_task()`` in a Task of the Python implementation is None where asyncio has one in C."""
    made: Any = asyncio.tasks._PyTask  # type: ignore[attr-defined]
    found: list[object] = []

    async def works() -> None:
        found.append(asyncio.current_task())

    async def main() -> None:
        await made(works())

    run = record(lambda: asyncio.run(main()))
    assert (found == [None]) is (VERSION >= (3, 14))
    [code] = [number for number, code in run.codes.items() if code.name.endswith("<locals>.works")]
    flags = [slot[7] for slot in run.records.tolist() if slot[8] == ev.START and slot[5] == code]
    assert flags == [ev.IS_TASK]


# --- files -----------------------------------------------------------------------------------------------------------


def test_gh_78502_a_mapping_keeps_a_descriptor(tmp_path: Path) -> None:
    """3.12's ``mmap`` duplicates the descriptor, and closing the mapping closes that number, whosever it is by then."""
    if VERSION < (3, 13):
        with pytest.raises(TypeError):
            vars(mmap)["mmap"](-1, 4096, trackfd=False)

    def program() -> None:
        end = os.dup(0)
        os.close(end)
        os.closerange(end, end + 20)  # as a daemon does: the mapping's duplicate may be among them
        kept.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(20))

    kept: list[int] = []
    before = set(os.listdir("/proc/self/fd"))
    ticks.record(pycore, program, tmp_path / "run.rec").close()
    gc.collect()
    for fd in kept:
        os.fstat(fd)  # the program's, and still open
        os.close(fd)
    assert len(before) <= len(os.listdir("/proc/self/fd")) + 20
