"""Whatever allocation of the C core's fails: the program ends as it does bare, and what was not recorded is counted."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import failing

pytestmark = [
    pytest.mark.tracer,
    pytest.mark.timeout(1800),  # a thousand runs of a program: the longest test of all on a debug build
    pytest.mark.skipif(sys.platform != "linux", reason="the core is wrapped by GNU ld"),
]


@pytest.fixture(scope="module")
def wrapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return failing.build(tmp_path_factory.mktemp("failing"))
    except OSError as error:
        pytest.skip(f"no C compiler ({error}; Debian: apt-get install gcc libc6-dev python3-dev)")
    except subprocess.CalledProcessError as error:
        if "Python.h" in error.stderr:
            pytest.skip("no Python.h (Debian: apt-get install python3-dev)")
        raise AssertionError(error.stderr) from error


def tries(wrapped: Path) -> Iterator[dict[str, Any]]:
    every = os.environ.get("TEST_FAILING", "10")
    command = [sys.executable, "-m", failing.__name__, str(wrapped), every]
    with subprocess.Popen(command, cwd=failing.HERE.parents[1], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield from map(json.loads, child.stdout)
    assert child.returncode == 0


def test_each_allocation_that_fails_costs_records_alone(wrapped: Path) -> None:
    each = tries(wrapped)
    bare = next(each)["bare"]
    whole = next(each)
    assert bare["status"] == "0" and "got [0, 1, 2]" in bare["output"]
    assert {key: whole[key] for key in bare} == bare
    assert whole["lost"] == 0 and whole["text"]
    counts = {"not started": 0, "lost": 0, "nothing lost": 0}
    for one in each:
        where = f"{wrapped} {one}"
        assert one["ended"] == 0 and "broken" not in one, where
        assert {key: one[key] for key in bare} == bare, where
        assert not one["active"] and not one["events"], where
        if not one["started"]:
            assert one["error"] in ("MemoryError", "OSError", "BlockingIOError"), where
            counts["not started"] += 1
        elif one["same"]:
            counts["nothing lost"] += 1
        else:
            assert one["lost"], where
            counts["lost"] += 1
    print(f"\n{whole['asked']} allocations; tries: {counts}")
    assert min(counts.values()) > 0
