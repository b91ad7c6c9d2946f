"""Several processes as one trace: exact on small ones, and whatever they did, the sum of its parts."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from async_inspect import checks
from async_inspect import events as ev
from async_inspect.errors import UserError
from async_inspect.model import Builder, Trace, load, loading, merge, stats
from async_inspect.model import tables as t
from async_inspect.model.figures.processes import process_figures
from async_inspect.model.invariants import violations
from async_inspect.model.meanings import columns
from async_inspect.recording.reader import Recording
from async_inspect.recording.runs import run_at

from ..checks.locks import crossed
from ..samples import SAMPLES
from ..tape import Tape, two_tasks
from ..tools import examples


def put(folder: Path, tape: Tape, pid: int, after: int = 0, run: str = "r", ppid: int = 1) -> Path:
    """A recording of this run that began so many ns after the first."""
    tape.header |= {"pid": pid, "start_ns": tape.header["start_ns"] + after}
    tape.header["start_unix_ns"] += after
    tape.slots = [_later(slot, after) for slot in tape.slots]
    tape.end_ns = tape.end_ns and tape.end_ns + after
    tape.meta = [*((key, value) for key, value in tape.meta if key != "ppid"), ("ppid", str(ppid)), ("run", run)]
    return tape.write(folder / f"{pid}-{after}.rec")


def _later(slot: bytes, ns: int) -> bytes:
    (ts,) = struct.unpack_from("<Q", slot)
    return struct.pack("<Q", ts + ns) + slot[8:] if slot[-1] >= ev.FIRST_EVENT and slot[-1] != ev.TEXT else slot


def test_two_processes_of_one_program(tmp_path: Path) -> None:
    for pid, after in ((7, 0), (8, 25)):
        put(tmp_path, two_tasks(), pid, after)
    trace = load(tmp_path)
    assert violations(trace) == []
    assert [(one.id, one.pid, one.name, one.parent) for one in trace.tasks] == [
        (1, 7, "main", None), (2, 7, "w;1", 1), (3, 8, "main", None), (4, 8, "w;1", 3),
    ]  # fmt: skip
    assert [(one.created_ns, one.end_ns) for one in trace.tasks] == [(0, 100), (30, 80), (25, 125), (55, 105)]
    assert [one.awaiters for one in trace.tasks] == [(), (1,), (), (3,)]
    assert [(one.pid, one.start_ns, one.end_ns, one.records) for one in trace.processes] == [
        (7, 0, 110, 16), (8, 25, 135, 16),
    ]  # fmt: skip
    assert (trace.meta.path, trace.meta.pid, trace.meta.duration_ns) == (str(tmp_path), 7, 135)
    assert (trace.meta.records, trace.meta.finished, trace.meta.core) == (32, True, "python")
    assert trace.awaits.awaited_task.tolist() == [2, 0, 4, 0]
    assert trace.polls.thread.tolist() == [0] * 4 + [1] * 4
    assert trace.events.ts_ns.tolist() == sorted(trace.events.ts_ns.tolist())
    alone = load(tmp_path / "7-0.rec")
    assert (trace.functions, trace.strings) == (alone.functions, alone.strings), "the same are one"
    assert len(trace.nodes) == len(alone.nodes)
    assert [(node.function, node.calls, node.run_ns, node.wait_ns) for node in trace.tree] == [
        (node.function, 2 * (node.calls or 0), 2 * (node.run_ns or 0), 2 * node.wait_ns) for node in alone.tree
    ]
    assert [trace.details(row) for row in range(len(trace.events)) if trace.events.task[row] in (1, 2)] == [
        alone.details(row) for row in range(len(alone.events)) if alone.events.task[row]
    ]


def test_one_trace_is_itself(tmp_path: Path) -> None:
    trace = load(two_tasks().write(tmp_path / "a.rec"))
    assert merge([trace]) is trace


@pytest.mark.parametrize("sample", SAMPLES)
def test_columns_hold_what_their_types_say(sample: str, tmp_path: Path) -> None:
    trace = load(SAMPLES[sample]().write(tmp_path / "a.rec"))
    held = {
        f"{name}.{column.name}": (column.dtype, getattr(getattr(table, column.name), "dtype", None))
        for name, table in trace.tables.items()
        for column in columns(type(table))
    }
    assert len(held) > 100
    assert not {name: both for name, both in held.items() if both[0] != both[1]}


def test_whole_numbers_must_say_what_they_are() -> None:
    @dataclass
    class Table:
        row: t.Ints

    with pytest.raises(TypeError, match=r"Table\.row: what are these numbers\?"):
        columns(Table)


def test_a_process_and_a_part_of_the_time(tmp_path: Path) -> None:
    for pid, after in ((7, 0), (8, 25), (9, 200)):
        put(tmp_path, two_tasks(), pid, after)
    trace = load(tmp_path)
    one = trace.filter(pid=8)
    assert [(task.id, task.pid, task.created_ns) for task in one.tasks] == [(1, 8, 25), (2, 8, 55)]
    assert (one.meta.filter, [process.pid for process in one.processes]) == ("--pid 8", [8])
    assert violations(one) == []
    with pytest.raises(UserError, match="no process 5 in this run; there are 7, 8, 9"):
        trace.filter(pid=5)
    cut = trace.filter(until_ms=60 / 1e6)
    assert [process.pid for process in cut.processes] == [7, 8], "the third had not begun"
    assert [task.end_ns for task in cut.tasks] == [60] * 4
    assert violations(cut) == []
    late = trace.filter(since_ms=140 / 1e6)
    assert [(process.pid, process.start_ns) for process in late.processes] == [(9, 200)], "the others were over"
    both = trace.filter(since_ms=60 / 1e6, pid=(7, 8)).filter(until_ms=90 / 1e6)
    assert [(task.pid, task.state) for task in both.tasks] == [
        (7, "Running"),
        (7, "Failed"),
        (8, "Blocked"),
        (8, "Blocked"),
    ]
    assert violations(both) == []
    some = trace.filter(task="main")
    assert [(task.id, task.pid) for task in some.tasks] == [(1, 7), (2, 8), (3, 9)]
    assert violations(some) == []


def test_the_newest_run_in_a_folder(tmp_path: Path) -> None:
    put(tmp_path, two_tasks(), 5, 0, "old")
    put(tmp_path, two_tasks(), 7, 10, "new")
    put(tmp_path, two_tasks(), 8, 25, "new")
    put(tmp_path, two_tasks(), 6, 30, "old")
    assert [process.pid for process in load(tmp_path).processes] == [7, 8]
    assert [process.pid for process in load(tmp_path / "5-0.rec").processes] == [5]
    put(tmp_path, two_tasks(), 9, 50, "")
    assert [process.pid for process in load(tmp_path).processes] == [9], "of no run: alone"
    put(tmp_path, two_tasks(), 10, 60, "", ppid=9)
    put(tmp_path, two_tasks(), 11, 70, "", ppid=10)
    assert [process.pid for process in load(tmp_path).processes] == [9, 10, 11], "but for what it started"
    put(tmp_path, two_tasks(), 12, 500, "", ppid=9)
    assert [process.pid for process in load(tmp_path).processes] == [12], "9 was over by then"
    (tmp_path / "12-500.rec").unlink()
    put(tmp_path, two_tasks(), 13, 80, "", ppid=2)
    assert [process.pid for process in load(tmp_path).processes] == [9, 10, 11], "what begins meanwhile is no newer run"


def test_what_a_program_of_no_run_became(tmp_path: Path) -> None:
    gone = two_tasks()
    gone.end_ns = 0  # exec leaves no end
    put(tmp_path, gone, 7, 0, "")
    put(tmp_path, two_tasks(), 7, 500, "")
    assert [(process.pid, process.start_ns) for process in load(tmp_path).processes] == [(7, 0), (7, 500)]
    put(tmp_path, two_tasks(), 7, 900, "")
    assert [(process.pid, process.start_ns) for process in load(tmp_path).processes] == [(7, 0)], "a number used again"


def test_a_program_that_became_another(tmp_path: Path) -> None:
    put(tmp_path, two_tasks(), 7, 0)
    put(tmp_path, two_tasks(), 7, 500)
    put(tmp_path, two_tasks(), 8, 600)
    trace = load(tmp_path).filter(pid=7)
    assert [(process.pid, process.start_ns) for process in trace.processes] == [(7, 0), (7, 500)]
    assert [task.pid for task in trace.tasks] == [7] * 4


def test_locks_of_two_processes_are_no_cycle(tmp_path: Path) -> None:
    """Each has its own; what is found is found in each, and once."""
    for pid in (7, 8):
        crossed().trace(tmp_path / str(pid), 100)
    paths = sorted(tmp_path.rglob("*.rec"))
    traces = [load(path) for path in paths]
    trace = merge(traces)
    assert violations(trace) == []
    assert trace.resources.number.tolist() == [1, 2, 3, 4]
    found = [finding for finding in checks.run(trace) if finding.check == "deadlock"]
    assert sorted(finding.tasks for finding in found) == [(1, 2), (3, 4)]


def test_what_can_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, two_tasks(), 7)
    gone = put(tmp_path, two_tasks(), 8, 10)
    run = run_at(tmp_path)
    gone.unlink()
    trace = loading.load_run_data(run, tmp_path)
    assert [process.pid for process in trace.processes] == [7]
    assert [(one.pid, "No such file" in one.why) for one in trace.left_out] == [(8, True)]
    damaged = two_tasks()
    damaged.put(ev.START, 50, coro=1 << 31, node=1, task=1 << 31)
    put(tmp_path, damaged, 8, 10)
    assert [process.damaged for process in load(tmp_path).processes] == [0, 1], "what of it can be read is there"
    put(tmp_path, two_tasks(), 9, 20)
    monkeypatch.setattr(loading, "MOST_PROCESSES", 1)
    assert [one.pid for one in load(tmp_path).left_out] == [8, 9]
    monkeypatch.setattr(loading, "MOST_PROCESSES", 9)
    monkeypatch.setattr(loading, "MOST_RECORDS", 40)
    assert [one.pid for one in load(tmp_path).left_out] == [8, 9]
    assert [one.pid for one in load(tmp_path / "9-20.rec").tasks] == [9, 9], "but not where it is alone"


def test_a_process_without_events_is_one(tmp_path: Path) -> None:
    put(tmp_path, two_tasks(), 7)
    idle = Tape()
    idle.slots, idle.end_ns = [], 30
    path = put(tmp_path, idle, 8, 10)
    trace = load(tmp_path)
    assert violations(trace) == []
    assert [(one.pid, one.tasks, one.records) for one in process_figures(trace)] == [(7, 2, 16), (8, 0, 0)]
    alone = load(path)
    assert trace.processes[1] == alone.processes[0].model_copy(
        update={"start_ns": 10, "end_ns": 10 + 30, "ended_ns": 10 + 30, "thread": 1}
    )


# --- whatever they did -----------------------------------------------------------------------------------------------


def samples(folder: Path, names: Sequence[str], gaps: Sequence[int]) -> list[Trace]:
    """Traces of these samples, each so much later."""
    traces, after = [], 0
    for at, (name, gap) in enumerate(zip(names, gaps, strict=True)):
        after += gap
        with Recording(put(folder / str(at), SAMPLES[name](), 10 + at, after)) as recording:
            builder = Builder(recording)
            builder.feed(recording.records)
            traces.append(Trace.of(builder.data()))
    return traces


@given(st.data())
@settings(max_examples=examples(20), deadline=None)
def test_it_is_the_sum_of_its_parts(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(SAMPLES)), min_size=1, max_size=4))
    gaps = data.draw(st.lists(st.integers(0, 10**6), min_size=len(names), max_size=len(names)))
    parts = samples(tmp_path_factory.mktemp("parts"), names, gaps)
    trace = merge(parts)
    assert violations(trace) == []
    for name in (
        "task_table",
        "polls",
        "awaits",
        "calls",
        "entries",
        "points",
        "edges",
        "holds",
        "events",
        "runtime_warnings",
    ):
        assert len(getattr(trace, name)) == sum(len(getattr(part, name)) for part in parts)
    figures = process_figures(trace)
    assert [one.run_ns for one in figures] == [int(part.task_table.self_ns.sum()) for part in parts]
    assert [one.tasks for one in figures] == [len(part.task_table) for part in parts]
    assert stats(trace).run_ns == sum(stats(part).run_ns for part in parts)
    assert stats(trace).awaits.total_ns == sum(stats(part).awaits.total_ns for part in parts)
    assert stats(trace).tasks_by_state == {
        state: sum(stats(part).tasks_by_state.get(state, 0) for part in parts) for state in stats(trace).tasks_by_state
    }
    assert sum(node.wait_ns for node in trace.tree) == sum(node.wait_ns for part in parts for node in part.tree)
    first = 0
    for part in parts:  # and of each task all is said that was
        later = part.meta.clock_ns - trace.meta.clock_ns
        for task in part.tasks:
            moved = trace.task(task.id + first)
            same = ("name", "state", "polls", "run_ns", "wait_ns", "await_point", "reason", "location", "error", "pid")
            assert [getattr(moved, key) for key in same] == [getattr(task, key) for key in same]
            assert (moved.created_ns, moved.end_ns) == (task.created_ns + later, task.end_ns + later)
        first += len(part.task_table)


@given(st.lists(st.sampled_from(sorted(SAMPLES)), min_size=3, max_size=3))
@settings(max_examples=examples(10), deadline=None)
def test_it_does_not_matter_which_are_merged_first(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    parts = samples(tmp_path_factory.mktemp("parts"), names, [0, 500, 1500])
    once, twice = merge(parts), merge([merge(parts[:2]), parts[2]])
    assert (once.meta, once.processes, once.functions) == (twice.meta, twice.processes, twice.functions)
    for field in fields(Trace):
        table = getattr(once, field.name)
        if isinstance(table, t.Table):
            for column in fields(table):
                ours, theirs = getattr(table, column.name), getattr(getattr(twice, field.name), column.name)
                same = np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs
                assert same, f"{field.name}.{column.name}"
