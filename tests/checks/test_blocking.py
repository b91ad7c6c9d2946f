"""Whom a blocking poll held up: for how long it must be to be a finding, and where nobody can know it."""

from pathlib import Path

import pytest

from async_inspect import events as ev
from async_inspect.checks import blocking, never_yields, no_processor
from async_inspect.model import load, stats
from async_inspect.model.trace import Trace
from async_inspect.terminal import summary

from ..tape import Tape, at

MS = 1_000_000


def blocked(
    path: Path,
    *,
    again: int = 301,
    selects: bool = False,
    waits_for: int = 0,
    seen: bool = True,
    makes: bool = False,
    processor: tuple[int, int] | None = None,
) -> Trace:
    """``blocker`` (task 1) runs from 100 to 300 ms; ``ticker`` (task 2) waits since 50 and runs ``again``.

    ``makes``: it makes another meanwhile.  ``waits_for``: a task that ticker waits for.  ``seen``: the watchdog looked.
    ``processor``: for how many ms it had one, and waited for one, in its last 190.
    """
    tape = Tape()
    tape.meta.append(("slow_poll_ms", "100"))
    blocker, ticker, nap = tape.code("blocker", 10), tape.code("ticker", 20), tape.code("nap", 30, kind=ev.CODE_PLAIN)
    at_blocker, at_ticker = tape.node(0, blocker), tape.node(0, ticker)
    future = tape.string("asyncio.Future")
    for task, code, node in ((1, blocker, at_blocker), (2, ticker, at_ticker)):
        tape.put(ev.SPAWN, 10 * task * MS, coro=task, aux=code)
        tape.put(ev.START, 20 * task * MS, coro=task, off=code, node=node, task=task, flags=ev.IS_TASK)
        tape.put(ev.SUSPEND, (20 * task + 10) * MS, coro=task, aux=future, off=4)
        if task == 2 and waits_for:
            tape.put(ev.EDGE, (20 * task + 10) * MS, coro=task, aux=waits_for)
    if selects:
        tape.put(ev.SELECT, 99 * MS, **at(60 * MS))
    tape.put(ev.RESUME, 100 * MS, coro=1, aux=1, node=at_blocker, task=1)
    if seen:
        site = tape.site((nap, 2), (blocker, 6))
        tape.put(ev.STACK, 210 * MS, coro=1, off=site, node=at_blocker, task=1)
    if makes:
        tape.put(ev.SPAWN, 250 * MS, coro=3, aux=ticker, node=at_blocker, task=1)
    tape.put(ev.RETURN, 300 * MS, coro=1)
    for kind, known in zip((ev.ON_CPU, ev.NO_CPU), processor or (), strict=False):
        tape.put(kind, 300 * MS, coro=1, aux=known * 1000, off=190_000)
    if makes:
        tape.put(ev.START, 300 * MS, coro=3, off=ticker, node=at_ticker, task=3, flags=ev.IS_TASK)
        tape.put(ev.RETURN, 300 * MS + 1, coro=3)
    tape.put(ev.RESUME, again * MS, coro=2, aux=2, node=at_ticker, task=2)
    tape.put(ev.RETURN, (again + 1) * MS, coro=2)
    tape.end_ns = 1_000 * MS
    return load(tape.write(path / "a.rec"))


def test_where_the_loop_is_not_seen_its_victims_are_not_known(tmp_path: Path) -> None:
    trace = blocked(tmp_path)
    (found,) = blocking.find(trace)
    assert found.severity == "warning"
    assert found.text == (
        "task 1 (blocker) blocked the loop for 200 ms in nap (app.py:31) while 1 task waited; "
        "whom it held up is not known, as this loop is not seen"
    )
    assert found.evidence == ("suspended meanwhile: task 2 (ticker)",)
    assert (found.tasks, found.gain_ns) == ((1,), None)
    (poll,) = stats(trace).blocking_polls
    assert (poll.victims, poll.maybe, poll.suspended) == ((), 0, (2,))
    lines = [str(line) for line in summary.summary(trace, stats(trace))]
    assert any(line.endswith("the longest may have held up 1 task") for line in lines)


def test_there_a_task_that_was_made_meanwhile_is_known(tmp_path: Path) -> None:
    trace = blocked(tmp_path, makes=True)
    (found,) = blocking.find(trace)
    assert found.text == (
        "task 1 (blocker) blocked the loop for 200 ms in nap (app.py:31), and held up 1 task; "
        "whom else, of 1 other that waited, is not known, as this loop is not seen"
    )
    assert found.evidence == ("ticker (task 3) for 50.0 ms",)
    lines = [str(line) for line in summary.summary(trace, stats(trace))]
    assert any("the longest held up 1 task; whom else, of 1 that waited, is not known" in line for line in lines)


@pytest.mark.parametrize(
    "said",
    [{"selects": True}, {"waits_for": 1}, {"again": 900}, {"seen": False}],
    ids=[
        "the loop is seen",
        "it waits for the poll's task",
        "it had nothing to do for long",
        "what it did is not known",
    ],
)
def test_and_else_it_is_silent(said: dict[str, int], tmp_path: Path) -> None:
    assert list(blocking.find(blocked(tmp_path, **said))) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("poll_ms", "ready_us", "finds"),
    [(150, 70, False), (150, 1_499, False), (150, 1_500, True), (90, 999, False), (90, 1_000, True)],
)
def test_a_victim_was_held_up_for_long_enough(poll_ms: int, ready_us: int, finds: bool, tmp_path: Path) -> None:
    """1 ms, and 1 % of the poll; but it is listed as one."""
    tape = Tape()
    tape.meta.append(("slow_poll_ms", "80"))
    main, child = tape.code("main", 10), tape.code("child", 20)
    at_main, at_child = tape.node(0, main), tape.node(0, child)
    end = poll_ms * MS
    tape.put(ev.SPAWN, 0, coro=1, aux=main)
    tape.put(ev.START, 0, coro=1, off=main, node=at_main, task=1, flags=ev.IS_TASK)
    tape.put(ev.STACK, 85 * MS, coro=1, off=tape.site((main, 2)), node=at_main, task=1)
    tape.put(ev.SPAWN, end - ready_us * 1_000, coro=2, aux=child, node=at_main, task=1)
    tape.put(ev.SUSPEND, end, coro=1, aux=2, off=4, flags=ev.AWAITS_TASK)
    tape.put(ev.START, end, coro=2, off=child, node=at_child, task=2, flags=ev.IS_TASK)
    tape.put(ev.RETURN, end + 10, coro=2)
    tape.put(ev.RESUME, end + 20, coro=1, aux=1, node=at_main, task=1)
    tape.put(ev.RETURN, end + 30, coro=1)
    tape.end_ns = end + 40
    trace = load(tape.write(tmp_path / "a.rec"))
    assert [one.severity for one in blocking.find(trace)] == ["warning"] * finds
    assert list(never_yields.find(trace)) == []
    (poll,) = stats(trace).blocking_polls
    assert [victim.held_up_ns for victim in poll.victims] == [ready_us * 1_000]
    said = "held up 1 task" if finds else "held up nobody for long"
    assert f"the longest {said}\n" in "".join(f"{line}\n" for line in summary.summary(trace, stats(trace)))


def test_a_poll_that_had_no_processor_is_no_fault_of_the_code(tmp_path: Path) -> None:
    trace = blocked(tmp_path, seen=False, makes=True, processor=(2, 180))
    assert list(blocking.find(trace)) == []
    (found,) = no_processor.find(trace)
    assert (found.severity, found.task) == ("hint", 1)
    assert found.text == (
        "task 1 (blocker) waited for a processor for 180 ms of its poll of 200 ms: the system let others run"
    )
    assert found.evidence == (
        "its last 190 ms: 2.00 ms on a processor, 180 ms waiting for one, 8.00 ms asleep in the kernel",
    )


def test_a_poll_that_had_one_blocked(tmp_path: Path) -> None:
    """And that nobody saw what it did is no reason to doubt it."""
    trace = blocked(tmp_path, seen=False, makes=True, processor=(2, 8))
    assert list(no_processor.find(trace)) == []
    (found,) = blocking.find(trace)
    assert blocking.UNSEEN not in found.text
    assert (
        found.evidence[0]
        == "its last 190 ms: 2.00 ms on a processor, 8.00 ms waiting for one, 180 ms asleep in the kernel"
    )
    assert list(no_processor.find(blocked(tmp_path, makes=True))) == []
