"""The formats: a Trace as bytes, one module each.  To add one: a module, and its line here.

A writer is a pure function (Trace, options by keyword) -> chunks of bytes: same Trace, same options, same bytes.  A
format with ``findings`` gets the checks' Survey as its second argument.

A format of several files has a row for each, with a common name before the colon: ``csv`` is ``csv:tasks`` and
``csv:events``, ``folded`` is itself and ``folded:filtered``.  Other packages add formats by the entry point group
``async_inspect.formats``, whose entries are a ``Format`` each; an entry is loaded only when it is asked for by name.
"""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path, PurePath
from typing import NamedTuple

from ..errors import USAGE, UserError
from ..model.trace import Trace
from ..support.internal import explained
from . import chrome, csv, firefox, folded, html, json, perfetto, pprof, speedscope, svg

GROUP = "async_inspect.formats"


class Format(NamedTuple):
    name: str  # of -f
    file: str  # in the reports' folder
    write: Callable[..., Iterator[bytes]]
    compact: bool  # its size does not grow with the number of events
    findings: bool = False  # whether ``write`` takes (Trace, Survey, options by keyword)


FILTERED = partial(folded.write, include_polls=False, include_awaits=True, min_duration_ms=10)

FORMATS = {
    row.name: row
    for row in (
        Format("json", "data.json", json.write, compact=False),
        Format("csv:tasks", "tasks.csv", csv.tasks, compact=False),
        Format("csv:events", "events.csv", csv.events, compact=False),
        Format("chrome", "trace.json", chrome.write, compact=False),
        Format("perfetto", "trace.pftrace", perfetto.write, compact=False),
        Format("folded", "flamegraph.txt", folded.write, compact=True),
        Format("folded:filtered", "flamegraph_filtered.txt", FILTERED, compact=True),
        Format("svg", "flamegraph.svg", svg.write, compact=True),
        Format("html", "report.html", html.write, compact=True, findings=True),
        Format("speedscope", "speedscope.json", speedscope.write, compact=True),
        Format("pprof", "profile.pb.gz", pprof.write, compact=True),
        Format("firefox", "firefox.json", firefox.write, compact=True),
    )
}


def members(name: str, folder: Path | None = None) -> list[Format]:
    """The formats that a name stands for, the one of exactly this name first.

    UserError: there is no such format (USAGE); another package's can't be used (details go to a file
    in ``folder``).
    """
    found = [row for row in FORMATS.values() if name in (row.name, row.name.partition(":")[0])]
    return found or [_of_others(name, folder)]


def one(name: str) -> Format | None:
    """The format of exactly this name; None: the name stands for several files.  UserError: there is no such format."""
    found = members(name)
    return found[0] if found[0].name == name else None


def _of_others(name: str, folder: Path | None) -> Format:
    theirs = entry_points(group=GROUP)
    for entry in theirs.select(name=name):
        what = f"the format {name!r} ({entry.value})"
        try:
            loaded = entry.load()
        except (Exception, SystemExit) as error:  # whatever it does when it is imported
            raise UserError(explained(f"{what} can't be loaded", error, folder)) from error
        if not isinstance(loaded, Format) or not callable(loaded.write) or not isinstance(loaded.file, str):
            raise UserError(f"{what} is no async_inspect.formats.Format")
        if PurePath(loaded.file).name != loaded.file or loaded.file in {row.file for row in FORMATS.values()}:
            raise UserError(f"{what} would write to {loaded.file!r}, which is not a name of its own")
        return loaded._replace(name=name)
    names = dict.fromkeys([*(row.partition(":")[0] for row in FORMATS), *FORMATS, *sorted(theirs.names)])
    raise UserError(f"no format {name!r}; there are {', '.join(names)}", USAGE)


__all__ = ["FORMATS", "GROUP", "Format", "Trace", "members", "one"]
