"""Who woke a task, and how long it could have run and did not: recordings made by hand, told in one line each."""

from pathlib import Path
from typing import Any

import pytest

from async_inspect import events as ev
from async_inspect.model import Trace, load
from async_inspect.model.entities import Await, WakeCount
from async_inspect.model.invariants import violations

from ..tape import Tape, at


class Loop:
    """A tape of tasks of one line, which wait for a Future; what wakes them is put between."""

    def __init__(self) -> None:
        self.tape = Tape()
        self.code = self.tape.code("main", 10)
        self.node = self.tape.node(0, self.code)
        self.future = self.tape.string("asyncio.Future")

    def start(self, ts: int, task: int, **fields: int) -> None:
        flags = fields.pop("flags", ev.IS_TASK)
        self.tape.put(ev.START, ts, coro=task, off=self.code, node=self.node, task=task, flags=flags, **fields)

    def suspend(self, ts: int, task: int, awaited: int | None = None, **fields: int) -> None:
        self.tape.put(ev.SUSPEND, ts, coro=task, aux=self.future if awaited is None else awaited, off=2, **fields)

    def resume(self, ts: int, task: int, **fields: int) -> None:
        self.tape.put(ev.RESUME, ts, coro=task, aux=task, node=self.node, task=task, **fields)

    def put(self, kind: int, ts: int, **fields: int) -> None:
        self.tape.put(kind, ts, **fields)

    def select(self, begin: int, end: int, **fields: int) -> None:
        self.tape.put(ev.SELECT, end, **at(begin), **fields)

    def trace(self, path: Path, end: int, since_ms: float | None = None, until_ms: float | None = None) -> Trace:
        self.tape.end_ns = end
        trace = load(self.tape.write(path / "a.rec"))
        trace = trace.filter(since_ms=since_ms, until_ms=until_ms)
        assert violations(trace) == [] and trace.violations == ()
        assert trace.tasks
        return trace


@pytest.fixture
def loop() -> Loop:
    """Task 1 waits from 100 on; in slot order the rest follows."""
    made = Loop()
    made.start(0, 1)
    made.suspend(100, 1)
    return made


def told(one: Await) -> tuple[str | None, int | None, int, int]:
    return one.woken_by, one.waker, one.ready_least_ns, one.ready_most_ns


def woken(loop: Loop, path: Path) -> tuple[str | None, int | None, int, int]:
    """Of task 1, which runs again at 200."""
    loop.resume(200, 1)
    return told(loop.trace(path, 300).await_at(0))


def test_by_a_task_that_had_ended_before_the_window(loop: Loop, tmp_path: Path) -> None:
    loop.start(120, 2)
    loop.put(ev.WAKE, 150, coro=1, node=loop.node, task=2)
    loop.put(ev.RETURN, 160, coro=2)
    loop.resume(200, 1)
    trace = loop.trace(tmp_path, 300, since_ms=180 / 1e6)
    assert [task.id for task in trace.tasks] == [1]
    assert told(trace.await_at(0)) == ("task", None, 20, 20)


def test_by_a_task(loop: Loop, tmp_path: Path) -> None:
    loop.start(120, 2)
    loop.put(ev.WAKE, 150, coro=1, node=loop.node, task=2)
    loop.put(ev.WAKE, 160, coro=1, node=loop.node, task=2)  # only the first counts
    loop.suspend(170, 2)
    assert woken(loop, tmp_path) == ("task", 2, 50, 50)
    trace = load(tmp_path / "a.rec")
    details = [trace.details(i) for i in range(len(trace.events))]
    place = "name=main, location=app.py:11, function=main, awaiting=asyncio.Future"
    assert f"{place}, woken_by=task 2, ready=0.00005ms" in details
    assert trace.task(1).wakes == (WakeCount(woken_by="task", waker=2, count=1),)
    assert (trace.task(1).ready_ns, trace.task(2).ready_ns) == (50, None)
    alone = trace.filter(min_duration_ms=200 / 1e6)  # without task 2
    assert told(alone.await_at(0)) == ("task", None, 50, 50)
    assert violations(alone) == []


@pytest.mark.parametrize(
    ("flags", "fields", "expected"),
    [
        (ev.BY_CODE, {}, (None, None, 50, 100)),  # by whom isn't known: it was ready at 150 for sure
        (ev.BY_TIMER, at(130), ("timer", None, 70, 70)),  # due at 130, though the loop came to it at 150
        (ev.BY_TIMER, at(151), ("timer", None, 50, 50)),  # timers run a little early
        (ev.BY_TIMER, at(90), ("timer", None, 100, 100)),
        (ev.BY_TIMER, {}, ("timer", None, 50, 100)),  # on another clock
        (ev.BY_THREAD, {"thread": 1}, ("thread", None, 50, 50)),
        (ev.BY_SIGNAL, {}, ("signal", None, 50, 50)),
        (ev.BY_IO, {}, ("I/O", None, 50, 100)),  # no selector was seen
        (ev.BY_CALLBACK, {"aux": 9}, (None, None, 50, 100)),  # no such callback
    ],
)
def test_directly(flags: int, fields: dict[str, int], expected: Any, loop: Loop, tmp_path: Path) -> None:
    loop.put(ev.WAKE, 150, coro=1, flags=flags, **fields)
    assert woken(loop, tmp_path) == expected


@pytest.mark.parametrize(
    ("flags", "fields", "expected"),
    [
        (ev.BY_TIMER, at(130), ("timer", None, 70, 70)),
        (ev.BY_THREAD, {"thread": 1}, ("thread", None, 60, 60)),  # when the thread said so
        (ev.BY_SIGNAL, {}, ("signal", None, 60, 60)),
    ],
)
def test_through_callbacks(flags: int, fields: dict[str, int], expected: Any, loop: Loop, tmp_path: Path) -> None:
    """The first callback of a row says who began it."""
    loop.put(ev.SOON, 140, coro=1, flags=flags, **fields)
    for number in range(2, 8):
        loop.put(ev.SOON, 140 + number, coro=number, aux=number - 1, flags=ev.BY_CALLBACK)
    loop.put(ev.WAKE, 160, coro=1, aux=7, flags=ev.BY_CALLBACK)
    assert woken(loop, tmp_path) == expected


def test_by_a_task_through_callbacks(loop: Loop, tmp_path: Path) -> None:
    """It could not run before it was woken."""
    loop.start(120, 2)
    loop.put(ev.SOON, 140, coro=1, node=loop.node, task=2)
    loop.suspend(150, 2)
    loop.put(ev.WAKE, 160, coro=1, aux=1, flags=ev.BY_CALLBACK)
    assert woken(loop, tmp_path) == ("task", 2, 40, 40)


def test_by_the_end_of_a_task(loop: Loop, tmp_path: Path) -> None:
    """Its coroutine has returned already; what waits for it hears of it through a callback."""
    loop.start(120, 2)
    loop.put(ev.RETURN, 130, coro=2)
    loop.put(ev.SOON, 140, coro=1, aux=2, flags=ev.BY_TASK)
    loop.put(ev.WAKE, 160, coro=1, aux=1, flags=ev.BY_CALLBACK)
    assert woken(loop, tmp_path) == ("task", 2, 40, 40)


def test_by_io(loop: Loop, tmp_path: Path) -> None:
    """The selector answered at 160; it was asked at 150, after the loop had been busy since 125."""
    loop.select(110, 125, flags=ev.IDLE)
    loop.select(112, 155, thread=1)
    loop.select(150, 160)
    loop.put(ev.WAKE, 170, coro=1, flags=ev.BY_IO)
    assert woken(loop, tmp_path) == ("I/O", None, 40, 40 + 25)
    selects = load(tmp_path / "a.rec").selects
    assert selects.start_ns.tolist() == [110, 150, 112]
    assert selects.idle.tolist() == [True, False, False]


def test_by_io_at_the_first_answer(loop: Loop, tmp_path: Path) -> None:
    loop.select(130, 160)
    loop.put(ev.WAKE, 170, coro=1, flags=ev.BY_IO)
    assert woken(loop, tmp_path) == ("I/O", None, 40, 40 + 30)


def test_by_io_that_the_selector_had_answered_before(tmp_path: Path) -> None:
    loop = Loop()
    loop.select(10, 50)
    loop.start(60, 1)
    loop.suspend(100, 1)
    loop.put(ev.WAKE, 170, coro=1, flags=ev.BY_IO)
    assert woken(loop, tmp_path) == ("I/O", None, 100, 100)


def test_a_task_that_yields_is_ready_at_once(tmp_path: Path) -> None:
    loop = Loop()
    loop.start(0, 1)
    loop.suspend(100, 1, awaited=0)
    loop.resume(130, 1)
    loop.start(140, 2, flags=0)  # by hand: who knows
    loop.suspend(150, 2, awaited=0)
    loop.resume(190, 2)
    trace = loop.trace(tmp_path, 200)
    assert told(trace.await_at(0)) == ("itself", None, 30, 30)
    assert told(trace.await_at(1)) == (None, None, 0, 40)
    assert [(task.ready_least_ns, task.ready_ns, task.ready_most_ns) for task in trace.tasks] == [
        (30, 30, 30),
        (0, None, 40),
    ]


def test_before_its_first_poll_a_task_is_ready(tmp_path: Path) -> None:
    """Task 1 is older than the recording, 2 starts 20 after it was made, 3 never does, 4 was not seen to be made."""
    loop = Loop()
    loop.start(50, 1, flags=ev.IS_TASK | ev.BEFORE)
    for task in (2, 3):
        loop.put(ev.SPAWN, 60, coro=task, aux=loop.code, node=loop.node, task=1)
    loop.suspend(70, 1)
    loop.start(80, 2)
    loop.put(ev.RETURN, 90, coro=2)
    loop.start(91, 4)
    loop.put(ev.RETURN, 95, coro=4)
    trace = loop.trace(tmp_path, 100)
    assert [(task.ready_least_ns, task.ready_ns, task.ready_most_ns) for task in trace.tasks] == [
        (0, None, 80),
        (20, 20, 20),
        (40, 40, 40),
        (0, 0, 0),
    ]


def test_woken_and_never_run(loop: Loop, tmp_path: Path) -> None:
    loop.put(ev.WAKE, 150, coro=1, flags=ev.BY_SIGNAL)
    (one,) = (loop.trace(tmp_path, 300).await_at(0),)
    assert (one.ended, told(one)) == (False, ("signal", None, 150, 150))


def test_a_wake_belongs_to_its_suspension_by_slot(loop: Loop, tmp_path: Path) -> None:
    """All at one moment: timestamps say nothing."""
    loop.put(ev.WAKE, 100, coro=1, flags=ev.BY_SIGNAL)
    loop.resume(100, 1)
    loop.suspend(100, 1)
    loop.resume(100, 1)
    loop.suspend(100, 1)
    loop.put(ev.WAKE, 100, coro=1, flags=ev.BY_TIMER, **at(40))
    loop.resume(100, 1)
    trace = loop.trace(tmp_path, 200)
    assert [trace.await_at(row).woken_by for row in range(3)] == ["signal", None, "timer"]


def test_timers_are_due(tmp_path: Path) -> None:
    loop = Loop()
    loop.start(0, 1)
    loop.suspend(100, 1)
    loop.put(ev.TIMER, 100, coro=1, **at(5_000_000_250))
    trace = loop.trace(tmp_path, 200)
    assert trace.await_at(0).due_ns == 5_000_000_250
    assert "due_in=5000.00015ms" in trace.details(3)


@pytest.mark.parametrize(("due", "ready"), [(130, 170), (400, 0), (90, 200)])
def test_a_timer_to_which_no_loop_came(due: int, ready: int, tmp_path: Path) -> None:
    """The task that sleeps could run from then on; the recording ends at 300."""
    loop = Loop()
    loop.start(0, 1)
    loop.suspend(100, 1)
    loop.put(ev.TIMER, 100, coro=1, **at(due))
    assert told(loop.trace(tmp_path, 300).await_at(0)) == (None, None, ready, ready)


def test_windows(loop: Loop, tmp_path: Path) -> None:
    """Ready from 130 to 200, seen through windows."""
    loop.put(ev.WAKE, 150, coro=1, flags=ev.BY_TIMER, **at(130))
    loop.resume(200, 1)
    trace = loop.trace(tmp_path, 300)
    for cut in range(1, 300):
        before = loop.trace(tmp_path, 300, until_ms=cut / 1e6)
        after = loop.trace(tmp_path, 300, since_ms=cut / 1e6)
        known = 70 if cut >= 150 else 200 - max(cut, 130)  # before 150 the wake is not heard of
        assert before.tasks[0].ready_least_ns + after.tasks[0].ready_least_ns == known
    assert trace.task(1).ready_ns == 70
