"""No false alarm: programs in which nothing is wrong, though much goes on in them.

Hints are no alarms.  How long polls last is the machine's matter, so what blocks is not asked for here.
"""

from importlib.util import find_spec
from pathlib import Path

import pytest

from async_inspect import checks

from ..tools import ROOT, Attach

pytestmark = pytest.mark.meaning

PATIENT = ("--quiet", "-f", "folded", "--slow-poll", "5000")
# What they do on purpose, and say so: drop coroutines and tasks, fail unheard, leave locks to tasks that are over (for
# which others wait for long enough to be an alarm where the machine is slow).
ON_PURPOSE = {"runtime warning", "lost lock"}
SUITES = ("locks", "queues", "taskgroups", "timeouts", "waitfor", "futures")


def test_an_aiohttp_server_under_load(core: str, attach: Attach) -> None:
    traced = attach(ROOT / "fixtures" / "aiohttp_demo.py", "--clients", "12", core=core, options=PATIENT)
    assert traced.status == 0
    assert len(traced.trace.tasks) > 1000
    assert checks.serious(checks.run(traced.trace)) == []


def has_own_tests() -> bool:
    """Some distributions leave them out."""
    try:
        return find_spec("test.test_asyncio") is not None
    except ImportError:
        return False


@pytest.mark.parametrize("suites", [SUITES])
def test_pythons_own_tests_of_asyncio(suites: tuple[str, ...], core: str, attach: Attach, tmp_path: Path) -> None:
    if not has_own_tests():
        pytest.skip("this Python comes without its own tests (Debian: libpython3-testsuite)")
    program = tmp_path / "suites.py"
    names = [f"test.test_asyncio.test_{name}" for name in suites]
    program.write_text(f"import unittest\nunittest.main(None, argv=['', *{names!r}])\n", encoding="utf-8")
    traced = attach(program, core=core, options=PATIENT)
    assert traced.status == 0, traced.stderr[-3000:]
    found = checks.run(traced.trace)
    assert {one.check for one in checks.serious(found)} <= ON_PURPOSE
    assert len(traced.trace.tasks) > 300
