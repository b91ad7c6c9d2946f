"""The live state: fed in pieces of any size, its figures are those of the Trace of the same records."""

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from async_inspect import events as ev
from async_inspect.model import Builder, stats
from async_inspect.model.figures.moment import Moment, now
from async_inspect.model.kernels import words
from async_inspect.model.live import LiveModel, LiveSnapshot
from async_inspect.model.tables import STATES
from async_inspect.model.text import ms
from async_inspect.model.trace import Trace
from async_inspect.recording.reader import Recording
from async_inspect.terminal.picture import why
from async_inspect.tui.follow import Follower

from ..levels import at_awaits
from ..tape import Tape
from ..tools import examples
from .conftest import AT_AWAITS, RECORDED

EVERY = [*RECORDED, *(f"{name}{AT_AWAITS}" for name in RECORDED)]
PIECES = [name for name in EVERY if "there_before" not in name]  # which begins with what is read at once


def of_live(live: LiveModel) -> dict[str, Any]:
    """Every figure that a view shows, at the recording's end, in a form in which a Trace has it too."""
    seen = LiveSnapshot(live, live.end)
    rows = np.arange(1, live.count)[live.numbers()[1:] > 0]
    columns = (
        seen.polls(rows), seen.run(rows), seen.wait(rows), seen.ready(rows), seen.created(rows), seen.age(rows),
        live.numbers()[seen.parent(rows)],
    )  # fmt: skip
    tasks = sorted(
        (int(live.numbers()[row]), seen.name(row), STATES[state], seen.error(row), *figures)
        for row, state, *figures in zip(rows.tolist(), seen.state(rows), *(c.tolist() for c in columns), strict=True)
    )
    suspended = {
        seen.number(row): (seen.place(row), [(s.function.name, s.line) for s in seen.stack(row)][-1:])
        for row in rows.tolist()
        if seen.stack(row)
    }
    point, *sums = seen.awaits()
    awaits = {
        (live.points.place(p), live.points.function(p).name): tuple(figures)
        for p, *figures in zip(point.tolist(), *(column.tolist() for column in sums[:3]), strict=True)
    }
    code, ran, calls = seen.coroutines()
    functions = live.functions.functions
    coroutines = {
        (functions[c].name, f"{functions[c].file}:{functions[c].line}"): (r, n)
        for c, r, n in zip(code.tolist(), ran.tolist(), calls.tolist(), strict=True)
    }
    said = {
        seen.number(row): (
            seen.reason(row) or None, seen.awaiting(row), seen.resource(int(live.tasks["resource"][row])) or None,
            [seen.number(holder) for holder in seen.holders(row)], seen.why(row), seen.function(row).name,
        )
        for row in rows.tolist()
        if seen.waits(row)
    }  # fmt: skip
    return {
        "tasks": tasks,
        "suspended": suspended,
        "said": said,
        "holds": {seen.number(row): held for row in rows.tolist() if (held := seen.holds(row))},
        "waits for": sorted(zip(*(live.numbers()[side].tolist() for side in seen.edges), strict=True)),
        "awaits": awaits,
        "coroutines": coroutines,
        "polls": sorted((poll.ns for poll in seen.longest(20)), reverse=True),
        "polls in all": int(seen.slices(600).polls.sum()),
        "busy": int(seen.slices(600).ran.sum()),
    }


def of_trace(trace: Trace) -> dict[str, Any]:
    """The same of a Trace."""
    figures, ready = stats(trace, 10_000), trace.ready[0].tolist()
    table = trace.task_table
    tasks = [
        (
            number, table.name[row], STATES[table.state[row]], table.error.get(row, ""), int(table.polls[row]),
            int(table.run_ns[row]), int(table.end_ns[row] - table.created_ns[row] - table.run_ns[row]), ready[row],
            int(table.created_ns[row]), int(table.end_ns[row] - table.created_ns[row]), int(table.parent[row]),
        )
        for row, number in enumerate(range(1, len(table) + 1))
    ]  # fmt: skip
    suspended = {}
    for row in np.flatnonzero(~trace.awaits.ended).tolist():
        number = int(trace.awaits.task[row])
        if not table.ended[number - 1] and not table.closed[number - 1]:
            leaf = trace.frame(int(trace.awaits.leaf_location[row]))
            place = trace.place(int(trace.awaits.location[row]))
            suspended[number] = (place, [(leaf.function.name, leaf.line)])
    moment = Moment(trace, trace.processes[0].end_ns)
    closed = (np.flatnonzero(table.closed) + 1).tolist()  # these stand for good, but do not wait
    there = [one for one in now(trace, [moment]).tasks if one.task not in closed]
    return {
        "tasks": tasks,
        "suspended": suspended,
        "said": {
            one.task: (one.reason, one.awaiting, one.resource, [*one.holders], why(one), one.kind_name)
            for one in there
            if one.awaiting is not None
        },
        "holds": {
            number: [words.hold(one.resource, one.place, ms(one.since_ns)) for one in held]
            for number, held in trace.held.items()
            if number
        },
        "waits for": sorted((one.task, other) for one in there for other in one.waits_for if other not in closed),
        "awaits": {
            (one.place, one.function): (one.wait.count, one.wait.total_ns, one.wait.max_ns)
            for one in figures.top_awaits
        },
        "coroutines": {
            (one.function, one.place): (one.run_self_ns, -1 if one.calls is None else one.calls)
            for one in figures.top_coroutines
        },
        "polls": [one.duration_ns for one in figures.longest_polls[:20]],
        "polls in all": figures.polls.count,
        "busy": busy(trace),
    }


def busy(trace: Trace) -> int:
    """For how long tasks ran: the union of their polls, on each thread."""
    total = 0
    for thread in np.unique(trace.polls.thread).tolist():
        mine = trace.polls.thread == thread
        spans = sorted(zip(trace.polls.start_ns[mine].tolist(), trace.polls.end_ns[mine].tolist(), strict=True))
        reached = 0
        for start, end in spans:
            total += max(end - max(start, reached), 0)
            reached = max(reached, end)
    return total


def assert_same(live: LiveModel, trace: Trace) -> None:
    ours, theirs = of_live(live), of_trace(trace)
    for name, value in theirs.items():
        assert ours[name] == value, name


@pytest.mark.parametrize("name", EVERY)
def test_figures_are_those_of_the_trace(name: str, recorded: dict[str, Recording]) -> None:
    slots = recorded[name].records
    live, builder = LiveModel(recorded[name]), Builder(recorded[name])
    live.feed(slots)
    builder.feed(slots)
    assert_same(live, Trace.of(builder.data()))


@settings(deadline=None, max_examples=examples(60))
@given(st.sampled_from(PIECES), st.lists(st.integers(1, 400), min_size=1, max_size=8), st.floats(0.05, 1))
def test_pieces_of_any_size(recorded: dict[str, Recording], name: str, steps: list[int], part: float) -> None:
    """Also in the middle: what was fed is what there is."""
    slots = recorded[name].records
    slots = slots[: int(len(slots) * part)]
    recording = Recording(recorded[name].path)
    recording.header = recording.header._replace(end_ns=0)
    live, builder = LiveModel(recording), Builder(recording)
    begin = number = 0
    while begin < len(slots):
        end = begin + steps[number % len(steps)]
        live.feed(slots[begin:end])
        begin, number = end, number + 1
    builder.feed(slots)
    assert_same(live, Trace.of(builder.data()))


@settings(deadline=None, max_examples=examples(30))
@given(st.sampled_from(PIECES), st.integers(5, 200), st.integers(0, 5), st.integers(1, 20))
def test_a_window_of_what_ended(recorded: dict[str, Recording], name: str, step: int, kept: int, every: int) -> None:
    """Who fell out of it counts in all sums; of all others everything is known that a Trace knows."""
    slots = recorded[name].records
    slots = slots[: len(slots) * 4 // 5]
    recording = Recording(recorded[name].path)
    recording.header = recording.header._replace(end_ns=0)
    live, builder = LiveModel(recording, kept=kept, every=every), Builder(recording)
    builder.feed(slots)
    trace = Trace.of(builder.data())
    for begin in range(0, len(slots), step):
        live.feed(slots[begin : begin + step])
    ours, theirs = of_live(live), of_trace(trace)
    here = {task[0] for task in ours["tasks"]}
    assert ours.pop("tasks") == [task for task in theirs.pop("tasks") if task[0] in here]
    assert here >= set(np.flatnonzero(~(trace.task_table.ended | trace.task_table.closed)) + 1)
    assert live.total == len(trace.task_table)
    assert LiveSnapshot(live, live.end).left_out + len(LiveSnapshot(live, live.end).rows) == len(trace.task_table)
    for figure, value in theirs.items():
        assert ours[figure] == value, figure


PARTS = 10


def server(requests: int) -> Tape:
    """A server that makes a task for each request, which has a name and tags, a coroutine of its own, a lock that it
    waits for and holds, and an exception."""
    tape = Tape()
    main, handle, inner = (
        tape.code("main"),
        tape.code("handle", 20),
        tape.code("acquire", 5, "/py/lib/asyncio/locks.py"),
    )
    nodes = [tape.node(0, main), tape.node(0, handle)]
    nodes.append(tape.node(nodes[1], inner))
    made, site = tape.site((main, 2)), tape.site((handle, 4))
    future, error, lock = tape.string("asyncio.Future"), tape.string("ValueError"), tape.string("asyncio.locks.Lock")
    tape.put(ev.START, 0, coro=1, off=main, node=nodes[0], task=1, flags=ev.IS_TASK)
    tape.put(ev.SUSPEND, 5, coro=1, aux=future, off=2)
    for number in range(requests):
        now, root, leaf = 100 * number + 10, 2 * number + 2, 2 * number + 3
        running = {"node": nodes[2], "task": root}
        tape.put(ev.RESUME, now, coro=1, aux=1, node=nodes[0], task=1)
        tape.put(ev.SPAWN, now + 1, coro=root, aux=handle, off=made, node=nodes[0], task=1, flags=ev.NAME_GIVEN)
        tape.text(ev.NAME, b"request %d" % number, now + 1, coro=root, node=nodes[0], task=1)
        tape.put(ev.EDGE, now + 1, coro=1, aux=root, node=nodes[0], task=1)
        tape.put(ev.SUSPEND, now + 2, coro=1, aux=future, off=2)
        tape.put(ev.START, now + 3, coro=root, off=handle, node=nodes[1], task=root, flags=ev.IS_TASK)
        tape.put(ev.START, now + 4, coro=leaf, aux=root, off=inner, node=nodes[2], task=root)
        tape.text(ev.TAG, b"request_id\0%d" % number, now + 4, coro=root, **running)
        tape.put(ev.RESOURCE, coro=number + 1, aux=lock, off=made)
        tape.put(ev.SUSPEND, now + 5, coro=leaf, aux=future, off=4)
        tape.put(ev.LINK, now + 5, coro=root, aux=leaf, off=6)
        tape.put(ev.USE, now + 5, coro=leaf, aux=number + 1)
        tape.put(ev.SOON, now + 10, coro=number + 1, flags=ev.BY_THREAD)
        tape.put(ev.WAKE, now + 11, coro=root, aux=number + 1, flags=ev.BY_CALLBACK)
        tape.put(ev.RESUME, now + 12, coro=root, aux=leaf, **running)
        tape.put(ev.TAKE, now + 13, coro=leaf, aux=number + 1, off=site, **running)
        tape.put(ev.RETURN, now + 14, coro=leaf, node=nodes[1], task=root)
        tape.put(ev.GIVE, now + 15, coro=root, aux=number + 1, node=nodes[1], task=root)
        tape.put(ev.RAISE, now + 16, coro=root, aux=error)
        tape.text(ev.MESSAGE, b"not found: %d" % number, now + 16, coro=root)
    return tape


@pytest.mark.parametrize("detail", ["calls", "awaits"])
def test_memory_is_that_of_what_lives(detail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as many tasks that ended cost no more, neither in the Reader nor in the live state; all are counted."""
    monkeypatch.setattr("async_inspect.model.live.relations.RESOURCES_KEPT", 100)
    monkeypatch.setattr("async_inspect.recording.slots.IDS_KEPT", 500)
    tape = server(requests := 4_000) if detail == "calls" else at_awaits(server(requests := 4_000))
    slots, path = tape.slots, tmp_path / "a.rec"
    over = [at + 2 for at, slot in enumerate(slots) if slot[-1] == ev.MESSAGE]
    parts = over[requests // PARTS - 1 :: requests // PARTS]
    tape.slots = slots[:4]
    follower = Follower(tape.write(path))
    follower.live = live = LiveModel(follower.recording, kept=100, every=300)
    used = []
    tracemalloc.start()
    for end in parts:
        tape.slots = slots[:end]
        tape.write(path)
        while follower.recording.count < end or follower.behind:
            follower.step()
        seen = LiveSnapshot(live, live.end)
        assert "request" in seen.name(int(seen.rows[-1]))
        del seen
        tape.slots = []
        gc.collect()
        used.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert used[-1] < used[0] + 100_000, used  # a task alone was 500 bytes, and there are 3,600 more
    recording = follower.recording
    bound = 2 * (100 + 300) + max(np.diff(parts))
    for kept in (live.tasks.size, recording.names, recording.tags, recording.messages, recording.resources):
        assert (kept if isinstance(kept, int) else len(kept)) < bound
    assert live.coroutines.count < 2 * bound
    seen = LiveSnapshot(live, live.end)
    assert (live.total, live.ended, seen.left_out + len(seen.rows)) == (requests + 1, requests, requests + 1)
    assert seen.coroutines()[2].tolist() == [1, requests, requests][: 3 if detail == "calls" else 2]
    assert int(seen.awaits()[1].sum()) == 2 * requests + 1
    follower.close()
