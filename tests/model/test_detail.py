"""Recordings at the detail "awaits": what both details know is the same, and what it doesn't know is not known."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from async_inspect import Trace, load
from async_inspect.model.invariants import violations
from async_inspect.recording.reader import Recording

from ..levels import same
from ..tools import examples
from ..tracer import ticks
from ..tracer.test_twins import programs, runner
from .conftest import AT_AWAITS, RECORDED


@pytest.mark.parametrize("name", RECORDED)
def test_both_say_the_same(name: str, recorded: dict[str, Recording]) -> None:
    calls, awaits = load(recorded[name].path), load(recorded[name + AT_AWAITS].path)
    assert violations(awaits) == violations(calls) == []
    assert awaits.meta.damaged == 0
    same(calls, awaits)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_random_programs(tmp_path_factory: pytest.TempPathFactory, source: str) -> None:
    """On both cores: readings of the clock, which counts them, are compared by their order."""
    folder = tmp_path_factory.mktemp("programs")
    for name, core in ticks.CORES.items():
        if core is None:
            pytest.skip("no C core (Debian: apt-get install gcc libc6-dev python3-dev)")
        traces = list[Trace]()
        for detail in ("calls", "awaits"):
            path, space = Path(folder) / f"{name}-{detail}.rec", dict[str, Any]({"__name__": "program"})
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ticks.record(core, runner(source, space), path, sources=ticks.ALL, detail=detail).close()
            traces.append(load(path))
            assert violations(traces[-1]) == []
        same(traces[0], traces[1], times=False)
