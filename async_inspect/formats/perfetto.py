"""trace.pftrace: Perfetto's own format, protobuf TracePackets with interned names; a fraction of trace.json's size.

Source: https://perfetto.dev/docs/reference/synthetic-track-event and the messages below
https://github.com/google/perfetto/tree/main/protos/perfetto/trace (trace_packet.proto, track_event/*.proto).

The tracks, slices, instants, flows and counters are those of trace.json, by the same names, so that the same SQL gives
the same answers; only a slice's arguments have the prefix ``debug.`` where trace.json's have ``args.``.

Knows how packets are encoded; what happened is in ``formats/shared/timeline.py``, names and arguments are in
``formats/shared/words.py``.
"""

import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from ..model import tables as t
from ..model.trace import Trace
from .chrome import first_thread, program
from .shared import protobuf as pb
from .shared.cost import Cost, cost
from .shared.timeline import (
    CATEGORIES,
    FRAME,
    TASK,
    Instant,
    Instants,
    Slice,
    Timeline,
    counts,
    flows,
    lanes,
    pids,
    rows,
)
from .shared.words import Words, labels

BLOCK = 1 << 18  # bytes a chunk
SEQUENCE: Final = 1
BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4  # TrackEvent.Type
PROCESS, RUNNING, WAITING, FIRST_LANE = 1, 2, 3, 4  # uuids of tracks; those of further processes come after all lanes

# TracePacket.trusted_packet_sequence_id, .sequence_flags
_SEQUENCE = pb.number(10, SEQUENCE)
_CLEARED = pb.number(13, 1)  # interned names begin here
_INTERNED = _SEQUENCE + pb.number(13, 2)  # they are needed here
_TYPE = {kind: pb.number(9, kind) for kind in (BEGIN, END, INSTANT, COUNTER)}
_PACKET, _TS = pb.tag(1, 2), pb.tag(8, 0)  # Trace.packet, TracePacket.timestamp
_ENDS = _SEQUENCE + pb.length_delimited(11, _TYPE[END])
MOST_TEXTS: Final = 1 << 12  # that are remembered


def write(trace: Trace, *, frames: bool = True, compress: bool = True) -> Iterator[bytes]:
    """``frames``: below each poll, the coroutines that ran in it.  ``compress``: packets in blocks, each deflated."""
    block: list[bytes] = []
    size = 0
    for piece in _packets(trace, frames):
        block.append(piece)
        size += len(piece)
        if size > BLOCK:
            yield _together(block, compress)
            block, size = [], 0
    yield _together(block, compress)


def estimate(trace: Trace) -> Cost:
    """What ``write`` would write, compressed."""
    n = rows(trace)
    return cost(
        (n.tasks, 60, 30), (n.polls, 8, 5), (n.awaits, 8, 6), (n.frames, 6, 3), (n.instants, 10, 5), (n.counts, 6, 3)
    )


def _together(block: list[bytes], compress: bool) -> bytes:
    packets = b"".join(block)
    if not compress:
        return packets
    return pb.length_delimited(1, pb.length_delimited(50, zlib.compress(packets)))  # TracePacket.compressed_packets


def _packets(trace: Trace, frames: bool) -> Iterator[bytes]:
    """Some at a time, one after the other."""
    lane, owners = lanes(trace)
    further = FIRST_LANE + len(owners) + 1 - 3  # the second process's first uuid, less 3
    own = {pid: further + 3 * at if at else 0 for at, pid in enumerate(pids(trace))}
    yield from _tracks(trace, owners, own)
    yield from _tasks(trace, frames, [FIRST_LANE + at + 1 for at in lane], own)
    for pid, (ts, *now) in counts(trace):
        for uuid, value in zip((RUNNING, WAITING), now, strict=True):
            event = _TYPE[COUNTER] + pb.number(11, own[pid] + uuid) + pb.number(30, value)
            yield _at(ts, _SEQUENCE + pb.length_delimited(11, event))


def _about(fields: bytes) -> bytes:
    """A packet without a time."""
    return pb.length_delimited(1, fields)


def _at(ts: int, fields: bytes) -> bytes:
    """A packet with these fields after its time.  Called for each of some millions."""
    body = _moment(ts) + fields
    return _PACKET + pb.varint(len(body)) + body


@lru_cache(maxsize=1 << 8)  # most slices begin or end with others
def _moment(ts: int) -> bytes:
    return _TS + pb.varint(ts)


def _tracks(trace: Trace, owners: list[int], own: dict[int, int]) -> Iterator[bytes]:
    """``owners``: the process of each lane; ``own``: what a process adds to the first one's uuids."""
    cleared, last = _CLEARED, {process.pid: process for process in trace.processes}
    for pid, more in own.items():
        process = last[pid]
        about = pb.number(1, pid) + b"".join(pb.text(2, word) for word in process.argv) + pb.text(6, program(process))
        if not more:
            about += b"".join(pb.text(8, label) for label in labels(trace))
        # TrackDescriptor: uuid 1, name 2, process 3, thread 4, parent_uuid 5, counter 8
        track = pb.number(1, more + PROCESS) + pb.length_delimited(3, about)
        yield _about(_SEQUENCE + cleared + pb.length_delimited(60, track))
        cleared = b""
        for uuid, name in ((RUNNING, "tasks running"), (WAITING, "tasks waiting")):
            track = pb.number(1, more + uuid) + pb.text(2, name) + pb.number(5, more + PROCESS)
            yield _about(_SEQUENCE + pb.length_delimited(60, track + pb.length_delimited(8, b"")))
    first, number = first_thread(trace), dict.fromkeys(owners, 0)
    for at, pid in enumerate(owners, 1):
        number[pid] += 1
        thread = pb.number(1, pid) + pb.number(2, first + at) + pb.text(5, f"tasks {number[pid]}")
        track = pb.number(1, FIRST_LANE + at) + pb.length_delimited(4, thread)
        yield _about(_SEQUENCE + pb.length_delimited(60, track))


def _value(value: int | str) -> bytes:
    return pb.number(4, value) if isinstance(value, int) else pb.text(6, value)


class _Interned:
    """Texts by number.  What is new waits in ``news`` (an InternedData) for the next packet that needs some."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, str], int] = {}
        self._sizes: dict[int, int] = defaultdict(int)
        self._nodes: dict[int, bytes] = {}
        self.news = b""

    def id(self, field: int, text: str) -> int:
        """``field`` of InternedData: event_categories 1, event_names 2, debug_annotation_names 3, …_string_values 29"""
        found = self._ids.get((field, text))
        if found is None:
            self._sizes[field] += 1
            found = self._ids[field, text] = self._sizes[field]
            self.news += pb.length_delimited(field, pb.number(1, found) + pb.text(2, text))
        return found

    def defined(self, words: Words, node: int) -> bytes:
        """TrackEvent.source_location_iid of a node's function (InternedData.source_locations 4)."""
        if node not in self._nodes:
            function = words.function(node)
            key = (4, f"{function.file}:{function.line}")
            if key not in self._ids:
                self._sizes[4] += 1
                self._ids[key] = self._sizes[4]
                where = pb.number(1, self._ids[key]) + pb.text(2, function.file) + pb.number(4, function.line)
                self.news += pb.length_delimited(4, where)
            self._nodes[node] = pb.number(34, self._ids[key])
        return self._nodes[node]

    def take(self) -> bytes:
        """The first fields of a packet that needs interned names; with them those that are new."""
        if not self.news:
            return _INTERNED
        news, self.news = pb.length_delimited(12, self.news), b""  # TracePacket.interned_data
        return _INTERNED + news

    def notes(self, args_: list[tuple[str, int | str]], own: str = "") -> bytes:
        """TrackEvent.debug_annotations; the value of ``own`` is no other's, so not interned."""
        out = []
        for key, value in args_:
            head = pb.number(1, self.id(3, key))
            shared = isinstance(value, str) and key != own
            out.append(head + (pb.number(17, self.id(29, str(value))) if shared else _value(value)))
        return b"".join(pb.length_delimited(4, note) for note in out)


def _tasks(trace: Trace, frames: bool, uuids: list[int], own: dict[int, int]) -> Iterator[bytes]:
    """``uuids``: of each task's lane."""
    writer = _Writer(trace, frames, uuids)
    for pid, more in own.items():
        yield _on_track(more + PROCESS)
        yield from writer.outside(pid)
    for number, uuid in enumerate(uuids, 1):
        yield _on_track(uuid)
        yield from writer.spawned(number)
        yield from writer.slices(number)
        yield from writer.instants(number)


def _on_track(uuid: int) -> bytes:
    """TracePacketDefaults.track_event_defaults: the track of all that follows."""
    return _about(_SEQUENCE + pb.length_delimited(59, pb.length_delimited(11, pb.number(11, uuid))))


class _Writer:
    """Writes what happened on the tracks of tasks."""

    def __init__(self, trace: Trace, frames: bool, uuids: list[int]) -> None:
        self._words, self._interned = Words(trace), _Interned()
        self._timeline, self._instants = Timeline(trace, frames), Instants(trace)
        self._categories = [pb.number(3, self._interned.id(1, name)) for name in CATEGORIES]
        self._spawners = {flow.target: flow.source for flow in flows(trace)}
        self._uuids = uuids
        self._frames: dict[int, bytes] = {}  # by node
        self._texts: dict[tuple[object, ...], bytes] = {}  # of what is said of many slices one after the other

    def slices(self, number: int) -> Iterator[bytes]:
        open_: list[int] = []  # ends
        for group in self._timeline.groups(number):
            out: list[bytes] = []
            for one in group:
                while open_ and open_[-1] <= one.start_ns:
                    out.append(_at(open_.pop(), _ENDS))
                begins = self._frame(one) if one.kind == FRAME else self._begin(one)
                out.append(_at(one.start_ns, self._interned.take() + begins))
                open_.append(one.end_ns)
            yield b"".join(out)
        yield b"".join([_at(open_.pop(), _ENDS) for _ in range(len(open_))])

    def _frame(self, one: Slice) -> bytes:
        """Its beginning; most are many times the same."""
        found = self._frames.get(one.row)
        if found is None:
            named = pb.number(10, self._interned.id(2, self._words.name(one)))
            event = _TYPE[BEGIN] + named + self._categories[FRAME] + self._interned.defined(self._words, one.row)
            found = self._frames[one.row] = pb.length_delimited(11, event)
        return found

    def _begin(self, one: Slice) -> bytes:
        """The beginning of any other slice."""
        kind, name, args_ = one.kind, self._words.name(one), self._words.args(one)
        key = (kind, name, *args_)
        found = self._texts.get(key)
        if found is None:
            named = pb.text(23, name) if kind == TASK else pb.number(10, self._interned.id(2, name))
            event = _TYPE[BEGIN] + named + self._categories[kind] + self._interned.notes(args_, "error")
            if kind == TASK and one.row + 1 in self._spawners:
                event += _flow(48, one.row + 1)
            if len(self._texts) >= MOST_TEXTS:
                self._texts.clear()
            found = self._texts[key] = pb.length_delimited(11, event)
        return found

    def instants(self, number: int) -> Iterator[bytes]:
        """But for the spawns of ``spawned``."""
        for moment in self._instants.of(number):
            if moment.kind != t.TASK_SPAWNED or number not in self._spawners:
                yield self._instant(number, moment)

    def outside(self, pid: int) -> Iterator[bytes]:
        """Those of a process outside of any task."""
        return (self._instant(0, moment) for moment in self._instants.outside(pid))

    def spawned(self, number: int) -> Iterator[bytes]:
        """The spawn of a task whose spawner is known, on that one's track.  Its arrow begins before it ends."""
        if number in self._spawners:
            where = pb.number(11, self._uuids[self._spawners[number] - 1]) + _flow(47, number)
            yield self._instant(number, self._instants.spawn(number), where)

    def _instant(self, number: int, moment: Instant, more: bytes = b"") -> bytes:
        name, args_ = self._words.instant(number, moment)
        point, interned = moment.kind == t.INSPECTION_POINT, self._interned
        event = [_TYPE[INSTANT], more, pb.number(10, interned.id(2, name))]
        event.append(pb.number(3, interned.id(1, "point" if point else "state")))
        event.append(interned.notes(args_, "message" if point else "details"))
        begins = pb.length_delimited(11, b"".join(event))
        return _at(moment.ts_ns, interned.take() + begins)


def _flow(field: int, number: int) -> bytes:
    """TrackEvent.flow_ids (47) or .terminating_flow_ids (48), fixed64."""
    return pb.tag(field, 1) + struct.pack("<Q", number)
