"""speedscope.json: Speedscope's own file format.

Three kinds of profiles: wall time (running and waiting, merged over tasks), run time only, and for each of the longest
tasks its whole life as a timeline, with what it waited for as its innermost frame.
"""

import json
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .._version import __version__
from ..model.tables import Function
from ..model.trace import Trace
from .shared.life import life, longest_tasks
from .shared.stacks import Stack, Wait, function_of, functions, stacks

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
BLOCK = 10_000

# --- the file format -------------------------------------------------------------------------------------------------


class Part(BaseModel):
    model_config = ConfigDict(defer_build=True)  # they are built without validation


class Frame(Part):
    name: str
    file: str | None = None
    line: int | None = None


class Shared(Part):
    frames: list[Frame]


class Profile(Part):
    """The common part of both kinds of profiles; samples and events are written piece by piece."""

    type: Literal["sampled", "evented"]
    name: str
    unit: Literal["nanoseconds"] = "nanoseconds"
    start: int = Field(default=0, serialization_alias="startValue")
    end: int = Field(serialization_alias="endValue")


class File(Part):
    """All but the profiles."""

    dollar_schema: str = Field(default=SCHEMA, serialization_alias="$schema")
    exporter: str = f"async-inspect@{__version__}"
    name: str
    active: int = Field(default=0, serialization_alias="activeProfileIndex")
    shared: Shared


# --- writing it ------------------------------------------------------------------------------------------------------


def write(trace: Trace, *, longest: int = 20, max_events: int = 400_000) -> Iterator[bytes]:
    """``longest``: how many tasks get a timeline, as long as these have ``max_events`` entries together at most."""
    frames = _Frames(trace)
    found = [stack for stack in stacks(trace) if stack.ns]
    chosen = longest_tasks(trace, longest, max_events)
    timelines = [(number, list(life(trace, number, frames))) for number in chosen]
    samples = [(stack, frames.stack(stack)) for stack in found]
    program = " ".join(trace.meta.argv) or trace.meta.executable or "async-inspect"
    if trace.caveat:
        program = f"{program} ({trace.caveat})"
    file = File(name=program, shared=Shared(frames=frames.found))
    head = _json(file)
    yield head[:-1].encode() + b',"profiles":[\n'
    yield from _sampled("wall time", samples)
    yield b",\n"
    yield from _sampled("run time only", [(stack, frames) for stack, frames in samples if stack.wait is None])
    for number, events in timelines:
        yield b",\n"
        yield from _evented(trace, number, events)
    yield b"\n]}\n"


def _json(model: BaseModel) -> str:
    return json.dumps(model.model_dump(by_alias=True, exclude_none=True), separators=(",", ":"))


def _sampled(name: str, samples: list[tuple[Stack, list[int]]]) -> Iterator[bytes]:
    profile = Profile(type="sampled", name=name, end=sum(stack.ns for stack, _ in samples))
    yield _json(profile)[:-1].encode() + b',"samples":['
    for begin in range(0, len(samples), BLOCK):
        block = samples[begin : begin + BLOCK]
        text = ",".join(f"[{','.join(map(str, frames))}]" for _, frames in block)
        yield (("," if begin else "") + text).encode()
    yield b'],"weights":[' + ",".join(str(stack.ns) for stack, _ in samples).encode() + b"]}"


def _evented(trace: Trace, number: int, events: list[tuple[str, int, int]]) -> Iterator[bytes]:
    table = trace.task_table
    lifetime = int(table.end_ns[number - 1] - table.created_ns[number - 1])
    name = f"task {number}: {table.name[number - 1]}"
    if len(trace.processes) > 1:
        name += f" (process {trace.processes[table.process[number - 1]].pid})"
    profile = Profile(type="evented", name=name, end=lifetime)
    yield _json(profile)[:-1].encode() + b',"events":['
    for begin in range(0, len(events), BLOCK):
        block = (f'{{"type":"{kind}","frame":{frame},"at":{at}}}' for kind, frame, at in events[begin : begin + BLOCK])
        yield (("," if begin else "") + ",".join(block)).encode()
    yield b"]}"


class _Frames:
    """The frames in use, each once, by number."""

    def __init__(self, trace: Trace) -> None:
        self.found: list[Frame] = []
        self._trace = trace
        self._index: dict[object, int] = {}

    def add(self, key: object, name: str, file: str | None = None, line: int | None = None) -> int:
        if key not in self._index:
            self._index[key] = len(self.found)
            self.found.append(Frame(name=name, file=file or None, line=line or None))
        return self._index[key]

    def node(self, node: int) -> int:
        return self.function(function_of(self._trace, node))

    def function(self, function: Function) -> int:
        return self.add(function, function.name, function.file, function.line)

    def wait(self, wait: Wait) -> int:
        return self.add(wait, wait.text, wait.file, wait.line)

    def stack(self, stack: Stack) -> list[int]:
        frames = [self.function(function) for function in functions(self._trace, stack)]
        return [*frames, self.wait(stack.wait)] if stack.wait else frames
