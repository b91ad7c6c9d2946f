"""Each way in which a recording can end: up to when it counts, and what is said of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from async_inspect import events as ev
from async_inspect.model import load
from async_inspect.model.ending import Ending
from async_inspect.model.holds import violations

from ..tape import START_NS, Tape

END = 1_000_000


def program() -> Tape:
    """``main`` waits for ``work``, which runs from 60 on: that is the last that is recorded."""
    tape = Tape()
    main, work = tape.code("main", 10), tape.code("work", 20)
    at_main, at_work = tape.node(0, main), tape.node(0, work)
    tape.put(ev.SPAWN, 0, coro=1, aux=main)
    tape.put(ev.START, 10, coro=1, off=main, node=at_main, task=1, flags=ev.IS_TASK)
    tape.put(ev.SPAWN, 20, coro=2, aux=work, node=at_main, task=1)
    tape.put(ev.SUSPEND, 40, coro=1, aux=2, off=6, flags=ev.AWAITS_TASK)
    tape.put(ev.START, 60, coro=2, off=work, node=at_work, task=2, flags=ev.IS_TASK)
    return tape


def over(tape: Tape, state: int = ev.STOPPED, end: int = END) -> None:
    tape.header |= {"state": state, "end_ns": end and end + START_NS}


def bound(tape: Tape) -> None:
    tape.meta.append(("max_size", str(ev.HEADER_SIZE + ev.TAIL_SIZE)))
    tape.header["lost"] = 7
    over(tape, ev.CLOSED_OUTSIDE)


def disk(tape: Tape) -> None:
    tape.meta.append(("max_size", str(1 << 40)))
    tape.header["lost"] = 7
    over(tape, ev.CLOSED_OUTSIDE)


WAYS: dict[Ending, tuple[Callable[[Tape], None], int, int | None]] = {  # how, until when it is known, the process's end
    "stopped": (over, END, END),
    "process ended": (lambda tape: over(tape, ev.CLOSED_OUTSIDE), END, END),
    "not seen": (lambda tape: over(tape, ev.CLOSED_OUTSIDE, 0), 60, None),
    "bound reached": (bound, 60, END),
    "disk full": (disk, 60, END),
    "cut off": (over, 60, END),
}


def recording(tape: Tape, way: Ending, path: Path) -> Path:
    WAYS[way][0](tape)
    if way == "cut off":  # of the records after the last that is there, two are gone
        count = len(tape.slots)
        tape.put(ev.RESUME, 70, coro=1, aux=1, node=2, task=1).put(ev.RETURN, 80, coro=1)
        path.write_bytes(tape.data()[: ev.HEADER_SIZE + ev.TAIL_SIZE + (count + 1) * ev.RECORD_SIZE - 1])
        return path
    return tape.write(path)


@pytest.mark.parametrize("way", WAYS)
def test_it_counts_up_to_where_it_is_known(way: Ending, tmp_path: Path) -> None:
    trace = load(recording(program(), way, tmp_path / "a.rec"))
    _, until, ended = WAYS[way]
    (process,), (main, work) = trace.processes, trace.tasks
    assert violations(trace) == []
    assert (process.ending, process.end_ns, process.ended_ns) == (way, until, ended)
    assert (trace.meta.ending, trace.meta.duration_ns) == (way, until)
    assert (main.end_ns, main.run_ns, main.wait_ns) == (until, 30, until - 30)
    assert (work.end_ns, work.run_ns, work.wait_ns) == (until, until - 60, 40)
    assert trace.node_sums.self_ns.sum() == 30 + until - 60
    assert process.whole == (way in ("stopped", "process ended"))
    broken_off = way in ("bound reached", "disk full", "cut off")
    assert process.broken_off == broken_off
    assert (main.state, work.state) == (("Unknown", "Unknown") if broken_off else ("Blocked", "Running"))
    assert process.lost == (7 if way in ("bound reached", "disk full") else 0)
    assert process.missing == (2 if way == "cut off" else 0)
    assert trace.meta.missing == process.missing
