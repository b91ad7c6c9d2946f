"""The formats: a Trace as bytes, one module each.  To add one: a module, and its line here.

A writer is a pure function (Trace, options by keyword) -> chunks of bytes: same Trace, same options, same bytes.  A
format with ``findings`` gets the checks' Survey as its second argument.

A format of several files has a row for each, with a common name before the colon: ``csv`` is ``csv:tasks`` and
``csv:events``, ``folded`` is itself and ``folded:filtered``.  Other packages add formats by the entry point group
``async_inspect.formats``, whose entries are a ``Format`` each; an entry is loaded only when it is asked for by name.
Importing this imports no format, nor what a format needs.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import USAGE, UserError
from ..support.internal import explained

if TYPE_CHECKING:
    from ..model.trace import Trace
    from .shared.cost import Cost

GROUP: Final = "async_inspect.formats"
ALL: Final = "all"  # as a name: every format here


class Format(NamedTuple):
    name: str  # of -f
    file: str  # in the reports' folder
    write: Callable[..., Iterator[bytes]]
    compact: bool  # its size does not grow with the number of events
    findings: bool = False  # whether ``write`` takes (Trace, Survey, options by keyword)
    estimate: "Callable[[Trace], Cost] | None" = None  # what it would write, of one that isn't compact


class _Here:
    """A function of a module here, which is imported when it is first asked for: most runs need few of them."""

    def __init__(self, module: str, name: str = "write", **always: object) -> None:
        self._module, self._name, self._always = module, name, always

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._function()(*args, **(self._always | options))

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._function(), eval_str=True)

    def _function(self) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(import_module(f".{self._module}", __package__), self._name)
        return found


def _growing(name: str, file: str, module: str, write: str = "write", estimate: str = "estimate") -> Format:
    """A format that lists what happened: ``estimate`` says beforehand how much that is."""
    return Format(name, file, _Here(module, write), compact=False, estimate=_Here(module, estimate))


FORMATS = {
    row.name: row
    for row in (
        _growing("json", "data.json", "json"),
        _growing("csv:tasks", "tasks.csv", "csv", "tasks", "estimate_tasks"),
        _growing("csv:events", "events.csv", "csv", "events", "estimate_events"),
        _growing("chrome", "trace.json", "chrome"),
        _growing("perfetto", "trace.pftrace", "perfetto"),
        Format("folded", "flamegraph.txt", _Here("folded"), compact=True),
        Format(
            "folded:filtered",
            "flamegraph_filtered.txt",
            _Here("folded", include_polls=False, include_awaits=True, min_duration_ms=10),
            compact=True,
        ),
        Format("svg", "flamegraph.svg", _Here("svg"), compact=True),
        Format("html", "report.html", _Here("html"), compact=True, findings=True),
        Format("speedscope", "speedscope.json", _Here("speedscope"), compact=True),
        Format("pprof", "profile.pb.gz", _Here("pprof"), compact=True),
        Format("firefox", "firefox.json", _Here("firefox"), compact=True),
    )
}


def __getattr__(name: str) -> object:
    if name == "Trace":  # numpy, which a name alone doesn't need
        from ..model.trace import Trace

        return Trace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def check_names(names: Iterable[str]) -> None:
    """UserError: there is no such format.  Called before anything is done."""
    for name in names:
        try:
            members(name)
        except UserError as error:
            if error.status == USAGE:
                raise  # a format that can't be loaded is reported when the reports are written


def members(name: str, folder: Path | None = None) -> list[Format]:
    """The formats that a name stands for, the one of exactly this name first; "all": every one that is here.

    UserError: there is no such format (USAGE); another package's can't be used (details go to a file
    in ``folder``).
    """
    if name == ALL:
        return list(FORMATS.values())
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
    names = dict.fromkeys([*(row.partition(":")[0] for row in FORMATS), *FORMATS, ALL, *sorted(theirs.names)])
    raise UserError(f"no format {name!r}; there are {', '.join(names)}", USAGE)


__all__ = ["ALL", "FORMATS", "GROUP", "Format", "Trace", "check_names", "members", "one"]
