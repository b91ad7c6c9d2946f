"""Every format of recordings made by hand, byte for byte; and that the same time is in all of them."""

import csv
import gzip
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from async_inspect import Trace, load
from async_inspect._version import __version__
from async_inspect.formats import FORMATS, writing

from .. import report
from ..samples import SAMPLES
from .test_svg import SVG


@pytest.fixture(params=SAMPLES)
def trace(request: pytest.FixtureRequest, tmp_path: Path) -> Trace:
    return load(SAMPLES[request.param]().write(tmp_path / f"{request.param}.rec"))


def written(trace: Trace, format: str) -> bytes:
    return b"".join(writing.chunks(trace, format))


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda row: row.name)
def test_golden(format: Any, trace: Trace, golden: Callable[[str, str], None]) -> None:
    """Binary formats as a dump of their bytes, without the compression, which is not ours; of the page its data."""
    data, file = written(trace, format.name), format.file
    if format.name == "html":
        data, file = report.text(data).encode(), "report.html.txt"
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    folder = Path("formats") / Path(trace.meta.path).stem
    try:
        text = data.decode()
        assert "\0" not in text
    except (UnicodeDecodeError, AssertionError):
        lines = (data[at : at + 32].hex(" ", 4) for at in range(0, len(data), 32))
        golden(str(folder / f"{file}.hex"), "\n".join(lines) + "\n")
    else:
        golden(str(folder / file), text.replace(__version__, "VERSION"))
    assert str(Path.cwd()) not in data.decode(errors="replace")


# --- conservation ----------------------------------------------------------------------------------------------------


def of_json(trace: Trace) -> tuple[int, int]:
    rows = json.loads(written(trace, "json"))["tree"]
    return sum(round((r["run_self_ms"] or 0) * 1e6) for r in rows), sum(round(r["wait_self_ms"] * 1e6) for r in rows)


def of_speedscope(trace: Trace) -> tuple[int, int]:
    wall, run, *_ = json.loads(written(trace, "speedscope"))["profiles"]
    return sum(run["weights"]), sum(wall["weights"]) - sum(run["weights"])


def of_firefox(trace: Trace) -> tuple[int, int]:
    thread = json.loads(written(trace, "firefox"))["threads"][0]
    total = [0, 0, 0]
    for stack, weight in zip(thread["samples"]["stack"], thread["samples"]["weight"], strict=True):
        total[thread["stackTable"]["category"][stack]] += round(weight * 1e6)
    return total[1], total[2]


def of_pprof(trace: Trace) -> tuple[int, int]:
    """The samples' second and third values, taken from the bytes."""
    run = wait = 0
    for field, sample in fields(gzip.decompress(written(trace, "pprof"))):
        if field == 2:
            values = next(value for number, value in fields(sample) if number == 2)
            _, ran, waited, *_ = varints(values)
            run, wait = run + ran, wait + waited
    return run, wait


def fields(data: bytes) -> list[tuple[int, bytes]]:
    """The length-delimited fields of a Protocol Buffers message."""
    found, at = [], 0
    while at < len(data):
        (tag, at), start = varint(data, at), at
        value, at = varint(data, at)
        assert at > start
        if tag & 7 == 2:
            found.append((tag >> 3, data[at : at + value]))
            at += value
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def varints(data: bytes) -> list[int]:
    found, at = [], 0
    while at < len(data):
        value, at = varint(data, at)
        found.append(value)
    return found


@pytest.mark.parametrize("of", [of_json, of_speedscope, of_firefox, of_pprof])
def test_every_nanosecond_is_in_every_format(of: Callable[[Trace], tuple[int, int]], trace: Trace) -> None:
    ran, waited = int(trace.task_table.self_ns.sum()), int((trace.awaits.end_ns - trace.awaits.start_ns).sum())
    assert of(trace) == (ran, waited)


def test_whole_microseconds_are_those_of_the_exact_sum(trace: Trace) -> None:
    ran, waited = int(trace.task_table.self_ns.sum()), int((trace.awaits.end_ns - trace.awaits.start_ns).sum())
    lines = written(trace, "folded").decode().splitlines()
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == (ran + waited + 500) // 1000
    groups = [g for g in ET.fromstring(written(trace, "svg")).iter(f"{SVG}g") if g.get("class") == "f"]
    if groups:
        assert int(groups[0].attrib["data-r"]) + int(groups[0].attrib["data-w"]) == (ran + waited + 500) // 1000


def test_tables_and_timelines_have_every_nanosecond(trace: Trace) -> None:
    tasks, polls, awaits = trace.task_table, trace.polls, trace.awaits
    rows = list(csv.DictReader(io.StringIO(written(trace, "csv:tasks").decode())))
    ns = [(round(float(row["run_time_ms"]) * 1e6), round(float(row["wait_time_ms"]) * 1e6)) for row in rows]
    lives = tasks.end_ns - tasks.created_ns
    assert ns == list(zip(tasks.run_ns.tolist(), (lives - tasks.run_ns).tolist(), strict=True))
    slices = [e for e in json.loads(written(trace, "chrome"))["traceEvents"] if e["ph"] == "X"]
    for category, exact in (
        ("task", lives),
        ("poll", polls.end_ns - polls.start_ns),
        ("await", awaits.end_ns - awaits.start_ns),
    ):
        found = [round(e["dur"] * 1000) for e in slices if e["cat"] == category]
        assert sorted(found) == sorted(exact.tolist()), category
