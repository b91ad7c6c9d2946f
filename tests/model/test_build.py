"""What records mean: recordings made by hand, and exactly what follows from them."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from async_inspect import events as ev
from async_inspect.model import Trace, load
from async_inspect.model import tables as t

from ..tape import Tape, two_tasks
from ..trees import tree_text


def told(trace: Trace) -> list[tuple[int, str, int, str]]:
    rows = range(len(trace.events))
    return [
        (int(trace.events.ts_ns[i]), t.EVENT_KINDS[trace.events.kind[i]], int(trace.events.task[i]), trace.details(i))
        for i in rows
    ]


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return load(two_tasks().write(tmp_path / "a.rec", tail=4))


def test_tasks(trace: Trace) -> None:
    main, work = trace.tasks
    assert (main.id, main.name, main.kind, main.kind_name, main.state) == (1, "main", "task", "main", "Completed")
    assert (main.created_ns, main.ended_ns, main.polls, main.run_ns, main.wait_ns) == (0, 100, 2, 40, 60)
    assert (main.parent, main.location, main.error) == (None, "app.py:10", None)
    assert (work.id, work.name, work.kind_name, work.state) == (2, "w;1", "work", "Failed")
    assert (work.created_ns, work.ended_ns, work.polls, work.run_ns, work.wait_ns) == (30, 80, 2, 20, 30)
    assert (work.parent, work.location, work.error) == (1, "app.py:12", "ValueError: no, thanks")
    assert work.awaiters == (1,)
    assert work.ready_ns is None
    with pytest.raises(KeyError):
        trace.task(3)


def test_awaits(trace: Trace) -> None:
    places = [
        (
            trace.place(int(trace.awaits.location[i])),
            trace.awaiting(i),
            [(f.function.name, f.line) for f in trace.chain(i)],
            int(trace.awaits.start_ns[i]),
            int(trace.awaits.end_ns[i]),
        )
        for i in range(len(trace.awaits))
    ]
    assert places == [
        ("app.py:13", "task 2 (w;1)", [("main", 13)], 40, 90),
        ("app.py:21", "asyncio.Future", [("work", 21), ("sleep", 605)], 60, 70),
    ]


def test_calls(trace: Trace) -> None:
    calls = trace.calls
    assert [trace.functions[f].name for f in calls.function] == ["main", "work", "sleep"]
    assert calls.awaiter.tolist() == [-1, -1, 1]
    assert [t.OUTCOMES[o] for o in calls.outcome] == ["returned", "raised", "returned"]
    assert [trace.segments(i).tolist() for i in range(3)] == [
        [[10, 40], [90, 100]],
        [[50, 60], [70, 80]],
        [[55, 60], [70, 72]],
    ]
    assert calls.run_ns.tolist() == [40, 20, 7]
    assert calls.segments.tolist() == [2, 2, 2]


def test_tree(trace: Trace) -> None:
    assert tree_text(trace.tree).splitlines() == [
        "main  calls 1  segments 2  run 0.000 ms (self 0.000 ms)  wait 0.000 ms",
        "  · app.py:13  ×1  wait 0.000 ms",
        "work  calls 1  segments 2  run 0.000 ms (self 0.000 ms)  wait 0.000 ms",
        "  · app.py:21  ×1  wait 0.000 ms",
        "  sleep  calls 1  segments 2  run 0.000 ms (self 0.000 ms)  wait 0.000 ms",
        "    · <stdlib>/asyncio/tasks.py:605  ×1  wait 0.000 ms",
    ]
    (work,) = trace.task_tree(2)
    assert (work.run_ns, work.run_self_ns, work.wait_ns, work.wait_self_ns) == (20, 13, 10, 0)
    assert (work.children[0].run_self_ns, work.children[0].wait_self_ns) == (7, 10)


def test_events_in_order(trace: Trace) -> None:
    assert told(trace) == [
        (0, "TaskSpawned", 1, "name=main, parent=None, location=app.py:10"),
        (10, "PollStarted", 1, "name=main"),
        (30, "TaskSpawned", 2, "name=w;1, parent=1, location=app.py:12"),
        (40, "PollEnded", 1, "name=main"),
        (40, "AwaitStarted", 1, "name=main, location=app.py:13, function=main, awaiting=task 2"),
        (50, "PollStarted", 2, "name=w;1"),
        (60, "PollEnded", 2, "name=w;1"),
        (60, "AwaitStarted", 2, "name=w;1, location=app.py:21, function=work, awaiting=asyncio.Future, reason=timer, "
                                "leaf=sleep at <stdlib>/asyncio/tasks.py:605"),
        (70, "AwaitEnded", 2, "name=w;1, location=app.py:21, function=work, awaiting=asyncio.Future, reason=timer, "
                              "leaf=sleep at <stdlib>/asyncio/tasks.py:605"),
        (70, "PollStarted", 2, "name=w;1"),
        (74, "InspectionPoint", 2, "label=half, message=way"),
        (80, "PollEnded", 2, "name=w;1"),
        (80, "TaskFailed", 2, "name=w;1, error=ValueError: no, thanks"),
        (90, "AwaitEnded", 1, "name=main, location=app.py:13, function=main, awaiting=task 2"),
        (90, "PollStarted", 1, "name=main"),
        (100, "PollEnded", 1, "name=main"),
        (100, "TaskCompleted", 1, "name=main"),
    ]  # fmt: skip


def tape_of_one() -> tuple[Tape, int, int]:
    tape = Tape()
    code = tape.code("main", 10)
    return tape, code, tape.node(0, code)


def only(tape: Tape, tmp_path: Path) -> Trace:
    return load(tape.write(tmp_path / "x.rec"))


def test_nested_roots_count_inside_the_outer_poll_and_as_their_own(tmp_path: Path) -> None:
    tape, code, node = tape_of_one()
    inner = tape.code("eager", 50)
    at_inner = tape.node(0, inner)
    tape.put(ev.START, 0, coro=1, off=code, node=node, task=1)
    tape.put(ev.START, 10, coro=2, off=inner, node=at_inner, task=2, flags=ev.IS_TASK)
    tape.put(ev.SUSPEND, 15, coro=2, off=2, node=node, task=1)
    tape.put(ev.RETURN, 20, coro=1)
    tape.put(ev.RESUME, 30, coro=2, aux=2, node=at_inner, task=2)
    tape.put(ev.RETURN, 32, coro=2)
    outer, eager = only(tape, tmp_path).tasks
    assert (outer.kind, outer.run_ns, outer.self_ns, outer.polls, outer.parent) == ("driven", 20, 15, 1, None)
    assert (eager.kind, eager.run_ns, eager.self_ns, eager.polls, eager.parent) == ("task", 7, 7, 2, 1)
    assert eager.created_at_first_step


def test_an_item_handed_over_is_no_suspension(tmp_path: Path) -> None:
    tape, code, node = tape_of_one()
    gen = tape.code("gen", 50, kind=ev.CODE_ASYNC_GENERATOR)
    at_gen = tape.node(node, gen)
    tape.put(ev.START, 0, coro=1, off=code, node=node, task=1, flags=ev.IS_TASK)
    tape.put(ev.START, 10, coro=2, aux=1, off=gen, node=at_gen, task=1)
    tape.put(ev.ITEM, 12, coro=2, aux=1, node=node, task=1)
    tape.put(ev.ENTER, 20, coro=2, aux=1, node=at_gen, task=1)
    tape.put(ev.SUSPEND, 22, coro=2, off=2)
    tape.put(ev.LINK, 22, coro=1, aux=2, off=4)
    tape.put(ev.RESUME, 30, coro=1, aux=2, node=at_gen, task=1)
    tape.put(ev.RETURN, 35, coro=2, node=node, task=1)
    tape.put(ev.RETURN, 40, coro=1)
    trace = only(tape, tmp_path)
    assert len(trace.awaits) == 1
    assert trace.segments(1).tolist() == [[10, 12], [20, 22], [30, 35]]
    (main,) = trace.tree
    assert (main.run_ns, main.children[0].run_ns, main.children[0].segments, main.children[0].calls) == (32, 9, 3, 1)
    assert [row.line for row in main.awaits] == [12]


def test_awaiters_stand_where_they_stood(tmp_path: Path) -> None:
    """Only what differs from the last suspension is written; the rest of a chain stands where it stood."""
    tape, code, node = tape_of_one()
    library = tape.code("get", 7, "/w/env/lib/python3.12/site-packages/q.py")
    at = tape.node(node, library)
    tape.put(ev.START, 0, coro=1, off=code, node=node, task=1, flags=ev.IS_TASK)
    tape.put(ev.START, 1, coro=2, aux=1, off=library, node=at, task=1)
    for n, off in enumerate((2, 2, 4)):
        tape.put(ev.SUSPEND, 10 + 10 * n, coro=2, off=off)
        if n == 0:
            tape.put(ev.LINK, 10, coro=1, aux=2, off=6)
        if n == 2:
            tape.put(ev.LINK, 30, coro=1, aux=2, off=8)
        tape.put(ev.RESUME, 15 + 10 * n, coro=1, aux=2, node=at, task=1)
    trace = only(tape, tmp_path)
    assert [trace.place(i) for i in trace.awaits.location.tolist()] == ["app.py:13", "app.py:13", "app.py:14"]
    leaves = [trace.place(i) for i in trace.awaits.leaf_location.tolist()]
    assert leaves == ["site-packages/q.py:8", "site-packages/q.py:8", "site-packages/q.py:9"]
    assert [(a.line, a.count) for a in trace.tree[0].awaits] == [(13, 2), (14, 1)]


@pytest.mark.parametrize(
    ("kind", "flags", "owned", "state", "ended", "event"),
    [
        (ev.RETURN, 0, True, "Completed", True, "TaskCompleted"),
        (ev.RAISE, 0, True, "Failed", True, "TaskFailed"),
        (ev.RETURN, ev.CANCELLED, True, "Cancelled", True, "TaskCancelled"),
        (ev.RAISE, ev.CANCELLED, True, "Cancelled", True, "TaskCancelled"),
        (ev.RAISE, ev.CLOSED, True, "Blocked", False, "StateChanged"),
        (ev.RAISE, ev.CLOSED, False, "Cancelled", True, "TaskCancelled"),
        (ev.VANISH, 0, True, "Blocked", False, "StateChanged"),
    ],
)
def test_ends(kind: int, flags: int, owned: bool, state: str, ended: bool, event: str, tmp_path: Path) -> None:
    tape, code, node = tape_of_one()
    name = tape.string("GeneratorExit")
    tape.put(ev.START, 0, coro=1, off=code, node=node, task=1, flags=ev.IS_TASK if owned else 0)
    tape.put(ev.SUSPEND, 10, coro=1, off=2)
    if kind != ev.VANISH:
        tape.put(ev.THROW, 20, coro=1, aux=name, node=node, task=1)
    tape.put(kind, 25, coro=1, aux=name if kind == ev.RAISE else 0, flags=flags)
    tape.end_ns = 50
    trace = only(tape, tmp_path)
    (task,) = trace.tasks
    assert (task.state, task.ended_ns, task.end_ns) == (state, 25 if ended else None, 25)
    assert told(trace)[-1][1] == event


def test_unfinished_things_end_with_the_recording(tmp_path: Path) -> None:
    tape, code, node = tape_of_one()
    tape.put(ev.SPAWN, 0, coro=1, aux=code)
    tape.put(ev.SPAWN, 5, coro=2, aux=code, flags=ev.NAME_GIVEN)
    tape.text(ev.NAME, b"never", 5, coro=2)
    tape.put(ev.START, 10, coro=1, off=code, node=node, task=1, flags=ev.IS_TASK)
    tape.put(ev.SUSPEND, 20, coro=1, off=4)
    tape.end_ns = 100
    blocked, pending = only(tape, tmp_path).tasks
    assert (blocked.state, blocked.end_ns, blocked.run_ns, blocked.wait_ns) == ("Blocked", 100, 10, 90)
    assert (blocked.await_point, blocked.awaiting) == ("app.py:12", "yield")
    assert (pending.state, pending.name, pending.wait_ns, pending.kind_name) == ("Pending", "never", 95, "main")
    tape.header["lost"] = 3
    assert [task.state for task in only(tape, tmp_path).tasks] == ["Unknown", "Unknown"]
    tape.header["lost"], tape.end_ns = 0, 0
    assert [task.end_ns for task in only(tape, tmp_path).tasks] == [20, 20]  # the last record's time


def test_spawns_that_made_no_task(tmp_path: Path) -> None:
    tape, code, node = tape_of_one()
    tape.put(ev.START, 0, coro=1, off=code, node=node, task=1, flags=ev.IS_TASK)
    tape.put(ev.SPAWN, 1, coro=2, aux=code, node=node, task=1)
    tape.put(ev.VANISH, 2, coro=2, node=node, task=1, flags=ev.NO_TASK)  # create_task failed
    tape.put(ev.SPAWN, 3, coro=3, aux=code, node=node, task=1)
    tape.put(ev.START, 4, coro=3, aux=1, off=code, node=tape.node(node, code), task=1)  # awaited instead
    tape.put(ev.RETURN, 5, coro=3, node=node, task=1)
    tape.put(ev.RETURN, 6, coro=1)
    trace = only(tape, tmp_path)
    assert [task.id for task in trace.tasks] == [1]
    assert len(trace.calls) == 2


def test_older_than_the_recording(tmp_path: Path) -> None:
    tape, code, node = tape_of_one()
    tape.put(ev.START, 40, coro=1, off=code, node=node, task=1, flags=ev.IS_TASK | ev.BEFORE)
    tape.put(ev.RETURN, 60, coro=1)
    trace = only(tape, tmp_path)
    (task,) = trace.tasks
    assert (task.created_before_recording, task.created_ns, task.run_ns, task.wait_ns) == (True, 0, 20, 40)
    assert told(trace)[0][:2] == (0, "TaskSpawned")


def test_threads_run_side_by_side(tmp_path: Path) -> None:
    tape, code, node = tape_of_one()
    tape.put(ev.START, 0, coro=1, off=code, node=node, task=1)
    tape.put(ev.START, 5, coro=2, off=code, node=node, task=2, thread=1)
    tape.put(ev.SUSPEND, 10, coro=1, off=2)
    tape.put(ev.SUSPEND, 10, coro=2, off=4, thread=1)
    tape.put(ev.RESUME, 20, coro=1, aux=1, node=node, task=1)
    tape.put(ev.RETURN, 30, coro=1)
    tape.put(ev.RESUME, 21, coro=2, aux=2, node=node, task=2, thread=1)
    tape.put(ev.RETURN, 25, coro=2, thread=1)
    trace = only(tape, tmp_path)
    assert [(task.run_ns, task.self_ns, task.parent) for task in trace.tasks] == [(20, 20, None), (9, 9, None)]
    times = [row[0] for row in told(trace)]
    assert times == sorted(times)
    assert trace.polls.thread.tolist() == [0, 0, 1, 1]


def test_after_the_cap_all_goes_to_one_node(tmp_path: Path) -> None:
    tape, code, node = tape_of_one()
    tape.put(ev.START, 0, coro=1, off=code, node=node, task=1, flags=ev.IS_TASK)
    tape.put(ev.START, 10, coro=2, aux=1, off=code, node=ev.OTHER_NODE, task=1)
    tape.put(ev.START, 20, coro=3, aux=2, off=code, node=ev.OTHER_NODE, task=1)
    tape.put(ev.SUSPEND, 30, coro=3, off=2)
    tape.put(ev.LINK, 30, coro=2, aux=3, off=4)
    tape.put(ev.LINK, 30, coro=1, aux=2, off=6)
    tape.put(ev.RESUME, 50, coro=1, aux=3, node=ev.OTHER_NODE, task=1)
    trace = only(tape, tmp_path)
    assert {root.function: (root.run_ns, root.wait_ns) for root in trace.tree} == {"main": (10, 0), "(other)": (20, 20)}


def test_nothing_ran(tmp_path: Path) -> None:
    trace = only(Tape(), tmp_path)
    assert (trace.tasks, trace.tree, len(trace.events), trace.meta.duration_ns) == ((), (), 0, 0)


def test_what_must_hold_is_checked(trace: Trace) -> None:
    task = trace.tasks[0].model_dump()
    for change in ({"wait_ns": 61}, {"ready_ns": 61}, {"self_ns": 41}):
        with pytest.raises(ValidationError):
            type(trace.tasks[0])(**{**task, **change})
    node = trace.tree[1].model_dump()
    for wrong in ({"run_ns": 1}, {"wait_ns": 1}, {"awaits": ()}):
        with pytest.raises(ValidationError):
            type(trace.tree[1])(**{**node, **wrong})


def test_a_cost_beyond_the_whole_recording_is_unknown(tmp_path: Path) -> None:
    """Two of 100 callbacks were timed; in the second case one of them waited for its turn at the processor."""
    for timed_ns, cost in (4, 200), (20, 1000), (21, None):
        tape, code, node = tape_of_one()
        tape.header |= {"callbacks": 100, "timed_callbacks": 2, "timed_ns": timed_ns}
        tape.put(ev.START, 0, coro=1, off=code, node=node, task=1, flags=ev.IS_TASK)
        tape.put(ev.RETURN, 1000, coro=1)
        tape.end_ns = 1000
        assert only(tape, tmp_path).meta.cost_ns == cost
