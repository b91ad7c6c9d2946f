"""A recording as text, record for record, for whoever debugs one.

Knows nothing of what records mean.
"""

from collections.abc import Callable, Iterator

from .. import events as ev
from .reader import Recording, decoded, text_of
from .slots import DAMAGED, Slots

_BLOCK = 1 << 16  # slots that become text at a time


def dump_header(recording: Recording) -> Iterator[str]:
    """The header's fields, then the metadata, a line each."""
    for name, value in recording.header._asdict().items():
        yield f"{name}: {value.decode('ascii', 'replace') if isinstance(value, bytes) else value}"
    for key, values in recording.meta.items():
        for text in values:
            yield f"{key}: {text!r}"
    yield f"slots: {recording.count}"
    if recording.damaged:
        yield f"damaged: {recording.damaged} slots and header fields"
    if recording.cut:
        yield f"missing: {recording.missing} slots at least: the file was cut off"


def dump_records(
    recording: Recording, part: slice = slice(None), scrub: Callable[[int, list[str]], list[str]] | None = None
) -> Iterator[str]:
    """Each record as a line: its slot, kind and fields, then the text of those that have one.

    ``part``: these slots only.  ``scrub``: maps (kind, its texts) to the texts to print instead; the fields of damaged
    slots, which may be pieces of text, are then left out.
    """
    first, last, _ = part.indices(recording.count)
    base = 0
    for slots in recording.chunks:
        end = min(last - base, len(slots))
        for begin in range(max(first - base, 0), end, _BLOCK):
            for at, slot in enumerate(slots[begin : min(begin + _BLOCK, end)].tolist(), begin):
                if slot[-1] != ev.TEXT:
                    yield _line(slots, at, base + at, slot, scrub)
        base += len(slots)


def _line(
    slots: Slots, at: int, number: int, slot: tuple[int, ...], scrub: Callable[[int, list[str]], list[str]] | None
) -> str:
    ts, coro, aux, node, task, off, thread, flags, kind = slot
    if kind == DAMAGED and scrub:
        return f"{number} DAMAGED"
    name = "DAMAGED" if kind == DAMAGED else ev.KIND_NAMES[kind]
    line = f"{number} {name} {coro=} {aux=} {off=} {node=} {task=} {flags=} {thread=} {ts=}"
    if kind in ev.HAS_TEXT:
        parts = text_of(slots, at).split(b"\0", 2)
        if kind == ev.CODE and len(parts) == 3:
            parts[2] = parts[2].hex().encode()
        texts = [decoded(part) for part in parts]
        line += " " + " ".join(map(repr, scrub(kind, texts) if scrub else texts))
    return line
