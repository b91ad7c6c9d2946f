"""Options that several commands share, given to each as one value.

Knows how to change a command's signature, from which typer makes its options.  The options themselves are in
``filters.py`` and ``recording.py``.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

type Command = Callable[..., None]


def given_as(
    parameter: str, options: Mapping[str, tuple[Any, Any]], make: Callable[[dict[str, Any]], object]
) -> Callable[[Command], Command]:
    """A decorator: gives the command these options, name -> (annotation, default), in place of its ``parameter``, which
    gets what ``make`` makes of their values."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def call(*arguments: Any, **values: Any) -> None:
            made = make({name: values.pop(name) for name in options})
            command(*arguments, **{parameter: made}, **values)

        kind = inspect.Parameter.KEYWORD_ONLY
        own = [one for name, one in inspect.signature(command).parameters.items() if name != parameter]
        more = [
            inspect.Parameter(name, kind, default=default, annotation=annotation)
            for name, (annotation, default) in options.items()
        ]
        del call.__wrapped__
        vars(call)["__signature__"] = inspect.Signature([*own, *more])
        call.__annotations__ = {one.name: one.annotation for one in (*own, *more)}
        return call

    return decorate
