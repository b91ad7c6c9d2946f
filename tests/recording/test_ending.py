"""Each way in which a recording can end: up to when it counts, and what is said of it."""

import signal
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from async_inspect import checks
from async_inspect import events as ev
from async_inspect.model import load, stats
from async_inspect.model.figures import unfinished
from async_inspect.model.invariants import violations
from async_inspect.model.metadata import endings
from async_inspect.model.snapshot import snapshot
from async_inspect.recording.ending import Ending
from async_inspect.recording.header import head
from async_inspect.recording.reader import Recording
from async_inspect.terminal.summary import summary

from ..samples import SAMPLES
from ..tape import START_NS, Tape, packed
from ..tools import PROGRAMS, Attach

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
        there = len(packed(tape.slots))
        tape.put(ev.RESUME, 70, coro=1, aux=1, node=2, task=1).put(ev.RETURN, 80, coro=1)
        path.write_bytes(tape.data()[: ev.HEADER_SIZE + ev.TAIL_SIZE + there + ev.SLOT_SIZE - 1])
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


@pytest.mark.parametrize("way", WAYS)
def test_figures_say_that_what_went_on_took_longer(way: Ending, tmp_path: Path) -> None:
    path = recording(program(), way, tmp_path / "a.rec")
    trace = load(path)
    figures, now = stats(trace), snapshot(path)
    open_ = way not in ("stopped", "process ended")
    assert [one.at_least for one in (figures.polls, figures.awaits, figures.task_lifetimes)] == [
        open_,
        open_,
        2 * open_,
    ]
    assert (unfinished.polls(trace).tolist(), unfinished.tasks(trace).tolist()) == ([False, open_], [open_, open_])
    assert (figures.ending, figures.missing) == (way, trace.meta.missing)
    (said,) = list(endings(trace)) or [""]
    assert said.endswith({
        "bound reached": "60 ns of 1.00 ms: the bound of --max-size was reached",
        "disk full": "60 ns of 1.00 ms: the file could not grow, the disk was full or there is a limit",
        "cut off": "60 ns of 1.00 ms: the file was cut off, 2 slots are missing at least",
    }.get(way, ""))  # fmt: skip
    assert said.startswith("recorded until 22:13:20 UTC, ") == bool(said)
    assert now[0].at_ns == WAYS[way][1]
    told = "\n".join(map(str, summary(trace, figures)))
    assert said in told
    assert ("≥" in told) == open_
    assert ("nothing lost" in told) == (way in ("stopped", "process ended", "not seen"))


def test_a_suspension_whose_rest_may_be_missing_is_the_end_of_a_poll_that_may_go_on(tmp_path: Path) -> None:
    """Where it stood would be said by records after it: with these it might be another place than without."""
    tape = program()
    tape.put(ev.SUSPEND, 90, coro=2, aux=tape.string("asyncio.Future"), off=4)
    bound(tape)
    trace = load(tape.write(tmp_path / "a.rec"))
    assert violations(trace) == []
    assert (trace.meta.duration_ns, trace.meta.missing) == (90, 1)
    assert [(one.run_ns, one.state) for one in trace.tasks] == [(30, "Unknown"), (30, "Unknown")]
    assert trace.awaits.task.tolist() == [1]
    tape.put(ev.WAKE, 95, coro=2)  # more came: it is whole
    trace = load(tape.write(tmp_path / "b.rec"))
    assert trace.awaits.task.tolist() == [1, 2]
    assert (trace.meta.duration_ns, trace.meta.missing) == (95, 0)


def test_each_process_ends_for_itself(tmp_path: Path) -> None:
    for pid, way in enumerate(WAYS, 1):
        tape = program()
        tape.header["pid"] = pid
        tape.header["start_ns"] = START_NS
        recording(tape, way, tmp_path / f"20231114T221320-{pid}.rec")
    trace = load(tmp_path)
    assert violations(trace) == []
    assert [(one.ending, one.end_ns, one.ended_ns) for one in trace.processes] == [
        (way, until, ended) for way, (_, until, ended) in WAYS.items()
    ]
    assert (trace.meta.ending, trace.meta.missing, trace.meta.lost) == ("cut off", 2, 14)
    assert unfinished.tasks(trace).tolist() == [False] * 4 + [True] * 8
    assert [line.partition(":")[0] for line in endings(trace)] == ["process 4", "process 5", "process 6"]


def check_cut(path: Path, whole: Recording, data: bytes, size: int) -> None:
    """All that is known of a recording that was cut off there, against its records one by one."""
    path.write_bytes(data[:size])
    with Recording(path) as cut:
        slots, cut_off = cut.records, cut.cut
        assert whole.records.tobytes().startswith(slots.tobytes())
        assert cut_off == (size < len(data))
        if size >= ev.META_OFFSET and head(path).header.flushed:
            assert cut.position + cut.missing == whole.position
    trace, full = load(path), load(whole.path)
    assert violations(trace) == []
    assert trace.meta.ending == ("cut off" if cut_off else full.meta.ending)
    last = int(slots["ts"][slots["kind"] >= ev.FIRST_EVENT].max(initial=trace.meta.clock_ns)) - trace.meta.clock_ns
    if cut_off:
        assert trace.meta.duration_ns == last
        assert not np.isin(trace.task_table.state, [0, 1, 2])[~trace.task_table.closed].any()
    for one, of in (("polls", "end_ns"), ("awaits", "end_ns"), ("task_table", "end_ns"), ("holds", "end_ns")):
        table = getattr(trace, one)
        assert len(table) <= len(getattr(full, one))
        assert table.end_ns.max(initial=0) <= trace.meta.duration_ns, of
    for table, other in ((trace.polls, full.polls), (trace.awaits, full.awaits)):
        length, all_ = table.end_ns - table.start_ns, other.end_ns - other.start_ns
        assert length.min(initial=0) == 0
        assert length.sum() <= all_.sum()
    assert trace.node_sums.self_ns.sum() <= full.node_sums.self_ns.sum()


def flushed(data: bytes) -> bytes:
    """The same recording with all its slots in the body, as after a longer one."""
    size = struct.unpack_from("<I", data, 12)[0]
    tail, body = data[size : size + ev.TAIL_SIZE], data[size + ev.TAIL_SIZE :]
    count = (len(tail.rstrip(b"\0")) + ev.SLOT_SIZE - 1) // ev.SLOT_SIZE
    header = bytearray(data[:size])
    total = len(body) // ev.SLOT_SIZE + count
    struct.pack_into("<QQ", header, ev.FLUSHED_OFFSET, total, total)
    return bytes(header) + bytes(ev.TAIL_SIZE) + body + tail[: count * ev.SLOT_SIZE]


def cuts(data: bytes) -> list[int]:
    """Each slot, and bytes in and around the header."""
    size = struct.unpack_from("<I", data, 12)[0]
    body = size + ev.TAIL_SIZE
    around = [*range(8, 130, 7), size - 1, size, size + 1, size + 100, body - 1, body, body + 1]
    return [*around, *range(body + ev.SLOT_SIZE, len(data) + 1, ev.SLOT_SIZE)]


@pytest.mark.parametrize("name", ["two_tasks", "contention"])
def test_every_cut(name: str, tmp_path: Path) -> None:
    data = SAMPLES[name]().data()
    (tmp_path / "whole.rec").write_bytes(data)
    with Recording(tmp_path / "whole.rec") as whole:
        for size in cuts(data):
            check_cut(tmp_path / "cut.rec", whole, data, size)


@pytest.mark.e2e
def test_every_cut_of_a_real_one(attach: Attach, tmp_path: Path) -> None:
    made = attach(PROGRAMS / "gather.py", options=["-q", "-f", "folded"])
    (path,) = (made.folder / "recording").glob("*.rec")
    data = flushed(path.read_bytes())
    (tmp_path / "whole.rec").write_bytes(data)
    with Recording(tmp_path / "whole.rec") as whole:
        for size in cuts(data):
            check_cut(tmp_path / "cut.rec", whole, data, size)


BUSY = """
import asyncio, os, signal, sys, time

async def worker():
    for _ in range(600):
        await asyncio.sleep(0)

async def main():
    await asyncio.gather(*(worker() for _ in range(8)))
    time.sleep(0.12)
    if sys.argv[1:]:
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.e2e
def test_a_real_bound(core: str, attach: Attach, tmp_path: Path) -> None:
    """What came after it, among it a blocking poll and the end of all tasks, is drawn out of nothing."""
    (tmp_path / "busy.py").write_text(BUSY)
    made = attach(tmp_path / "busy.py", core=core, options=["--max-size", "64KB", "-f", "folded"])
    assert made.status == 0, made.stderr
    trace = made.trace
    (process,) = trace.processes
    with Recording(Path(process.path)) as whole:
        last = int(whole.records["ts"][whole.records["kind"] >= ev.FIRST_EVENT].max()) - whole.header.start_ns
    assert (process.ending, process.end_ns, trace.meta.duration_ns) == ("bound reached", last, last)
    assert process.ended_ns is not None
    assert process.ended_ns - process.end_ns > 120_000_000
    assert stats(trace).lost == process.lost > 0
    assert {task.state for task in trace.tasks} == {"Unknown"}
    assert not any(one.check in ("blocking", "never woken", "deadlock") for one in checks.run(trace))
    assert violations(trace) == []
    assert "the bound of --max-size was" in made.stderr


@pytest.mark.e2e
def test_a_program_that_was_killed_went_on_until_then(core: str, attach: Attach, tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(BUSY)
    made = attach(tmp_path / "busy.py", "kill", core=core, options=["-f", "folded"])
    assert made.status in (-signal.SIGKILL, 128 + signal.SIGKILL)
    (process,) = made.trace.processes
    main = next(task for task in made.trace.tasks if task.kind_name == "main")
    assert (process.ending, process.ended_ns) == ("process ended", process.end_ns)
    assert (main.state, main.end_ns) == ("Running", process.end_ns)
    assert stats(made.trace).polls.max_ns >= 120_000_000
    assert stats(made.trace).polls.at_least == 0
