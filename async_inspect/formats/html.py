"""report.html: all of a trace in one page that needs nothing else, for people who would rather look than read.

Knows: how the page is put together.  What it knows is ``html_data.py``'s, how it looks and behaves the files in
``assets/report/``: put into it as they are, the scripts one after the other in one closure.
"""

from collections.abc import Iterator
from html import escape
from importlib.resources import files

from ..model.trace import Trace
from .html_data import blocks, program
from .html_pack import packed

MAX_EVENTS = 2_000_000  # a page of some 10 MB

# In this order: each may use what those before it define.
SCRIPTS = (
    "data", "words", "page", "list", "select", "summary", "tracks", "paint", "alive", "moves", "chart", "timeline",
    "stacks", "flame", "fields", "tasks", "task", "column", "machine", "layers", "graph", "events", "paper",
    "app",
)  # fmt: skip


def write(trace: Trace, *, max_events: int = MAX_EVENTS) -> Iterator[bytes]:
    """``max_events``: so many at most are in it one by one; tasks, trees and sums are always whole."""
    title = escape(program(trace), quote=False)
    page = _asset("report.html").replace("{{title}}", title).replace("{{style}}", _asset("report.css"))
    head, data, rest = page.partition("{{data}}")
    assert data
    before, script, after = rest.partition("{{script}}")
    assert script
    yield head.encode("utf-8", "replace")
    yield from packed(blocks(trace, max_events))
    yield before.encode()
    for name in SCRIPTS:
        yield _asset(f"{name}.js").encode()
    yield after.encode()


def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", "report", name).read_text(encoding="utf-8")
