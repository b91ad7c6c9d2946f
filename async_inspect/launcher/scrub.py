"""Names out of what is sent to others: a token in place of each, the same name by the same token.

Knows what may stay since it is no secret: the names of the standard library's own files, functions and types, of the
packages in site-packages (their files and functions), and the words of which this tool's own messages are made.
Everything else is a name.  The mapping from names to tokens exists only as long as the ``Scrubber``.
"""

import builtins
import importlib
import inspect
import re
import sys
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Final

from .. import events as ev
from ..model.paths import Paths
from ..recording.header import WINDOWS, Meta, with_slashes
from ..support import internal
from ..tracer.sources import SOURCES

_TYPES: Final = ("asyncio", "concurrent.futures", "queue", "selectors", "socket", "ssl", "subprocess", "threading")
_SUFFIXES: Final = (".py", ".pyc", ".rec", ".so")
_OURS: Final = Path(__file__).parent.parent
_LEGIBLE: Final = re.compile(r"[\w.+/-]{1,300}", re.ASCII)
_PART: Final = r"(?:[^\W\d]\w*|<(?:locals|lambda|listcomp|setcomp|dictcomp|genexpr|module)>)"
_DOTTED: Final = re.compile(rf"{_PART}(?:\.{_PART})*")
_FRAME: Final = re.compile(r'( *File )"(.*)", line (\d+), in (.*)')
_PIECES: Final = re.compile(
    r"(?<!\w)'[^'\n]*'|\"[^\"\n]*\"|(?:[A-Za-z]:)?[\w.~+-]*[/\\][^\s'\",;()]*|(?:\w|[^\x00-\x7f])+"
)
_TOKEN: Final = re.compile(r"(?:name|path)-\d+(?:\.(?:pyc?|rec|so))?")
_SHORTEST: Final = 3  # letters of a name that is looked for within text

# Metadata that says nothing of the program, by what its values can be.
_SAFE_VALUES: Final = {
    **dict.fromkeys(("version", "python"), r"\d+(\.\d+)*[a-z0-9.+]{0,20}"),
    **dict.fromkeys(("pid", "ppid", "max_size", "calls"), r"\d{1,20}"),
    "implementation": "[a-z]{1,20}",
    "platform": "[a-z0-9]{1,20}",
    "core": "c|python",
    "slow_poll_ms": r"[\d.e+]{1,20}",
    "source": "|".join(SOURCES),
}
_KEYS: Final = (*_SAFE_VALUES, *("argv", "base_prefix", "core_reason", "cwd", "executable", "prefix", "run", "site"),
                "stdlib", "tag")  # fmt: skip


class Scrubber:
    """The names of one bundle."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._names: set[str] = set()  # of these, those that were names where they stood, and not words of a message
        self._paths = Paths()

    def __len__(self) -> int:
        """How many names were replaced."""
        return len(self._tokens)

    def of(self, meta: Meta) -> None:
        """What follows is of the recording that has this metadata."""
        self._paths = Paths("", meta.get("stdlib", ()))

    def name(self, text: str) -> str:
        """Whatever it says."""
        self._names.add(text)
        return self._token("name", text)

    def path(self, text: str) -> str:
        """The path of a file or folder; those of the standard library and of packages stay, from there on."""
        if not self._kept(text):
            self._names.add(text)
        return self._path(text)

    def qualname(self, text: str) -> str:
        """The dotted name of a function or type of the program, part by part."""
        if not _DOTTED.fullmatch(text):
            return self.name(text)
        return ".".join(part if part.startswith("<") else self.name(part) for part in text.split("."))

    def type(self, text: str) -> str:
        """The name of a type or of what is called, as strings of a recording are; those of Python itself stay."""
        first, space, rest = text.partition(" ")
        if _is_pythons(first):
            return f"{first}{space}{self.text(rest)}"
        module, dot, inner = text.partition(".")
        if dot and module in sys.stdlib_module_names:
            return f"{module}.{self.qualname(inner)}"
        return self.qualname(text)

    def value(self, key: str, text: str) -> tuple[str, str]:
        """A line of the metadata."""
        if key in _SAFE_VALUES and re.fullmatch(_SAFE_VALUES[key], text, re.ASCII):
            return key, text
        if key == "core_reason":
            return key, self.text(text)
        return (key if key in _KEYS else self.name(key)), self.path(text) if "/" in text else self.name(text)

    def record(self, kind: int, texts: list[str]) -> list[str]:
        """The texts of a record of this kind."""
        if kind == ev.CODE:
            file, name, table = [*texts, "", "", ""][:3]
            kept = self._kept(file)
            # A damaged table can't be recognised as one.
            return [self.path(file), name if kept and _DOTTED.fullmatch(name) else self.qualname(name),
                    f"{len(table) // 2} bytes of lines"]  # fmt: skip
        return [self.type(text) for text in texts] if kind == ev.STRING else [self.name(text) for text in texts]

    def text(self, text: str) -> str:
        """A message: words stay that this tool's own source has, if they are no name seen before; what is quoted, and
        paths, do not."""
        for name in sorted((one for one in self._names if len(one) >= _SHORTEST and one in text), key=len)[::-1]:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", self._tokens[name], text)
        return _PIECES.sub(lambda found: self._piece(found[0]), text)

    def error(self, text: str) -> str:
        """The details of an internal error, or a traceback: frames and lines of source only of what stays."""
        kept, lines = False, []
        for line in text.split("\n"):
            frame = _FRAME.fullmatch(line)
            if frame:
                kept = bool(self._kept(frame[2]))
                lines.append(self._frame(frame, kept))
                continue
            kept = kept and line.startswith("    ")
            lines.append(line if kept or line in self._usual else self._message(line))
        return "\n".join(lines)

    def _frame(self, frame: re.Match[str], kept: bool) -> str:
        begin, file, number, name = frame.groups()
        stays = kept and _DOTTED.fullmatch(name)
        return f'{begin}"{self.path(file)}", line {number}, in {name if stays else self.qualname(name)}'

    def _message(self, line: str) -> str:
        begin, is_command, words = line.partition("command line: ")
        if is_command and not begin:
            return is_command + " ".join(self._token("name", word) for word in words.split())
        return self.text(line)

    def _token(self, kind: str, text: str, suffix: str = "") -> str:
        return self._tokens.setdefault(text, f"{kind}-{len(self._tokens) + 1}{suffix}") if text else ""

    def _path(self, text: str) -> str:
        suffix = next((one for one in _SUFFIXES if text.endswith(one)), "")
        return self._kept(text) or self._token("path", text, suffix)

    def _kept(self, file: str) -> str:
        """The path as it may be sent; "": it may not."""
        file = with_slashes(file) if sys.platform in WINDOWS or "\\" in file else file
        ours = file.rpartition(f"/{_OURS.name}/")[2]
        if ours != file and file.endswith(".py") and _is_ours(ours):
            return f"{_OURS.name}/{ours}"
        shown = self._paths.shown(file)
        if shown == file:
            shown = _HERE.shown(file)
        place, _, inner = shown.partition("/")
        if not _LEGIBLE.fullmatch(inner) or ".." in inner.split("/"):
            return ""
        if place == "<stdlib>":  # a wrong folder in the metadata would be the program's
            return shown if re.split("[/.]", inner)[0] in sys.stdlib_module_names else ""
        return shown if place in ("site-packages", "dist-packages") and file != shown else ""

    def _piece(self, text: str) -> str:
        if _TOKEN.fullmatch(text):
            return text
        if text[0] in "'\"":
            inner = text[1:-1]
            return f"{text[0]}{self._piece(inner) if inner else ''}{text[-1]}"
        if "/" in text or "\\" in text:
            return self._path(text) if text.strip("/\\") else text
        return text if text in self._own or text.isdecimal() else self._token("name", text)

    @cached_property
    def _usual(self) -> set[str]:
        """Lines of an error's details that say nothing of the program."""
        return {"", "Traceback (most recent call last):", *internal.versions()}

    @cached_property
    def _own(self) -> set[str]:
        """The words of this tool's source, those of Python, and our tokens."""
        words = {*vars(builtins), *sys.stdlib_module_names, "name", "path", "py", "pyc", "rec", "so"}
        for file in _OURS.rglob("*.py"):
            with suppress(OSError):
                words.update(re.findall(r"\w+", file.read_text(encoding="utf-8")))
        return words


@cache
def _is_ours(file: str) -> bool:
    return ".." not in file and _LEGIBLE.fullmatch(file) is not None and (_OURS / file).is_file()


_HERE: Final = Paths("", (str(Path(inspect.__file__).parent),))


@cache
def _look_up() -> dict[str, ModuleType]:
    """The modules in which types are looked up."""
    for module in _TYPES:
        with suppress(ImportError):
            importlib.import_module(module)
    return {name: module for name, module in sys.modules.items() if name in sys.stdlib_module_names}


def _is_pythons(name: str) -> bool:
    """Whether Python itself has a type or function called so."""
    if callable(getattr(builtins, name, None)):
        return True
    module, _, inner = name.partition(".")
    found: object = _look_up().get(module)
    for part in inner.split("."):
        found = inspect.getattr_static(found, part, None)
    return found is not None
