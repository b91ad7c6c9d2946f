"""What runs beside the view: what came of it is lines, however it ended."""

import json
import time
from pathlib import Path

import pytest

from async_inspect import checks
from async_inspect.model import load
from async_inspect.terminal.findings import detailed
from async_inspect.tui.background import Findings, finding_lines

from ..samples import SAMPLES
from ..support.test_settings import again_and_again

RULE = '[[tool.async-inspect.reasons]]\nfile = "app.py"\nfunctions = ["main"]\nreason = "my wait"\n'


def asked(recording: Path) -> list[tuple[str, str]]:
    """What the checks said, when they are over."""
    findings = Findings(recording)
    assert findings.lines == [("the checks have not run yet", "dim")]
    while not findings.age:
        findings.poll(wanted=True)
        time.sleep(0.01)
    return findings.lines


def test_findings_are_those_of_check(tmp_path: Path) -> None:
    recording = SAMPLES["contention"]().write(tmp_path / "a.rec")
    found = checks.run(load(recording))
    lines = asked(recording)
    assert [line for line, _ in lines] == [str(line) for line in detailed(found)][:-1]
    assert [style for _, style in lines if style != "dim"][:2] == ["bad", "bad"]


def test_findings_go_by_the_users_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = again_and_again().write(tmp_path / "a.rec")
    (tmp_path / "pyproject.toml").write_text(RULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert "my wait" in asked(recording)[0][0]


def test_checks_that_could_not_run_are_a_line(tmp_path: Path) -> None:
    ((line, style),) = asked(tmp_path / "gone.rec")
    assert ("gone.rec" in line, style) == (True, "bad")


@pytest.mark.parametrize("out", ["", "{", "[]", "{}", '{"findings": [{"check": 1}], "failed": []}'])
def test_checks_that_died_are_a_line(out: str) -> None:
    assert finding_lines(-9, out, "") == [("the checks ended with status -9", "bad")]
    assert finding_lines(1, out, "no\n memory\n") == [("no memory", "bad")]


def test_a_check_that_failed_is_a_line_below_the_others() -> None:
    one = {"check": "deadlock", "severity": "error", "text": "tasks wait", "place": "app.py:3", "evidence": ["a", "b"]}
    out = json.dumps({"findings": [one | {"more": 2}], "failed": ["the check 'x' failed"]})
    assert finding_lines(3, out, "") == [
        ("error deadlock: tasks wait  app.py:3", "bad"),
        ("    a", "dim"),
        ("    b", "dim"),
        ("    … and 2 more like it", "dim"),
        ("the check 'x' failed", "bad"),
    ]
    assert finding_lines(0, json.dumps({"findings": [], "failed": []}), "") == [("nothing was found", "good")]
