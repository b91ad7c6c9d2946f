"""Shared by the tests of the cores: each of the two as a module of this very process."""

import types

import pytest

from . import ticks


@pytest.fixture(params=ticks.CORES)
def core_module(request: pytest.FixtureRequest) -> types.ModuleType:
    """A core (``_core.pyi``); the C one is skipped where there is none."""
    core = ticks.CORES[request.param]
    if core is None:
        pytest.skip("no C core (Debian: apt-get install gcc libc6-dev python3-dev)")
    return core
