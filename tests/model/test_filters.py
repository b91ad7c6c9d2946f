"""Parts of a trace: what is in them, and that what must hold of a trace holds of each."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import async_inspect
from async_inspect import events as ev
from async_inspect.errors import UserError
from async_inspect.model import Trace, load
from async_inspect.model.filters import Filter
from async_inspect.model.invariants import violations

from ..tape import Tape, two_tasks
from ..tools import examples
from ..trees import ran
from .test_invariants import guarded


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return load(two_tasks().write(tmp_path / "a.rec"))


def ms(ns: int) -> float:
    return ns / 1e6


def sound(trace: Trace) -> Trace:
    assert violations(trace) == [] and trace.violations == ()
    for task in trace.tasks:
        trace.task_tree(task.id)
    for event in range(len(trace.events)):
        trace.details(event)
    assert ran(trace.tree) == int(trace.task_table.self_ns.sum())
    assert sum(root.wait_ns for root in trace.tree) == int((trace.awaits.end_ns - trace.awaits.start_ns).sum())
    return trace


def test_tasks(trace: Trace) -> None:
    for part in (trace.filter(task="w*"), trace.filter(state="failed"), trace.filter(state=("Failed", "Blocked"))):
        (work,) = sound(part).tasks
        assert (work.id, work.name, work.parent, work.run_ns, work.wait_ns) == (1, "w;1", None, 20, 30)
        assert [part.details(event) for event in range(2)][0].startswith("name=w;1, parent=None")
        assert len(part.points) == 1
    main = sound(trace.filter(min_duration_ms=ms(51)))
    assert [task.name for task in main.tasks] == ["main"]
    assert main.awaiting(0) == "a task that is filtered out"
    assert main.task(1).run_ns == trace.task(1).run_ns
    assert len(sound(trace.filter(task="nobody")).tasks) == 0
    assert trace.filter(task="*").tasks == trace.tasks


@pytest.mark.parametrize("word", ["Waiting", "waiting", "Blocked", "BLOCKED"])
def test_a_task_that_awaits_is_found_by_both_words(trace: Trace, word: str) -> None:
    part = trace.filter(until_ms=ms(65))
    assert [task.name for task in part.filter(state=word).tasks] == [task.name for task in part.tasks]
    assert not trace.filter(state=word).tasks


def test_until_is_as_if_it_had_ended_then(trace: Trace) -> None:
    part = sound(trace.filter(until_ms=ms(65)))
    assert part.meta.duration_ns == 65
    assert [(task.state, task.end_ns, task.run_ns, task.wait_ns) for task in part.tasks] == [
        ("Blocked", 65, 30, 35),
        ("Blocked", 65, 10, 25),
    ]
    assert part.task(2).await_point == "app.py:21"
    assert len(part.points) == 0


def test_since_clips(trace: Trace) -> None:
    part = sound(trace.filter(since_ms=ms(65)))
    main, work = part.tasks
    assert (main.created_ns, main.created_before_recording, main.run_ns, main.wait_ns, main.polls) == (
        65,
        True,
        10,
        25,
        1,
    )
    assert (work.created_ns, work.run_ns, work.wait_ns, work.polls, work.state) == (65, 10, 5, 1, "Failed")
    assert part.awaits.start_ns.tolist() == [65, 65]
    assert [task.name for task in sound(trace.filter(since_ms=ms(80))).tasks] == ["main"]
    assert len(sound(trace.filter(since_ms=ms(105))).tasks) == 0


def test_parts_of_a_part_in_which_the_last_task_never_ran(tmp_path: Path) -> None:
    tape = Tape()
    codes = tape.code("main", 10), tape.code("work", 20)
    future = tape.string("asyncio.Future")
    for id, code in enumerate(codes, 1):
        tape.put(ev.START, 10 * id, coro=id, off=code, node=tape.node(0, code), task=id, flags=ev.IS_TASK)
        tape.put(ev.SUSPEND, 10 * id + 5, coro=id, aux=future, off=2)
    tape.put(ev.RESUME, 40, coro=1, aux=1, node=1, task=1)
    tape.put(ev.RETURN, 50, coro=1)
    tape.end_ns = 60
    part = sound(load(tape.write(tmp_path / "a.rec")).filter(since_ms=ms(30)))
    assert part.entries.first_poll.tolist() == [0, 1], "of no polls, the first is after all"
    (work,) = sound(part.filter(task="work")).tasks
    assert (work.polls, work.run_ns, work.wait_ns) == (0, 0, 30)
    (main,) = sound(part.filter(task="main")).tasks
    assert (main.polls, main.run_ns, main.wait_ns) == (1, 10, 10)
    assert sound(part.filter(exclude="stdlib")).calls.run_ns.tolist() == [10, 0]


def test_windows_add_up(trace: Trace) -> None:
    for cut in range(1, 110):
        parts = trace.filter(until_ms=ms(cut)), trace.filter(since_ms=ms(cut))
        for part in parts:
            sound(part)
        for column in ("run_ns", "self_ns"):
            assert sum(getattr(part.task_table, column).sum() for part in parts) == 60
        assert sum((part.awaits.end_ns - part.awaits.start_ns).sum() for part in parts) == 60


def test_frames(trace: Trace) -> None:
    part = sound(trace.filter(exclude="stdlib"))
    (work,) = (root for root in part.tree if root.function == "work")
    assert (work.children, work.run_self_ns, work.wait_self_ns) == ((), 30 - 10, 10)
    assert [row.line for row in work.awaits] == [21]
    assert len(part.calls) == 2
    (work,) = (root for root in trace.tree if root.function == "work")
    assert len(work.children) == 1
    for globs in ("asyncio", "asyncio.tasks", "<stdlib>", "<stdlib>/asyncio/*", "*/tasks.py", "asyncio.t*"):
        assert trace.filter(exclude=globs).tree == part.tree, globs
    assert trace.filter(include="app.py").tree == trace.filter(include=("app",)).tree == part.tree
    only = sound(trace.filter(include="stdlib"))
    assert [root.function for root in only.tree] == ["work"], "a root stays where something passes"
    assert len(sound(trace.filter(exclude="*")).tasks) == 0


def test_it_says_so(trace: Trace) -> None:
    part = trace.filter(task=["w*", "x y"], since_ms=ms(20)).filter(exclude="stdlib").filter(until_ms=ms(75))
    assert part.meta.filter == "--task 'w*' --task 'x y' --since 2e-05 --exclude stdlib --until 7.5e-05"
    assert (part.task(1).created_ns, part.task(1).end_ns, part.task(1).run_ns) == (30, 75, 15)
    assert trace.meta.filter == ""


def test_what_makes_no_sense(trace: Trace) -> None:
    for words in ({"state": "lost"}, {"since_ms": 3, "until_ms": 2}, {"min_duration_ms": -1}):
        with pytest.raises(UserError):
            trace.filter(**words)
    with pytest.raises(UserError, match="nothing is between"):
        trace.filter(since_ms=1).filter(until_ms=1)
    Path(trace.meta.path).unlink()
    assert len(trace.filter(task="w*").tasks) == 1
    with pytest.raises(UserError):
        trace.filter(since_ms=1)


@pytest.mark.tracer
@settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.integers(0, 7), max_size=10), at=st.floats(0, 1), data=st.data())
def test_of_any_program(plan: list[int], at: float, data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    path.unlink(missing_ok=True)
    with async_inspect.trace(path):
        asyncio.run(guarded(plan))
    trace = load(path)
    cut = ms(max(1, int(trace.meta.duration_ns * at)))
    globs = st.sampled_from(["stdlib", "asyncio.tasks", "tests.*", "*test_invariants*", "*"])
    some = st.lists(globs, max_size=1).map(tuple)
    wanted = Filter(
        since_ms=data.draw(st.sampled_from([None, cut])),
        task=data.draw(st.sampled_from([(), ("step",), ("guarded",)])),
        state=data.draw(st.sampled_from([(), ("Failed", "Cancelled")])),
        include=data.draw(some),
        exclude=data.draw(some),
    )
    for words in (wanted, wanted.model_copy(update={"since_ms": None, "until_ms": cut})):
        sound(trace.narrowed(words))
    before, after = trace.filter(until_ms=cut), trace.filter(since_ms=cut)
    sound(after.filter(task="step"))
    for column in ("run_ns", "self_ns"):
        whole = getattr(trace.task_table, column).sum()
        assert getattr(before.task_table, column).sum() + getattr(after.task_table, column).sum() == whole
