"""A recording at the detail "calls" as one at "awaits", and whether two traces say the same of what both know.

``as_awaits`` says in a page what the cores have to write at "awaits": it makes it of what they write at "calls".  Which
columns both know follows from what they mean (``meanings.py``): a new one is compared, unless it says ``of_calls``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from async_inspect import events as ev
from async_inspect.model import Trace
from async_inspect.model import tables as t
from async_inspect.model.kernels.locations import NOWHERE
from async_inspect.model.meanings import Meaning, Moment, Number, Row, Value, columns
from async_inspect.recording.reader import Recording
from async_inspect.recording.slots import TEXT_BYTES

from .tape import START_NS, Tape

# Tables that are looked at only through what refers to them: their rows are numbered as they came.
SHAPES: Final = ("locations", "nodes", "chains", "sites")
# That are written in the order of a set, which is that of addresses, and so another in another run.
OF_SETS: Final = ("edges", "runtime_warnings")


# --- recordings ------------------------------------------------------------------------------------------------------


def as_awaits(path: Path, to: Path) -> Path:
    """The recording at ``path`` as it were at "awaits", at ``to``."""
    with Recording(path) as recording:
        return _Converted(recording).tape().write(to)


def at_awaits(tape: Tape) -> Tape:
    """The same of a recording made by hand."""
    with TemporaryDirectory() as folder, Recording(tape.write(Path(folder) / "a.rec")) as recording:
        return _Converted(recording).tape()


class _Converted:
    def __init__(self, recording: Recording) -> None:
        self._recording, self._slots = recording, recording.records
        self._tape = Tape()
        self._nodes = {(0, 0): ev.OTHER_NODE}
        self._chains: dict[tuple[int, int, int], int] = {}
        self._awaiter: dict[int, int] = {}
        self._code: dict[int, int] = {}
        self._off: dict[int, int] = {}
        self._use: dict[int, int] = {}
        self._ran: dict[int, int] = {}  # by task, its root coroutine
        self._numbers = {0: 0}  # of coroutines and tasks

    def tape(self) -> Tape:
        tape, recording = self._tape, self._recording
        tape.slots.clear()
        tape.meta = [(key, value) for key, values in recording.meta.items() for value in values]
        tape.meta.append(("detail", "awaits"))
        names = ("pid", "start_ns", "start_unix_ns", "end_ns", "lost", "state")
        tape.header = {name: getattr(recording.header, name) for name in names}
        tape.node(0, 0)
        skip = {int(at) for at in np.flatnonzero(self._slots["kind"] == ev.TEXT)}
        of_suspension = self._of_suspensions()
        for at, slot in enumerate(self._slots.tolist()):
            fields = dict(zip(ev.RECORD_FIELDS, slot, strict=True))
            if at in skip or fields["kind"] in (ev.LINK, ev.TIMER, ev.USE, ev.CALL, ev.NODE):
                continue
            if fields["kind"] == ev.SUSPEND:
                self._suspend(fields, of_suspension[at])
            else:
                self._other(at, fields)
        return tape

    def _of_suspensions(self) -> dict[int, list[dict[str, int]]]:
        """By slot of a suspension, what is said of it."""
        found: dict[int, list[dict[str, int]]] = defaultdict(list)
        last: dict[int, int] = {}
        for at, slot in enumerate(self._slots.tolist()):
            fields = dict(zip(ev.RECORD_FIELDS, slot, strict=True))
            if fields["kind"] == ev.SUSPEND:
                last[fields["thread"]] = at
            elif fields["kind"] in ev.OF_SUSPENSION:
                found[last[fields["thread"]]].append(fields)
        return found

    def _root(self, coro: int) -> int:
        while self._awaiter.get(coro):
            coro = self._awaiter[coro]
        return coro

    def _node(self, parent: int, code: int) -> int:
        if (parent, code) not in self._nodes:
            self._nodes[parent, code] = self._tape.node(parent, code)
        return self._nodes[parent, code]

    def _put(self, fields: dict[str, int], **changed: int) -> None:
        """With the node of the root that runs afterwards, and coroutines numbered anew."""
        fields = {**fields, **changed}
        if fields["kind"] >= ev.FIRST_EVENT and fields["node"]:
            fields["node"] = self._node(0, self._code[self._ran[fields["task"]]])
        kind, flags = fields.pop("kind"), fields["flags"]
        holds = ev.KINDS[kind][1:]
        for (of_kind, flag), fields_ in ev.BY_FLAGS.items():
            if of_kind == kind and (flags == flag if kind in ev.MOST_FLAGS else flags & flag == flag):
                holds = fields_
        for name, what in zip(("coro", "aux", "off"), holds, strict=True):
            if what == "coroutine":
                fields[name] = self._number(fields[name])
        if kind >= ev.FIRST_EVENT:
            fields["task"] = self._number(fields["task"])
        self._tape.put(kind, fields.pop("ts") - START_NS, **fields)

    def _number(self, coro: int) -> int:
        return self._numbers.setdefault(coro, len(self._numbers))

    def _suspend(self, fields: dict[str, int], said: list[dict[str, int]]) -> None:
        for one in said:
            if one["kind"] != ev.TIMER:
                known, value = (self._off, one["off"]) if one["kind"] == ev.LINK else (self._use, one["aux"])
                known[one["coro"]] = value
        leaf = fields["coro"]
        self._off[leaf] = fields["off"]
        frames = [leaf]
        while self._awaiter.get(frames[-1]):
            frames.append(self._awaiter[frames[-1]])
        root, chain, node, uses = frames[-1], 0, 0, []
        for coro in reversed(frames):
            node = self._node(node, self._code[coro])
            chain = self._chain(chain, node, self._off.get(coro, NOWHERE))
            if coro in self._use:
                uses.append((self._use[coro], chain))
        self._put(fields, coro=root, off=chain, flags=fields["flags"] | ev.IN_CHAIN)
        for one in said:
            if one["kind"] == ev.TIMER:
                self._put(one, coro=root)
        for resource, up_to in uses:
            more = {"kind": ev.USE, "coro": root, "aux": resource, "off": up_to, "flags": 0}
            self._put({**fields, **more})

    def _chain(self, parent: int, node: int, off: int) -> int:
        key = parent, node, off
        if key not in self._chains:
            self._chains[key] = len(self._chains) + 1
            self._tape.put(ev.CHAIN, coro=self._chains[key], aux=parent, node=node, off=off)
        return self._chains[key]

    def _other(self, at: int, fields: dict[str, int]) -> None:
        kind, coro, aux = fields["kind"], fields["coro"], fields["aux"]
        if kind in (ev.START, ev.ENTER):
            self._awaiter[coro] = aux
            if kind == ev.START:
                self._code[coro] = fields["off"]
            if aux:
                return
            self._code.setdefault(coro, int(self._recording.node_code[fields["node"]]))
            self._ran[fields["task"]] = coro
        elif kind == ev.RESUME:
            fields["aux"] = coro
            self._ran[fields["task"]] = coro
        elif kind == ev.THROW:
            fields["coro"] = self._root(coro)
            self._ran[fields["task"]] = fields["coro"]
        elif (kind == ev.ITEM and aux) or (kind in (ev.RETURN, ev.RAISE, ev.VANISH) and self._awaiter.get(coro)):
            return
        elif kind in (ev.TAKE, ev.GIVE, ev.POINT):
            fields["coro"] = self._root(coro)
        self._put(fields)
        if kind in ev.HAS_TEXT:
            pieces = -(-fields["off"] // TEXT_BYTES)
            self._tape.slots += [slot.tobytes() for slot in self._slots[at + 1 : at + 1 + pieces]]


# --- traces ----------------------------------------------------------------------------------------------------------


def same(calls: Trace, awaits: Trace, times: bool = True) -> None:
    """Assert that two traces of one program, at the two details, say the same where both know it.

    ``times``: those of both are of one clock; else they are compared by their order.
    """
    assert {one.detail for one in calls.processes} == {"calls"}
    assert {one.detail for one in awaits.processes} == {"awaits"}
    again = _entered_again(calls)
    for name in (*calls.tables, "events"):
        if name not in SHAPES:
            of = [_rows(trace, name, times, again) for trace in (calls, awaits)]
            assert of[1] == of[0], name
    _same_sums(calls, awaits, times, again)


def _entered_again(calls: Trace) -> set[t.Function]:
    """Functions whose frames were entered more than once: async generators, and what is driven by hand now here, now
    there.  Where that was for an awaiter it is not heard at "awaits"."""
    again = np.flatnonzero(np.bincount(calls.entries.call, minlength=len(calls.calls)) > 1)
    return {calls.functions[row] for row in calls.calls.function[again].tolist()}


def _rows(trace: Trace, name: str, times: bool, again: set[t.Function]) -> list[tuple[Any, ...]]:
    """The rows of a table, by what they mean; in order, where that says anything."""
    table: t.Table = getattr(trace, name)
    if name == "node_sums":
        return []  # below
    found = [_values(trace, name, means, getattr(table, column), times) for column, means, _ in columns(type(table))]
    rows = [row for row, keep in zip(zip(*found, strict=True), _of_roots(trace, name, again), strict=True) if keep]
    in_order = not type(table).key and (times or name not in OF_SETS)
    return rows if in_order else sorted(rows, key=repr)


def _of_roots(trace: Trace, name: str, again: set[t.Function]) -> list[bool]:
    """Which rows of a table both know."""
    table: Any = getattr(trace, name)
    if not type(table).of_calls:
        return [True] * len(table)
    if name == "callouts":
        return [False] * len(table)
    entered = trace.entries.call
    at_root = np.append(trace.nodes.parent < 0, False)[trace.entries.node]
    inner = np.array([trace.functions[row] in again for row in trace.calls.function.tolist()], np.bool_)
    inner[entered[~at_root]] = True
    kept: list[bool] = (~inner if name == "calls" else ~inner[entered]).tolist()
    return kept


def _values(trace: Trace, name: str, means: Meaning, column: Any, times: bool) -> list[Any]:
    if isinstance(column, dict):  # by row
        return [column.get(row) for row in range(len(trace.tables[name]))]
    values: list[Any] = column if isinstance(column, list) else column.tolist()
    match means:
        case Value("ns") | Moment() if not times:
            return [(value > 0) - (value < 0) for value in values]
        case Number("slot"):  # each detail has its own records; their order is that of the events
            return [None] * len(values)
        case Number(of, first) | Row("calls" as of, first) if of != "thread":
            return [value >= first for value in values]
        case Row(of, first):
            what = THINGS.get(of or name)
            return [(what(trace, value) if what else value) if value >= first else None for value in values]
    return values


def _path(trace: Trace, node: int) -> Iterator[t.Function | None]:
    while node >= 0:
        function = int(trace.nodes.function[node])
        yield trace.functions[function] if function >= 0 else None
        node = int(trace.nodes.parent[node])


def _frames(table: t.Chains, trace: Trace, row: int) -> Iterator[Any]:
    while row >= 0:
        location = int(table.location[row])
        yield trace.frame(location) if location >= 0 else None
        row = int(table.inner[row])


# What a row of a table is; of those that aren't here, their number.
THINGS: Final[dict[str, Callable[[Trace, int], Any]]] = {
    "functions": lambda trace, row: trace.functions[row],
    "strings": lambda trace, row: trace.strings[row],
    "locations": lambda trace, row: trace.frame(row),
    "nodes": lambda trace, row: tuple(_path(trace, row)),
    "chains": lambda trace, row: tuple(_frames(trace.chains, trace, row)),
    "sites": lambda trace, row: tuple(_frames(trace.sites, trace, row)),
    "resources": lambda trace, row: trace.resource(row, of=0),
}


def _same_sums(calls: Trace, awaits: Trace, times: bool, again: set[t.Function]) -> None:
    """What is known of nodes at "awaits" is as at "calls"; what isn't divided is what its root's tasks ran."""
    theirs, own = (dict(_sums(trace)) for trace in (calls, awaits))
    not_divided = {key: sums for key, sums in own.items() if key[1] and key[1][0] == t.NOT_DIVIDED}
    for (task, path), (known_calls, segments, self_ns, wait_ns) in own.items():
        if (task, path) in not_divided:
            continue
        of_calls = theirs[task, path]
        assert wait_ns == of_calls[3] if times else (wait_ns > 0) == (of_calls[3] > 0)
        assert self_ns == -1
        if path and path[-1] not in again:
            assert (known_calls >= 0) == (segments >= 0) == (len(path) == 1), "it is known of roots"
            assert known_calls in (-1, of_calls[0]), (task, path)
            assert segments in (-1, of_calls[1]), (task, path)
    ran: dict[int, int] = defaultdict(int)
    for (task, path), (known_calls, segments, self_ns, wait_ns) in not_divided.items():
        assert (len(path), known_calls, segments, wait_ns) == (2, -1, -1, 0)
        ran[task] += self_ns
    assert dict(enumerate(awaits.task_table.self_ns.tolist(), 1)) == {
        task: ran[task] for task in range(1, len(awaits.task_table) + 1)
    }
    waited = {key for key, sums in theirs.items() if sums[3]}
    assert waited <= own.keys(), "who waited is there"


def _sums(trace: Trace) -> Iterator[tuple[tuple[int, tuple[Any, ...]], tuple[int, int, int, int]]]:
    table = trace.node_sums
    columns_ = (table.task, table.node, table.calls, table.segments, table.self_ns, table.wait_ns)
    for task, node, *sums in zip(*(column.tolist() for column in columns_), strict=True):
        yield (task, tuple(_path(trace, node))), tuple(sums)
