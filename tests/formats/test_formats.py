"""Each format: its exact shape for a trace made by hand, and that no nanosecond is lost on the way."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from async_inspect import events as ev
from async_inspect.formats import FORMATS, writing
from async_inspect.formats.folded import whole_microseconds
from async_inspect.model import Trace, load

from ..tape import Tape, two_tasks
from ..trees import ran as ran_in


def made(trace: Trace, format: str, **options: Any) -> bytes:
    return b"".join(writing.chunks(trace, format, **options))


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return load(two_tasks().write(tmp_path / "a.rec"))


@pytest.fixture
def long(tmp_path: Path) -> Trace:
    """One task that runs 1.5 µs at a time, and whose function has a name that no format likes."""
    tape = Tape()
    code = tape.code('a;b\n"ü"', 10)
    node = tape.node(0, code)
    tape.put(ev.SPAWN, 0, coro=1, aux=code)
    tape.put(ev.START, 1, coro=1, off=code, node=node, task=1, flags=ev.IS_TASK)
    for n in range(10):
        tape.put(ev.SUSPEND, 1501 + 20_000 * n, coro=1, off=2 * n)
        tape.put(ev.RESUME, 20_001 + 20_000 * n, coro=1, aux=1, node=node, task=1)
    tape.put(ev.RETURN, 201_501, coro=1)
    return load(tape.write(tmp_path / "long.rec"))


@pytest.fixture
def empty(tmp_path: Path) -> Trace:
    return load(Tape().write(tmp_path / "empty.rec"))


@pytest.mark.parametrize("format", FORMATS)
def test_same_trace_same_bytes(format: str, long: Trace, tmp_path: Path) -> None:
    assert made(long, format) == made(load(tmp_path / "long.rec"), format)


def test_json_keys(trace: Trace) -> None:
    data = json.loads(made(trace, "json"))
    assert list(data["tasks"][0])[:8] == [
        "id", "name", "state", "created_at_ms", "duration_ms", "poll_count", "run_time_ms", "parent_id",
    ]  # fmt: skip
    assert list(data["events"][0]) == ["event_id", "task_id", "timestamp_ms", "kind", "details"]
    assert {"version", "timestamp", "total_tasks", "total_events", "duration_ms"} <= set(data["metadata"])
    assert data["metadata"]["timestamp"] == "2023-11-14T22:13:20.123456Z"
    assert (data["metadata"]["total_tasks"], data["metadata"]["total_events"]) == (2, len(data["events"]))
    assert [event["event_id"] for event in data["events"]] == list(range(17))
    work = data["tasks"][1]
    assert (work["name"], work["created_at_ms"], work["duration_ms"], work["parent_id"]) == ("w;1", 3e-5, 5e-5, 1)
    assert (work["run_time_ms"], work["wait_time_ms"], work["error"]) == (2e-5, 3e-5, "ValueError: no, thanks")
    assert [(row["parent"], row["function"]) for row in data["tree"]] == [(None, "main"), (None, "work"), (1, "sleep")]


def test_numbers_are_always_numbers(long: Trace, empty: Trace) -> None:
    for trace in (long, empty):
        for task in json.loads(made(trace, "json"))["tasks"]:
            for key in ("created_at_ms", "duration_ms", "run_time_ms", "wait_time_ms", "poll_count"):
                assert isinstance(task[key], int | float)


def test_folded(long: Trace) -> None:
    lines = made(long, "folded").decode().splitlines()
    assert lines[0] == 'a,b "ü" (app.py:10) 17'  # 11 × 1500 ns
    assert (
        lines[1] == 'a,b "ü" (app.py:10);waiting for its turn at app.py:10 18'
    )  # 18.5 µs, of which the line before had a half
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == 202  # 201.5 µs
    assert len(made(long, "folded", include_polls=False).splitlines()) == 10
    assert len(made(long, "folded", include_awaits=False).splitlines()) == 1
    assert made(long, "folded", min_duration_ms=1) == b""


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**12)))
def test_rounding_loses_nothing(ns: list[int]) -> None:
    whole = list(whole_microseconds(ns))
    assert sum(whole) == (sum(ns) + 500) // 1000
    assert all(abs(micro * 1000 - exact) < 1000 for micro, exact in zip(whole, ns, strict=True))


def speedscope(trace: Trace, **options: Any) -> Any:
    data = json.loads(made(trace, "speedscope", **options))
    for profile in data["profiles"]:
        if profile["type"] == "sampled":
            assert len(profile["samples"]) == len(profile["weights"])
            assert sum(profile["weights"]) == profile["endValue"]
            continue
        open_, now = [], 0
        for event in profile["events"]:
            assert event["at"] >= now
            now = event["at"]
            if event["type"] == "O":
                open_.append(event["frame"])
            else:
                assert open_.pop() == event["frame"]
        assert not open_
        assert now == profile["endValue"]
    return data


def test_speedscope(trace: Trace, long: Trace, empty: Trace) -> None:
    data = speedscope(trace)
    assert data["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert [p["name"] for p in data["profiles"]] == ["wall time", "run time only", "task 1: main", "task 2: w;1"]
    assert [p["endValue"] for p in data["profiles"]] == [60 + 60, 60, 100, 50]
    names = [frame["name"] for frame in data["shared"]["frames"]]
    assert "waiting for timer at app.py:21" in names
    work = [(e["type"], names[e["frame"]], e["at"]) for e in data["profiles"][3]["events"]]
    assert work == [
        ("O", "task 2: w;1", 0),
        ("O", "work", 20),
        ("O", "sleep", 25),
        ("O", "waiting for timer at app.py:21", 30),
        ("C", "waiting for timer at app.py:21", 40),
        ("C", "sleep", 42),
        ("C", "work", 50),
        ("C", "task 2: w;1", 50),
    ]
    assert len(speedscope(long, longest=0)["profiles"]) == 2
    assert len(speedscope(long, max_events=10)["profiles"]) == 2
    assert [p["samples"] for p in speedscope(empty)["profiles"]] == [[], []]


def test_every_format_says_the_same(trace: Trace, long: Trace) -> None:
    for one in (trace, long):
        ran = ran_in(one.tree)
        waited = sum(root.wait_ns for root in one.tree)
        profiles = speedscope(one)["profiles"]
        assert profiles[0]["endValue"] == ran + waited
        assert profiles[1]["endValue"] == ran == int(one.task_table.self_ns.sum())
        data = json.loads(made(one, "json"))
        assert sum(round(row["run_self_ms"] * 1e6) for row in data["tree"]) == ran
        assert sum(round(row["wait_self_ms"] * 1e6) for row in data["tree"]) == waited
