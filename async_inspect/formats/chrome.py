"""trace.json: Chrome's Trace Event Format, for Perfetto, chrome://tracing and whatever else reads it.

Source: "Trace Event Format",
https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.  Times are microseconds since the
recording began, with three digits for the nanoseconds.  Colours are names that catapult's viewer knows.

A process is a process to this format, a lane a thread: its number is added to the highest pid, so that none is taken
for a main thread, nor for another process's.

Knows how events are encoded; what happened is in ``formats/shared/timeline.py``, names and arguments are in
``formats/shared/words.py``.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from json.encoder import encode_basestring

from ..model import tables as t
from ..model.entities import Process
from ..model.trace import Trace
from ..support.names import clean_lines
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
from .shared.words import Words, labels, trace_args

BLOCK = 1 << 18  # characters a chunk
COLOURS = ("rail_response", "rail_load", "yellow", "good")  # of CATEGORIES: blue, green, yellow, dark green


def write(trace: Trace, *, frames: bool = True) -> Iterator[bytes]:
    """``frames``: below each poll, the coroutines that ran in it."""
    lead = f'{{"displayTimeUnit":"ns","otherData":{json.dumps(trace_args(trace))}'
    block = [lead + ',"traceEvents":[\n' + ",\n".join(_programs(trace))]
    size = 0
    for line in _events(trace, frames):
        block.append(line)
        size += len(line)
        if size > BLOCK:
            yield ",\n".join([*block, ""]).encode()
            block, size = [], 0
    block.append(_named("process_labels", trace.meta.pid, trace.meta.pid, labels=", ".join(labels(trace))))
    yield ",\n".join(block).encode() + b"\n]}\n"


def estimate(trace: Trace) -> Cost:
    """What ``write`` would write."""
    n = rows(trace)
    return cost(
        (n.tasks, 700, 20), (n.polls, 130, 2), (n.awaits, 200, 3), (n.frames, 190, 1.8), (n.instants, 200, 3),
        (n.counts, 100, 1),
    )  # fmt: skip


def program(process: Process) -> str:
    """The process's name: its command line."""
    return " ".join(process.argv) or process.executable or "async-inspect"


def first_thread(trace: Trace) -> int:
    """The thread number before that of the first lane: none is a process's own number."""
    return max(pids(trace))


def _programs(trace: Trace) -> Iterator[str]:
    for process in trace.processes:
        yield _named("process_name", process.pid, process.pid, name=program(process))


def _events(trace: Trace, frames: bool) -> Iterator[str]:
    lane, owners = lanes(trace)
    first, number = first_thread(trace) + 1, dict.fromkeys(owners, 0)
    for thread, pid in enumerate(owners, first):
        number[pid] += 1
        yield _named("thread_name", pid, thread, name=f"tasks {number[pid]}")
        yield _named("thread_sort_index", pid, thread, sort_index=number[pid])
    yield from _tasks(trace, frames, [f'"pid":{owners[at]},"tid":{first + at}' for at in lane])
    for pid, (ts, running, waiting) in counts(trace):
        head = f'"ph":"C","cat":"tasks","name":"tasks","pid":{pid},"ts":{ts / 1000!r}'
        yield f'{{{head},"args":{{"running":{running},"waiting":{waiting}}}}}'


def _tasks(trace: Trace, frames: bool, tracks: list[str]) -> Iterator[str]:
    words, timeline, instants = Words(trace), Timeline(trace, frames), Instants(trace)
    spawners = {flow.target: flow.source for flow in flows(trace)}
    texts = _Texts(words)
    for pid in pids(trace):
        for moment in instants.outside(pid):
            yield _instant(words, 0, moment, f'"pid":{pid},"tid":{pid}')
    for number, track in enumerate(tracks, 1):
        for group in timeline.groups(number):
            for one in group:
                (head, args), start = texts.of(one), one.start_ns
                yield f'{head},{track},"ts":{start / 1000!r},"dur":{(one.end_ns - start) / 1000!r},"args":{args}}}'
                if one.kind == TASK and number in spawners:
                    # An arrow binds to what was the last to begin on either lane.
                    spawn, where = instants.spawn(number), tracks[spawners[number] - 1]
                    head = f'"cat":"spawn","name":"spawn","id":{number},"ts":{spawn.ts_ns / 1000!r}'
                    yield _instant(words, number, spawn, where)
                    yield f'{{"ph":"s",{head},{where}}}'
                    yield f'{{"ph":"f","bp":"e",{head},{track}}}'
        for moment in instants.of(number):
            if moment.kind != t.TASK_SPAWNED or number not in spawners:
                yield _instant(words, number, moment, track)


class _Texts:
    """What is written of a slice before its track, and its args.  Frames, which are most, are many times the same."""

    def __init__(self, words: Words) -> None:
        self._words, self._frames = words, dict[int, tuple[str, str]]()
        colours = zip(CATEGORIES, COLOURS, strict=True)
        self._heads = [f'{{"ph":"X","cat":"{category}","cname":"{colour}","name":' for category, colour in colours]

    def of(self, one: Slice) -> tuple[str, str]:
        if one.kind != FRAME:
            return self._made(one)
        found = self._frames.get(one.row)
        if found is None:
            found = self._frames[one.row] = self._made(one)
        return found

    def _made(self, one: Slice) -> tuple[str, str]:
        return self._heads[one.kind] + _quoted(self._words.name(one)), _args(self._words.args(one))


def _instant(words: Words, number: int, moment: Instant, track: str) -> str:
    name, args_ = words.instant(number, moment)
    cat = "point" if moment.kind == t.INSPECTION_POINT else "state"
    return (
        f'{{"ph":"i","s":"{"t" if number else "p"}","cat":"{cat}","name":{_quoted(name)},{track},'
        f'"ts":{moment.ts_ns / 1000!r},"args":{_args(args_)}}}'
    )


def _args(args_: list[tuple[str, int | str]]) -> str:
    pairs = (f'"{key}":{value if isinstance(value, int) else _quoted(value)}' for key, value in args_)
    return f"{{{','.join(pairs)}}}"


@lru_cache(maxsize=1 << 12)  # most are of few
def _quoted(text: str) -> str:
    """As UTF-8: not all readers know all escapes.  So what is no letter is replaced, not escaped."""
    return encode_basestring(clean_lines(text))


def _named(kind: str, pid: int, thread: int, **args: object) -> str:
    return json.dumps({"ph": "M", "name": kind, "pid": pid, "tid": thread, "args": args}, separators=(",", ":"))
