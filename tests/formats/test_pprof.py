"""profile.pb.gz, read by Go's own pprof."""

import gzip
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from async_inspect.formats import FORMATS
from async_inspect.model import Trace, load
from async_inspect.model.text import shown_state

from .. import consumers
from ..samples import SAMPLES
from ..tools import run


class Sample(NamedTuple):
    values: tuple[int, ...]  # wall, run, wait, calls
    functions: tuple[str, ...]  # the innermost first
    labels: dict[str, str]


class Raw(NamedTuple):
    text: str
    samples: list[Sample]


def raw(path: Path, folder: Path) -> Raw:
    """What ``pprof -raw`` says of a file."""
    done = run([*consumers.pprof(), "-raw", path], cwd=folder, env={"PPROF_TMPDIR": str(folder), "HOME": str(folder)})
    assert (done.status, done.stderr) == (0, "")
    above, _, rest = done.stdout.partition("\nLocations\n")
    below, _, mappings = rest.partition("\nMappings\n")
    assert mappings.startswith("1: 0x0/0x0/0x0 ")
    functions = {}
    for line in below.splitlines():
        number, _, name = re.fullmatch(r" *(\d+): 0x0 M=(\d+) (.*) \S*:\d+ s=\d+", line).groups()  # type: ignore[union-attr]
        functions[int(number)] = name
    samples: list[Sample] = []
    for line in re.split("wait/nanoseconds(?: calls/count)?\n", above)[1].splitlines():
        if line.startswith("       ") and ":[" in line:
            samples[-1].labels.update(re.findall(r"(\w+):\[(.*?)\](?= \w+:\[|\s*$)", line))
        else:
            values, _, places = line.partition(": ")
            names = tuple(functions[int(number)] for number in places.split())
            samples.append(Sample(tuple(map(int, values.split())), names, {}))
    return Raw(done.stdout, samples)


@pytest.fixture(params=SAMPLES)
def trace(request: pytest.FixtureRequest, tmp_path: Path) -> Trace:
    return load(SAMPLES[request.param]().write(tmp_path / "a.rec"))


def written(trace: Trace, folder: Path, **options: Any) -> Path:
    (folder / "profile.pb.gz").write_bytes(b"".join(FORMATS["pprof"].write(trace, **options)))
    return folder / "profile.pb.gz"


@pytest.mark.parametrize("tasks", ["name", "each", "merged"])
def test_raw(trace: Trace, tasks: str, tmp_path: Path) -> None:
    read = raw(written(trace, tmp_path, tasks=tasks), tmp_path)
    of_calls = " calls/count" * bool(trace.calls_heard.all())  # where they weren't heard, there is no such value
    assert f"wall/nanoseconds[dflt] run/nanoseconds wait/nanoseconds{of_calls}\n" in read.text
    run_ns = sum(task.self_ns for task in trace.tasks)
    wait_ns = int((trace.awaits.end_ns - trace.awaits.start_ns).sum())
    sums = [sum(column) for column in zip(*(sample.values for sample in read.samples), strict=True)]
    assert sums == [run_ns + wait_ns, run_ns, wait_ns, *[int(trace.node_sums.calls.sum())] * bool(of_calls)]
    for sample in read.samples:
        assert (sample.values[2] > 0) == sample.functions[0].startswith("waiting for ")
        assert set(sample.labels) == ({"state"} if tasks == "merged" else {"task", "state"})
    by_state: Counter[str] = Counter()
    for sample in read.samples:
        by_state[sample.labels["state"]] += sample.values[1]
    expected: Counter[str] = Counter()
    for task in trace.tasks:
        expected[shown_state(task.state)] += task.self_ns
    assert +by_state == +expected
    if tasks == "each":
        own: Counter[str] = Counter()
        for sample in read.samples:
            own[sample.labels["task"].partition(":")[0]] += sample.values[1]
        assert +own == +Counter({f"task {task.id}": task.self_ns for task in trace.tasks})


def test_top(tmp_path: Path) -> None:
    path = written(load(SAMPLES["kitchen"]().write(tmp_path / "a.rec")), tmp_path)
    for kind, total, first in (
        ("wall", "220.94ms", "84ms 38.02% 38.02%       84ms 38.02%  waiting for asyncio.Lock at app.py:33"),
        ("wait", "194.96ms", "84ms 43.09% 43.09%       84ms 43.09%  waiting for asyncio.Lock at app.py:33"),
        ("run", "25.98ms", '9.82ms 37.79% 37.79%    14.19ms 54.61%  cook;"hot"'),
        ("calls", "33", "8 24.24% 24.24%         32 96.97%  Kitchen.order"),
    ):
        command = [*consumers.pprof(), "-top", f"-sample_index={kind}", str(path)]
        done = run(command, cwd=tmp_path, env={"PPROF_TMPDIR": str(tmp_path), "HOME": str(tmp_path)})
        assert done.status == 0, done.stderr
        assert f"100% of {total} total" in done.stdout
        assert first in done.stdout


def test_gzip_says_no_time_and_no_name(trace: Trace, tmp_path: Path) -> None:
    data = written(trace, tmp_path).read_bytes()
    assert data[:8] == b"\x1f\x8b\x08" + bytes(5)
    assert len(gzip.decompress(data)) > 100
