"""The processes of a trace with their figures: sums over their tasks."""

import numpy as np

from ...recording.ending import Ending
from ...recording.header import Detail
from .. import tables as t
from ..data import TraceData
from ..entities import Frozen
from ..grouping import counts, known, sums


class ProcessFigures(Frozen):
    """A process of the run."""

    pid: int
    ppid: int | None
    command: str
    python: str
    core: str
    detail: Detail
    start_ns: int
    end_ns: int  # up to when it is known
    ended_ns: int | None  # when the process ended; None: nobody saw it
    ending: Ending
    end_seen: bool
    finished: bool
    tasks: int
    polls: int
    run_ns: int  # of all its tasks; the time of nested ones once
    wait_ns: int  # of all its awaits
    longest_poll_ns: int
    records: int
    lost: int
    missing: int
    damaged: int


def process_figures(trace: TraceData) -> tuple[ProcessFigures, ...]:
    """The figures of all processes, in the order in which they began."""
    size, of_task = len(trace.processes), trace.task_table.process
    polls, awaits, nodes = trace.polls, trace.awaits, trace.node_sums
    of_poll = of_task[polls.task - 1]
    longest = np.zeros(size, np.int64)
    np.maximum.at(longest, of_poll, polls.end_ns - polls.start_ns)
    of_node = np.append(of_task, 0)[nodes.task - 1]  # task 0, which ran in none, has no process of its own
    columns: tuple[t.Ints, ...] = (
        counts(of_task, size),
        counts(of_poll, size),
        sums(of_node, np.where(nodes.task > 0, known(nodes.self_ns), 0), size),
        sums(of_task[awaits.task - 1], awaits.end_ns - awaits.start_ns, size),
        longest,
    )
    figures = zip(trace.processes, *(column.tolist() for column in columns), strict=True)
    return tuple(
        ProcessFigures(
            pid=one.pid,
            ppid=one.ppid,
            command=one.command,
            python=one.python,
            core=one.core,
            detail=one.detail,
            start_ns=one.start_ns,
            end_ns=one.end_ns,
            ended_ns=one.ended_ns,
            ending=one.ending,
            end_seen=one.end_seen,
            finished=one.finished,
            tasks=tasks,
            polls=times,
            run_ns=run,
            wait_ns=wait,
            longest_poll_ns=most,
            records=one.records,
            lost=one.lost,
            missing=one.missing,
            damaged=one.damaged,
        )
        for one, tasks, times, run, wait, most in figures
    )
