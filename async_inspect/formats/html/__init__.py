"""report.html: a whole trace in one self-contained, interactive page.

Knows: how the page is assembled.  Its data comes from ``data.py``; its style and scripts are the files in
``assets/report/``, inserted as they are, the scripts one after the other in one closure.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from html import escape
from importlib.resources import files

from ...model.finding import Survey
from ...model.trace import Trace
from ...support.names import shown
from .data import blocks, program
from .pack import packed

_PLACE = re.compile(r"\{\{(\w+)\}\}")
MAX_EVENTS = 2_000_000  # a page of some 10 MB

# In this order: each may use what those before it define.
SCRIPTS = (
    "data", "words", "page", "list", "select", "summary", "tracks", "paint", "alive", "moves", "chart", "timeline",
    "stacks", "flame", "declared", "fields", "tasks", "task", "column", "machine", "layers", "graph", "events", "paper",
    "app",
)  # fmt: skip


def write(trace: Trace, survey: Survey, *, max_events: int = MAX_EVENTS) -> Iterator[bytes]:
    """``survey``: what the checks found.  ``max_events``: so many at most are in it one by one; tasks, trees and sums
    are always whole."""
    filled: dict[str, Callable[[], Iterable[bytes]]] = {
        "title": lambda: [escape(shown(program(trace)), quote=False).encode("utf-8", "replace")],
        "style": lambda: [_asset("report.css").encode()],
        "data": lambda: packed(blocks(trace, survey, max_events)),
        "script": lambda: (_asset(f"{name}.js").encode() for name in SCRIPTS),
    }
    # Split before anything is inserted: inserted text is never searched for further placeholders.
    for number, part in enumerate(_PLACE.split(_asset("report.html"))):
        yield from filled[part]() if number % 2 else [part.encode()]


def _asset(name: str) -> str:
    return files("async_inspect.formats").joinpath("assets", "report", name).read_text(encoding="utf-8")
