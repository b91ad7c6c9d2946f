"""The formats: a Trace as bytes, one module each.  To add one: a module, and its line here.

A writer is a pure function (Trace, options by keyword) -> chunks of bytes: same Trace, same options, same bytes.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..model.trace import Trace
from . import folded, json, speedscope


class Format(NamedTuple):
    name: str  # of -f
    file: str  # in the reports' folder
    write: Callable[..., Iterator[bytes]]
    compact: bool  # its size doesn't follow the number of events


FORMATS = {
    row.name: row
    for row in (
        Format("json", "data.json", json.write, compact=False),
        Format("folded", "flamegraph.txt", folded.write, compact=True),
        Format("speedscope", "speedscope.json", speedscope.write, compact=True),
    )
}

__all__ = ["FORMATS", "Format", "Trace"]
