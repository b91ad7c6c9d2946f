"""The folded format's options: what is counted, how frames are named, which tasks are one."""

from pathlib import Path
from typing import Any

import pytest

from async_inspect.errors import UserError
from async_inspect.formats import FORMATS
from async_inspect.model import Trace, load

from ..samples import kitchen
from ..tools import Tool


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return load(kitchen().write(tmp_path / "a.rec"))


def folded(trace: Trace, name: str = "folded", **options: Any) -> dict[str, int]:
    text = b"".join(FORMATS[name].write(trace, **options)).decode()
    lines = [line.rpartition(" ") for line in text.splitlines()]
    return {stack: int(us) for stack, _, us in lines}


def test_weights_are_exact(trace: Trace) -> None:
    run, wait = sum(t.self_ns for t in trace.tasks), int((trace.awaits.end_ns - trace.awaits.start_ns).sum())
    for options, ns in (
        ({}, run + wait),
        ({"weight": "run"}, run),
        ({"weight": "wait"}, wait),
        ({"include_awaits": False}, run),
        ({"include_polls": False}, wait),
        ({"weight": "run", "include_polls": False}, 0),
    ):
        for tasks in ("merged", "name", "each"):
            for frames in ("line", "function"):
                found = folded(trace, **options, tasks=tasks, frames=frames)
                assert sum(found.values()) == (ns + 500) // 1000


def test_frames(trace: Trace) -> None:
    assert "Kitchen.order (app.py:30);Pool.get (site-packages/pool/core.py:7)" in folded(trace)
    named = folded(trace, frames="function")
    assert named["Kitchen.order;Pool.get"] == 5600
    assert named['Kitchen.order;cook,"hot";sleep'] == 4370


def test_tasks(trace: Trace) -> None:
    by_name = {stack.partition(";")[0] for stack in folded(trace, tasks="name")}
    assert by_name == {"main", "order-*", 'a,"b" c,d', "заказ *", "order-* <&>"}
    each = {stack.partition(";")[0] for stack in folded(trace, tasks="each")}
    assert each == {f"task {task.id}: {task.name}".replace(";", ",").replace("\n", " ") for task in trace.tasks}
    one = folded(trace, tasks="each", weight="run")
    assert sum(us for stack, us in one.items() if stack.startswith("task 2:")) == 3100
    merged = folded(trace, tasks="name", weight="run")
    assert sum(us for stack, us in merged.items() if stack.startswith("order-*;")) == 5 * 3100 - 50


def test_min_duration_and_the_filtered_file(trace: Trace) -> None:
    waits = folded(trace, include_polls=False)
    kept = folded(trace, "folded:filtered")
    assert len(waits) == 3
    assert folded(trace, include_polls=False, min_duration_ms=83.5) == {k: v for k, v in waits.items() if v > 83_500}
    assert kept == folded(trace, include_polls=False, include_awaits=True, min_duration_ms=10)


def test_what_is_no_option(trace: Trace, tool: Tool, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="weight=heavy: it is one of wall, run, wait"):
        folded(trace, weight="heavy")
    for word, says in (
        ("wait=1", "no option 'wait=1'; with their defaults they are: weight=wall, include_polls=true"),
        ("weight", "no option 'weight'"),
        ("weight=heavy", "Input should be 'wall', 'run' or 'wait'"),
        ("include_polls=perhaps", "valid boolean"),
    ):
        failed = tool("export", tmp_path, "-f", "folded", "-o", "-", "-O", word)
        assert (failed.status, failed.stdout, failed.stderr.count("\n")) == (2, "", 1)
        assert says in failed.stderr


def test_options_on_the_command_line(trace: Trace, tool: Tool, tmp_path: Path) -> None:
    options = {
        "weight": "wait",
        "include-polls": "no",
        "min_duration_ms": "27.9",
        "frames": "function",
        "tasks": "name",
    }
    words = [part for item in options.items() for part in ("-O", "=".join(item))]
    done = tool("export", tmp_path / "a.rec", "-f", "folded", "-o", "-", *words)
    assert (done.status, done.stderr) == (0, "")
    meant = folded(trace, weight="wait", min_duration_ms=27.9, frames="function", tasks="name")
    assert {line.rpartition(" ")[0] for line in done.stdout.splitlines()} == set(meant)
    assert 0 < len(meant) < len(folded(trace, weight="wait", tasks="name"))
