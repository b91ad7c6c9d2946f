"""docs/trust.md is as scripts/trust writes it; nothing is run here, and nothing asked of a network."""

from pathlib import Path

import pytest

from scripts import trust_page
from scripts.trust import STATUS, UNEXPLAINED, Outcome, Place, differences, differing, explained, parse
from scripts.trust_page import Counts, Difference, Page, Run
from scripts.trust_suites import CPYTHON, PROJECTS, QUICK, REASONS, SUITES, Suite

PLACE = Place(Suite("test_x"), "python", "3.13.0", Path())


def test_the_page_is_what_the_script_writes() -> None:
    text = trust_page.PAGE.read_text(encoding="utf-8")
    between = text.partition(trust_page.BEGIN)[2].partition(trust_page.END)[0]
    page = trust_page.read(trust_page.PAGE)
    assert between == page.render()
    assert {run.suite for run in page.runs} <= {suite.name for suite in SUITES}
    versions = {suite.name: suite.version for suite in SUITES}
    assert [run for run in page.runs if run.version != versions[run.suite]] == []


def test_rows_come_back_and_take_the_place_of_older_ones(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    one = Run("test_x", "", "3.13.0", "C", "1 / 0 / 0 / 2", "0 / 1 / 0 / 2", "", "2026-01-01")
    why = Difference("test_x", "3.13.0", "C", "test.test_x.X.test|[a]", "passed", "failed", "because | so")
    other = Run("anyio", "4", "3.13.0", "C", "1,000 / 0 / 0 / 0", "the same", "", "2026-01-01")
    page = Page()
    for run in (one, other):
        page.put(run, [why, why._replace(test="test.test_x.X.also")])
    trust_page.write(page, file)
    again = trust_page.read(file)
    assert (again.runs, again.differences) == ([one, other], [why._replace(test="X.also · X.test|[a]")])
    assert "| CPython's | 3.13.0 | C | 1 | 1 / 0 / 0 / 2 | 0 / 1 / 0 / 2 | 2 |\n" in file.read_text()
    newer = one._replace(python="3.13.9", recorded=trust_page.SAME)
    again.put(newer, [])
    assert (sorted(again.runs), again.differences) == (sorted([newer, other]), [])


def test_each_suite_is_named_once() -> None:
    names = [suite.name for suite in SUITES]
    assert len(set(names)) == len(names)
    assert set(QUICK) <= set(names)
    assert all(suite.version for suite in PROJECTS)
    assert not any(suite.version for suite in CPYTHON)
    assert {reason.suite for reason in REASONS} <= set(names)


def test_how_tests_of_a_junit_file_ended(tmp_path: Path) -> None:
    file = tmp_path / "x.xml"
    file.write_text(
        '<testsuites><testcase classname="tests.a.test_x.TestC" name="test_y[1]" file="tests/a/test_x.py">'
        '<skipped/></testcase><testcase classname="tests.a.test_x" name="test_z" file="tests/a/test_x.py"/>'
        '<testcase classname="tests.a.test_x" name="test_z" file="tests/a/test_x.py"><error/></testcase></testsuites>'
    )
    tests, ids = parse(file, Suite("anyio", "4"))
    assert tests == {"tests.a.test_x.TestC.test_y[1]": "skipped", "tests.a.test_x.test_z": "error"}
    assert list(ids.values()) == ["tests/a/test_x.py::TestC::test_y[1]", "tests/a/test_x.py::test_z"]
    assert Outcome(tests | {STATUS: "1"}, ids).counts == Counts(errors=1, skipped=1)
    file.write_text('<testsuites><testcase name="setUpClass (test.test_x.C)"><failure/></testcase></testsuites>')
    assert parse(file, Suite("test_x")) == (
        {"setUpClass (test.test_x.C)": "failed"},
        {"setUpClass (test.test_x.C)": "test.test_x.C.*"},
    )


@pytest.mark.parametrize(
    ("bare", "recorded", "why"),
    [
        ("pppp", "ffff", ""),
        ("pppp", "fppp", "not again in 3 more"),
        ("pppp", "ffpp", ""),
        ("pppf", "ffpp", "flaky bare: passed 3 of 4, failed 1 of 4"),
    ],
)
def test_what_is_a_difference(bare: str, recorded: str, why: str) -> None:
    ways = {"p": "passed", "f": "failed"}
    runs = [[Outcome({"t": ways[each]}, {"t": "t"}) for each in row] for row in (bare, recorded)]
    assert differing(runs[0][0], runs[1][0]) == ["t"]
    assert [one.why for one in differences(PLACE, "c", ["t"], *runs)] == [why]


def test_what_explains_one() -> None:
    failed, passed = Outcome({"t": "failed"}, {}), Outcome({"t": "passed"}, {})
    assert explained(PLACE, "t", failed, failed) == "the same beside a tool that does nothing"
    assert explained(PLACE, "t", passed, failed) == UNEXPLAINED
    reason = next(reason for reason in REASONS if not reason.pythons)
    place = Place(Suite(reason.suite), "python", "3.14.0", Path())
    name = reason.tests.replace("*", "x")
    assert explained(place, name, Outcome({name: "passed"}, {}), Outcome({name: "failed"}, {})) == reason.why


def test_reasons_are_patterns_of_tests_that_differ() -> None:
    """A reason that explains nothing in the page is one too many."""
    found = trust_page.read(trust_page.PAGE).differences
    idle = [
        reason for reason in REASONS if not any(one.suite == reason.suite and reason.why in one.why for one in found)
    ]
    assert idle == []


def test_many_names_are_folded(tmp_path: Path) -> None:
    names = [f"X.test_{n}" for n in range(trust_page.SHOWN + 1)]
    tests = trust_page.BETWEEN.join(names)
    row = Difference("test_x", "3.13.0", "c", tests, "passed", "failed", "why")
    trust_page.write(Page([], [row]), tmp_path / "page.md")
    assert f"<summary>{len(names)} tests</summary>`X.test_0` · " in (tmp_path / "page.md").read_text(encoding="utf-8")
    assert trust_page.read(tmp_path / "page.md").differences == [row]
