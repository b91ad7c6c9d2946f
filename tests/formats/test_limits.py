"""What a writer holds, and what becomes of a file that cannot be finished."""

import subprocess
import tracemalloc
from pathlib import Path

import pytest

from async_inspect import events as ev
from async_inspect.formats import FORMATS, writing
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
