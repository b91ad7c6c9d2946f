"""What a writer holds, and what becomes of a file that cannot be finished."""

import subprocess
import tracemalloc
import zlib
from pathlib import Path

import pytest

from async_inspect import events as ev
from async_inspect.formats import FORMATS, writing
from async_inspect.formats.shared import stacks, timeline
from async_inspect.formats.shared.cost import Cost
from async_inspect.model import Trace, load

from ..samples import kitchen
from ..tape import Tape
from ..tools import TOOL, run

TASKS, ROUNDS = 2_000, 12
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """2,000 tasks of twelve polls each: some 100,000 events, whose text takes more than 10 MB."""
    tape = Tape()
    code = tape.code("worker", 10)
    node, future = tape.node(0, code), tape.string("asyncio.Future")
    for task in range(1, TASKS + 1):
        at = task * 1_000_000
        tape.put(ev.START, at, coro=task, off=code, node=node, task=task, flags=ev.IS_TASK)
        for n in range(ROUNDS):
            tape.put(ev.SUSPEND, at + n * 70_000 + 20_000, coro=task, aux=future, off=2 * n)
            tape.put(ev.RESUME, at + n * 70_000 + 70_000, coro=task, aux=task, node=node, task=task)
        tape.put(ev.RETURN, at + ROUNDS * 70_000 + 5_000, coro=task)
    return load(tape.write(tmp_path_factory.mktemp("big") / "big.rec"))


@pytest.mark.parametrize("format", FORMATS)
def test_writing_holds_a_few_megabytes(format: str, big: Trace) -> None:
    assert len(big.events) > 95_000
    size = sum(len(chunk) for chunk in writing.chunks(big, format))  # and what belongs to the trace is there
    tracemalloc.start()
    try:
        for _ in writing.chunks(big, format):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000, f"{peak:,} bytes for a file of {size:,}"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return kitchen().write(tmp_path / "a.rec")


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk(format: str, recording: Path, tmp_path: Path) -> None:
    """To a file: the limit on a file's size stands in for the disk's; the old file stays, and nothing beside it."""
    place = tmp_path / "out"
    place.mkdir()
    (place / "x").write_text("before")
    command = [*TOOL, "export", str(recording), "-f", format, "-o", str(place / "x")]
    done = run([TOOL[0], "-c", LIMITED, *command], cwd=tmp_path)
    assert (done.status, done.stdout, done.stderr) == (1, "", f"async-inspect: {place / 'x'}: File too large\n")
    assert [(path.name, path.read_text()) for path in place.iterdir()] == [("x", "before")]


def test_a_full_stdout(recording: Path, tmp_path: Path) -> None:
    for out in ("-", "/dev/full"):
        with open("/dev/full", "wb") as full:
            command = [*TOOL, "export", str(recording), "-f", "json", "-o", out]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        where = "stdout" if out == "-" else out
        assert (done.returncode, done.stderr) == (1, f"async-inspect: {where}: No space left on device\n")


def ways(bits: int) -> Tape:
    """One task that walks every way through a recursion of two functions, ``bits`` deep; each call runs 1 ms."""
    tape, ms = Tape(), 1_000_000
    codes = [tape.code("left", 1), tape.code("right", 2)]
    root = tape.node(0, codes[0])
    at, coro = [0], [1]
    tape.put(ev.START, 0, coro=1, off=codes[0], node=root, task=1, flags=ev.IS_TASK)

    def down(awaiter: int, node: int, left: int) -> None:
        at[0] += ms
        for code in codes if left else []:
            coro[0] += 1
            below, own = tape.node(node, code), coro[0]
            tape.put(ev.START, at[0], coro=own, aux=awaiter, off=code, node=below, task=1)
            down(own, below, left - 1)
            tape.put(ev.RETURN, at[0], coro=own, node=node, task=1)

    down(1, root, bits)
    tape.put(ev.RETURN, at[0], coro=1)
    return tape


@pytest.mark.parametrize("format", ["folded", "svg", "speedscope", "pprof", "firefox"])
def test_ways_through_a_recursion_are_bounded(format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stacks end where all of them come to so many frames; no time is lost."""
    bits, most = 6, 1 + 1 + 2 * 2 + 4 * 3 + 8 * 4  # the first is the node that stands for others
    whole = load(ways(bits).write(tmp_path / "a.rec"))
    assert stacks.deepest(whole) == bits + 1
    monkeypatch.setattr(stacks, "MOST_FRAMES", most)
    cut = load(tmp_path / "a.rec")
    assert (len(cut.nodes), stacks.deepest(cut)) == (2 ** (bits + 1), 4)
    found = stacks.stacks(cut)
    assert len(found) == 15 + 8  # of each way one to its end, and one that stands for what is deeper
    assert (
        sum(stack.ns for stack in found)
        == sum(stack.ns for stack in stacks.stacks(whole))
        == (len(cut.nodes) - 1) * 10**6
    )
    text = b"".join(writing.chunks(cut, format))
    assert b"(deeper than 4 frames)" in (zlib.decompress(text, 31) if format == "pprof" else text)


def test_what_is_too_deep_is_not_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeline's frames below the bound are left out, those above it are what they were."""
    trace = load(ways(4).write(tmp_path / "a.rec"))

    def frames() -> list[tuple[int, int, int]]:
        slices = (one for group in timeline.Timeline(trace).groups(1) for one in group)
        return [(one.row, one.start_ns, one.end_ns) for one in slices if one.kind == timeline.FRAME]

    all_, depth = frames(), stacks.depths(trace)
    assert (len(all_), timeline.rows(trace).frames) == (31, 31)
    monkeypatch.setattr(timeline, "MAX_FRAMES", 3)
    assert frames() == [frame for frame in all_ if depth[frame[0]] <= 3]
    assert timeline.rows(trace).frames == len(frames()) == 7


def test_calls_without_an_event_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine that calls others which never suspend has next to no events, and as many slices as calls."""
    trace = load(ways(7).write(tmp_path / "a.rec"))
    assert (len(trace.events), len(trace.entries)) == (4, 255)
    monkeypatch.setattr(writing, "MOST", Cost(20_000, 10**9))
    assert [row.name for row in writing.left_out(trace)] == [row.name for row in FORMATS.values() if not row.compact]
    for name in ("chrome", "perfetto"):
        row = FORMATS[name]
        assert row.estimate
        assert row.estimate(trace).us > 255
