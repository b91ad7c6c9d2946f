"""firefox.json, read by Mozilla's own profiler-cli: its samples and its markers."""

import json
from pathlib import Path
from typing import Any

import pytest

from async_inspect.formats import FORMATS
from async_inspect.model import Trace, load

from .. import consumers
from ..samples import SAMPLES
from ..tape import Tape


def written(trace: Trace, folder: Path, **options: Any) -> Path:
    (folder / "firefox.json").write_bytes(b"".join(FORMATS["firefox"].write(trace, **options)))
    return folder / "firefox.json"


def ns(ms: float) -> int:
    return round(ms * 1e6)


@pytest.mark.parametrize("name", ["kitchen", "unfinished", "deep"])
def test_samples_and_markers(name: str, tmp_path: Path) -> None:
    trace = load(SAMPLES[name]().write(tmp_path / "a.rec"))
    waits = trace.awaits.end_ns - trace.awaits.start_ns
    with consumers.firefox_profiler(written(trace, tmp_path), tmp_path / "home") as ask:
        threads = {row["threadHandle"]: row for row in ask("thread", "list")["threads"]}
        assert len(threads) == 1 + len(trace.tasks)
        tree = ask("thread", "samples-top-down", "--thread", "t-0", "--include-idle")["regularCallTree"]
        assert ns(tree["totalSamples"]) == sum(task.self_ns for task in trace.tasks) + int(waits.sum())
        functions = ask("thread", "functions", "--thread", "t-0", "--include-idle", "--limit", "0")["functions"]
        waited = sum(ns(row["selfSamples"]) for row in functions if row["name"].startswith("waiting for "))
        assert waited == int(waits.sum())

        merged = ask("thread", "markers", "--thread", "t-0", "--limit", "0")
        count = {row["markerName"]: row["count"] for row in merged["byType"]}
        assert count.get("Task") == len(trace.tasks)
        assert count.get("Point", 0) == len(trace.points)
        longest = max(task.lifetime_ns for task in trace.tasks)
        durations = next(row["durationStats"] for row in merged["byType"] if row["markerName"] == "Task")
        assert ns(durations["max"]) == longest

        for handle, row in threads.items():
            if handle != "t-0":
                task = trace.task(int(row["name"].split()[1].rstrip(":")))
                own = ask("thread", "samples-top-down", "--thread", handle, "--include-idle")["regularCallTree"]
                assert ns(own["totalSamples"]) == task.lifetime_ns
                break


def test_nothing_recorded(tmp_path: Path) -> None:
    """A profile of no sample is whole, too."""
    data = json.loads(written(load(Tape().write(tmp_path / "a.rec")), tmp_path).read_bytes())
    assert [thread["samples"]["length"] for thread in data["threads"]] == [0]


@pytest.mark.parametrize("name", SAMPLES)
def test_columns_are_as_long_as_they_say(name: str, tmp_path: Path) -> None:
    """And every index is within its table, every prefix before what stands on it: the profiler doesn't check."""
    trace = load(SAMPLES[name]().write(tmp_path / "a.rec"))
    for thread in json.loads(written(trace, tmp_path).read_bytes())["threads"]:
        for table in thread.values():
            if isinstance(table, dict) and "length" in table:
                for column in table.values():
                    assert not isinstance(column, list) or len(column) == table["length"]
        rows = thread["stackTable"]
        assert all(prefix is None or prefix < at for at, prefix in enumerate(rows["prefix"]))
        assert all(0 <= frame < thread["frameTable"]["length"] for frame in rows["frame"])
        assert all(0 <= text < len(thread["stringArray"]) for text in thread["funcTable"]["name"])
        assert thread["samples"]["time"] == sorted(thread["samples"]["time"])
        assert all(0 <= stack < rows["length"] for stack in thread["samples"]["stack"])


def test_longest(tmp_path: Path) -> None:
    trace = load(SAMPLES["kitchen"]().write(tmp_path / "a.rec"))
    for options, threads in (({"longest": 2}, 3), ({"longest": 0}, 1), ({"max_events": 10}, 2)):
        assert len(json.loads(written(trace, tmp_path, **options).read_bytes())["threads"]) == threads
