"""The state at one moment as text, for an issue: every task below the task that waits for it, holders, cycles.

Knows how a ``Now`` looks.  Knows nothing of how it is found (``model/figures/moment.py``).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ..model.figures.moment import Now, TaskState
from ..model.kernels import words
from ..model.text import many, ms, short, shown_state
from ..support.names import cleaned

ALIKE = 3  # of tasks in the same state that wait for no task, below the same parent: so many are shown


def lines(now: Now, title: str) -> Iterator[str]:
    """The picture's lines; ``title`` is the first."""
    now = cleaned(now)
    yield title
    if len(now.processes) == 1:
        yield from _process(now, now.tasks)
        return
    of_process: dict[int, list[TaskState]] = defaultdict(list)
    for one in now.tasks:
        of_process[one.process].append(one)
    for at, tasks in of_process.items():
        process = now.processes[at]
        yield ""
        yield f"process {process.pid} ({short(process.command)}) at {ms(process.at_ns)}{process.when}"
        yield from _process(now, tasks)
    if idle := len(now.processes) - len(of_process):
        yield ""
        yield f"{many(idle, 'process')} without a task"


def _process(now: Now, tasks: Sequence[TaskState]) -> Iterator[str]:
    """The lines about one process."""
    states: dict[str, int] = {}
    for one in tasks:
        states[one.state] = states.get(one.state, 0) + 1
    counted = ", ".join(f"{count:,} {shown_state(state)}" for state, count in states.items())
    yield f"{many(len(tasks), 'task')}{': ' * bool(states)}{counted}"
    cycles_here = {one.cycle for one in tasks}
    for number, cycle in enumerate(now.cycles):
        if number in cycles_here:
            around = " → ".join(f"task {task}" for task in (*cycle, cycle[0]))
            yield f"DEADLOCK {number + 1}: {around}"
    yield from _Tree(tasks).lines()


class _Tree:
    """Each task once, below the first task that waits for it; one that is waited for only in a cycle is at the top."""

    def __init__(self, tasks: Sequence[TaskState]) -> None:
        self._tasks = tasks
        self._by_id = {one.task: one for one in tasks}
        waited_for = {task for one in tasks for task in self._below(one)}
        self._roots = [one for one in tasks if one.task not in waited_for]
        self._shown: set[int] = set()

    def _below(self, one: TaskState) -> tuple[int, ...]:
        """The tasks that it waits for, also by way of a lock that they hold."""
        return tuple(dict.fromkeys(task for task in (*one.waits_for, *one.holders) if task in self._by_id))

    def lines(self) -> Iterator[str]:
        yield from self._level(self._roots, "", top=True)
        for one in self._tasks:  # cycles that no other task waits for
            if one.task not in self._shown:
                yield from self._level([one], "", top=True)

    def _level(self, siblings: Sequence[TaskState], margin: str, top: bool = False) -> Iterator[str]:
        """Siblings and all below them; without recursion: chains of tasks may be long."""
        stack: list[tuple[TaskState | str, str, bool, bool]] = [
            (one, margin, top, last) for one, last in reversed(self._thinned(siblings))
        ]
        while stack:
            one, margin, top, last = stack.pop()
            branch, further = ("", "  ") if top else ("└─ ", "   ") if last else ("├─ ", "│  ")
            if top:
                yield ""
            if isinstance(one, str):
                yield f"{margin}{branch}{one}"
                continue
            if one.task in self._shown:
                yield f"{margin}{branch}task {one.task} ({one.name}), shown above"
                continue
            self._shown.add(one.task)
            below = [self._by_id[task] for task in self._below(one)]
            text = self._text(one)
            yield f"{margin}{branch}{text[0]}"
            rest = "│ " if below else "  "
            for line in text[1:]:
                yield f"{margin}{further}{rest}{line}"
            stack += [(child, margin + further, False, end) for child, end in reversed(self._thinned(below))]

    def _thinned(self, siblings: Sequence[TaskState]) -> list[tuple[TaskState | str, bool]]:
        """(task or line of text, whether it is the last): of many similar tasks only ALIKE, then how many more there
        are."""
        alike: dict[object, list[TaskState]] = defaultdict(list)
        for one in siblings:
            alone = one.cycle is not None or one.holds or self._below(one) or one.task in self._shown
            key = one.task if alone else (one.kind_name, one.state, one.stack, one.resource, one.reason)
            alike[key].append(one)
        found: list[TaskState | str] = []
        for group in alike.values():
            shown = group if len(group) <= ALIKE + 1 else group[:ALIKE]
            found += shown
            if more := group[len(shown) :]:
                self._shown |= {one.task for one in more}
                found.append(f"… and {len(more):,} more like task {shown[-1].task} ({shown[-1].kind_name})")
        return [(one, number == len(found)) for number, one in enumerate(found, 1)]

    def _text(self, one: TaskState) -> list[str]:
        """The lines about a task: its state, its stack, what it holds."""
        name = one.name if one.name == one.kind_name or not one.kind_name else f"{one.name}, {one.kind_name}"
        cycle = "" if one.cycle is None else f"  DEADLOCK {one.cycle + 1}"
        least = "at least " * one.at_least
        head = f"task {one.task} ({name})  {shown_state(one.state)} for {least}{ms(one.at_ns - one.since_ns)}"
        reason = why(one)
        return [
            f"{head}{f': {reason}' * bool(reason)}{cycle}",
            *one.stack,
            *(words.hold(hold.resource, hold.place, ms(hold.since_ns)) for hold in one.holds),
        ]


def why(one: TaskState) -> str:
    """Why it waits; "" of one that doesn't."""
    if one.awaiting is None:
        return ""
    timer = None
    if one.due_ns is not None:
        timer = ms(max(0, one.due_ns - one.since_ns)) if one.state == "Blocked" else ""
    return words.why(one.reason or "", one.awaiting, one.resource or "", one.holders, one.task, timer)
