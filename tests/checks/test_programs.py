"""Every program of ``fixtures/findings`` against the truth in its docstring, on both cores.

A row of the truth is a finding: severity, the check's module, the mark of the line that it shows (in comments:
``[first]``), and the kinds of the tasks that it names.  What is not in the table must not be found.
"""

import re
from pathlib import Path

import pytest

from async_inspect import checks
from async_inspect.model.trace import Trace

from ..tools import ROOT, TARGET, Attach, run

PROGRAMS = ROOT / "fixtures" / "findings"
ALL = sorted(path.stem for path in PROGRAMS.glob("*.py"))
MODULES = {check.NAME: str(vars(check)["__name__"]).rpartition(".")[2] for check in checks.CHECKS}

# A machine that is busy with something else makes polls long, too: what blocks there takes longer than that.
SLOW = dict.fromkeys(("blocking", "never_yields"), ("--slow-poll", "400"))

pytestmark = [pytest.mark.e2e, pytest.mark.meaning]


def truth(program: Path) -> list[str]:
    text = program.read_text(encoding="utf-8").split('"""')[1].partition("Truth::\n")[2]
    rows = []
    for line in text.strip().splitlines():
        head, _, tasks = line.strip().partition(" tasks=")
        kinds: list[str] = []
        for item in filter(None, tasks.split(",")):
            kind, _, times = item.partition("*")
            kinds += [kind] * int(times or 1)
        rows.append(f"{head} tasks={','.join(kinds)}")
    return sorted(rows)


def found(trace: Trace, program: Path) -> list[str]:
    marks = {}
    for number, line in enumerate(program.read_text(encoding="utf-8").splitlines(), 1):
        if at := re.search(r"# (\[\w+\])$", line):
            marks[number] = at[1]
    rows = []
    for finding in checks.run(trace):
        if finding.check == checks.no_processor.NAME:  # of the machine, which may be busy
            continue
        file, _, line = (finding.place or "-:0").rpartition(":")
        mark = marks.get(int(line), line) if Path(file).name == program.name else finding.place
        kinds = ",".join(trace.task(task).kind_name for task in finding.tasks)
        rows.append(f"{finding.severity} {MODULES[finding.check]} {mark} tasks={kinds}")
    return sorted(rows)


@pytest.mark.parametrize("name", ALL)
def test_truth_at_awaits(name: str, core: str, attach: Attach) -> None:
    """All but what needs calls; a poll that awaited without end is one that blocked."""
    program = PROGRAMS / f"{name}.py"
    options = ["--quiet", "--detail", "awaits", "-f", "folded", *SLOW.get(name, ())]
    trace = attach(program, core=core, options=options).trace
    of_calls = [MODULES[check.NAME] for check in checks.CHECKS if getattr(check, "OF_CALLS", False)]
    assert all(check.replace("_", " ") in checks.not_looked_for(trace) for check in of_calls if check != "wakeups")
    expected = [row for row in truth(program) if row.split()[1] not in of_calls]
    assert [row for row in found(trace, program) if name != "never_yields" or "blocking" not in row] == expected


@pytest.mark.parametrize("name", ALL)
def test_truth(name: str, core: str, attach: Attach, tmp_path: Path) -> None:
    program = PROGRAMS / f"{name}.py"
    bare = run([TARGET, program], cwd=tmp_path)
    traced = attach(program, core=core, options=["--quiet", "-f", "folded", *SLOW.get(name, ())])
    assert (traced.status, traced.stdout) == (bare.status, bare.stdout)
    assert found(traced.trace, program) == truth(program)
