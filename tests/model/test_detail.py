"""Recordings at the detail "awaits": what both details know is the same, and what it doesn't know is not known."""

import pytest

from async_inspect import load
from async_inspect.model.invariants import violations
from async_inspect.recording.reader import Recording

from ..levels import same
from .conftest import AT_AWAITS, RECORDED


@pytest.mark.parametrize("name", RECORDED)
def test_both_say_the_same(name: str, recorded: dict[str, Recording]) -> None:
    calls, awaits = load(recorded[name].path), load(recorded[name + AT_AWAITS].path)
    assert violations(awaits) == violations(calls) == []
    assert awaits.meta.damaged == 0
    same(calls, awaits)
