"""A format's options as words: ``weight=wait``, checked against the signature of its writer.

Knows: how a word becomes a value of the type that the signature names.  Knows no format.
"""

import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import USAGE, UserError


def parse(name: str, write: Callable[..., object], words: Iterable[str]) -> dict[str, Any]:
    """``["weight=wait", "include_polls=no"]`` as keyword arguments.  UserError: no such option, not such a value."""
    known = describe(write)
    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip().replace("-", "_")
        if key not in known or not equals:
            has = ", ".join(f"{k}={_word(p.default)}" for k, p in known.items()) or "none"
            raise UserError(f"format {name}: no option {word!r}; with their defaults they are: {has}", USAGE)
        try:
            found[key] = TypeAdapter(known[key].annotation).validate_python(text)
        except ValidationError as error:
            raise UserError(f"format {name}: {word}: {error.errors()[0]['msg']}", USAGE) from None
        if isinstance(found[key], float) and not math.isfinite(found[key]):
            raise UserError(f"format {name}: {word}: not a finite number", USAGE)
    return found


def describe(write: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """The options of a writer, by name."""
    parameters = inspect.signature(write, eval_str=True).parameters.values()
    return {row.name: row for row in parameters if row.kind is row.KEYWORD_ONLY}


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
