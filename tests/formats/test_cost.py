"""What a format says beforehand that it would write, of real recordings."""

import pytest

from async_inspect.formats import FORMATS, writing
from async_inspect.model import load

from ..tools import ROOT, Attach

GROWING = [row for row in FORMATS.values() if not row.compact]
FACTOR = 2.5  # a path's length alone makes so much of a difference
LOADS = {
    "queues_and_locks.py": ("30",),
    "await_chains.py": ("10",),
    "coroutine_calls.py": ("1000",),
}


@pytest.mark.e2e
@pytest.mark.parametrize("load_", LOADS)
def test_sizes_are_known_beforehand(load_: str, attach: Attach) -> None:
    done = attach(ROOT / "fixtures" / "bench" / load_, *LOADS[load_], options=["-q", "-f", "folded"])
    assert done.status == 0
    trace = load(done.folder)
    for row in GROWING:
        assert row.estimate is not None
        size, told = sum(map(len, writing.chunks(trace, row.name))), row.estimate(trace).bytes
        head = 2000  # of which nothing is said
        assert size / FACTOR - head < told < size * FACTOR + head, row.name
    assert writing.growth(trace).bytes == sum(row.estimate(trace).bytes for row in GROWING if row.estimate)
    assert writing.growth(trace).us > 0
