"""What breaks a rule is marked not exact; all else is reported."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from async_inspect import Trace, load
from async_inspect.checks import survey
from async_inspect.formats import FORMATS, writing
from async_inspect.model import merge, stats
from async_inspect.model.invariants import checked, violations
from async_inspect.terminal import summary

from ..samples import kitchen


def changed(table: str, column: str, row: int, value: Callable[[int], int]) -> Callable[[Trace], Trace]:
    def change(trace: Trace) -> Trace:
        before: Any = getattr(trace, table)
        values = getattr(before, column).copy()
        values[row] = value(int(values[row]))
        return replace(trace, **{table: replace(before, **{column: values})})

    return change


# What is wrong -> whose figures it touches; none: only sums.
BROKEN: dict[str, tuple[Callable[[Trace], Trace], int | None]] = {
    "run": (changed("task_table", "run_ns", 2, lambda _: -5), 3),
    "self": (changed("task_table", "self_ns", 2, lambda ns: ns + 10**9), 3),
    "life": (changed("task_table", "end_ns", 2, lambda _: 0), 3),
    "poll": (changed("polls", "end_ns", 1, lambda _: -(10**9)), 1),
    "await": (changed("awaits", "end_ns", 0, lambda _: -7), 1),
    "ready": (changed("awaits", "ready_ns", 0, lambda _: 10**12), 1),
    "call": (changed("calls", "run_ns", 0, lambda _: -3), 1),
    "node": (changed("node_sums", "self_ns", 0, lambda _: -3), 1),
    "line": (changed("line_sums", "wait_ns", 0, lambda ns: ns + 1), None),
    "reference": (changed("awaits", "waker", 1, lambda _: 99), 2),
    "location": (changed("awaits", "location", 0, lambda _: 10**6), 1),
    "function": (changed("task_table", "function", 1, lambda _: -2), 2),
    "moment": (changed("entries", "start_ns", 0, lambda _: -4), 1),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_all_else_is_reported(kind: str, tmp_path: Path) -> None:
    sound = load(kitchen().write(tmp_path / "a.rec"))
    assert checked(sound) is sound
    assert not sound.not_exact
    change, task = BROKEN[kind]
    trace = checked(change(sound))
    assert trace.violations
    marked = [one.id for one in trace.tasks if not one.exact]
    assert marked == ([task] if task else [])
    for one, before in zip(trace.tasks, sound.tasks, strict=True):
        assert 0 <= one.self_ns <= one.run_ns <= one.lifetime_ns
        assert one.wait_ns == one.lifetime_ns - one.run_ns
        if one.exact and kind != "order":
            assert (one.run_ns, one.wait_ns) == (before.run_ns, before.wait_ns)
    assert survey(trace).failed == ()
    assert len(writing.write(trace, tmp_path / "out")) == len(FORMATS)

    data = json.loads((tmp_path / "out" / "data.json").read_text())
    assert [row["id"] for row in data["tasks"] if not row["exact"]] == marked
    assert min(row["run_time_ms"] for row in data["tasks"]) >= 0
    assert data["metadata"]["inexact_tasks"] == len(marked)
    assert [row["rule"] for row in data["metadata"]["violations"]] == [one.rule for one in trace.violations]
    rows = (tmp_path / "out" / "tasks.csv").read_text().splitlines()
    assert sum(row.endswith(",false") for row in rows) == len(marked)
    for format in ("speedscope", "svg", "firefox"):
        assert b"are not exact" in trace.to_bytes(format)
    figures = stats(trace)
    assert (figures.inexact_tasks, figures.violations) == (len(marked), trace.violations)
    out = StringIO()
    summary.render(trace, console=Console(file=out, width=200))
    assert f"not exact: {trace.not_exact}" in out.getvalue()
    assert trace.violations[0].rule in out.getvalue()
    assert "damaged" not in out.getvalue()  # nothing in the file was


def test_marks_go_along(tmp_path: Path) -> None:
    sound = load(kitchen().write(tmp_path / "a.rec"))
    trace = checked(BROKEN["run"][0](sound))
    assert [one.exact for one in trace.filter(task="order-2").tasks] == [False]
    both = merge([sound, trace])
    assert np.flatnonzero(both.task_table.inexact).tolist() == [len(sound.task_table) + 2]
    assert [one.rule for one in both.violations] == [one.rule for one in trace.violations]
    assert both.violations[0].example == f"process 7: {trace.violations[0].example}"


def test_what_no_rule_finds_is_marked_by_who_looks(tmp_path: Path) -> None:
    """A validator's doubt is a mark beside the figures, and not the end of all reports."""
    trace = load(kitchen().write(tmp_path / "a.rec"))
    trace = changed("task_table", "run_ns", 2, lambda _: -5)(trace)  # nobody has checked it
    assert violations(trace)
    assert [one.id for one in trace.tasks if not one.exact] == [3]
    assert trace.to_bytes("json")


def test_rules_that_cannot_be_checked_say_so(tmp_path: Path) -> None:
    trace = load(kitchen().write(tmp_path / "a.rec"))
    trace = checked(changed("calls", "awaiter", 1, lambda _: 10**6)(trace))
    assert "it can be checked (calls, IndexError)" in [one.rule for one in trace.violations]


def test_damaged_is_what_the_reader_found_so(tmp_path: Path) -> None:
    """One statement: that the file is damaged, and then which rules do not hold."""
    sound = load(kitchen().write(tmp_path / "a.rec"))
    said = {}
    for damaged in (1, 3):
        for broken in (False, True):
            trace = checked(BROKEN["run"][0](sound)) if broken else sound
            trace = replace(trace, meta=trace.meta.model_copy(update={"damaged": damaged}))
            out = StringIO()
            summary.render(trace, console=Console(file=out, width=200))
            lines = out.getvalue().splitlines()
            said[damaged, broken] = [line for line in lines if "exact" in line or "nor does this hold" in line]
    one = "no figure is exact: the recording is damaged: 1 record or header field made no sense"
    three = "no figure is exact: the recording is damaged: 3 records or header fields made no sense"
    also = "nor does this hold:"
    assert said == {(1, False): [one], (1, True): [one, also], (3, False): [three], (3, True): [three, also]}
