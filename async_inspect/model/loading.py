"""Loading recordings as TraceData: one, or all of a run; whole, or a part.

Knows which recordings are read, in which window of time, and which are left out, as they are unreadable or too many.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from .. import events as ev
from ..errors import USAGE, UserError
from ..recording import ending
from ..recording.header import LATEST, Head
from ..recording.reader import Recording
from ..recording.runs import heads, of_processes, run_at
from ..recording.slots import Slots
from ..support.files import open_regular
from ..support.memory import available
from ..support.settings import Rule
from . import metadata
from .building.builder import Builder
from .building.tasks import Moments
from .data import TraceData
from .entities import LeftOut
from .filters import ALL, Filter, Window, narrowed
from .transform import select
from .transform.merge import merge

# Of several processes: those that would exceed one of these are left out, and named.
MOST_RECORDS: Final = 50_000_000
MOST_PROCESSES: Final = 1_000  # with records
_BYTES: Final = 100  # of memory that a record takes while tables are built of it: mostly 75 to 140
_AT_A_TIME: Final = 1 << 17  # slots of a file

type Progress = Callable[[int, int], None]  # (done, in all): slots, each of which is read, and then built of


def load_data(
    path: str | os.PathLike[str],
    progress: Progress | None = None,
    wanted: Filter | None = None,
    rules: Iterable[Rule] = (),
) -> TraceData:
    """The data of the recording at ``path``: a file's alone; a folder's (that of ``attach -o``, or one of recordings)
    newest run, with all its processes.

    ``progress`` is called with (what was done, what there is to do in all).  ``wanted``: only this part.  ``rules``:
    the user's rules for reasons, which take precedence.  UserError: there is no recording, or none that can be read."""
    return load_run_data(run_at(path), path, progress, wanted, rules)


def load_run_data(
    run: Sequence[Head],
    place: str | os.PathLike[str],
    progress: Progress | None = None,
    wanted: Filter | None = None,
    rules: Iterable[Rule] = (),
) -> TraceData:
    """The data of a run's recordings, given in the order in which they began.  ``place``: the path they came from."""
    filters = (wanted,) if wanted else ()
    chosen = of_processes(run, wanted.pid if wanted else ())
    clock_ns = min((one.header.start_ns for one in run if one.header.start_ns), default=LATEST)
    trace = _read(chosen, clock_ns, narrowed(filters), run[0].first("cwd"), progress)
    if len(run) > 1 and (len(trace.processes) > 1 or trace.left_out):
        trace = replace(trace, meta=trace.meta.model_copy(update={"path": str(place)}))
    trace = replace(trace, rules=tuple(rules))
    return select.filtered(trace, wanted) if wanted else trace


def narrow(trace: TraceData, wanted: Filter) -> TraceData:
    """A part of a trace.  UserError: it needs the recording (for a window or a process), and that is gone."""
    if wanted.window_ns != ALL or wanted.pid:
        before = trace.meta.filters
        paths = [*(Path(one.path) for one in trace.processes), *(Path(one.path) for one in trace.left_out)]
        run = heads(paths)
        if len(run) < len(paths):
            raise UserError(f"{next(path for path in paths if path not in {one.path for one in run})}: is gone")
        window = narrowed([*before, wanted])
        again = _read(of_processes(run, wanted.pid), trace.meta.clock_ns, window, trace.meta.cwd, None)
        meta = again.meta.model_copy(update={"path": trace.meta.path})
        trace = replace(again, meta=meta, rules=trace.rules)
        for one in before:
            trace = select.filtered(trace, one)
    return select.filtered(trace, wanted)


def _read(run: Sequence[Head], clock_ns: int, window_ns: Window, cwd: str, progress: Progress | None) -> TraceData:
    """Read these recordings.  ``clock_ns``: the time 0 of the window."""
    total = 2 * sum(one.header.flushed for one in run)
    done = 0

    def report_progress(slots: int) -> None:
        nonlocal done
        done += slots
        if progress:
            progress(done, max(done, total))

    since, until = window_ns
    parts: list[TraceData] = []
    left_out: list[LeftOut] = []
    records = busy = 0
    for one in _in_window(run, clock_ns, window_ns):
        if parts and _is_idle(one):
            parts.append(_idle(parts[0], one, cwd))
            continue
        busy += 1
        if parts and records + one.header.flushed > MOST_RECORDS:
            left_out.append(_left_out(one, f"as there are more than {MOST_RECORDS:,} in all"))
        elif busy > MOST_PROCESSES:
            left_out.append(_left_out(one, f"as more than {MOST_PROCESSES:,} processes had any"))
        else:
            later = max(one.header.start_ns - clock_ns, 0)  # one that does not say when it began
            own = max(0, since - later), None if until is None else until - later
            try:
                _fits(one, own)
                parts.append(read(one.path, own, cwd, report_progress))
                records += one.header.flushed
            except UserError as error:
                if len(run) == 1:
                    raise
                left_out.append(_left_out(one, f"as it can't be read: {error.message}"))
    if not parts:
        raise UserError(left_out[0].why if left_out else "no process was there in this window", USAGE)
    return replace(merge(parts, min(clock_ns, *(part.meta.clock_ns for part in parts))), left_out=tuple(left_out))


def read(path: Path, window_ns: Window, cwd: str, report_progress: Callable[[int], object] = int) -> TraceData:
    """The data of one recording.  ``report_progress`` is called with the number of slots just read, and then with that
    of those of which the tables have just been built; each comes twice in all."""
    with Recording(path, at_most=_AT_A_TIME) as recording:
        builder = Builder(recording, window_ns, cwd)
        last: list[Slots] = []  # that may have to be cut
        for slots in recording.drain():
            if ending.may_end_in(slots):
                for one in last:
                    builder.feed(one)
                last = []
            last.append(slots)
            report_progress(len(slots))
        left = sum(map(len, last))
        if ending.ending(recording) in ending.BROKEN_OFF:
            left, last_ts = ending.sure(last)
            builder.note_time(last_ts)
        for slots in last:
            builder.feed(slots[:left])
            left -= min(left, len(slots))
        del last
        built = 0

        def report_built(part: float) -> None:
            nonlocal built
            done = int(part * recording.count)
            report_progress(done - built)
            built = done

        data = builder.data(last=True, report=report_built)
        report_built(1.0)
        return data


def _fits(one: Head, window_ns: Window) -> None:
    """UserError where a recording would take more memory than there is: the system would end us without a word."""
    header, (_, until) = one.header, window_ns
    lasts = header.end_ns - header.start_ns
    shown = min(until, lasts) / lasts if until is not None and lasts > 0 else 1.0 if until is None else 0.0
    needed, there = int(header.flushed * shown * _BYTES), available()
    if there is not None and needed > there:
        raise UserError(
            f"{one.path}: {header.flushed:,} records take about {needed / 1e9:.1f} GB of memory, and there are "
            f"{there / 1e9:.1f}; take its first part: --until MS (what is before --since is read, too)"
        )


def _is_idle(one: Head) -> bool:
    """Whether it has ended without any events, as many short child processes have."""
    header = one.header
    if header.state == ev.RUNNING or header.flushed or header.tail_size > ev.TAIL_SIZE:
        return False
    with open(open_regular(one.path), "rb") as file:
        file.seek(header.header_size)
        data = file.read(header.tail_size)
    if header.lost or len(data) < header.tail_size:
        return False
    kinds = np.frombuffer(data, np.uint8)[header.slot_size - 1 :: header.slot_size] % ev.LONG
    return not (kinds >= ev.FIRST_EVENT).any()


def _idle(other: TraceData, one: Head, cwd: str) -> TraceData:
    """The data of a recording without events; ``other``: any TraceData, whose tables are emptied."""
    header = one.header
    moments = Moments(header.start_ns, max(header.end_ns, header.start_ns), 0)
    ended = metadata.Ended(
        ending.ending_of(header, one.meta, cut=False),
        moments.end - moments.base if header.end_ns else None,
        missing=0,
        damaged=header.faults,
    )
    meta = metadata.metadata(one, one.detail, 0, moments, ended, cwd)
    process = metadata.process(one, one.detail, 0, moments, ended)
    return replace(select.nothing(other), violations=(), meta=meta, processes=(process,))


def _in_window(run: Sequence[Head], clock_ns: int, window_ns: Window) -> list[Head]:
    """The recordings that overlap the window; if none does, those that had begun by its end."""
    since, until = window_ns
    begun = [one for one in run if until is None or one.header.start_ns < clock_ns + until]
    return [one for one in begun if not 0 < one.header.end_ns < clock_ns + since] or begun


def _left_out(one: Head, why: str) -> LeftOut:
    return LeftOut(pid=one.header.pid, path=str(one.path), records=one.header.flushed, why=why)
