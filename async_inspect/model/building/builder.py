"""The Builder: recording to TraceData, calling the other modules of this folder in order.

``Builder.feed`` takes the records, at once or in parts; ``Builder.data`` builds the tables.  (The live view has a model
of its own, ``live/``; the meaning of records is in ``kernels/``, for both.)
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ... import events as ev
from ...recording import ending as en
from ...recording.header import Head
from ...recording.reader import Recording
from ...recording.slots import Slots
from .. import metadata
from .. import tables as t
from ..data import TraceData
from ..figures import cancelled_waits
from ..filters import ALL, Window
from ..grouping import Ints, Whole, counts, find, narrow, sums
from ..invariants import checked
from ..kernels import words
from ..kernels.awaiters import Chains, OfFrames
from ..kernels.locations import NOWHERE, UNKNOWN
from ..kernels.states import SWALLOWED
from ..reasons import covering
from ..transform import select
from . import resources
from .awaits import Suspensions, find_awaits
from .calls import codes_and_nodes, find_calls
from .chains import Graph, climb, find_leaves
from .ends import Ends, find_ends
from .locations import Places, Sites
from .node_sums import SelfTimes, self_times, sum_nodes, sum_roots
from .polls import PollSpans, find_polls
from .scan import Columns, RecordColumns
from .side_tables import SIDE_TABLES, Known
from .tasks import Bools, Moments, TaskIds, find_tasks
from .wakes import Waking, find_selects
from .wrappers import Stacks, about


class Builder:
    """Builds the data of one recording, from the slots that its ``refresh`` returns."""

    def __init__(self, recording: Recording, window_ns: Window = ALL, cwd: str | None = None) -> None:
        """``window_ns``: (since, until), the part of the recording that is wanted; None: to its end.  ``cwd``: the
        folder to which files are shown relative, by default the recording's own."""
        self._recording = recording
        self._window = window_ns
        self._cwd = recording.first("cwd") if cwd is None else cwd
        self._records = RecordColumns(recording.header.start_ns, window_ns)
        self._last_ts = 0  # time of the last record that is known of, also if it was not fed

    def feed(self, slots: Slots) -> None:
        """Add the next slots; takes time linear in their number."""
        self._records.feed(slots)

    def note_time(self, ts: int) -> None:
        """Note the time of a record that isn't fed, since a part of it is missing."""
        self._last_ts = max(self._last_ts, ts)

    def data(self, last: bool = False, report: Callable[[float], object] = float) -> TraceData:
        """The tables of what was fed; unfinished things end at the recording's end if all records up to there were fed,
        else at the last record (``recording/ending.py``).  ``last``: what was fed is forgotten as it is used, which
        takes half the memory; it is not to be called again.  ``report`` is called with the part of it that is
        done, 0 to 1."""
        recording, records = self._recording, self._records
        moments, broken_off, ended = self._known()

        def step(done: float, **over: tuple[str, ...]) -> None:
            report(done)
            if last:
                records.forget(**over)

        task_ids = find_tasks(records, moments)
        poll_spans = find_polls(records, task_ids, moments)
        step(0.2, opens=(), closes=(), suspends=("ts", "before"))
        size = min(len(recording.node_parent), ev.MAX_NODES + 1)
        node_code = recording.node_code[:size].astype(np.int64)
        code_of, own_node = codes_and_nodes(records, task_ids, node_code)
        generators = _kinds(recording)[code_of[task_ids.coro]] == ev.CODE_ASYNC_GENERATOR
        swallowed = [number for number, text in recording.strings.items() if text in SWALLOWED]
        ends = find_ends(records, task_ids, poll_spans, moments, broken_off, generators, swallowed)
        calls, entries = find_calls(records, task_ids, poll_spans, moments, code_of, own_node)
        del poll_spans.opens, poll_spans.poll_of
        step(0.5, exits=(), entries=("off", "task"))
        places = Places(recording, self._cwd)
        sites = Sites(recording.sites, places.functions)
        suspends, links, callouts = (records.columns(name) for name in ("suspends", "links", "callouts"))
        chains = Chains.of(recording, len(code_of))
        since = records.since
        suspensions = Suspensions(records, poll_spans, ends, since)
        link_code = code_of[_known(links["coro"], len(code_of))]
        stand = suspensions.places(len(chains.parent), (links["burst"], records.columns("uses")["burst"]))
        some = suspensions.rows[stand.leaves]
        leaves = find_leaves({name: column[some] for name, column in suspends.items()}, chains, code_of, node_code)
        step(0.5, suspends=("off", "below"))
        of_leaves, of_chains, of_links, of_functions, sites.locations, of_callouts = places.locate(
            (leaves.code, leaves.off),
            (node_code[chains.node], chains.off),
            (link_code, links["off"].astype(np.int64)),
            (node_code, np.full(size, NOWHERE, np.int64)),
            (sites.code, sites.off),
            (code_of[_known(callouts["coro"], len(code_of))], callouts["off"].astype(np.int64)),
        )
        functions = places.functions
        owned = resources.find_resources(recording, functions, sites)
        uses, used = _uses(records, owned, len(code_of))

        graph = Graph(
            chains=chains,
            of_chains=of_chains,
            entries=records.columns("entries"),
            links=links,
            link_location=of_links,
            node_parent=recording.node_parent[:size].astype(np.int64),
            user=places.user_locations,
            unknown=of_functions,
            uses=uses,
            used=used,
            covering=_covering(chains.column(code_of, node_code[chains.node]), functions),
        )
        place, chained = stand.climb(
            lambda rows, leaf, *more: climb(graph, suspensions.pos[rows], leaves.of(leaf), of_leaves[leaf], *more)
        )
        begun = _begun(graph.entries, max(records.first_ts, moments.base + since))
        step(0.6, entries=())
        selects = find_selects(records, moments, since)
        awaits = find_awaits(
            Waking(records, moments, task_ids, selects),
            suspensions,
            (place, chained),
            lambda woken: cancelled_waits.columns(woken, sites, functions),
        )
        step(0.8, suspends=(), wakes=(), soons=())

        nodes = t.Nodes((graph.node_parent[1:] - 1).astype(np.int32), (node_code[1:] - 1).astype(np.int32))
        ran, undivided = self_times(records, task_ids, moments.end), recording.detail == "awaits"
        nodes, node_sums = (
            sum_roots(nodes, entries, begun, awaits, ran, chained.lines, len(functions))
            if undivided
            else (nodes, sum_nodes(entries, awaits, ran))
        )
        tasks = about(
            self._tasks(task_ids, poll_spans, ends, ran, code_of, functions, sites),
            functions,
            calls,
            Stacks(awaits.task, awaits.stack, chained.chains, places.locations),
        )
        known = Known(recording, records, task_ids, moments, sites, awaits, owned, len(functions), of_callouts)
        side = {name: find(known) for name, find in SIDE_TABLES.items()}
        head = Head(recording.path, recording.header, recording.meta)
        trace = TraceData(
            meta=metadata.metadata(head, recording.detail, records.records, moments, ended, self._cwd),
            processes=(metadata.process(head, recording.detail, records.records, moments, ended),),
            functions=(*functions, *[t.NOT_DIVIDED] * undivided),
            strings=_strings(recording),
            locations=places.locations,
            nodes=nodes,
            chains=chained.chains,
            task_table=tasks,
            polls=poll_spans.polls,
            awaits=awaits,
            calls=calls,
            entries=entries,
            node_sums=node_sums,
            line_sums=chained.lines,
            resources=owned,
            selects=selects.table,
            sites=t.Chains(np.array(sites.inner, np.int32), sites.locations.astype(np.int32)),
            **side,
        )
        step(0.9)
        return checked(select.since(trace, since) if since else trace, whole=not since)

    def _known(self) -> tuple[Moments, bool, metadata.Ended]:
        """(times up to which it is known, whether it is broken off before its end and the window's, how it ended)."""
        recording, records, fed = self._recording, self._records, self._records.fed
        known = en.ending(recording)
        span = en.span(recording.header, known, records.first_ts, max(records.last_ts, self._last_ts))
        moments, ended_ns = Moments(span.base, span.end, fed), span.ended and span.ended - span.base
        broken_off, until = known in en.BROKEN_OFF, self._window[1]
        missing = recording.missing + (recording.count - fed if broken_off else 0)
        if until is not None and moments.base + until < moments.end:
            moments, broken_off = replace(moments, end=moments.base + until), False
        return moments, broken_off, metadata.Ended(known, ended_ns, missing, recording.damaged)

    def _tasks(
        self,
        task_ids: TaskIds,
        poll_spans: PollSpans,
        ends: Ends,
        ran: SelfTimes,
        code_of: Whole,
        functions: list[t.Function],
        sites: Sites,
    ) -> t.Tasks:
        recording, polls = self._recording, poll_spans.polls
        function = code_of[task_ids.coro] - 1
        names = recording.names
        tags = {row: recording.tags[coro] for row, coro in task_ids.rows(recording.tags)}
        called = [*(function.name for function in functions), UNKNOWN.name]  # the last: of none
        name = [called[code] for code in function.tolist()]
        for row, coro in task_ids.rows(names):
            name[row] = words.task_name(names, coro, name[row])
        failures = np.flatnonzero(ends.state == t.FAILED)
        error = {}
        for row in failures.tolist():
            kind = recording.strings.get(int(ends.failure[row]), "?")
            error[row] = words.error(kind, recording.messages.get(int(task_ids.coro[row])))
        location = np.full(len(task_ids.coro), -1, np.int32)
        spawned = task_ids.spawn >= 0
        location[spawned] = sites.shown(self._records.columns("spawns")["off"])[task_ids.spawn[spawned]]
        slot = np.full(len(task_ids.coro), -1, np.int64)
        slot[polls.task[::-1] - 1] = polls.slot[::-1]
        slot[spawned] = self._records.columns("spawns")["pos"][task_ids.spawn[spawned]]
        slot[task_ids.before] = -1
        first = ends.end_ns.copy()
        first[polls.task[::-1] - 1] = polls.start_ns[::-1]
        return t.Tasks(
            coro=narrow(task_ids.coro),
            process=np.zeros(len(task_ids.coro), np.int32),
            name=name,
            function=function.astype(np.int32),
            driven=task_ids.driven,
            state=ends.state,
            created_ns=task_ids.created_ns,
            end_ns=ends.end_ns,
            ended=ends.ended,
            closed=ends.closed,
            before=task_ids.before,
            delay_ns=np.where(task_ids.created_seen, first - task_ids.created_ns, -1),
            created_seen=task_ids.created_seen,
            polls=counts(polls.task, len(task_ids.coro) + 1)[1:],
            run_ns=sums(polls.task, polls.end_ns - polls.start_ns, len(task_ids.coro) + 1)[1:],
            self_ns=sums(ran.task, ran.ns, len(task_ids.coro) + 1)[1:],
            parent=task_ids.parent.astype(np.int32),
            location=location,
            inexact=np.zeros(len(task_ids.coro), np.bool_),
            error=error,
            tags={row: tuple(dict.fromkeys(values)) for row, values in tags.items()},
            inherited=_inherited(tags, task_ids.parent),
            slot=narrow(slot),
            end_slot=narrow(ends.end_pos),
        )


def _uses(records: RecordColumns, owned: t.Resources, coroutine_count: int) -> tuple[Columns, Ints]:
    """The USE records of known coroutines and resources: their columns, and the row of each one's resource."""
    uses = records.columns("uses")
    row = find(owned.number, uses["aux"])
    good = np.flatnonzero((row >= 0) & (uses["coro"] < coroutine_count) & (uses["burst"] >= 0))
    return {name: column[good] for name, column in uses.items()}, row[good]


def _begun(entries: Columns, first: int) -> Bools:
    """By entry, whether it began there; a root that is heard of later than that (BEFORE) may have begun for an awaiter,
    but for those with which the recording begins, at ``first``."""
    late = (entries["flags"] & ev.BEFORE > 0) & (entries["ts"] > first)
    begun: Bools = (entries["kind"] == ev.START) & ~late
    return begun


def _covering(codes: OfFrames, functions: list[t.Function]) -> Callable[[Ints], t.Bools]:
    """Which of some frames say better what they wait for than those inside."""
    covers = np.append(False, covering(functions))
    return lambda frame: covers[np.minimum(codes[frame], len(functions))]


def _known(ids: Ints, coroutine_count: int) -> Ints:
    """These ids of coroutines; 0 in place of unknown ones."""
    return np.where(ids < coroutine_count, ids, 0).astype(np.int64)


def _kinds(recording: Recording) -> Ints:
    """By code, what kind of function it is of."""
    found = np.zeros(recording.highest_code + 1, np.int64)
    found[list(recording.codes)] = [code.kind for code in recording.codes.values()]
    return found


def _strings(recording: Recording) -> tuple[str, ...]:
    return tuple(recording.strings.get(i, "?") for i in range(1, recording.highest_string + 1))


def _inherited(tags: dict[int, list[str]], parent: Ints) -> dict[int, frozenset[str]]:
    """By row of a task the tags that it was made with: of each variable its first, if its parent had that one too.

    If ever: what a parent has is told only when it stops, which is after it made the task.
    """
    had = {row: frozenset(values) for row, values in tags.items()}
    no_tags = frozenset[str]()
    found = {}
    for row, values in tags.items():
        first = dict(reversed([(tag.partition("=")[0], tag) for tag in values]))
        found[row] = had.get(int(parent[row]) - 1, no_tags) & frozenset(first.values())
    return {row: some for row, some in found.items() if some}
