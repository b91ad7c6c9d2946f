"""What programs of fixtures/ say of themselves, in their docstrings, against what a recording of them says.

A row of ``Why::`` is an await: the task's name, the mark of its line, the reason, who woke it (``task:NAME`` or what
did), the resource with the mark of the line where that was made; "-" is what is not known, or not there.  Rows of one
task are in order.  ``Holds::`` are the locks that were taken, in order: who, which, the mark of the line.  ``Awaits::``
are the tasks that a task awaited, directly or by way of what gathers them.  ``Tasks::`` are all that are the program's:
name, whose child, kind, how it ended.
"""

import re
from pathlib import Path

from async_inspect.model import Trace
from async_inspect.model.invariants import violations

RUNTIMES_OWN = (
    "Runner.init",  # trio's
    "EntryQueue.task",
    "BaseEventLoop.shutdown_asyncgens",
    "BaseEventLoop.shutdown_default_executor",
)


class Program:
    """What a program says of itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        source = self.path.read_text(encoding="utf-8")
        self.text = source.split('"""')[1]
        numbered = enumerate(source.splitlines(), 1)
        self.marks = {n: mark[1] for n, line in numbered if (mark := re.search(r"# \[(\w+)\]$", line))}

    def rows(self, title: str) -> list[list[str]]:
        _, _, rest = self.text.partition(f"{title}::\n\n")
        return [line.split() for line in rest.partition("\n\n")[0].splitlines()]

    def mark(self, place: str | None) -> str:
        """The mark of "file:line"; "-" outside of the program."""
        file, _, line = (place or "").rpartition(":")
        return self.marks.get(int(line), f"line_{line}") if Path(file).name == self.path.name else "-"

    def resource(self, shown: str | None) -> str:
        """ "Lock 4 of a Condition (made at x.py:5)" → Lock_of_a_Condition[mark]"""
        if shown is None:
            return "-"
        kind, _, made = shown.rstrip(")").partition(" (made at ")
        return f"{re.sub(r' [0-9]+', '', kind).replace(' ', '_')}[{self.mark(made)}]"


def name_of(trace: Trace, number: int | None) -> str:
    return trace.task(number).name if number else "-"


def whys(trace: Trace, program: Program) -> list[list[str]]:
    found = []
    for row in range(len(trace.awaits)):
        one = trace.await_at(row)
        if program.mark(one.await_point) != "-":
            woken = f"task:{name_of(trace, one.waker)}" if one.woken_by == "task" else one.woken_by or "-"
            reason = (one.reason or "-").replace(" ", "_")
            mark, resource = program.mark(one.await_point), program.resource(one.resource)
            found.append([name_of(trace, one.task), mark, reason, woken, resource])
    return found


def holds(trace: Trace, program: Program) -> list[list[str]]:
    table = trace.holds
    return [
        [
            name_of(trace, int(table.task[row])),
            program.resource(trace.resource(int(table.resource[row]))),
            program.mark(trace.place(int(table.location[row]))),
        ]
        for row in range(len(table))
    ]


def tasks(trace: Trace) -> list[list[str]]:
    """Those that a runtime makes for itself are left out."""
    own = {task.id for task in trace.tasks if task.kind_name in RUNTIMES_OWN}
    return [
        [task.name, "-" if task.parent in own else name_of(trace, task.parent), task.kind, task.state]
        for task in trace.tasks
        if task.id not in own
    ]


def check(program: Program, trace: Trace) -> None:
    assert violations(trace) == []
    assert sorted(whys(trace, program)) == sorted(program.rows("Why"))
    mine = {task.id: task.name for task in trace.tasks}
    for name in set(mine.values()):  # of one task: in order
        assert [row for row in whys(trace, program) if row[0] == name] == [
            row for row in program.rows("Why") if row[0] == name
        ]
    if said := program.rows("Holds"):
        assert holds(trace, program) == said
        assert trace.holds.ended.all()
    if said := program.rows("Tasks"):
        assert sorted(tasks(trace)) == sorted(said)
    for who, *awaited in program.rows("Awaits"):
        assert {task.name for task in trace.tasks if who in map(mine.get, task.awaiters)} == set(awaited)
