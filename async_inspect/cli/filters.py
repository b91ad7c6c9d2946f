"""The options by which every command that reads a recording takes a part of it.

Knows: their names and help.  What they mean is in ``model/filters.py``.
"""

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from async_inspect.model.filters import Filter

type Wanted = "Filter | None"

_MANY = "may be repeated"
_PID: Any = typer.Option(metavar="PID", help=f"Only this process of the run ({_MANY}).")
_OPTIONS: dict[str, Any] = {
    "pid": (list[int], _PID),
    "task": (list[str], typer.Option(metavar="GLOB", help=f"Only tasks of such a name ({_MANY}).")),
    "state": (list[str], typer.Option(metavar="STATE", help=f"Only tasks in this state ({_MANY}).")),
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
    """What ``--pid`` alone wants."""
    return _filter({"pid": pid} if pid else {})


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """A command with these options in place of its parameter ``wanted``, which gets a Filter, or None: all."""

    @functools.wraps(command)
    def call(*arguments: Any, **options: Any) -> None:
        given = {name: options.pop(name) for name in _OPTIONS}
        command(*arguments, wanted=_filter({name: value for name, value in given.items() if value}), **options)

    own = inspect.signature(command).parameters
    kind = inspect.Parameter.KEYWORD_ONLY
    more = [
        inspect.Parameter(name, kind, default=None, annotation=Annotated[type_ | None, option])
        for name, (type_, option) in _OPTIONS.items()
    ]
    shown = [*(parameter for name, parameter in own.items() if name != "wanted"), *more]
    del call.__wrapped__
    vars(call)["__signature__"] = inspect.Signature(shown)
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return call


def _filter(given: dict[str, Any]) -> Wanted:
    if not given:
        return None
    from async_inspect.model.filters import Filter

    times = {"min_duration": "min_duration_ms", "since": "since_ms", "until": "until_ms"}
    return Filter.model_validate({times.get(name, name): value for name, value in given.items()})
