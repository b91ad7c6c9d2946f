"""profile.pb.gz: pprof's profile, gzipped, for ``go tool pprof`` and what else reads it.

Knows: the fields of profile.proto, https://github.com/google/pprof/blob/main/proto/profile.proto.  Knows nothing of
bytes (``formats/shared/protobuf.py``).

Four values a sample: wall, run and wait in nanoseconds, and how often the innermost function was called; the last is
not there where calls were not heard.  A waiting stack ends in a frame that says what is waited for.  Labels: ``task``,
the task's name without its numbers, and ``state``, how the task ended.
"""

import zlib
from collections.abc import Iterator

import numpy as np

from ..model import tables as t
from ..model.text import on_one_line
from ..model.trace import Trace
from .shared import protobuf as pb
from .shared.stacks import Grouping, Stack, Wait, functions, grouped, stacks

SAMPLE_TYPES = (("wall", "nanoseconds"), ("run", "nanoseconds"), ("wait", "nanoseconds"), ("calls", "count"))
BLOCK = 1_000  # tasks at a time, where each stands for itself
MAPPING = 1  # all code lies in the one mapping that there is

# Field numbers of profile.proto, by message.
PROFILE = {"sample_type": 1, "sample": 2, "mapping": 3, "location": 4, "function": 5, "string_table": 6}
PROFILE |= {"time_nanos": 9, "duration_nanos": 10, "comment": 13, "default_sample_type": 14}
VALUE_TYPE = {"type": 1, "unit": 2}
SAMPLE = {"location_id": 1, "value": 2, "label": 3}
LABEL = {"key": 1, "str": 2}
MAPPING_FIELDS = {"id": 1, "filename": 5, "has_functions": 7, "has_filenames": 8, "has_line_numbers": 9}
LOCATION = {"id": 1, "mapping_id": 2, "line": 4}
LINE = {"function_id": 1, "line": 2}
FUNCTION = {"id": 1, "name": 2, "system_name": 3, "filename": 4, "start_line": 5}


def write(trace: Trace, *, tasks: Grouping = "name") -> Iterator[bytes]:
    """``tasks``: what the label ``task`` holds: names without numbers, each task's own id and name, or nothing."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)  # a gzip stream whose header says no time and no name
    for message in _messages(trace, tasks):
        if packed := packer.compress(message):
            yield packed
    yield packer.flush()


def _messages(trace: Trace, tasks: Grouping) -> Iterator[bytes]:
    tables = _Tables(trace)
    sample_types = SAMPLE_TYPES if trace.calls_heard.all() else SAMPLE_TYPES[:-1]
    for kind, unit in sample_types:
        value = pb.number(VALUE_TYPE["type"], tables.string(kind)) + pb.number(VALUE_TYPE["unit"], tables.string(unit))
        yield pb.length_delimited(PROFILE["sample_type"], value)
    groups, labels = _labelled(trace, tasks, tables)
    end = len(trace.task_table) + 1
    size = BLOCK if tasks == "each" else max(end, 1)
    for begin in range(1, end, size):
        for stack in stacks(trace, groups=groups, tasks=range(begin, min(begin + size, end))):
            sample = _sample(tables, stack, len(sample_types))
            yield pb.length_delimited(PROFILE["sample"], sample + labels[stack.group])
    yield from tables.messages()
    yield pb.number(PROFILE["time_nanos"], trace.meta.started_unix_ns)
    yield pb.number(PROFILE["duration_nanos"], trace.meta.duration_ns)
    if trace.caveat:
        yield pb.number(PROFILE["comment"], tables.string(f"{trace.caveat}"))
    yield pb.number(PROFILE["default_sample_type"], tables.string("wall"))
    for text in tables.strings:
        yield pb.text(PROFILE["string_table"], text)


def _labelled(trace: Trace, tasks: Grouping, tables: "_Tables") -> tuple[t.Ints, list[bytes]]:
    """Groups of tasks of one name and one state; and the labels of each group."""
    names_of, names = grouped(trace, tasks)
    key = names_of * len(t.STATES)
    key[1:] += trace.task_table.state
    kinds, groups = np.unique(key, return_inverse=True)
    labels = []
    for kind in kinds.tolist():
        name, state = names[kind // len(t.STATES)], t.SHOWN_STATES[kind % len(t.STATES)]
        labels.append((tables.label("task", name) if name else b"") + tables.label("state", state))
    return groups.astype(np.int64), labels


def _sample(tables: "_Tables", stack: Stack, number: int) -> bytes:
    """``number``: of its values."""
    locations = [tables.function(one) for one in reversed(functions(tables.trace, stack))]  # the leaf is first
    if stack.wait:
        locations.insert(0, tables.wait(stack.wait))
    values = (stack.ns, 0, stack.ns, 0) if stack.wait else (stack.ns, stack.ns, 0, stack.calls)
    return pb.packed(SAMPLE["location_id"], locations) + pb.packed(SAMPLE["value"], values[:number])


class _Tables:
    """Strings, functions and locations that samples refer to: each once, numbered in order of first use."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.strings: dict[str, int] = {"": 0}
        self._places: dict[tuple[str, str, int], int] = {}  # a function, and the location in it, have one number

    def string(self, text: str) -> int:
        return self.strings.setdefault(on_one_line(text), len(self.strings))

    def label(self, key: str, text: str) -> bytes:
        both = pb.number(LABEL["key"], self.string(key)) + pb.number(LABEL["str"], self.string(text))
        return pb.length_delimited(SAMPLE["label"], both)

    def function(self, function: t.Function) -> int:
        return self._place(function.name, function.file, function.line)

    def wait(self, wait: Wait) -> int:
        return self._place(wait.text, wait.file, wait.line)

    def _place(self, name: str, file: str, line: int) -> int:
        return self._places.setdefault((name, file, line), len(self._places) + 1)

    def messages(self) -> Iterator[bytes]:
        """The mapping, the functions and the locations."""
        program = self.string(" ".join(self.trace.meta.argv) or self.trace.meta.executable)
        fields = {"id": MAPPING, "filename": program, "has_functions": 1, "has_filenames": 1, "has_line_numbers": 1}
        body = b"".join(pb.number(MAPPING_FIELDS[key], value) for key, value in fields.items())
        yield pb.length_delimited(PROFILE["mapping"], body)
        for (name, file, line), number in self._places.items():
            text = self.string(name)
            row = {"id": number, "name": text, "system_name": text, "filename": self.string(file), "start_line": line}
            body = b"".join(pb.number(FUNCTION[key], value) for key, value in row.items())
            yield pb.length_delimited(PROFILE["function"], body)
            at = pb.number(LINE["function_id"], number) + pb.number(LINE["line"], line)
            body = pb.number(LOCATION["id"], number) + pb.number(LOCATION["mapping_id"], MAPPING)
            yield pb.length_delimited(PROFILE["location"], body + pb.length_delimited(LOCATION["line"], at))
