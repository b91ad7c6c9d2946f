"""The registry, and what checks say of recordings made by hand: the words, the order, the bounds."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from async_inspect import checks
from async_inspect import events as ev
from async_inspect.checks import Finding, deadlock, runtime_warnings
from async_inspect.errors import UserError
from async_inspect.model import Trace, load
from async_inspect.terminal import findings

from ..samples import SAMPLES, contention
from ..tape import two_tasks
from ..tools import TOOL, Tool, run
from .locks import Locks, crossed


@pytest.mark.parametrize("name", SAMPLES)
def test_words(name: str, tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    trace = load(SAMPLES[name]().write(tmp_path / "a.rec"))
    golden(f"findings/{name}.txt", "".join(f"{line}\n" for line in findings.detailed(checks.run(trace))))


# --- deadlocks -------------------------------------------------------------------------------------------------------


def test_two_locks(tmp_path: Path) -> None:
    (found,) = deadlock.find(crossed().trace(tmp_path, 1_000_030))
    assert found.text == (
        "2 tasks wait for each other, since 30 ns: task 1 (one) at app.py:12 → task 2 (two) at app.py:22 → task 1"
    )
    assert found.evidence == (
        "task 1 (one) waits at app.py:12 for Lock 2 (made at app.py:1), which task 2 (two) took at app.py:21",
        "task 2 (two) waits at app.py:22 for Lock 1 (made at app.py:1), which task 1 (one) took at app.py:11",
    )
    assert (found.severity, found.place, found.task, found.tasks) == ("error", "app.py:12", 1, (1, 2))
    assert found.weight_ns == 2_000_000


def test_one_that_came_apart_by_a_timeout(tmp_path: Path) -> None:
    made = crossed()
    made.throw(1_000_030, 2)
    (found,) = deadlock.find(made.trace(tmp_path, 2_000_000))
    assert found.text.startswith("2 tasks wait for each other, from 30 ns on, for 1.00 ms: task 1 (one)")


def test_one_that_came_apart_at_once_was_none(tmp_path: Path) -> None:
    made = crossed()
    made.throw(1_000_029, 2)
    assert list(deadlock.find(made.trace(tmp_path, 2_000_000))) == []


def test_one_that_came_apart_because_another_gave_the_lock_back_was_none(tmp_path: Path) -> None:
    made = crossed()
    made.give(2_000_000, 0, 0)
    made.tape.put(ev.WAKE, 2_000_000, coro=2)
    made.tape.put(ev.RESUME, 2_000_010, coro=2, aux=22, node=made.inner[1], task=2)
    assert list(deadlock.find(made.trace(tmp_path, 3_000_000))) == []


def test_it_counts_only_while_none_of_them_can_run(tmp_path: Path) -> None:
    made = crossed()
    made.tape.put(ev.WAKE, 5_000_030, coro=2)
    (found,) = deadlock.find(made.trace(tmp_path, 9_000_000))
    assert "from 30 ns on, for 5.00 ms" in found.text


def test_who_waits_behind_a_cycle_is_counted(tmp_path: Path) -> None:
    made = Locks("one", "two", "third")
    made.start(10, 1)
    made.join(12, 1, 2)
    made.start(13, 2)
    made.join(14, 2, 1)
    made.start(15, 3)
    made.join(16, 3, 2)
    (found,) = deadlock.find(made.trace(tmp_path, 100))
    assert found.evidence == (
        "task 1 (one) waits at app.py:13 for task 2 (two)",
        "task 2 (two) waits at app.py:23 for task 1 (one)",
        "behind them waits 1 more task",
    )


# --- the registry ----------------------------------------------------------------------------------------------------


def some(count: int, severity: checks.Severity) -> checks.Check:
    def find(trace: Trace) -> Iterator[Finding]:
        for number in range(count):
            yield Finding(check=severity, severity=severity, text=f"{severity} {number}", weight_ns=number)

    found: checks.Check = SimpleNamespace(NAME=severity, ABOUT="", find=find)
    return found


def test_the_worst_come_first_and_there_is_an_end_to_them(tmp_path: Path) -> None:
    trace = load(two_tasks().write(tmp_path / "a.rec"))
    found = checks.run(trace, [some(3, "hint"), some(25, "warning"), some(1, "error")])
    assert [one.text for one in found] == [
        "error 0",
        *(f"warning {number}" for number in range(24, 14, -1)),
        *("hint 2", "hint 1", "hint 0"),
    ]
    assert [one.more for one in found] == [0] * 10 + [15] + [0] * 3
    assert list(map(str, findings.detailed(found)))[-2:] == ["hint hint: hint 0", "1 error, 25 warnings, 3 hints"]
    assert "    … and 15 more like it" in map(str, findings.detailed(found))
    assert list(map(str, findings.brief(found, "a.rec"))) == [
        "error error: error 0",
        "warning warning: warning 24",
        "warning warning: warning 23",
        "… and 26 more, see async-inspect check a.rec",
    ]
    assert list(findings.brief(checks.run(trace, [some(3, "hint")]), "a.rec")) == []


def test_every_check_says_what_it_looks_for() -> None:
    names = [check.NAME for check in checks.CHECKS]
    assert len(set(names)) == len(names)
    for check in checks.CHECKS:
        text = str(check.__doc__)
        assert "\n" not in check.ABOUT
        for said in ("Looks for: ", "Evidence: ", "Cannot see: "):
            assert said in text, f"{check.NAME} doesn't say {said}"


def test_an_empty_recording(tmp_path: Path) -> None:
    from ..tape import Tape

    tape = Tape()
    tape.end_ns = 10
    assert checks.run(load(tape.write(tmp_path / "a.rec"))) == []


def test_in_any_window(tmp_path: Path) -> None:
    """Parts of a recording are as good as whole ones."""
    trace = load(contention().write(tmp_path / "a.rec"))
    kinds = {cut: {one.check for one in checks.run(trace.filter(since_ms=cut))} for cut in range(1, 160, 6)}
    assert kinds[1] == {"runtime warning", "blocking", "lock across await", "lost lock"}
    assert kinds[157] <= {"runtime warning", "lost lock"}
    before = {cut: {one.check for one in checks.run(trace.filter(until_ms=cut))} for cut in range(1, 160, 6)}
    assert before[1] == set()
    assert checks.run(trace.filter(task="nobody"), [runtime_warnings])[0].check == "runtime warning"


# --- other packages --------------------------------------------------------------------------------------------------

MODULE = '''
"""Looks for tasks that failed."""
from async_inspect.checks import Finding

NAME = "failures"
ABOUT = "tasks that failed"

def find(trace):
    for task in trace.tasks:
        if task.state == "Failed":
            yield Finding(check=NAME, severity="warning", text=f"{task.name} failed", task=task.id)

class Broken:
    NAME = "broken"
    ABOUT = "nothing"

    def find(self, trace):
        raise RuntimeError("no idea")

broken = Broken()
'''


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """The package ``tiny``, with one check: as an installer leaves it on disk."""
    folder = tmp_path / "site"

    def install(entry: str) -> Path:
        info = folder / "tiny-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[{checks.GROUP}]\n{entry}\n", encoding="utf-8")
        (folder / "tiny.py").write_text(MODULE, encoding="utf-8")
        monkeypatch.syspath_prepend(str(folder))
        return folder

    yield install
    sys.modules.pop("tiny", None)


def test_a_check_of_another_package(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    recording = two_tasks().write(tmp_path / "a.rec")
    assert checks.run(load(recording)) == []
    site = tiny("failures = tiny")
    assert [one.text for one in checks.run(load(recording))] == ["w;1 failed"]
    done = run([*TOOL, "check", "a.rec"], cwd=tmp_path, env={"PYTHONPATH": str(site)})
    assert (done.status, done.stdout) == (3, "warning failures: w;1 failed\n1 warning\n")
    summary = run([*TOOL, "stats", "a.rec"], cwd=tmp_path, env={"PYTHONPATH": str(site)})
    assert "warning failures: w;1 failed" in summary.stdout


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("gone = tiny.gone", r"check 'gone' \(tiny.gone\) can't be loaded \(ModuleNotFoundError: No module"),
        ("odd = tiny:NAME", r"check 'odd' \(tiny:NAME\) has no NAME, ABOUT and find"),
        ("bad = tiny:broken", r"the check 'broken' failed \(RuntimeError: no idea\)"),
    ],
)
def test_what_is_wrong_with_it_is_said(entry: str, says: str, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    site = tiny(entry)
    with pytest.raises(UserError, match=says):
        checks.run(load(two_tasks().write(tmp_path / "a.rec")))
    done = run([*TOOL, "stats", "a.rec"], cwd=tmp_path, env={"PYTHONPATH": str(site)})
    assert done.status == 0, "the rest of the summary is there"
    assert "2 tasks" in done.stdout


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command(tool: Tool, tmp_path: Path) -> None:
    contention().write(tmp_path / "bad.rec")
    two_tasks().write(tmp_path / "good.rec")
    made = Locks("careless")
    made.start(10, 1)
    made.take(11, 1, 0)
    made.tape.put(ev.RETURN, 12, coro=1)
    made.trace(tmp_path, 100)
    good, bad, hint = tool("check", "good.rec"), tool("check", "bad.rec"), tool("check", "a.rec")
    assert (good.status, good.stdout) == (0, "nothing found\n")
    assert (bad.status, bad.stdout.splitlines()[-1]) == (3, "2 errors, 1 warning, 2 hints")
    assert (hint.status, hint.stdout.splitlines()[-1]) == (0, "1 hint"), "hints alone are no reason to fail"
    assert tool("check", "gone.rec").status == 1
    told = tool("check", "bad.rec", "--json")
    data = json.loads(told.stdout)
    assert told.status == 3
    assert [one["severity"] for one in data["findings"]] == ["error", "error", "warning", "hint", "hint"]
    assert [row["check"] for row in data["checks"]] == [check.NAME for check in checks.CHECKS]
    assert "1 warning" in tool("check", "bad.rec", "--until", "155").stdout
