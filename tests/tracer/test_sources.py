"""What each source has both cores write, case by case; the clock counts its readings."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import numpy as np
import pytest

from async_inspect import events as ev
from async_inspect.recording.reader import Recording, open_recording
from async_inspect.tracer import start, stop
from async_inspect.tracer.actions import ACTIONS
from async_inspect.tracer.pycore.processor import Seen
from async_inspect.tracer.settings import DETAILS, Settings
from async_inspect.tracer.sources import SOURCES

from ..tools import ROOT
from ..tools import run as run_command
from . import ticks

pytestmark = pytest.mark.tracer

BY = {
    ev.BY_CODE: "code", ev.BY_CALLBACK: "callback", ev.BY_TIMER: "timer", ev.BY_IO: "I/O", ev.BY_THREAD: "thread",
    ev.BY_SIGNAL: "signal", ev.BY_TASK: "task",
}  # fmt: skip


class Record:
    """Records a coroutine function, run by ``asyncio.run``, with some sources on."""

    def __init__(self, core: types.ModuleType, folder: Path, detail: str) -> None:
        self.core = core
        self.detail = detail
        self.folder = folder

    def __call__(
        self,
        main: Callable[[], Coroutine[None, None, None]],
        *sources: str,
        run: Callable[[Coroutine[None, None, None]], object] = asyncio.run,
        calls: bool = False,
    ) -> Recording:
        path = self.folder / f"{len(list(self.folder.iterdir()))}.rec"
        all_sources = ("tasks", *sources)
        return ticks.record(self.core, lambda: run(main()), path, sources=all_sources, calls=calls, detail=self.detail)


@pytest.fixture(params=DETAILS)
def record(request: pytest.FixtureRequest, core_module: types.ModuleType, tmp_path: Path) -> Record:
    return Record(core_module, tmp_path, request.param)


def of_kind(recording: Recording, *kinds: int) -> list[tuple[int, int, int, int]]:
    """(coro, aux, task, flags) of each record of these kinds."""
    records = recording.records
    return [row[:4] for row in records[["coro", "aux", "task", "flags", "kind"]].tolist() if row[-1] in kinds]


def wakes(recording: Recording) -> list[tuple[int, str, int]]:
    """(woken task, by what, by whom) of each wake-up; by whom: the task, however many callbacks there were between."""
    callbacks: dict[int, tuple[str, int]] = {}
    found = []
    for coro, aux, task, flags, kind in recording.records[["coro", "aux", "task", "flags", "kind"]].tolist():
        if kind in (ev.WAKE, ev.SOON):
            by = {ev.BY_CODE: ("task", task), ev.BY_TASK: ("task", aux)}.get(flags, (BY[flags], 0))
            if flags == ev.BY_CALLBACK:
                by = callbacks[aux]
            if kind == ev.SOON:
                callbacks[coro] = by
            else:
                found.append((coro, *by))
    return found


def edges(recording: Recording) -> set[tuple[int, int]]:
    return {(coro, aux) for coro, aux, *_ in of_kind(recording, ev.EDGE)}


# --- wakes -----------------------------------------------------------------------------------------------------------


def test_a_task_wakes_another(record: Record) -> None:
    async def main() -> None:
        event = asyncio.Event()
        waiter = asyncio.create_task(event.wait())  # 2
        await asyncio.sleep(0)
        event.set()
        await waiter

    run = record(main, "wakes")
    assert wakes(run)[:2] == [(2, "task", 1), (1, "task", 2)]


def test_the_end_of_a_task_wakes_who_gathers_it(record: Record) -> None:
    async def child() -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(child(), child())
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
        await asyncio.wait([asyncio.create_task(child())])
        await asyncio.shield(child())

    run = record(main, "wakes")
    made = [coro for coro, *_ in of_kind(run, ev.SPAWN)]
    by = [waker for coro, how, waker in wakes(run) if coro == 1 and how == "task"]
    assert by[:4] == [made[2], made[3], made[4], made[5]]  # of two that are gathered, the last one


def test_a_bare_yield_needs_no_waker(record: Record) -> None:
    async def main() -> None:
        await asyncio.sleep(0)

    assert wakes(record(main, "wakes")) == []


def test_a_timer_wakes_its_sleeper(record: Record) -> None:
    async def main() -> None:
        await asyncio.sleep(0.001)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):  # one that is due at once is no timer
                await asyncio.Event().wait()

    run = record(main, "wakes")
    assert wakes(run) == [(1, "timer", 0)] * 2
    assert len(of_kind(run, ev.TIMER)) == 1  # who waits for an event under a timeout does not wait for a timer


def test_the_selector_and_signals_wake(record: Record) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        read, write = os.pipe()
        os.set_blocking(read, False)
        done = loop.create_future()
        loop.add_reader(read, done.set_result, None)
        os.write(write, b"x")
        await done
        loop.remove_reader(read)
        os.close(read)
        os.close(write)
        heard = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, heard.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        await heard.wait()

    run = record(main, "wakes")
    assert wakes(run) == [(1, "I/O", 0), (1, "signal", 0)]
    asked = run.records[run.records["kind"] == ev.SELECT]
    assert len(asked) >= 2
    began = asked["aux"].astype(int) + (asked["off"].astype(int) << 32)
    assert (began < asked["ts"]).all()


def test_a_thread_wakes(record: Record) -> None:
    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.05)  # not over before it is awaited

    run = record(main, "wakes")
    assert wakes(run)[0] == (1, "thread", 0)
    handed = run.records[(run.records["kind"] == ev.SOON) & (run.records["flags"] == ev.BY_THREAD)]
    assert handed["thread"][0] != 0  # it says which one


def test_without_the_source_nothing_is_known(record: Record) -> None:
    async def main() -> None:
        await asyncio.sleep(0.001)

    run = record(main)
    assert not of_kind(run, ev.WAKE, ev.SOON, ev.TIMER, ev.SELECT)


# --- edges -----------------------------------------------------------------------------------------------------------


async def rest() -> None:
    await asyncio.sleep(0)


async def gathers() -> None:
    await asyncio.gather(rest(), asyncio.gather(rest()))


async def waits() -> None:
    await asyncio.wait([asyncio.create_task(rest()), asyncio.create_task(rest())])


async def takes_as_completed() -> None:
    for one in asyncio.as_completed([rest(), rest()]):
        await one


async def groups() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(rest())
        group.create_task(rest())


async def shields() -> None:
    await asyncio.shield(rest())
    await asyncio.wait_for(asyncio.shield(asyncio.create_task(rest())), 1000)


@pytest.mark.parametrize("main", [gathers, waits, takes_as_completed, groups, shields])
def test_whoever_gathers_tasks_awaits_them(record: Record, main: Callable[[], Coroutine[None, None, None]]) -> None:
    run = record(main, "edges")
    made = [coro for coro, *_ in of_kind(run, ev.SPAWN)]
    gathered = [coro for coro in made if run.codes[_code(run, coro)].name == "rest"]
    assert len(gathered) == 2
    assert edges(run) == {(1, coro) for coro in gathered}


def _code(run: Recording, coro: int) -> int:
    return next(aux for made, aux, *_ in of_kind(run, ev.SPAWN) if made == coro)


# --- locks -----------------------------------------------------------------------------------------------------------


def test_who_takes_a_lock_holds_it_until_it_is_given_back(record: Record) -> None:
    async def user(lock: asyncio.Lock) -> None:
        async with lock:
            await asyncio.sleep(0)

    async def main() -> None:
        lock = asyncio.Lock()
        await asyncio.gather(user(lock), user(lock))

    run = record(main, "locks")
    assert [row[:2] for row in of_kind(run, ev.TAKE, ev.GIVE)] == [(2, 1), (2, 1), (3, 1), (3, 1)]
    assert len(of_kind(run, ev.USE)) == 1  # the second had to wait
    assert run.resources.keys() == {1}
    taken = run.records[run.records["kind"] == ev.TAKE]["off"]
    names = [run.codes[run.sites[int(site)][1]].name for site in taken]
    assert all(name.endswith("user") for name in names)


def test_a_new_lock_in_an_old_ones_place_is_another(record: Record) -> None:
    async def main() -> None:
        for _ in range(3):
            lock = asyncio.Lock()
            async with lock:
                pass
            del lock

    run = record(main, "locks")
    assert [row[1] for row in of_kind(run, ev.TAKE)] == [1, 2, 3]


def test_what_is_waited_for_is_told_once_a_call(record: Record) -> None:
    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        getter = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.put_nowait(1)
        await getter
        condition = asyncio.Condition()
        async with condition:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(condition.wait(), 0.001)

    run = record(main, "locks")
    used = {run.strings[run.resources[row[1]][0]].rpartition(".")[2] for row in of_kind(run, ev.USE)}
    assert used == {"Queue", "Condition"}


# --- runtime warnings ------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_coroutine_that_is_never_awaited(record: Record) -> None:
    async def main() -> None:
        rest()  # type: ignore[unused-coroutine]

    run = record(main, "warnings")
    warning = next(r for r in run.records if r["kind"] == ev.RUNTIME_WARNING)
    assert warning["flags"] == ev.NEVER_AWAITED
    assert run.codes[int(warning["aux"])].name == "rest"
    assert run.codes[run.sites[int(warning["off"])][1]].name.endswith("main")  # who dropped it


async def waits_for_ever() -> None:
    await asyncio.get_running_loop().create_future()  # which only this task knows: nothing keeps either


def test_a_failure_that_nobody_hears_of_and_a_task_that_is_lost(record: Record) -> None:
    async def fails() -> None:
        raise ValueError("unheard")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        asyncio.create_task(fails())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asyncio.create_task(waits_for_ever())
        await asyncio.sleep(0)
        gc.collect()

    run = record(main, "warnings")
    found = of_kind(run, ev.RUNTIME_WARNING)
    made = [coro for coro, *_ in of_kind(run, ev.SPAWN)]
    assert [(coro, flags) for coro, _, _, flags in found] == [
        (made[1], ev.NEVER_RETRIEVED),
        (made[2], ev.DESTROYED),
    ]
    assert run.strings[found[0][1]] == "ValueError"


# --- calls, and the watchdog -----------------------------------------------------------------------------------------


def test_calls_of_coroutines_own_code(record: Record) -> None:
    def helper() -> int:
        return len([1])  # not the coroutine's own

    async def main() -> None:
        helper()
        numbers.append(1)
        time.monotonic()
        frozenset(numbers)

    numbers: list[int] = []
    run = record(main, run=drive, calls=True)
    names = [run.strings[aux] for _, aux, *_ in of_kind(run, ev.CALL)]
    said = ["helper", "list.append", "time.monotonic", "frozenset"] if record.detail == "calls" else []
    assert [name.rpartition(">.")[2] for name in names] == said


def drive(coro: Coroutine[None, None, None]) -> None:
    with contextlib.suppress(StopIteration):
        coro.send(None)


def in_a_helper(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def in_c(seconds: float) -> None:
    time.sleep(seconds)


@pytest.mark.parametrize("blocks", [in_a_helper, in_c])
def test_the_watchdog_looks_once_at_a_poll_that_lasts(
    core_module: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: Callable[[float], None]
) -> None:
    monkeypatch.setattr("async_inspect.tracer._core", core_module)

    async def main() -> None:
        await asyncio.sleep(0)
        blocks(0.5)
        await asyncio.sleep(0)

    threads = threading.active_count()
    path = start(str(tmp_path / "run.rec"), settings=Settings(slow_poll_ms=20))
    try:
        asyncio.run(main())
    finally:
        stop()
    assert threading.active_count() == threads
    with open_recording(path) as run:
        (look,) = run.records[run.records["kind"] == ev.STACK]
        assert (look["coro"], look["task"]) == (1, 1)
        names, site = [], int(look["off"])
        while site:
            site, code, _ = run.sites[site]
            names.append(run.codes[code].name)
        assert names[0] == "Handle._run"
        assert names[1].endswith("main")
        assert names[2] == blocks.__name__
        times = run.records["ts"][run.records["kind"] >= ev.FIRST_EVENT]
        assert (times[1:] >= times[:-1]).all()


@pytest.mark.parametrize("detail", DETAILS)
def test_the_watchdog_looks_at_what_is_awaited(
    core_module: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, detail: str
) -> None:
    """At ``awaits`` it is no coroutine of the recording: the one that awaits it says where that was."""
    monkeypatch.setattr("async_inspect.tracer._core", core_module)
    path = tmp_path / "run.rec"

    async def awaited() -> None:
        while ev.STACK not in {slot[-1] % ev.LONG for slot in slots(path)}:
            in_c(0.01)

    async def main() -> None:
        await awaited()

    start(str(path), settings=Settings(slow_poll_ms=20, detail=detail))
    try:
        asyncio.run(main())
    finally:
        stop()
    with open_recording(path) as run:
        (look,) = run.records[run.records["kind"] == ev.STACK]
        begun = run.records[(run.records["kind"] == ev.START) & (run.records["task"] == 1)]
        assert (look["task"], look["node"], run.damaged) == (1, begun["node"][-1], 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says it")
@pytest.mark.parametrize("blocks", [time.sleep, in_a_helper])
def test_a_poll_that_lasts_says_what_its_thread_did(
    core_module: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: Callable[[float], None]
) -> None:
    """From when the watchdog saw it: on a processor, waiting for one, and the rest asleep; never more than the program
    itself sees of the whole poll."""
    monkeypatch.setattr("async_inspect.tracer._core", core_module)
    path = tmp_path / "run.rec"

    async def main() -> None:
        await asyncio.sleep(0)
        before.extend((time.thread_time_ns(), time.monotonic_ns()))
        while ev.STACK not in {slot[-1] % ev.LONG for slot in slots(path)}:  # it has looked
            blocks(0.01)
        await asyncio.sleep(0)
        after.extend((time.thread_time_ns(), time.monotonic_ns()))

    before, after = list[int](), list[int]()
    start(str(path), settings=Settings(slow_poll_ms=20))
    try:
        asyncio.run(main())
    finally:
        stop()
    with open_recording(path) as run:
        records = run.records[np.isin(run.records["kind"], (ev.ON_CPU, ev.NO_CPU))]
        # (where what the system counted doesn't go with what was seen, the second isn't known)
        assert records["kind"].tolist() == [ev.ON_CPU, ev.NO_CPU][: len(records)]
        assert set(zip(records["coro"].tolist(), records["task"].tolist(), strict=True)) == {(1, 0)}
        (lasted,) = set(records["off"].tolist())
        ran, waited = [*records["aux"].tolist(), 0][:2]
        assert 0 < ran <= (after[0] - before[0]) // 1000
        assert ran + waited <= lasted <= (after[1] - before[1]) // 1000


@pytest.mark.parametrize(
    ("looks", "asleep", "slept_ms", "goes"),
    [(8, 8, 200, True), (8, 8, 0, False), (8, 0, 0, True), (8, 0, 200, False), (8, 4, 110, True), (0, 0, 0, False)],
)
def test_what_the_system_counted_goes_with_what_was_seen(looks: int, asleep: int, slept_ms: int, goes: bool) -> None:
    """Of a poll of 200 ms; some kernels count a sleep, now and then, as a wait for a processor."""
    seen = Seen(0)
    seen.looks, seen.sleeping = looks, asleep
    assert seen.goes_with(slept_ms * 1_000_000, 200_000_000, 100_000_000) is goes


def slots(path: Path) -> Iterator[bytes]:
    """The slots of a recording's tail."""
    data = path.read_bytes()[ev.HEADER_SIZE :]
    return (data[at : at + ev.SLOT_SIZE] for at in range(0, len(data), ev.SLOT_SIZE))


FORKS = """
import asyncio, os, sys, threading, warnings
import async_inspect

warnings.simplefilter("error")

async def main():
    with open("/proc/self/status") as status:
        assert "Threads:\\t2" in status.read()  # the watchdog is there
    pid = os.fork()  # would warn of it
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)

with async_inspect.trace(sys.argv[1], slow_poll_ms=1000):
    asyncio.run(main())
print("forked")
"""


def test_a_fork_warns_of_no_thread_of_ours(core_module: types.ModuleType, tmp_path: Path) -> None:
    env = {"ASYNC_INSPECT_CORE": core_module.NAME, "PYTHONPATH": str(ROOT)}
    done = run_command([sys.executable, "-c", FORKS, tmp_path / "run.rec"], cwd=tmp_path, env=env)
    assert (done.stdout, done.stderr) == ("forked\n", "")


# --- scopes ----------------------------------------------------------------------------------------------------------


def cancels(recording: Recording) -> list[tuple[int, str, int]]:
    """(who was woken, the type of what was cancelled, the line after the test's first where that was made; -1)."""
    found = []
    for coro, aux, made, kind in recording.records[["coro", "aux", "off", "kind"]].tolist():
        if kind == ev.CANCEL:
            line, site = -1, made
            while site:
                site, code, off = recording.sites[site]
                if recording.codes[code].file == __file__:
                    line = int(recording.codes[code].lines(np.array([off]))[0])
            found.append((coro, recording.strings[aux], line))
    return found


def here() -> int:
    return sys._getframe(1).f_lineno


def test_a_timeout_cuts_a_wait_short(record: Record) -> None:
    made = []

    async def main() -> None:
        with contextlib.suppress(TimeoutError):
            made.append(here() + 1)
            async with asyncio.timeout(0.001):
                await asyncio.sleep(9)
        with contextlib.suppress(TimeoutError):
            made.append(here() + 1)
            await asyncio.wait_for(asyncio.Event().wait(), 0.05)
        async with asyncio.timeout(9):
            await asyncio.sleep(0.001)

    run = record(main, "wakes", "scopes")
    assert cancels(run) == [(1, "asyncio.timeouts.Timeout", line) for line in made]
    assert [how for coro, how, _ in wakes(run) if coro == 1] == ["timer"] * 3


def test_a_task_group_cancels_the_others(record: Record) -> None:
    made = []

    async def fails() -> None:
        await asyncio.sleep(0.001)
        raise ValueError

    async def main() -> None:
        with contextlib.suppress(ExceptionGroup):
            made.append(here() + 1)
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(9))
                group.create_task(fails())
                await asyncio.sleep(9)

    run = record(main, "wakes", "scopes")
    (sleeps, *_) = of_kind(run, ev.SPAWN)[1]  # after main
    assert cancels(run) == [(sleeps, "asyncio.taskgroups.TaskGroup", made[0])]  # whose it is, it cancels elsewhere


def test_what_a_task_cancels_is_no_scopes(record: Record) -> None:
    async def main() -> None:
        other = asyncio.create_task(asyncio.sleep(9))
        await asyncio.sleep(0)
        other.cancel()
        await asyncio.wait([other])

    assert cancels(record(main, "wakes", "scopes")) == []
    assert cancels(record(main, "wakes")) == []


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
def test_every_probe_is_a_function_of_some_python(name: str) -> None:
    """That its file is there, and that it is asked for what cores know."""
    for qualname, tail, wanted in SOURCES[name].PROBES:
        assert qualname and tail.endswith((".py", ">"))  # or what attrs made
        assert set(wanted) <= set(ACTIONS)


def test_probes_meet_their_functions_again_in_a_second_recording(record: Record) -> None:
    async def main() -> None:
        await asyncio.sleep(0.001)

    first, second = (len(of_kind(record(main, "wakes"), ev.WAKE)) for _ in range(2))
    assert first == second == 1
