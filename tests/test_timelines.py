"""trace.json and trace.pftrace in the programs that read them; CSV in those that read that.

What a real program did, the aiohttp demo, and names that nobody would give.
"""

import asyncio
import csv
import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

import async_inspect
from async_inspect import Trace, load
from async_inspect.formats.shared.timeline import CATEGORIES, FRAME, Timeline, flows, lanes
from async_inspect.model import stats

from . import viewers
from .tools import ROOT, TARGET, TOOL, run

PROGRAM = (str(ROOT / "fixtures" / "aiohttp_demo.py"), "--clients", "6", "--requests", "10")
NAMES = ['a, "b"', "two\r\nlines", "žluťoučký 🐎", "'=1+1", "", " ; ", "tab\there", "\ud800", "x" * 5000]

GUIDE = "SELECT name, dur/1e6 as duration_ms FROM slice WHERE name LIKE '%client%' ORDER BY dur DESC LIMIT 10"
QUESTIONS = (
    "select category, count(*) as n, sum(dur) as ns from slice group by 1 order by 1",
    "select s.name, ts, dur, depth, category, thread.name as track from slice s left join thread_track t"
    " on s.track_id = t.id left join thread using (utid) order by ts, depth, dur, s.name",
    # An eager task begins with its first poll: which of the two an arrow ends at then is the reader's choice.
    "select source.name as source, source.depth, thread.name as track, target.ts from flow"
    " join slice source on source.id = slice_out join slice target on target.id = slice_in"
    " join thread_track t on t.id = target.track_id join thread using (utid) order by 4, 3",
    "select t.name, c.ts, c.value from counter c join counter_track t on t.id = c.track_id order by 1, 2",
    "select thread.name, tid - pid as lane from thread join process using (upid) where tid > pid order by 2",
    "select name, pid from process where pid > 0",
    GUIDE,
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = tmp_path_factory.mktemp("demo")
    made = run([*TOOL, "attach", "-q", "-f", "folded", "--python", TARGET, *PROGRAM], cwd=folder)
    assert made.status == 0, made.stderr
    return made.trace


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """Tasks of odd names, eager ones, one that never ends, deep recursion, inspection points in and out of tasks."""

    async def deep(left: int) -> None:
        if left:
            await deep(left - 1)
        else:
            await asyncio.sleep(0.001)

    async def stream() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    async def main() -> None:
        tasks = [asyncio.create_task(deep(at), name=name) for at, name in enumerate(NAMES)]
        tasks.append(asyncio.Task(deep(3), name="eager", eager_start=True, loop=asyncio.get_running_loop()))
        tasks.append(asyncio.create_task(deep(600), name="deep"))
        async_inspect.inspection_point('here, "now"', "it's\nfine")
        async for _ in stream():
            pass
        await asyncio.gather(*tasks)
        asyncio.get_running_loop().call_soon(async_inspect.inspection_point, "outside")
        failing = asyncio.create_task(asyncio.wait_for(asyncio.sleep(1), 0.001), name="fails")
        await asyncio.gather(failing, return_exceptions=True)

    path = tmp_path_factory.mktemp("odd") / "odd.rec"
    with async_inspect.trace(path):
        asyncio.run(main())
    return load(path)


@pytest.fixture(params=["demo", "odd"])
def trace(request: pytest.FixtureRequest) -> Trace:
    found: Trace = request.getfixturevalue(request.param)
    return found


def expected(trace: Trace) -> dict[str, tuple[int, int]]:
    """By category: how many slices, and how long they are together."""
    tasks, polls, awaits, events = trace.task_table, trace.polls, trace.awaits, trace.events
    timeline = Timeline(trace)
    frames = [
        one.end_ns - one.start_ns
        for number in range(1, len(tasks) + 1)
        for group in timeline.groups(number)
        for one in group
        if one.kind == FRAME
    ]
    count = np.bincount(events.kind, minlength=10)
    found = {
        "task": (len(tasks), int((tasks.end_ns - tasks.created_ns).sum())),
        "poll": (len(polls), int((polls.end_ns - polls.start_ns).sum())),
        "await": (len(awaits), int((awaits.end_ns - awaits.start_ns).sum())),
        "frame": (len(frames), sum(frames)),
        "state": (int(count[[0, 5, 6, 7, 8]].sum()), 0),
        "point": (len(trace.points), 0),
    }
    return {name: row for name, row in found.items() if row[0]}


@pytest.mark.parametrize("format", ["chrome", "perfetto"])
def test_trace_processor_reads_all(format: str, trace: Trace, tmp_path: Path) -> None:
    trace.export(format, tmp_path / "trace")
    questions = (
        QUESTIONS[0],
        "select count(*) as n from flow",
        "select distinct thread.name from slice join thread_track t on t.id = track_id join thread using (utid)",
        "select cast(max(value) as int) as n from counter c join counter_track t on t.id = c.track_id"
        " where t.name = 'tasks waiting'",
        "select ts, dur from slice where category = 'task' order by ts, dur",
        GUIDE,
    )
    slices, (flow,), tracks, (waiting,), tasks, guide = viewers.query(tmp_path / "trace", *questions)
    assert {row["category"]: (row["n"], row["ns"]) for row in slices} == expected(trace)
    assert flow["n"] == len(list(flows(trace))) > 0
    peak = stats(trace).peak_concurrency
    assert {row["name"] for row in tracks} == {f"tasks {number}" for number in range(1, peak + 1)}
    assert 0 < waiting["n"] <= peak
    table = trace.task_table
    lives = sorted(zip(table.created_ns.tolist(), (table.end_ns - table.created_ns).tolist(), strict=True))
    assert [(row["ts"], row["dur"]) for row in tasks] == lives, "to the nanosecond"
    named = [task.lifetime_ns for task in trace.tasks if "client" in task.name]
    assert [round(row["duration_ms"] * 1e6) for row in guide[:1]] == sorted(named)[-1:]


def test_both_say_the_same(trace: Trace, tmp_path: Path) -> None:
    chrome, perfetto = tmp_path / "trace.json", tmp_path / "trace.pftrace"
    trace.export("chrome", chrome)
    trace.export("perfetto", perfetto)
    for ours, theirs in zip(viewers.query(chrome, *QUESTIONS), viewers.query(perfetto, *QUESTIONS), strict=True):
        for row in ours:  # of JSON's escapes trace_processor knows some
            row |= {key: value.replace("\\\\", "\\") for key, value in row.items() if isinstance(value, str)}
        assert ours == theirs


@pytest.mark.parametrize("compress", [False, True])
def test_perfetto_is_small(compress: bool, demo: Trace, tmp_path: Path) -> None:
    demo.export("chrome", tmp_path / "trace.json")
    demo.export("perfetto", tmp_path / "trace.pftrace", compress=compress)
    assert (tmp_path / "trace.pftrace").stat().st_size * 4 < (tmp_path / "trace.json").stat().st_size


def test_compressed_chrome(demo: Trace, tmp_path: Path) -> None:
    demo.export("chrome", tmp_path / "trace.json.gz")
    assert (tmp_path / "trace.json.gz").read_bytes()[:2] == b"\x1f\x8b"
    (slices,) = viewers.query(tmp_path / "trace.json.gz", QUESTIONS[0])
    assert {row["category"]: (row["n"], row["ns"]) for row in slices} == expected(demo)


def test_a_part(demo: Trace, tmp_path: Path) -> None:
    middle = demo.meta.duration_ns / 2e6
    part = demo.filter(since_ms=middle, until_ms=middle + 100, exclude="stdlib")
    for format in ("chrome", "perfetto"):
        part.export(format, tmp_path / format)
        (slices,) = viewers.query(tmp_path / format, QUESTIONS[0])
        assert {row["category"]: (row["n"], row["ns"]) for row in slices} == expected(part)
    said = json.loads((tmp_path / "chrome").read_text(encoding="utf-8"))["otherData"]
    assert said["filter"] == part.meta.filter
    label = "select string_value as text from args where key glob 'chrome.process_label*' order by key"
    (labels,) = viewers.query(tmp_path / "perfetto", label)
    assert {"text": f"filter: {part.meta.filter}"} in labels


def test_catapult(trace: Trace, tmp_path: Path) -> None:
    trace.export("chrome", tmp_path / "trace.json")
    seen = viewers.catapult(tmp_path / "trace.json")
    assert seen["warnings"] == []
    assert {name: seen["slices"][name] for name in CATEGORIES} == {
        name: expected(trace)[name][0] for name in CATEGORIES
    }
    assert seen["flows"] == len(list(flows(trace)))


def test_lanes(trace: Trace) -> None:
    lane, owners = lanes(trace)
    size, table = len(owners), trace.task_table
    assert set(owners) == {trace.meta.pid}
    assert size == stats(trace).peak_concurrency
    for number in range(size):
        rows = [row for row, one in enumerate(lane) if one == number]
        rows.sort(key=lambda row: (int(table.created_ns[row]), int(table.end_ns[row])))
        ends = table.end_ns[rows]
        assert (table.created_ns[rows][1:] >= ends[:-1]).all()


# --- CSV -------------------------------------------------------------------------------------------------------------


def _field(name: str) -> str:
    """As the table has it: what a spreadsheet would take for a formula has an apostrophe before it."""
    text = name.encode("utf-8", "replace").decode()
    return f"'{text}" if text[:1] in tuple("=+-@\t\r\n'") else text


def test_csv(trace: Trace, tmp_path: Path) -> None:
    trace.export("csv", tmp_path / "out")
    text = (tmp_path / "out" / "tasks.csv").read_bytes().decode()
    head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    begin = "id,name,state,created_at_ms,duration_ms,poll_count,run_time_ms,parent_id"
    assert ",".join(head).startswith(begin + ",")
    names = [_field(task.name) for task in trace.tasks]
    assert [row[1] for row in rows] == names
    assert [round(float(row[4]) * 1e6) for row in rows] == [task.lifetime_ns for task in trace.tasks]
    assert {len(row) for row in rows} == {len(head)}
    with (tmp_path / "out" / "events.csv").open(newline="", encoding="utf-8") as file:
        events = list(csv.DictReader(file, strict=True))
    assert list(events[0]) == ["event_id", "task_id", "timestamp_ms", "kind", "details"]
    assert [int(row["event_id"]) for row in events] == list(range(len(trace.events)))
    assert [round(float(row["timestamp_ms"]) * 1e6) for row in events] == trace.events.ts_ns.tolist()


def test_csv_in_pandas(trace: Trace, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    trace.export("csv:tasks", tmp_path / "tasks.csv")
    trace.export("csv:events", tmp_path / "events.csv")
    tasks = pandas.read_csv(tmp_path / "tasks.csv", keep_default_na=False, na_values={"parent_id": [""]})
    events = pandas.read_csv(tmp_path / "events.csv")
    names = [_field(task.name) for task in trace.tasks]
    assert tasks["name"].tolist() == names
    assert (tasks["run_time_ms"] <= tasks["duration_ms"]).all()
    assert tasks["poll_count"].sum() == len(trace.polls)
    assert Counter(tasks["state"]) == Counter(task.state for task in trace.tasks)
    assert len(events) == len(trace.events)
    assert events["timestamp_ms"].is_monotonic_increasing
