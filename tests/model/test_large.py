"""Times and depths beyond what floats, words and squares can bear."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from async_inspect import Trace, checks, load
from async_inspect import events as ev
from async_inspect.formats import FORMATS
from async_inspect.model.figures.critical_path import critical_path
from async_inspect.model.figures.distribution import percentiles
from async_inspect.model.figures.stats import stats
from async_inspect.model.grouping import MOST, Ordered, exact_sum, group, sums
from async_inspect.model.invariants import violations
from async_inspect.model.snapshot import snapshot
from async_inspect.recording.slots import RECORD_FORMAT

from ..samples import contention, deep, kitchen, unfinished
from ..tape import START_NS, Tape
from ..trees import ran

FACTOR = 1_000_000_007  # odd: the nanoseconds that a float drops are there
WHO = st.one_of(st.integers(0, 4), st.integers(0, (1 << 31) - 1))
HUGE = st.one_of(st.integers(0, 4), st.integers(0, (1 << 62) - 1))


def stretched(tape: Tape) -> Tape:
    """The same that takes FACTOR times as long."""
    slots = []
    for slot in tape.slots:
        ts, *rest = struct.unpack(RECORD_FORMAT, slot)
        later = (ts - START_NS) * FACTOR + START_NS
        slots.append(struct.pack(RECORD_FORMAT, later, *rest) if slot[-1] >= ev.FIRST_EVENT else slot)
    tape.slots, tape.end_ns = slots, tape.end_ns * FACTOR
    return tape


@pytest.fixture(scope="module", params=[kitchen, deep, unfinished, contention])
def long(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    return load(stretched(request.param()).write(tmp_path_factory.mktemp("long") / "a.rec"))


def waits(trace: Trace) -> list[int]:
    return [
        end - start for start, end in zip(trace.awaits.start_ns.tolist(), trace.awaits.end_ns.tolist(), strict=True)
    ]


def test_sums_are_exact(long: Trace) -> None:
    assert violations(long) == []
    figures = stats(long)
    assert figures.awaits.total_ns == sum(waits(long)) == sum(row.wait.total_ns for row in figures.reasons)
    assert figures.awaits.max_ns == max(waits(long), default=0)
    assert figures.run_ns == ran(long.tree) == int(long.node_sums.self_ns.sum())
    assert sum(root.wait_ns for root in long.tree) == sum(waits(long))
    assert all(task.run_ns + task.wait_ns == task.lifetime_ns for task in long.tasks)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format(long: Trace, format: str) -> None:
    data = long.to_bytes(format)
    total = int(long.node_sums.self_ns.sum()) + sum(waits(long))
    if format == "speedscope":
        assert json.loads(data)["profiles"][0]["endValue"] == total
    elif format == "folded":
        assert sum(int(line.rpartition(b" ")[2]) for line in data.splitlines()) == (total + 500) // 1000
    else:
        assert data


def test_every_check_and_view(long: Trace) -> None:
    checks.run(long)
    assert all(poll.duration_ns >= 0 for poll in stats(long).blocking_polls)
    now, _ = snapshot(Path(long.meta.path), None)
    assert now.at_ns == long.meta.duration_ns
    path = critical_path(long)
    assert path is not None
    assert path.run_ns + path.ready_ns + sum(row.ns for row in path.awaits) <= path.end_ns - path.start_ns


def test_sums_beyond_a_word_are_marked(tmp_path: Path) -> None:
    """Each wait is some fifty years; eight are more ns than a word holds.  What is one number is exact; what is added
    up in a column ends at the word's, and the trace is not exact."""
    tape, tasks, last = Tape(), range(1, 9), 1_600_000_000_000_000_000
    tape.header["start_unix_ns"] = 1
    code = tape.code("main", 10)
    node, future = tape.node(0, code), tape.string("asyncio.Future")
    for task in tasks:
        tape.put(ev.START, task * 10, coro=task, off=code, node=node, task=task, flags=ev.IS_TASK)
        tape.put(ev.SUSPEND, task * 10 + 5, coro=task, aux=future, off=4)
    for task in tasks:
        tape.put(ev.RESUME, last + task * 10, coro=task, aux=task, node=node, task=task)
        tape.put(ev.RETURN, last + task * 10 + 5, coro=task)
    tape.end_ns = last + 1_000
    trace = load(tape.write(tmp_path / "a.rec"))
    assert trace.meta.damaged == 0
    assert waits(trace) == [last - 5] * 8
    assert [one.rule for one in trace.violations] == ["all waits together, and all holds, are below 2**63 ns"]
    assert trace.not_exact
    figures = stats(trace)
    assert figures.awaits.total_ns == 8 * (last - 5)
    assert [row.wait.total_ns for row in figures.reasons] == [8 * (last - 5)]
    assert [row.wait_ns for row in trace.tree] == [MOST]
    for format in FORMATS:
        assert trace.to_bytes(format)
    checks.run(trace)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-(1 << 62), MOST)), max_size=12))
def test_sums_by_group(rows: list[tuple[int, int]]) -> None:
    which, values = (np.array([row[i] for row in rows], np.int64) for i in (0, 1))
    by_group = [sum(value for group, value in rows if group == number) for number in range(3)]
    assert sums(which, values, 3).tolist() == [max(min(one, MOST), -MOST - 1) for one in by_group]
    assert exact_sum(values) == sum(value for _, value in rows)


def test_waits_for_nothing_are_found_however_long_the_run(tmp_path: Path) -> None:
    """A hundred thousand tasks times a hundred hours in ns is more than a word holds."""
    found = []
    for hours in (1, 100):
        tape = Tape()
        code, quick = tape.code("main", 10), tape.code("quick", 30)
        node, of_quick = tape.node(0, code), tape.node(0, quick)
        future = tape.string("asyncio.Future")
        at, last = 0, 100_000
        for task in range(1, last):
            tape.put(ev.START, at := at + 1, coro=task, off=quick, node=of_quick, task=task, flags=ev.IS_TASK)
            tape.put(ev.RETURN, at := at + 1, coro=task)
        tape.put(ev.START, at := at + 1, coro=last, off=code, node=node, task=last, flags=ev.IS_TASK)
        for _ in range(1000):
            tape.put(ev.SUSPEND, at := at + 1000, coro=last, aux=future, off=4)
            tape.put(ev.RESUME, at := at + 1000, coro=last, aux=last, node=node, task=last)
        tape.end_ns = hours * 3600 * 10**9
        trace = load(tape.write(tmp_path / f"{hours}.rec"))
        found.append([(one.check, one.task, one.weight_ns) for one in checks.run(trace, [checks.wakeups])])
    assert found[0] == found[1] == [("wake-ups for nothing", last, 999)]


def test_a_deep_recursion_is_written_in_time_linear_in_its_depth(tmp_path: Path) -> None:
    sizes: dict[str, list[int]] = {}
    for depth in (2_000, 4_000):
        tape = Tape()
        code, node = tape.code("chain", 10), 0
        for level in range(1, depth + 1):
            node = tape.node(node, code)
            tape.put(ev.START, level * 2_000, coro=level, aux=level - 1, off=code, node=node, task=1, flags=ev.IS_TASK)
        tape.put(ev.SUSPEND, (depth + 1) * 2_000, coro=depth, aux=tape.string("asyncio.Future"), off=4)
        for level in range(depth - 1, 0, -1):
            tape.put(ev.LINK, (depth + 1) * 2_000, coro=level, aux=level + 1, off=4)
        tape.end_ns = (depth + 2) * 2_000
        trace = load(tape.write(tmp_path / f"{depth}.rec"))
        assert violations(trace) == []
        for format in ("folded", "svg", "speedscope", "pprof"):
            sizes.setdefault(format, []).append(len(trace.to_bytes(format)))
        lines = trace.to_bytes("folded").decode().splitlines()
        assert max(line.count(";") for line in lines) <= 502
        assert sum("(deeper than 500 frames)" in line for line in lines) == 2  # what ran there, and what waited
        total = int(trace.node_sums.self_ns.sum()) + sum(waits(trace))
        assert sum(int(line.rpartition(" ")[2]) for line in lines) == (total + 500) // 1000
    for small, large in sizes.values():
        assert large < 2.5 * small


@settings(deadline=None)
@given(st.lists(st.tuples(HUGE, HUGE, HUGE)))
def test_group_takes_any_width(rows: list[tuple[int, int, int]]) -> None:
    columns = [np.array([row[at] for row in rows], np.int64) for at in range(3)]
    distinct, which = group(*columns)
    found = list(zip(*(column.tolist() for column in distinct), strict=True))
    assert found == sorted(set(rows))
    assert [found[at] for at in which.tolist()] == rows


@settings(deadline=None)
@given(st.lists(st.tuples(WHO, HUGE)), st.lists(st.tuples(WHO, HUGE)))
def test_rows_in_order_are_searched_as_one_column(rows: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    who, when = (np.array([row[at] for row in rows], np.int64) for at in range(2))
    look = Ordered(who, when)
    assert [rows[at] for at in look.order.tolist()] == sorted(rows)
    asked = [*asked, *rows]
    who, when = (np.array([row[at] for row in asked], np.int64) for at in range(2))
    assert look.before(who, when).tolist() == [sum(row < one for row in rows) for one in asked]
    assert look.before(who, when, "right").tolist() == [sum(row <= one for row in rows) for one in asked]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(1 << 58), 1 << 58)), max_size=20))
def test_sums_of_any_size(rows: list[tuple[int, int]]) -> None:
    which, values = (np.array([row[at] for row in rows], np.int64) for at in range(2))
    assert sums(which, values, 4).tolist() == [sum(value for one, value in rows if one == at) for at in range(4)]


@given(st.lists(st.integers(0, 1 << 62), min_size=1), st.integers(0, 100))
def test_percentiles(values: list[int], percent: int) -> None:
    (found,) = percentiles(np.array(values, np.int64), percent)
    assert found == min(v for v in values if 100 * sum(other <= v for other in values) >= percent * len(values))
