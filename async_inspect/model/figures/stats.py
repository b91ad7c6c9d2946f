"""Figures of a whole trace: what summaries and ``stats`` show.

Knows how to count and sort.  Knows nothing of how figures look.
"""

import numpy as np
import numpy.typing as npt

from ...recording.ending import Ending
from .. import tables as t
from ..data import TraceData
from ..entities import Frozen, Violation
from ..grouping import counts, exact_sum, group, known, sums, sums_if_known
from ..reasons import coded
from . import unfinished
from .cancelled_waits import CancelledWaitFigures, cancelled_wait_figures
from .distribution import Distribution, spread
from .long_polls import BlockingPoll, PollFigures, blocking_polls, longest_polls, slow_polls
from .processes import ProcessFigures, process_figures
from .runtime_warnings import RuntimeWarningFigures, runtime_warning_figures
from .waiting import (
    ReadyDelay,
    ReadyFigures,
    ResourceFigures,
    ready_places,
    resource_figures,
    resources_used,
    top_ready,
    worst_ready,
)


class AwaitFigures(Frozen):
    """An await point, with what was waited for there."""

    place: str  # "file:line"
    function: str
    reasons: tuple[str, ...]  # why it waited (reasons.py), and where that isn't known, the type of what was awaited
    user: bool
    wait: Distribution


class ReasonFigures(Frozen):
    """All waits for one reason; those for which it isn't known under ""."""

    reason: str
    wait: Distribution


class CoroutineFigures(Frozen):
    """A function over all its nodes; what it awaits isn't counted as its own."""

    function: str
    place: str
    user: bool
    calls: int | None  # None: not known, of an async generator that began for an awaiter (detail "awaits")
    run_self_ns: int
    wait_self_ns: int
    divided: bool  # False: it is a root, and its run is that of its polls, with all that it awaited (detail "awaits")


class Stats(Frozen):
    """The figures that ``stats`` prints."""

    duration_ns: int  # up to when it is known
    ending: Ending  # why no further
    processes: tuple[ProcessFigures, ...]
    tasks: int
    tasks_by_state: dict[str, int]  # in the order of tables.STATES, without zeros
    peak_concurrency: int  # tasks alive at once
    run_ns: int  # of all tasks; the time of nested ones once
    polls: Distribution
    awaits: Distribution
    task_lifetimes: Distribution
    top_awaits: tuple[AwaitFigures, ...]  # by wait
    top_awaits_in_all: int  # of which those are the first rows; so of each list that is cut
    reasons: tuple[ReasonFigures, ...]  # by wait, all there are
    top_coroutines: tuple[CoroutineFigures, ...]  # by run
    top_coroutines_in_all: int
    longest_polls: tuple[PollFigures, ...]
    longest_polls_in_all: int
    worst_ready: ReadyDelay | None  # the longest time for which a task could have run and did not
    top_ready: tuple[ReadyFigures, ...]  # by how long tasks could have run for sure
    top_ready_in_all: int
    resources: tuple[ResourceFigures, ...]  # by wait
    resources_in_all: int
    cuts: tuple[CancelledWaitFigures, ...]  # by wait, all there are
    slow_poll_ns: int  # from here on a poll is called blocking
    blocking: Distribution  # those that are
    blocking_polls: tuple[BlockingPoll, ...]  # the longest of them
    blocking_polls_in_all: int
    runtime_warnings: tuple[RuntimeWarningFigures, ...]  # all there are, most often first
    events: int
    records: int
    lost: int  # records that were due and not written; at least, where ``ending`` says that it broke off
    missing: int  # slots that files had and have no more, or of which a part is missing; at least
    damaged: int  # invalid records and header fields
    inexact: tuple[str, ...]  # why no figure is exact; none: they are
    inexact_tasks: int  # whose figures are not exact: and so no sum over them is
    violations: tuple[Violation, ...]  # why
    callbacks: int
    tracer_cost_ns: int | None
    core: str
    python: str
    detail: str  # "awaits": how polls divide over coroutines is not known; "calls, awaits": of some processes


def stats(trace: TraceData, top: int = 10, slow_poll_ms: float | None = None) -> Stats:
    """The figures of a trace; ``top`` rows of each ranking.

    ``slow_poll_ms``: from where on a poll is called blocking; None: as the recording says.
    """
    slow_ns = trace.meta.slow_poll_ns if slow_poll_ms is None else round(slow_poll_ms * 1e6)
    slow = slow_polls(trace, slow_ns)
    tasks, polls, awaits, meta = trace.task_table, trace.polls, trace.awaits, trace.meta
    states = counts(tasks.state.astype(np.int64), len(t.STATES)).tolist()
    going = unfinished.polls(trace)
    return Stats(
        duration_ns=meta.duration_ns,
        ending=meta.ending,
        processes=process_figures(trace),
        tasks=len(tasks),
        tasks_by_state={name: n for name, n in zip(t.STATES, states, strict=True) if n},
        peak_concurrency=peak(tasks.created_ns, tasks.end_ns),
        run_ns=exact_sum(known(trace.node_sums.self_ns)),
        polls=spread(polls.end_ns - polls.start_ns, going),
        awaits=spread(awaits.end_ns - awaits.start_ns, unfinished.awaits(trace)),
        task_lifetimes=spread(tasks.end_ns - tasks.created_ns, unfinished.tasks(trace)),
        top_awaits=top_awaits(trace, top),
        top_awaits_in_all=len(np.unique(awaits.location)),
        reasons=by_reason(trace),
        top_coroutines=(ran := top_coroutines(trace))[:top],
        top_coroutines_in_all=len(ran),
        longest_polls=longest_polls(trace, top),
        longest_polls_in_all=len(polls),
        worst_ready=worst_ready(trace),
        top_ready=top_ready(trace, top),
        top_ready_in_all=ready_places(trace),
        resources=resource_figures(trace, top),
        resources_in_all=resources_used(trace),
        cuts=cancelled_wait_figures(trace),
        slow_poll_ns=slow_ns,
        blocking=spread(polls.end_ns[slow] - polls.start_ns[slow], going[slow]),
        blocking_polls=blocking_polls(trace, slow[:top]),
        blocking_polls_in_all=len(slow),
        runtime_warnings=runtime_warning_figures(trace),
        events=trace.event_count,
        records=meta.records,
        lost=meta.lost,
        missing=meta.missing,
        damaged=meta.damaged,
        inexact=trace.inexact,
        inexact_tasks=int(tasks.inexact.sum()),
        violations=trace.violations,
        callbacks=meta.callbacks,
        tracer_cost_ns=meta.cost_ns,
        core=meta.core,
        python=meta.python,
        detail=meta.detail,
    )


def peak(start: t.Ints, end: t.Ints) -> int:
    """How many spans overlapped at most; one that ends at a moment does not overlap one that begins then."""
    if not len(start):
        return 0
    times = np.concatenate([end, start])
    step = np.repeat([-1, 1], len(start))
    alive = np.cumsum(step[np.argsort(times, kind="stable")])
    return int(max(alive.max(), 1))


def top_awaits(trace: TraceData, top: int) -> tuple[AwaitFigures, ...]:
    """The await points with the longest wait in all."""
    awaits = trace.awaits
    (location,), which = group(awaits.location)
    wait, going = awaits.end_ns - awaits.start_ns, unfinished.awaits(trace)
    total = sums(which, wait, len(location))
    found = []
    for row in np.argsort(-total, kind="stable")[:top].tolist():
        of_row = which == row
        frame = trace.frame(int(location[row]))
        found.append(
            AwaitFigures(
                place=trace.place(int(location[row])) or "?",
                function=frame.function.name,
                user=frame.function.user,
                reasons=_why(trace, of_row),
                wait=spread(wait[of_row], going[of_row]),
            )
        )
    return tuple(found)


def _why(trace: TraceData, rows: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """The reasons of these awaits, most waited for first; for unknown ones the short name of the type."""
    (words, codes), awaits = coded(trace), trace.awaits
    why = np.where(codes[rows] > 0, codes[rows], -1 - awaits.awaited[rows])
    distinct, which = np.unique(why, return_inverse=True)
    total = sums(which, (awaits.end_ns - awaits.start_ns)[rows], len(distinct))
    names = [words[n] if n > 0 else trace.strings[-1 - n].rpartition(".")[2] for n in distinct.tolist()]
    return tuple(names[i] for i in np.argsort(-total, kind="stable").tolist())


def by_reason(trace: TraceData) -> tuple[ReasonFigures, ...]:
    """All waits by reason, the longest total first."""
    words, codes = coded(trace)
    wait, going = trace.awaits.end_ns - trace.awaits.start_ns, unfinished.awaits(trace)
    total = sums(codes, wait, len(words))
    found = [code for code in np.argsort(-total, kind="stable").tolist() if (codes == code).any()]
    parts = [(words[code], codes == code) for code in found]
    return tuple(ReasonFigures(reason=word, wait=spread(wait[of_row], going[of_row])) for word, of_row in parts)


def top_coroutines(trace: TraceData) -> tuple[CoroutineFigures, ...]:
    """The functions of which it is known how long they ran, by that, longest first."""
    table, nodes = trace.node_sums, trace.nodes
    rows = np.flatnonzero(table.node >= 0)
    node = table.node[rows]
    # What isn't divided is its root's; and so are, then, the root's other figures.
    made = np.append(nodes.function, -1)[node] == _row_of(trace.functions, t.NOT_DIVIDED)
    node = np.where(made, nodes.parent[node], node)
    undivided = (made | ~trace.calls_heard[table.task[rows]]).astype(np.int64)
    function, size = nodes.function[node], len(trace.functions) + 1  # the last: those after the cap, -1
    key = undivided * size + function % size
    run, wait = (sums(key, known(column[rows]), 2 * size) for column in (table.self_ns, table.wait_ns))
    own = np.flatnonzero((undivided == 0) | ((nodes.parent[node] < 0) & ~made))
    calls = sums_if_known(key[own], table.calls[rows[own]], 2 * size)
    found = []
    for row in np.argsort(-run, kind="stable").tolist():
        divided, at = row < size, row % size
        if at < size - 1 and (run[row] or calls[row]):
            made_in = trace.functions[at]
            found.append(
                CoroutineFigures(
                    function=made_in.name,
                    place=f"{made_in.file}:{made_in.line}",
                    user=made_in.user,
                    calls=int(calls[row]) if calls[row] >= 0 else None,
                    run_self_ns=int(run[row]),
                    wait_self_ns=int(wait[row]),
                    divided=divided,
                )
            )
    return tuple(found)


def _row_of(functions: tuple[t.Function, ...], function: t.Function) -> int:
    """-2: it is not there."""
    return functions.index(function) if function in functions else -2
