"""Which lock it was, who held it and since when: recordings made by hand."""

from pathlib import Path
from typing import Any

import pytest

from async_inspect import events as ev
from async_inspect.model import Trace, load
from async_inspect.model.entities import Hold
from async_inspect.model.invariants import violations

from ..tape import Tape

LOCKS, QUEUES = "/py/lib/asyncio/locks.py", "/py/lib/asyncio/queues.py"


class Desk:
    """A tape on which tasks of one line run one after the other."""

    def __init__(self) -> None:
        self.tape = Tape()
        self.code = self.tape.code("main", 10)
        self.node = self.tape.node(0, self.code)
        self.future = self.tape.string("asyncio.Future")

    def site(self, off: int, *inner: tuple[int, int]) -> int:
        """In the user's code, and further inwards."""
        return self.tape.site(*inner, (self.code, off))

    def run(self, ts: int, task: int) -> None:
        self.tape.put(ev.START, ts, coro=task, node=self.node, task=task, off=self.code, flags=ev.IS_TASK)

    def take(self, ts: int, task: int, resource: int, off: int = 0) -> None:
        site = self.site(off)
        self.tape.put(ev.TAKE, ts, coro=task, aux=resource, off=site, node=self.node, task=task)

    def give(self, ts: int, task: int, resource: int) -> None:
        rest = {"node": self.node, "task": task} if task else {}
        self.tape.put(ev.GIVE, ts, coro=task, aux=resource, **rest)

    def leave(self, ts: int, task: int) -> None:
        self.tape.put(ev.RETURN, ts, coro=task)

    def trace(self, path: Path, end: int) -> Trace:
        self.tape.end_ns = end
        trace = load(self.tape.write(path / "a.rec"))
        assert violations(trace) == []
        return trace


@pytest.fixture
def desk() -> Desk:
    return Desk()


def holds(trace: Trace) -> list[tuple[int, int, int, bool, int]]:
    """(task, from, to, given back, by whom)"""
    table = trace.holds
    columns: Any = (table.task, table.start_ns, table.end_ns, table.ended, table.given_by)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_names(desk: Desk, tmp_path: Path) -> None:
    """Where it was made is the user's line; what is a part of something else says so."""
    tape = desk.tape
    lock_init, condition_init = tape.code("Lock.__init__", 80, LOCKS), tape.code("Condition.__init__", 220, LOCKS)
    queue_init, get_loop = tape.code("Queue.__init__", 30, QUEUES), tape.code("_LoopBoundMixin._get_loop", 5, LOCKS)
    own_init = tape.code("Mine.__init__", 90)
    tape.resource("asyncio.locks.Lock", desk.site(4))
    tape.resource("asyncio.locks.Lock", desk.site(6, (lock_init, 2)))
    tape.resource("asyncio.locks.Lock", desk.site(8, (lock_init, 2), (condition_init, 4)))
    tape.resource("asyncio.locks.Event", desk.site(10, (get_loop, 2), (queue_init, 4)))
    tape.resource("asyncio.queues.PriorityQueue", desk.site(10, (queue_init, 4)))
    tape.resource("app.Mine", desk.site(12, (condition_init, 2), (own_init, 4)))
    tape.resource("asyncio.locks.Lock", desk.site(14, (lock_init, 2), (own_init, 6), (condition_init, 4)))
    tape.resource("asyncio.locks.Lock")
    trace = desk.trace(tmp_path, 10)
    assert [trace.resource(row) for row in range(-1, len(trace.resources))] == [
        None,
        "Lock 1 (made at app.py:12)",
        "Lock 2 (made at app.py:13)",
        "Lock 3 of a Condition (made at app.py:14)",
        "Event 4 of a Queue (made at app.py:15)",
        "PriorityQueue 5 (made at app.py:15)",
        "Mine 6 (made at app.py:92)",
        "Lock 7 (made at app.py:93)",
        "Lock 8",
    ]
    assert trace.resources.kind[2] == "asyncio.locks.Lock of a Condition"
    assert trace.resource(0, made=False) == "Lock 1"


def test_one_holder_at_a_time(desk: Desk, tmp_path: Path) -> None:
    lock, other = desk.tape.resource("asyncio.locks.Lock", desk.site(2)), desk.tape.resource("asyncio.locks.Lock")
    desk.run(0, 1)
    desk.give(5, 1, lock)  # it fails: nobody held it
    desk.take(10, 1, lock, off=4)
    desk.take(12, 1, other)
    desk.give(20, 1, lock)
    desk.leave(25, 1)
    desk.run(30, 2)
    desk.take(40, 2, lock, off=6)
    desk.leave(50, 2)
    trace = desk.trace(tmp_path, 100)
    assert holds(trace) == [(1, 10, 20, True, 1), (1, 12, 100, False, 0), (2, 40, 100, False, 0)]
    assert [trace.place(at) for at in trace.holds.location.tolist()] == ["app.py:12", "app.py:10", "app.py:13"]
    assert trace.task(2).holds == (Hold(resource="Lock 1 (made at app.py:11)", since_ns=40, place="app.py:13"),)
    assert [hold.resource for hold in trace.task(1).holds] == ["Lock 2"]
    assert holds(trace.filter(task="nobody")) == []


def test_given_back_by_another(desk: Desk, tmp_path: Path) -> None:
    lock = desk.tape.resource("asyncio.locks.Lock")
    desk.run(0, 1)
    desk.take(10, 1, lock)
    desk.tape.put(ev.SUSPEND, 20, coro=1, aux=desk.future, off=2)
    desk.run(30, 2)
    desk.give(40, 2, lock)
    desk.take(45, 2, lock)
    desk.leave(50, 2)
    desk.give(60, 0, lock)  # by plain code
    trace = desk.trace(tmp_path, 100)
    assert holds(trace) == [(1, 10, 40, True, 2), (2, 45, 60, True, 0)]
    assert holds(trace.filter(state="blocked")) == [(1, 10, 40, True, 0)]


def test_several_holders(desk: Desk, tmp_path: Path) -> None:
    """A semaphore: what a task gives back is the latest that it took itself, else the oldest of all."""
    semaphore = desk.tape.resource("asyncio.locks.Semaphore")
    desk.run(0, 1)
    for ts in (10, 11):
        desk.take(ts, 1, semaphore)
    desk.tape.put(ev.SUSPEND, 20, coro=1, aux=desk.future, off=2)
    desk.run(30, 2)
    desk.take(31, 2, semaphore)
    desk.give(32, 2, semaphore)
    desk.give(33, 2, semaphore)
    desk.leave(40, 2)
    desk.run(50, 3)
    desk.take(51, 3, semaphore)
    desk.leave(52, 3)
    trace = desk.trace(tmp_path, 100)
    assert holds(trace) == [(1, 10, 33, True, 2), (1, 11, 100, False, 0), (2, 31, 32, True, 2), (3, 51, 100, False, 0)]


def test_in_windows(desk: Desk, tmp_path: Path) -> None:
    lock = desk.tape.resource("asyncio.locks.Lock")
    desk.run(0, 1)
    desk.take(10, 1, lock)
    desk.give(20, 1, lock)
    desk.take(30, 1, lock)
    desk.leave(60, 1)
    trace = desk.trace(tmp_path, 100)
    assert holds(trace.filter(until_ms=15 / 1e6)) == [(1, 10, 15, False, 0)]
    assert holds(trace.filter(since_ms=15 / 1e6)) == [(1, 15, 20, True, 1), (1, 30, 100, False, 0)]
    assert holds(trace.filter(since_ms=25 / 1e6)) == [(1, 30, 100, False, 0)]


def waiting(desk: Desk, *frames: tuple[str, str, int]) -> None:
    """Task 1 waits in these frames (name, file, resource) below its own, outermost first, twice."""
    tape, node = desk.tape, desk.node
    desk.run(0, 1)
    for level, (name, file, _) in enumerate(frames, 2):
        code = tape.code(name, 100 * level, file)
        node = tape.node(node, code)
        tape.put(ev.START, 10, coro=level, aux=level - 1, off=code, node=node, task=1)
    leaf = len(frames) + 1
    for ts in (20, 40):
        tape.put(ev.SUSPEND, ts, coro=leaf, aux=desk.future, off=2)
        for level in range(leaf - 1, 0, -1) if ts == 20 else ():
            tape.put(ev.LINK, 20, coro=level, aux=level + 1, off=4)
        for level, (_, _, resource) in enumerate(frames, 2):
            if resource and ts == 20:
                tape.put(ev.USE, 20, coro=level, aux=resource)
        tape.put(ev.RESUME, ts + 10, coro=1, aux=leaf, node=node, task=1)


def test_what_an_await_waits_for(desk: Desk, tmp_path: Path) -> None:
    """What a coroutine waits for is said once."""
    lock = desk.tape.resource("asyncio.locks.Lock", desk.site(2))
    waiting(desk, ("Lock.__aenter__", LOCKS, 0), ("Lock.acquire", LOCKS, lock))
    trace = desk.trace(tmp_path, 100)
    assert [trace.await_at(row).resource for row in range(2)] == ["Lock 1 (made at app.py:11)"] * 2
    assert trace.await_at(0).reason == "lock"
    starts = [trace.details(i) for i in range(len(trace.events)) if "resource=" in trace.details(i)]
    assert len(starts) == 2
    assert all("reason=lock" in text and text.endswith("resource=Lock 1") for text in starts)


@pytest.mark.parametrize(
    ("outer", "file", "inner", "expected"),
    [
        ("Barrier._wait", LOCKS, "Condition.wait", "Barrier 1"),  # which says more than what it is made of
        ("Queue.join", QUEUES, "Event.wait", "Barrier 1"),
        ("Condition.wait", LOCKS, "Lock.acquire", "Condition 2"),  # the lock's, that is: the innermost
    ],
)
def test_of_several_frames(outer: str, file: str, inner: str, expected: str, desk: Desk, tmp_path: Path) -> None:
    first, second = desk.tape.resource("asyncio.locks.Barrier"), desk.tape.resource("asyncio.locks.Condition")
    waiting(desk, (outer, file, first), (inner, LOCKS, second))
    assert desk.trace(tmp_path, 100).await_at(0).resource == expected


def test_beyond_the_await_point(desk: Desk, tmp_path: Path) -> None:
    """What the library does outside of the user's own await is not what that waited for."""
    lock = desk.tape.resource("asyncio.locks.Lock")
    waiting(desk, ("Queue.get", QUEUES, lock), ("callback", "/w/app.py", 0))
    assert desk.trace(tmp_path, 100).await_at(0).resource is None
