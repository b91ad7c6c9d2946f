"""Untrusted text, made safe to show on a terminal and to write as JSON.

Task names, exceptions' messages, file names and arguments are whatever a program made them.  Knows which characters act
on a terminal or mislead a reader, and that text in a recording need not be UTF-8.  Knows no terminal and no format.
"""

import codecs
import json
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

MOST: Final = 300  # characters of one name or sentence that are shown
UNKNOWN: Final = "\ufffd"
LEGIBLE: Final = "async-inspect-legible"  # of codecs: what an encoding lacks, in ASCII
_PICTURES: Final = 0x2400  # the signs for control characters, in their order
_DELETE: Final = "\x7f"
_ASCII: Final = str.maketrans({
    "…": "...", "→": "->", "←": "<-", "×": "x", "µ": "u", "├": "|", "└": "`", "─": "-", "│": "|", "–": "-", "—": "-",
    "“": '"', "”": '"', "‘": "'", "’": "'", "≥": ">=", "≤": "<=", "·": ".", "●": "*", UNKNOWN: "?",
})  # fmt: skip


def clean(text: str) -> str:
    """The text with a visible sign in place of each unprintable character: controls (escape sequences begin with one),
    bidirectional marks, zero-width characters, lone surrogates."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _sign(c) for c in text)


def clean_lines(text: str) -> str:
    """``clean``, line by line."""
    return "\n".join(map(clean, text.split("\n")))


def _sign(character: str) -> str:
    if character < " ":
        return chr(_PICTURES + ord(character))
    if character == _DELETE:
        return "\u2421"
    return " " if unicodedata.category(character) == "Zs" else UNKNOWN


def shown(text: str) -> str:
    """``clean``, and at most MOST characters."""
    return clean(text) if len(text) <= MOST else f"{clean(text[: MOST - 1])}…"


def cleaned[T](value: T) -> T:
    """A copy of this value with each text in it ``shown``."""
    copy: T = _mapped(value, shown)
    return copy


def to_json(value: Any) -> str:
    """As JSON in ASCII, everything else escaped; lone surrogates, which not every reader accepts, become U+FFFD.
    Models are dumped with ``mode="json"``."""
    plain = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
    return json.dumps(_mapped(plain, whole), indent=2)


def whole(text: str) -> str:
    """The text with U+FFFD in place of each lone surrogate (a byte that was not UTF-8)."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _mapped(value: Any, function: Callable[[str], str]) -> Any:
    """A copy with ``function`` applied to each text in models, mappings, lists and tuples, named tuples too."""
    if isinstance(value, str):
        return function(value)
    if hasattr(value, "model_copy"):
        return value.model_copy(update={name: _mapped(one, function) for name, one in value})
    if isinstance(value, Mapping):
        return {_mapped(key, function): _mapped(one, function) for key, one in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_mapped(one, function) for one in value))
    if isinstance(value, list | tuple):
        return type(value)(_mapped(one, function) for one in value)
    return value


def _legible(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_ASCII)
    return "".join(c if c.isascii() else _escape(c) for c in text), error.end


def _escape(character: str) -> str:
    code = ord(character)
    if _PICTURES <= code <= _PICTURES + 0x21:  # what stands for a control is that control, in words
        return f"\\x{code - _PICTURES if code < _PICTURES + 0x21 else 0x7F:02x}"
    return character.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error(LEGIBLE, _legible)
