"""The filter options of every command that reads a recording.

Knows: their names and help.  Their meaning is in ``model/filters.py``.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from async_inspect.cli.options.shared import Command, given_as

if TYPE_CHECKING:
    from async_inspect.model.filters import Filter

type Wanted = "Filter | None"

_MANY = "may be repeated"
_PID: Any = typer.Option(metavar="PID", help=f"Only this process of the run ({_MANY}).")
_OPTIONS: dict[str, Any] = {
    "pid": (list[int], _PID),
    "task": (list[str], typer.Option(metavar="GLOB", help=f"Only tasks of such a name, or tag:VAR=VALUE ({_MANY}).")),
    "state": (
        list[str],
        typer.Option(metavar="STATE", help=f"Only tasks in this state: waiting, failed … ({_MANY})."),
    ),
    "min_duration": (float, typer.Option(metavar="MS", help="Only tasks that lived at least that long.")),
    "since": (float, typer.Option(metavar="MS", help="Clip: from this time after the recording's beginning.")),
    "until": (float, typer.Option(metavar="MS", help="Clip: to this time, as though the recording had ended then.")),
    "include": (
        list[str],
        typer.Option(metavar="GLOB", help=f"Only frames of such modules or paths ({_MANY})."),
    ),
    "exclude": (
        list[str],
        typer.Option(metavar="GLOB", help=f"No such frames; `stdlib` is all of that ({_MANY})."),
    ),
}


Pid = Annotated[list[int] | None, _PID]  # for commands that take no other part


def of_process(pid: list[int] | None) -> Wanted:
    """The filter of ``--pid`` alone."""
    return _filter({"pid": pid})


def _filter(values: dict[str, Any]) -> Wanted:
    given = {name: value for name, value in values.items() if value}
    if not given:
        return None
    from async_inspect.model.filters import Filter

    times = {"min_duration": "min_duration_ms", "since": "since_ms", "until": "until_ms"}
    return Filter.model_validate({times.get(name, name): value for name, value in given.items()})


def _with(names: Iterable[str]) -> Callable[[Command], Command]:
    options = {name: (Annotated[_OPTIONS[name][0] | None, _OPTIONS[name][1]], None) for name in names}
    return given_as("wanted", options, _filter)


# A command with these options in place of its parameter ``wanted``, which gets a Filter, or None: all.
with_filters = _with(_OPTIONS)
with_filters_of_tasks = _with(name for name in _OPTIONS if name != "pid")  # where --pid means something else
