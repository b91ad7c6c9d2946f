"""What each core writes for small cases, to the record; the clock counts its readings."""

import ast
import asyncio
import contextlib
import ctypes
import functools
import operator
import os
import resource
import signal
import sys
import threading
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

from async_inspect import events as ev
from async_inspect.recording.reader import Recording
from async_inspect.tracer import pycore, writer
from async_inspect.tracer.settings import DETAILS

from . import ticks

pytestmark = pytest.mark.tracer


type Record = Callable[[Callable[[], object]], Recording]


@pytest.fixture
def record(core_module: types.ModuleType, tmp_path: Path) -> Record:
    return lambda program: ticks.record(core_module, program, tmp_path / "run.rec")


def rows(recording: Recording) -> list[tuple[str, int, int, int]]:
    """(kind, coro, aux, task after) of each event."""
    return [
        (ev.KIND_NAMES[kind], coro, aux, task)
        for kind, coro, aux, task in recording.records[["kind", "coro", "aux", "task"]].tolist()
        if kind >= ev.FIRST_EVENT
    ]


@types.coroutine
def suspend(times: int = 1) -> Generator[None, None, None]:
    for _ in range(times):
        yield


class Pause:
    """Suspends as often as it is told, in a plain generator, which is no coroutine."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __await__(self) -> Generator[None, None, None]:
        for _ in range(self.times):
            yield


def drive(coro: Coroutine[None, None, object]) -> object:
    try:
        while True:
            coro.send(None)
    except StopIteration as done:
        return done.value


async def nested(depth: int, times: int) -> None:
    if depth:
        await nested(depth - 1, times)
    else:
        await Pause(times)


def test_a_burst_is_one_record_whatever_its_depth(record: Record) -> None:
    run = record(lambda: drive(nested(4, 3)))
    assert rows(run) == [
        *[("START", n, n - 1, 1) for n in range(1, 6)],
        ("SUSPEND", 5, 0, 0),
        *[("LINK", n, n + 1, 0) for n in range(4, 0, -1)],  # the first time it is told who awaits whom
        ("RESUME", 1, 5, 1),
        ("SUSPEND", 5, 0, 0),
        ("RESUME", 1, 5, 1),
        ("SUSPEND", 5, 0, 0),
        ("RESUME", 1, 5, 1),
        *[("RETURN", n, 0, 1 if n > 1 else 0) for n in range(5, 0, -1)],
    ]


def test_another_line_with_the_same_child_is_told(record: Record) -> None:
    async def items() -> AsyncIterator[int]:
        while True:
            await Pause(1)
            yield 1

    async def main() -> None:
        it = items()
        await anext(it)
        await anext(it)

    run = record(lambda: drive(main()))
    links = [(coro, off) for kind, coro, off in run.records[["kind", "coro", "off"]].tolist() if kind == ev.LINK]
    assert [coro for coro, _ in links] == [1, 1]
    assert links[0] != links[1]


def test_an_item_is_no_suspension(record: Record) -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def main() -> None:
        async for _ in items():
            pass

    assert rows(record(lambda: drive(main()))) == [
        ("START", 1, 0, 1),
        ("START", 2, 1, 1),
        ("ITEM", 2, 1, 1),
        ("ENTER", 2, 1, 1),
        ("ITEM", 2, 1, 1),
        ("ENTER", 2, 1, 1),
        ("RETURN", 2, 0, 1),
        ("RETURN", 1, 0, 0),
    ]


def test_a_throw_resumes_the_chain_where_it_hits(record: Record) -> None:
    async def leaf() -> None:
        try:
            await Pause(1)
        except ValueError:
            await Pause(1)

    async def main() -> None:
        await leaf()

    def program() -> None:
        coro = main()
        coro.send(None)
        coro.throw(ValueError())
        drive(coro)

    run = record(program)
    assert rows(run) == [
        ("START", 1, 0, 1),
        ("START", 2, 1, 1),
        ("SUSPEND", 2, 0, 0),
        ("LINK", 1, 2, 0),
        ("THROW", 2, 1, 1),
        ("SUSPEND", 2, 0, 0),
        ("RESUME", 1, 2, 1),
        ("RETURN", 2, 0, 1),
        ("RETURN", 1, 0, 0),
    ]
    assert run.strings[1] == "ValueError"


def test_what_a_close_ends_unseen_vanishes(record: Record) -> None:
    async def main() -> None:
        try:
            await nested(2, 1)
        finally:
            pass

    def program() -> None:
        coro = main()
        coro.send(None)
        coro.close()

    run = record(program)
    ends = {coro: kind for kind, coro, _, _ in rows(run) if kind in ("RAISE", "VANISH")}
    assert set(ends) == {1, 2, 3, 4}  # by an event, or, where CPython sends none (3.13 on), found out
    assert ends[1] == "RAISE"
    assert rows(run)[-1][0] == "RAISE" and rows(run)[-1][1] == 1


def test_a_coroutine_driven_inside_a_task_is_a_root(record: Record) -> None:
    async def main() -> None:
        inner = nested(0, 1)
        inner.send(None)
        drive(inner)

    assert rows(record(lambda: drive(main()))) == [
        ("START", 1, 0, 1),
        ("START", 2, 0, 2),
        ("SUSPEND", 2, 0, 1),
        ("RESUME", 2, 2, 2),
        ("RETURN", 2, 0, 1),
        ("RETURN", 1, 0, 0),
    ]


def test_frames_from_before_the_recording_are_opened(core_module: types.ModuleType, tmp_path: Path) -> None:
    before = nested(2, 2)
    before.send(None)
    run = ticks.record(core_module, lambda: drive(before), tmp_path / "run.rec")
    starts = run.records[run.records["kind"] == ev.START]
    assert starts["flags"].tolist() == [ev.BEFORE] * 3
    assert starts["aux"].tolist() == [0, 1, 2]
    assert ticks.kinds(run)[3:] == ["SUSPEND", "LINK", "LINK", "RESUME", "RETURN", "RETURN", "RETURN"]


def test_tasks_are_spawned_named_and_awaited(record: Record) -> None:
    async def child() -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.create_task(child(), name="given")

    run = record(lambda: asyncio.run(main()))
    spawned = run.records[run.records["kind"] == ev.SPAWN]
    first, second = spawned[0], spawned[1]
    assert (first["coro"], first["task"], first["flags"]) == (1, 0, 0)
    assert (second["coro"], second["task"], second["flags"]) == (2, 1, ev.NAME_GIVEN)
    assert [run.codes[int(spawn["aux"])].name.rpartition(".")[2] for spawn in spawned[:2]] == ["main", "child"]
    assert run.names == {2: "given"}
    suspend = next(r for r in run.records if r["kind"] == ev.SUSPEND)
    assert (suspend["aux"], suspend["flags"]) == (2, ev.AWAITS_TASK)
    site = run.sites[int(second["off"])]
    assert run.codes[site[1]].name.endswith("main")


def test_a_create_task_that_fails_makes_no_task(record: Record) -> None:
    async def never() -> None: ...

    def program() -> None:
        loop = asyncio.new_event_loop()
        loop.close()
        coro = never()
        with pytest.raises(RuntimeError):
            loop.create_task(coro)
        coro.close()

    assert ticks.kinds(record(program)) == ["SPAWN", "VANISH"]


def test_a_task_that_cancels_itself_and_returns_is_cancelled(record: Record) -> None:
    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    def program() -> None:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(main())

    run = record(program)
    end = next(r for r in run.records if r["kind"] == ev.RETURN)
    assert (end["coro"], end["flags"]) == (1, ev.CANCELLED)


class Loud(Exception):
    def __str__(self) -> str:
        raise AssertionError("code of the program was run")

    __repr__ = __str__


class Meta(type):
    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise AssertionError("code of the program was run")


class Sly(Exception, metaclass=Meta):
    pass


@pytest.mark.parametrize(
    ("error", "type_name", "message"),
    [
        (ValueError("oops"), "ValueError", "oops"),
        (ValueError("x" * 300), "ValueError", "x" * ev.MAX_MESSAGE),
        (ValueError(), "ValueError", None),
        (ValueError("a", 1), "ValueError", "('a', 1)"),
        (ValueError(object()), "ValueError", None),
        (KeyError("k"), "KeyError", "'k'"),
        (FileNotFoundError(2, "not there", "f"), "FileNotFoundError", "[Errno 2] not there: 'f'"),
        (Loud("x"), f"{__name__}.Loud", None),
        (Sly("x"), "Sly", "x"),
        (ExceptionGroup("g", [ValueError(1)]), "ExceptionGroup", None),
    ],
)
def test_errors_by_type_and_by_what_they_say_if_that_runs_no_code(
    record: Record, error: Exception, type_name: str, message: str | None
) -> None:
    async def fail() -> None:
        raise error

    def program() -> None:
        try:
            drive(fail())
        except Exception:
            pass

    run = record(program)
    assert list(run.strings.values())[0].endswith(type_name)
    assert run.messages == ({} if message is None else {1: message})


def test_a_file_that_may_not_grow_ends_the_recording_not_the_program(
    core_module: types.ModuleType, tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def program() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (ev.HEADER_SIZE * 2 + ev.TAIL_SIZE + ev.BLOCK_SIZE, before[1]))
        drive(nested(1, 20_000))

    try:
        run = ticks.record(core_module, program, tmp_path / "run.rec")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert run.header.lost > 0
    assert run.count > 0


def test_points(core_module: types.ModuleType, tmp_path: Path) -> None:
    async def main() -> None:
        core_module.point("here", "a\0b")

    core_module.point("nothing", "records")
    run = ticks.record(core_module, lambda: drive(main()), tmp_path / "run.rec")
    core_module.point("nothing", "records")
    assert [(label, message) for _, label, message in run.points] == [("here", "a\0b")]


def test_nothing_is_left_behind(core_module: types.ModuleType, tmp_path: Path) -> None:
    monitoring = sys.monitoring
    ticks.record(core_module, lambda: drive(nested(1, 1)), tmp_path / "run.rec")
    assert not core_module.recording()
    assert monitoring.get_tool(ticks.TOOL_ID) is None
    monitoring.use_tool_id(ticks.TOOL_ID, "look")
    try:
        assert monitoring.get_events(ticks.TOOL_ID) == 0
        assert monitoring.get_local_events(ticks.TOOL_ID, nested.__code__) == 0
        assert monitoring.register_callback(ticks.TOOL_ID, monitoring.events.PY_START, None) is None
    finally:
        monitoring.free_tool_id(ticks.TOOL_ID)


def test_nothing_of_the_program_is_kept_alive(core_module: types.ModuleType, tmp_path: Path) -> None:
    import weakref

    class Thing:
        pass

    seen: list[weakref.ref[object]] = []

    async def hold(thing: Thing) -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        thing = Thing()
        task = asyncio.create_task(hold(thing))
        seen.extend([weakref.ref(thing), weakref.ref(task)])
        await task
        del thing
        assert seen[0]() is None

    namespace: dict[str, types.FunctionType] = {}
    exec("async def gone(): pass", namespace)
    code = weakref.ref(namespace["gone"].__code__)

    def program() -> None:
        asyncio.run(main())
        assert seen[1]() is None
        drive(namespace.pop("gone")())
        assert code() is None

    ticks.record(core_module, program, tmp_path / "run.rec")
    assert code() is None


def test_recording_twice_at_once_is_an_error(core_module: types.ModuleType, tmp_path: Path) -> None:
    def program() -> None:
        fd = os.open(tmp_path / "other.rec", os.O_RDWR | os.O_CREAT)
        try:
            with pytest.raises(RuntimeError):
                core_module.start(fd, ev.HEADER_SIZE, 1 << 20, ticks.TOOL_ID, writer.stdlib())
        finally:
            os.close(fd)

    ticks.record(core_module, program, tmp_path / "run.rec")


def test_nodes_are_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ev, "MAX_NODES", 4)  # the twin asks each time; in C it is the same constant
    run = ticks.record(pycore, lambda: drive(nested(6, 1)), tmp_path / "run.rec")
    starts = run.records[run.records["kind"] == ev.START]
    assert starts["node"].tolist() == [2, 3, 4, 1, 1, 1, 1]


async def _suspends() -> None:
    await suspend(2)


def test_generator_based_coroutines_are_seen(record: Record) -> None:
    run = record(lambda: drive(_suspends()))
    assert run.codes[2].name == "suspend"
    assert ticks.kinds(run) == ["START", "START", "SUSPEND", "LINK", "RESUME", "SUSPEND", "RESUME", "RETURN", "RETURN"]


def test_a_task_that_never_ran_was_one(record: Record) -> None:
    async def never() -> None: ...

    def program() -> None:
        loop = asyncio.new_event_loop()
        for _ in range(3):  # each in the memory of the one before
            coro = never()
            loop.create_task(coro)
            loop._ready.clear()  # type: ignore[attr-defined]
            coro.close()
            del coro
        loop.close()

    run = record(program)
    assert ticks.kinds(run).count("SPAWN") == 3
    assert not run.records["flags"][run.records["kind"] == ev.VANISH].any()


def test_an_aclose_made_a_task_runs_its_generator(record: Record) -> None:
    async def items() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)

    async def main() -> None:
        kept.append(items())
        await anext(kept[0])

    kept: list[AsyncIterator[int]] = []
    run = record(lambda: asyncio.run(main()))
    starts = {int(r["coro"]): r for r in run.records if r["kind"] == ev.START}
    (agen,) = [coro for coro, start in starts.items() if start["aux"] == 1]
    entered = next(r for r in run.records if r["kind"] == ev.ENTER)
    assert (entered["coro"], entered["aux"], entered["flags"] & ev.IS_TASK) == (agen, 0, ev.IS_TASK)
    task = int(entered["task"])
    assert task not in starts
    assert [ev.KIND_NAMES[r["kind"]] for r in run.records if r["coro"] == task and r["kind"] >= ev.FIRST_EVENT] == [
        "SPAWN",
        "RETURN",
    ]


def test_a_create_task_that_fails_leaves_the_task_before_it_alone(record: Record) -> None:
    async def work() -> None: ...

    async def main() -> None:
        task = asyncio.create_task(work())
        with contextlib.suppress(TypeError):
            asyncio.create_task(42)  # type: ignore[arg-type]
        await task

    run = record(lambda: asyncio.run(main()))
    assert not run.records["flags"][run.records["kind"] == ev.VANISH].any()
    spawned = run.records["coro"][run.records["kind"] == ev.SPAWN].tolist()
    assert set(spawned) <= set(run.records["coro"][run.records["kind"] == ev.START].tolist())


def test_another_in_the_memory_of_a_task_that_never_ran(record: Record) -> None:
    """The code of the one that never ran is gone by then, too."""

    def program() -> None:
        loop = asyncio.new_event_loop()
        for i in range(20):
            names: dict[str, Callable[[], Coroutine[None, None, None]]] = {}
            exec(f"async def never{i}(): ...\nasync def other{i}(): ...", names)
            coro = names.pop(f"never{i}")()
            loop.create_task(coro)
            loop._ready.clear()  # type: ignore[attr-defined]
            coro.close()
            del coro
            drive(names[f"other{i}"]())
        loop.close()

    run = record(program)
    started = run.records[run.records["kind"] == ev.START]
    others = [start for start in started.tolist() if run.codes[start[5]].name.startswith("other")]
    assert len(others) == 20
    assert not [start for start in started.tolist() if run.codes[start[5]].name.startswith("never")]
    assert not any(flags & ev.IS_TASK for *_, flags, _ in others)


def test_a_module_that_is_being_imported_is_not_waited_for(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    import _asyncio
    from importlib import _bootstrap

    assert _asyncio.__spec__ is not None
    monkeypatch.setattr(_asyncio.__spec__, "_initializing", True, raising=False)
    held, done = threading.Event(), threading.Event()
    waits: list[bool] = []

    def hold() -> None:
        with _bootstrap._ModuleLockManager("_asyncio"):  # type: ignore[attr-defined]
            held.set()
            waits.append(done.wait(10))

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    record(lambda: drive(nested(1, 1)))
    done.set()
    holder.join()
    assert waits == [True]


def test_an_awaited_one_that_is_thrown_into_by_hand(record: Record) -> None:
    async def main() -> None:
        await inner

    def program() -> None:
        coro = main()
        coro.send(None)
        with contextlib.suppress(ValueError):
            inner.throw(ValueError)
        with contextlib.suppress(RuntimeError):
            coro.send(None)

    inner = nested(0, 1)
    assert rows(record(program)) == [
        ("START", 1, 0, 1),
        ("START", 2, 1, 1),
        ("SUSPEND", 2, 0, 0),
        ("LINK", 1, 2, 0),
        ("ENTER", 2, 0, 2),
        ("RAISE", 2, 1, 0),
        ("RESUME", 1, 1, 1),
        ("RAISE", 1, 2, 0),
        ("MESSAGE", 1, 0, 0),
    ]


def test_a_limit_on_files_is_no_signal(core_module: types.ModuleType, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signals: list[int] = []
    handler = signal.signal(signal.SIGXFSZ, lambda number, _: signals.append(number))

    def program() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (ev.HEADER_SIZE * 2 + ev.TAIL_SIZE + ev.BLOCK_SIZE, before[1]))
        drive(nested(1, 20_000))

    try:
        run = ticks.record(core_module, program, tmp_path / "run.rec")
        resource.setrlimit(resource.RLIMIT_FSIZE, (ev.HEADER_SIZE * 2, before[1]))
        with pytest.raises(OSError, match="large"):
            ticks.record(core_module, program, tmp_path / "none.rec")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert run.header.lost > 0
    assert signals == []


def test_a_fork_unseen_by_python(tmp_path: Path) -> None:
    core = ticks.CORES["c"]
    if core is None:
        pytest.skip("no C core (Debian: apt-get install gcc libc6-dev python3-dev)")

    def program() -> None:
        drive(nested(1, 1))
        pid = ctypes.PyDLL(None).fork()
        if pid == 0:
            core.stop()
            os._exit(0)
        os.waitpid(pid, 0)
        drive(nested(1, 1))

    run = ticks.record(core, program, tmp_path / "run.rec")
    assert ticks.kinds(run).count("RETURN") == 4
    assert run.records["kind"].all(), "the child wrote nothing"


class OwnLoop(asyncio.SelectorEventLoop):
    """Makes tasks by itself, as loops that are not Python do."""

    def create_task(self, coro: Any, **_: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self)


@pytest.mark.parametrize(("loop_type", "spawns"), [(OwnLoop, 2), (asyncio.SelectorEventLoop, 3)])  # the third is main
def test_a_task_is_seen_being_made_once(
    loop_type: type[asyncio.SelectorEventLoop], spawns: int, record: Record
) -> None:
    async def child() -> None:
        pass

    async def main() -> None:
        await asyncio.create_task(child())
        async with asyncio.TaskGroup() as group:
            group.create_task(child())

    def program() -> None:
        loop = loop_type()
        loop.run_until_complete(main())
        loop.close()

    assert ticks.kinds(record(program)).count("SPAWN") == spawns


def test_a_close_goes_inward_past_the_frames(record: Record) -> None:
    async def inner() -> None:
        try:
            await Pause(1)
        finally:
            kept.clear()

    async def main() -> None:
        try:
            await inner()
        finally:
            kept.clear()

    def program() -> None:
        coro = main()
        coro.send(None)
        coro.close()

    kept: list[int] = []
    assert rows(record(program)) == [
        ("START", 1, 0, 1),
        ("START", 2, 1, 1),
        ("SUSPEND", 2, 0, 0),
        ("LINK", 1, 2, 0),
        ("THROW", 2, 1, 1),
        ("RAISE", 2, 1, 0),  # not to its awaiter: close() goes on with that one by itself, or not at all
        ("THROW", 1, 1, 1),
        ("RAISE", 1, 1, 0),
    ]


def test_who_closes_unseen_does_not_seem_to_run(record: Record) -> None:
    async def inner() -> None:
        try:
            await Pause(1)
        finally:
            kept.clear()

    async def main() -> None:
        await inner()  # no try: on 3.13 and later its close() fires nothing

    def program() -> None:
        coro = main()
        coro.send(None)
        coro.close()
        drive(nested(0, 0))

    kept: list[int] = []
    run = record(program)
    assert rows(run)[-2:] == [("START", 3, 0, 3), ("RETURN", 3, 0, 0)]


def test_an_awaited_one_that_is_closed_by_hand_leaves_the_thread_in_order(record: Record) -> None:
    async def inner() -> None:
        try:
            await Pause(1)
        finally:
            kept[:] = kept[:1]

    async def main() -> None:
        with contextlib.suppress(RuntimeError):
            await kept[0]

    def program() -> None:
        coro = main()
        coro.send(None)
        kept[0].close()
        drive(coro)

    kept = [inner()]
    assert rows(record(program))[-2:] == [("RESUME", 1, 1, 1), ("RETURN", 1, 0, 0)]


class Holds(asyncio.Future[None]):
    """Lets go of a coroutine only as it is itself let go of, which is while somebody still stands at its ``await``."""

    def __init__(self, it: object) -> None:
        super().__init__()
        self.it = it


async def forsaken() -> None:
    with contextlib.suppress(GeneratorExit):
        await Pause(1)


def begun() -> Coroutine[None, None, None]:
    it = forsaken()
    it.send(None)
    return it


async def generates() -> AsyncIterator[int]:
    try:
        yield 1
    finally:
        seen.clear()


def item_taken() -> AsyncIterator[int]:
    it = generates()
    with contextlib.suppress(StopIteration):
        it.__anext__().send(None)  # type: ignore[attr-defined]
    return it


async def with_a_local(make: Callable[[], object]) -> None:
    it = make()
    seen.append(id(it))


seen: list[int] = []


@pytest.fixture
def c_core() -> types.ModuleType:
    """For what CPython says to C alone: what a running frame awaits."""
    core = ticks.CORES["c"]
    if core is None:
        pytest.skip("no C core (Debian: apt-get install gcc libc6-dev python3-dev)")
    return core


def closed(run: Recording) -> tuple[int, list[tuple[str, int, int, int]]]:
    """The string of what closes a coroutine, and the last three records of throws, entries and ends."""
    exc = next(key for key, text in run.strings.items() if text == "GeneratorExit")
    return exc, [row for row in rows(run) if row[0] in ("THROW", "ENTER", "RETURN", "RAISE")][-3:]


@pytest.mark.parametrize("detail", DETAILS)
def test_what_dies_with_the_locals_of_an_awaited_one_is_not_awaited(
    core_module: types.ModuleType, tmp_path: Path, detail: str
) -> None:
    async def main() -> None:
        await with_a_local(begun)

    run = ticks.record(core_module, lambda: drive(main()), tmp_path / "run.rec", detail=detail)
    inner = 2 if detail == "awaits" else 3  # of the awaited one nothing is heard there
    exc, ends = closed(run)
    assert ends == [("THROW", inner, exc, inner), ("RETURN", inner, 0, 1), ("RETURN", 1, 0, 0)]  # main goes on


@pytest.mark.parametrize("detail", DETAILS)
def test_a_generator_that_dies_so_is_not_closed_by_who_awaits(
    c_core: types.ModuleType, tmp_path: Path, detail: str
) -> None:
    async def main() -> None:
        await with_a_local(item_taken)

    run = ticks.record(c_core, lambda: drive(main()), tmp_path / "run.rec", detail=detail)
    inner = 2 if detail == "awaits" else 3
    exc, ends = closed(run)
    assert ends == [("ENTER", inner, 0, inner), ("RAISE", inner, exc, 1), ("RETURN", 1, 0, 0)]


@pytest.mark.parametrize("detail", DETAILS)
def test_what_dies_with_an_awaited_future_is_not_awaited(
    core_module: types.ModuleType, tmp_path: Path, detail: str
) -> None:
    async def main() -> None:
        it = Holds(begun())
        it.set_result(None)
        later = iter([it])
        del it
        await next(later)

    async def task() -> None:
        await main()

    run = ticks.record(core_module, lambda: asyncio.run(task()), tmp_path / "run.rec", detail=detail)
    inner = 2 if detail == "awaits" else 3
    exc = next(key for key, text in run.strings.items() if text == "GeneratorExit")
    told = [row for row in rows(run) if row[1] == inner]
    assert [told[0], *told[2:]] == [("START", inner, 0, inner), ("THROW", inner, exc, inner), ("RETURN", inner, 0, 1)]


class Closes:
    """An awaitable of compiled code that closes what it does not await."""

    def __init__(self, it: object) -> None:
        self.it = it

    def __await__(self) -> Any:
        return map(operator.methodcaller("close"), [self.it])


@pytest.mark.parametrize("detail", DETAILS)
def test_what_compiled_code_closes_below_an_await_is_not_awaited(
    core_module: types.ModuleType, tmp_path: Path, detail: str
) -> None:
    async def main() -> None:
        await Closes(begun())

    run = ticks.record(core_module, lambda: drive(main()), tmp_path / "run.rec", detail=detail)
    exc = next(key for key, text in run.strings.items() if text == "GeneratorExit")
    told = [row for row in rows(run) if row[0] in ("THROW", "ENTER", "RETURN", "RAISE", "RESUME")]
    assert told == [("THROW", 2, exc, 2), ("RETURN", 2, 0, 1), ("RESUME", 1, 1, 1), ("RETURN", 1, 0, 0)]


@pytest.mark.parametrize("detail", DETAILS)
def test_what_compiled_code_runs_by_hand_below_an_await_is_not_awaited(
    c_core: types.ModuleType, tmp_path: Path, detail: str
) -> None:
    it = forsaken()

    class Runs:
        __del__ = staticmethod(functools.partial(it.send, None))  # no frame of Python's is between

    async def main() -> None:
        await with_a_local(Runs)

    run = ticks.record(c_core, lambda: drive(main()), tmp_path / "run.rec", detail=detail)
    inner = 2 if detail == "awaits" else 3
    told = [row for row in rows(run) if row[1] == inner]
    assert told == [("START", inner, 0, inner), ("SUSPEND", inner, told[1][2], 1)]
    it.close()


AWAITS = """
import asyncio, contextlib, types

@contextlib.asynccontextmanager
async def context():
    await asyncio.sleep(0)
    yield
    await asyncio.sleep(0)

async def generator(n):
    for i in range(n):
        yield i
        await (
            asyncio.sleep(0)
        )

@types.coroutine
def old(flag):
    yield
    if flag:
        yield from asyncio.sleep(0)
    yield

async def plain():
    pass

async def main(flag):
    await asyncio.sleep(0)
    if flag:
        await asyncio.sleep(1)
        return await asyncio.gather(
            asyncio.sleep(0),
            asyncio.sleep(1))
    await plain()
    async with context() as x, context():
        await old(flag)
    async for y in generator(3):
        if y > 5:
            break
    found = [await asyncio.sleep(0, q)
             async for q in generator(2)]
    later = (await asyncio.sleep(0, q) async for q in generator(2))
    async for q in later:
        continue
    try:
        await asyncio.wait_for(plain(), 1) if found else await plain()
    except ValueError:
        await plain()
    finally:
        await asyncio.sleep(0)
    assert (lambda: [found])()
"""


def awaits_of(node: ast.AST, scopes: tuple[type[ast.AST], ...]) -> set[int]:
    """Where the source of a function awaits, without the functions in it."""
    found: set[int] = set()
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, scopes):
            found |= awaits_of(child, scopes)
        if isinstance(child, ast.Await | ast.YieldFrom | ast.AsyncFor | ast.AsyncWith):
            found.add(child.lineno)
        elif isinstance(child, ast.ListComp):
            found |= {child.lineno for one in child.generators if one.is_async}
    return found


def test_codes_say_where_they_await(record: Record, core_module: types.ModuleType) -> None:
    """As the source has it, whether it came there or not; and nothing else waits anywhere else."""
    code, scope = compile(AWAITS, "awaits.py", "exec"), dict[str, Any]()
    exec(code, scope)
    recording = record(lambda: asyncio.run(scope["main"](False)))
    said = {found.name: found.await_lines for found in recording.codes.values() if found.file == "awaits.py"}
    functions = ast.AsyncFunctionDef | ast.FunctionDef
    tree = {node.name: node for node in ast.parse(AWAITS).body if isinstance(node, functions)}
    scopes = (ast.AsyncFunctionDef, ast.FunctionDef, ast.Lambda, ast.GeneratorExp)
    expected = {name: awaits_of(node, scopes) for name, node in tree.items()}
    expected["old"] |= {yielded.lineno for yielded in ast.walk(tree["old"]) if isinstance(yielded, ast.Yield)}
    (later,) = (node for node in ast.walk(tree["main"]) if isinstance(node, ast.GeneratorExp))
    expected["main.<locals>.<genexpr>"] = {later.lineno}
    assert {name: set(lines or ()) for name, lines in said.items()} == expected
    assert said["plain"] == ()
    for code_ in recording.codes.values():
        assert (code_.awaits is None) == (code_.kind == ev.CODE_PLAIN)
    codes = {row["coro"]: row["off"] for row in recording.records if row["kind"] == ev.START}
    stood = [row for row in recording.records if row["kind"] in (ev.SUSPEND, ev.LINK)]
    assert len(stood) > 20
    for row in stood:
        at = recording.codes[codes[row["coro"]]]
        assert at.position(int(row["off"])).line in (at.await_lines or ()), at
