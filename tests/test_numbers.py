"""The numbers of a program whose waits are known: ``fixtures/programs/known_waits.py``.

A sleep is never shorter than asked for, so what is known are lower bounds; upper ones would depend on the machine.
"""

import json

import pytest

from .tools import PROGRAMS, Attach, Tool

MS = 1_000_000

pytestmark = [pytest.mark.e2e, pytest.mark.meaning]


def test_known_waits(core: str, attach: Attach, tool: Tool) -> None:
    done = attach(PROGRAMS / "known_waits.py", core=core, options=["-f", "json"])
    trace = done.trace
    main, *sleepers = trace.tasks[:4]
    assert main.kind_name == "main"
    assert [task.kind_name for task in sleepers] == ["sleeper"] * 3
    # Each of them waits as long as it sleeps, in the order of its sleep, and main for the longest.
    for task, asked in zip(sleepers, (100, 200, 300), strict=True):
        assert asked * MS <= task.wait_ns < main.lifetime_ns
    assert main.wait_ns >= 400 * MS
    assert main.run_ns >= 50 * MS
    assert sum(task.wait_ns for task in sleepers) >= 600 * MS
    # Where: on the lines that sleep and gather, and nothing is lost on the way from the tasks to the tree.
    source = (PROGRAMS / "known_waits.py").read_text(encoding="utf-8").splitlines()
    marks = {number: line.rpartition("# [")[2].rstrip("]") for number, line in enumerate(source, 1) if "# [" in line}
    waited = {
        (root.function, marks[row.line]): (row.count, row.wait_ns)
        for root in trace.tree
        for row in root.awaits
        if root.user
    }
    assert {place: count for place, (count, _) in waited.items()} == {
        ("main", "gather"): 1,
        ("main", "own"): 1,
        ("sleeper", "sleep"): 3,
    }
    assert waited["main", "gather"][1] >= 300 * MS
    assert waited["main", "own"][1] >= 100 * MS
    assert waited["sleeper", "sleep"][1] >= 600 * MS
    # A task also waits before its first poll; the rest of its wait is what its lines say.
    first_polls = {
        int(trace.polls.task[row]): int(trace.polls.start_ns[row]) for row in reversed(range(len(trace.polls)))
    }
    for task in trace.tasks:
        suspended = sum(
            int(trace.awaits.end_ns[row] - trace.awaits.start_ns[row])
            for row in range(len(trace.awaits))
            if trace.awaits.task[row] == task.id
        )
        assert task.wait_ns == suspended + first_polls[task.id] - task.created_ns
    # The same in data.json, in milliseconds.
    data = json.loads((done.folder / "data.json").read_text(encoding="utf-8"))
    assert [row["run_time_ms"] for row in data["tasks"]] == pytest.approx([task.run_ns / MS for task in trace.tasks])
    assert [row["duration_ms"] for row in data["tasks"]] == pytest.approx(
        [task.lifetime_ns / MS for task in trace.tasks]
    )


def test_a_program_without_coroutines(core: str, attach: Attach) -> None:
    done = attach(PROGRAMS / "synchronous.py", core=core)
    assert (done.status, done.stdout) == (0, "45\n")
    assert "no tasks" in done.stderr.lower()
    assert done.trace.tasks == ()
    data = json.loads((done.folder / "data.json").read_text(encoding="utf-8"))
    assert (data["tasks"], data["events"], data["metadata"]["total_tasks"]) == ([], [], 0)
