"""Polls that blocked: whom they held up, and what they did; and what went wrong where nobody looked.

::  ns        0     100      200                          500    520
    1 main    run   wait (until told)                            run
    2 reader  run   for I/O                                 run
    3 slow          run      waits  run (blocks)          wait
    4 late                   made                                run
"""

from pathlib import Path

import pytest

from async_inspect import events as ev
from async_inspect.model import Trace, load
from async_inspect.model.figures.long_polls import BlockingPoll, Victim, blocking_polls, slow_polls
from async_inspect.model.figures.runtime_warnings import runtime_warnings
from async_inspect.model.figures.stats import stats
from async_inspect.model.invariants import violations
from async_inspect.model.text import on_processor

from ..tape import Tape, at


class Scene:
    """The tape of the picture above; ``during`` is put while task 3 blocks, from 200 to 500."""

    def __init__(self) -> None:
        self.tape = tape = Tape()
        self.main, self.slow = tape.code("main", 10), tape.code("slow", 20)
        self.reader, self.late = tape.code("reader", 30), tape.code("late", 40)
        self.library = tape.code("sleep", 5, "/py/lib/time.py")
        self.node = {code: tape.node(0, code) for code in (self.main, self.slow, self.reader, self.late)}
        self.future = tape.string("asyncio.Future")

    def record(self, *during: tuple[int, int, dict[str, int]], second_thread: int = 0) -> Tape:
        tape, blocking = self.tape, {"node": self.node[self.slow], "task": 3}
        self._start(0, 1, self.main)
        self._suspend(10, 1)
        self._start(20, 2, self.reader)
        self._suspend(30, 2)
        self._start(100, 3, self.slow)
        self._suspend(150, 3, aux=0)
        tape.put(ev.SELECT, 160, **at(155))
        tape.put(ev.RESUME, 200, coro=3, aux=3, **blocking)
        tape.put(ev.SPAWN, 250, coro=4, aux=self.late, **blocking)
        tape.put(ev.WAKE, 300, coro=1, **blocking)
        for kind, ts, fields in during:
            tape.put(kind, ts, **{"coro": 3, **blocking, **fields})
        self._suspend(500, 3)
        tape.put(ev.SELECT, 505, **at(502))
        tape.put(ev.WAKE, 506, coro=2, flags=ev.BY_IO)
        tape.put(ev.RESUME, 510, coro=2, aux=2, node=self.node[self.reader], task=2)
        tape.put(ev.RETURN, 515, coro=2)
        tape.put(ev.RESUME, 520, coro=1, aux=1, node=self.node[self.main], task=1, thread=second_thread)
        tape.put(ev.RETURN, 530, coro=1, thread=second_thread)
        self._start(530, 4, self.late)
        tape.put(ev.RETURN, 540, coro=4)
        tape.end_ns = 600
        return tape

    def _start(self, ts: int, task: int, code: int) -> None:
        self.tape.put(ev.START, ts, coro=task, off=code, node=self.node[code], task=task, flags=ev.IS_TASK)

    def _suspend(self, ts: int, task: int, aux: int | None = None) -> None:
        self.tape.put(ev.SUSPEND, ts, coro=task, aux=self.future if aux is None else aux, off=2)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def read(tape: Tape, path: Path) -> Trace:
    trace = load(tape.write(path / "a.rec"))
    assert violations(trace) == []
    return trace


def blocked(trace: Trace) -> BlockingPoll:
    """The one poll of 200 ns or more."""
    (poll,) = blocking_polls(trace, slow_polls(trace, 200))
    return poll


def test_who_was_held_up(scene: Scene, tmp_path: Path) -> None:
    """Task 4 could run from 250 on, task 1 from 300 on; what task 2 waited for may have been there while 3 ran."""
    poll = blocked(read(scene.record(), tmp_path))
    assert (poll.task, poll.name, poll.start_ns, poll.duration_ns) == (3, "slow", 200, 300)
    assert (poll.since, poll.until) == ("app.py:21", "app.py:21")
    assert poll.victims == (
        Victim(task=4, name="late", held_up_ns=250),
        Victim(task=1, name="main", held_up_ns=200),
    )
    assert poll.maybe == 1
    assert (poll.seen_by, poll.doing, poll.held_interpreter) == (None, None, False)


def divided(poll: BlockingPoll) -> tuple[int | None, ...]:
    return poll.processor_ns, poll.on_cpu_ns, poll.no_cpu_ns, poll.asleep_ns


def test_how_long_it_was_on_a_processor(tmp_path: Path) -> None:
    """Known of the poll that the record follows, from some time within it to its end; here in tens of microseconds."""
    tape = Tape()
    main = tape.code("main", 10)
    at_main = tape.node(0, main)
    ms = 1_000_000
    tape.put(ev.START, 0, coro=1, off=main, node=at_main, task=1, flags=ev.IS_TASK)
    for begin, end, records in (
        (0, 100, ((ev.ON_CPU, 3), (ev.NO_CPU, 60))),
        (200, 300, ((ev.ON_CPU, 3),)),
        (400, 500, ()),
    ):
        if begin:
            tape.put(ev.RESUME, begin * ms, coro=1, aux=1, node=at_main, task=1)
        tape.put(ev.SUSPEND, end * ms, coro=1, off=2)
        for kind, known in records:
            tape.put(kind, end * ms + 10_000, coro=1, aux=known * 1000, off=90_000)
    tape.end_ns = 600 * ms
    trace = read(tape, tmp_path)
    polls = {poll.start_ns // ms: poll for poll in blocking_polls(trace, slow_polls(trace, ms))}
    assert divided(polls[0]) == (90 * ms, 3 * ms, 60 * ms, 27 * ms)
    assert divided(polls[200]) == (90 * ms, 3 * ms, None, None)
    assert divided(polls[400]) == (None, None, None, None)
    assert [polls[begin].starved(41 * ms) for begin in (0, 200, 400)] == [True, False, False]
    assert not polls[0].starved(40 * ms)
    assert [on_processor(polls[begin]) for begin in (0, 200, 400)] == [
        "its last 90.0 ms: 3.00 ms on a processor, 60.0 ms waiting for one, 27.0 ms asleep in the kernel",
        "its last 90.0 ms: 3.00 ms on a processor, the rest is not known",
        "",
    ]


def test_in_a_long_recording(scene: Scene, tmp_path: Path) -> None:
    tape = scene.record()
    tape.end_ns = 3_600_000_000_000
    assert blocked(read(tape, tmp_path)).maybe == 1


def test_what_runs_on_another_thread_is_not_held_up(scene: Scene, tmp_path: Path) -> None:
    poll = blocked(read(scene.record(second_thread=1), tmp_path))
    assert [victim.task for victim in poll.victims] == [4]


def test_the_bound_is_the_recordings_or_ones_own(scene: Scene, tmp_path: Path) -> None:
    trace = read(scene.record(), tmp_path)
    assert trace.meta.slow_poll_ns == 100_000_000
    assert (stats(trace).blocking.count, stats(trace).blocking_polls) == (0, ())
    assert stats(trace, slow_poll_ms=200 / 1e6).blocking.count == 1
    assert stats(trace, slow_poll_ms=300 / 1e6).blocking.total_ns == 300
    assert stats(trace, slow_poll_ms=301 / 1e6).blocking.count == 0
    scene.tape.meta += [("slow_poll_ms", "0.00005"), ("source", "wakes"), ("source", "selects")]
    trace = read(scene.tape, tmp_path)
    assert trace.meta.sources == ("wakes", "selects")
    figures = stats(trace, top=1)
    assert (figures.slow_poll_ns, figures.blocking.count, len(figures.blocking_polls)) == (50, 2, 1)


def test_what_is_nested_is_a_part_of_it(scene: Scene, tmp_path: Path) -> None:
    """Two loops that run inside it, and one beside it."""
    node = scene.node[scene.late]
    inside = [
        (ev.START, 310, {"coro": 5, "off": scene.late, "node": node, "task": 5}),
        (ev.RETURN, 390, {"coro": 5}),
        (ev.START, 390, {"coro": 6, "off": scene.late, "node": node, "task": 6}),
        (ev.RETURN, 500, {"coro": 6}),
        (ev.START, 390, {"coro": 7, "off": scene.late, "node": node, "task": 7, "thread": 1}),
        (ev.RETURN, 470, {"coro": 7, "node": 0, "task": 0, "thread": 1}),
    ]
    trace = read(scene.record(*inside), tmp_path)
    polls = blocking_polls(trace, slow_polls(trace, 80))
    assert [(poll.name, poll.duration_ns, poll.thread) for poll in polls] == [("slow", 300, 0), ("late", 80, 1)]


def test_seen_by_the_watchdog(scene: Scene, tmp_path: Path) -> None:
    site = scene.tape.site((scene.library, 2), (scene.slow, 8))
    stack = (ev.STACK, 420, {"off": site, "node": 0, "task": 0})
    call = (ev.CALL, 210, {"aux": scene.tape.string("time.sleep"), "off": 4})
    trace = read(scene.record(call, stack), tmp_path)
    poll = blocked(trace)
    assert (poll.seen_by, poll.doing, poll.doing_since_ns) == ("stack", "slow (app.py:24)", 420)
    assert poll.stack == ("sleep (<stdlib>/time.py:6)", "slow (app.py:24)")
    assert trace.task(3).self_ns == 350, "it says nothing of what ran"


def test_what_the_watchdog_could_not_see(scene: Scene, tmp_path: Path) -> None:
    poll = blocked(read(scene.record((ev.STACK, 420, {"off": 0})), tmp_path))
    assert (poll.seen_by, poll.doing, poll.held_interpreter) == ("stack", None, True)


def test_seen_by_calls(scene: Scene, tmp_path: Path) -> None:
    """The call after which the longest time passed."""
    names = [scene.tape.string(name) for name in ("json.loads", "time.sleep", "print")]
    calls = [(ev.CALL, ts, {"aux": name, "off": 4}) for ts, name in zip((310, 330, 480), names, strict=True)]
    poll = blocked(read(scene.record(*calls), tmp_path))
    assert (poll.seen_by, poll.doing, poll.doing_since_ns) == ("calls", "time.sleep (app.py:22)", 330)
    assert poll.call_ns == 150


def test_of_a_part(scene: Scene, tmp_path: Path) -> None:
    trace = read(scene.record((ev.STACK, 420, {"off": 0})), tmp_path)
    poll = blocked(trace.filter(task="[sl]*"))
    assert ([victim.task for victim in poll.victims], poll.maybe) == ([2], 0)
    before, after = trace.filter(until_ms=450 / 1e6), trace.filter(since_ms=250 / 1e6)
    assert violations(before) == violations(after) == []
    assert [(v.task, v.held_up_ns) for v in blocked(before).victims] == [(1, 150)]  # 4 never ran: nobody knows where
    assert [(v.task, v.held_up_ns) for v in blocked(after).victims] == [(4, 250), (1, 200)]
    assert blocked(after).held_interpreter


def test_worst_ready(scene: Scene, tmp_path: Path) -> None:
    figures = stats(read(scene.record(), tmp_path))
    worst = figures.worst_ready
    assert worst is not None
    assert (worst.task, worst.place, worst.start_ns, worst.ready_ns) == (4, None, 250, 280)
    rows = [(row.place, row.first, row.ready.total_ns, row.most_ns) for row in figures.top_ready]
    assert rows == [
        ("app.py:40", True, 280, 280),
        ("app.py:11", False, 220, 220),
        ("app.py:21", False, 50, 50),
        ("app.py:31", False, 5, 5 + 342),
    ]


def test_runtime_warnings(tmp_path: Path) -> None:
    tape = Tape()
    main, forgotten = tape.code("main", 10), tape.code("forgotten", 50)
    node, site = tape.node(0, main), tape.site((main, 6))
    error = tape.string("ValueError")
    ran = {"node": node, "task": 1}
    tape.put(ev.START, 0, coro=1, off=main, node=node, task=1, flags=ev.IS_TASK)
    for ts in (10, 20):
        tape.put(ev.RUNTIME_WARNING, ts, aux=forgotten, off=site, flags=ev.NEVER_AWAITED, **ran)
    tape.put(ev.RETURN, 30, coro=1)
    tape.put(ev.RUNTIME_WARNING, 40, coro=1, aux=error, flags=ev.NEVER_RETRIEVED)
    tape.put(ev.RUNTIME_WARNING, 50, aux=error, flags=ev.NEVER_RETRIEVED)
    tape.put(ev.RUNTIME_WARNING, 60, coro=1, flags=ev.DESTROYED)
    tape.put(ev.RUNTIME_WARNING, 60, coro=1, flags=99)  # of a later version
    tape.end_ns = 100
    trace = read(tape, tmp_path)
    found = [
        (one.kind, one.at_ns, one.task, one.function, one.defined, one.place, one.error)
        for one in runtime_warnings(trace)
    ]
    assert found == [
        ("never awaited", 10, 1, "forgotten", "app.py:50", "app.py:13", None),
        ("never awaited", 20, 1, "forgotten", "app.py:50", "app.py:13", None),
        ("never retrieved", 40, 1, None, None, None, "ValueError"),
        ("never retrieved", 50, None, None, None, None, "ValueError"),
        ("destroyed while pending", 60, 1, None, None, None, None),
    ]
    assert [(row.first.kind, row.first.task, row.count) for row in stats(trace).runtime_warnings] == [
        ("never awaited", 1, 2),
        ("never retrieved", 1, 1),
        ("never retrieved", None, 1),
        ("destroyed while pending", 1, 1),
    ]
    assert [one.at_ns for one in runtime_warnings(trace.filter(task="nobody"))] == [50]
    assert [one.at_ns for one in runtime_warnings(trace.filter(since_ms=35 / 1e6))] == [50]  # task 1 is over by then
