"""A format's options as words: ``weight=wait``, checked against the signature of its writer.

Knows: how a word becomes a value of the type that the signature names.  Knows no format.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import USAGE, UserError


def parse(name: str, write: Callable[..., object], words: Iterable[str]) -> dict[str, Any]:
    """``["weight=wait", "include_polls=no"]`` as keyword arguments.  UserError: no such option, not such a value."""
    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip().replace("-", "_")
        if not equals:
            raise _unknown(name, write, word)
        found[key] = _value(name, write, key, text, word)
    return found


def checked(name: str, write: Callable[..., object], options: Mapping[str, object]) -> dict[str, Any]:
    """Keyword arguments, converted and checked likewise."""
    return {key: _value(name, write, key, value, f"{key}={value!r:.100}") for key, value in options.items()}


def _value(name: str, write: Callable[..., object], key: str, value: object, word: str) -> object:
    known = describe(write)
    if key not in known:
        raise _unknown(name, write, word)
    try:
        found: object = TypeAdapter(_type(known[key])).validate_python(value)
    except ValidationError as error:
        raise UserError(f"format {name}: {word}: {error.errors()[0]['msg']}", USAGE) from None
    if isinstance(found, float) and not math.isfinite(found):
        raise UserError(f"format {name}: {word}: not a finite number", USAGE)
    return found


def _type(option: inspect.Parameter) -> Any:
    """The type in the signature; without an annotation, the type of the default."""
    if option.annotation is not option.empty:
        return option.annotation
    return Any if option.default in (None, option.empty) else type(option.default)


def _unknown(name: str, write: Callable[..., object], word: str) -> UserError:
    has = ", ".join(f"{k}={_word(p.default)}" for k, p in describe(write).items()) or "none"
    return UserError(f"format {name}: no option {word!r}; with their defaults they are: {has}", USAGE)


def describe(write: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """The options of a writer, by name."""
    parameters = inspect.signature(write, eval_str=True).parameters.values()
    return {row.name: row for row in parameters if row.kind is row.KEYWORD_ONLY}


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
