"""The TOML tables that users write: where they may stand, which of them count, and the names of all settings in them.

Knows: files, and what is wrong with one.  Does not know what a setting does: each but ``reasons`` is an option of
``attach`` of the same name, whose values ``cli/configuration.py`` checks.  Needs the standard library only, for
``attach`` looks at the tables before it forks.
"""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..errors import USAGE, UserError
from ..tracer.trust import untrusted
from . import files, internal

TOOL: Final = "async-inspect"
MOST: Final = 1 << 20  # bytes of a file
REASONS: Final = "reasons"
_printed: Final[set[str]] = set()
SETTINGS: Final = (
    "preset",
    "detail",
    "callees",
    "without",
    "tag",
    "slow-poll",
    "max-size",
    "no-argv",
    "no-children",
    "follow-env",
    "preload",
    "core",
    "python",
    "output",
    "format",
    "quiet",
)  # in the order in which ``config`` prints them


class Table(NamedTuple):
    """What one file says."""

    where: str  # what stands before the name of a setting: "/home/me/pyproject.toml: tool.async-inspect."
    settings: dict[str, Any]


def tables() -> Iterator[Table]:
    """The tables that count, those that win first: the project's, then the user's own for all projects.

    The project's is that of the nearest folder, upwards, that has one.  UserError: a table is wrong.
    """
    for folder in _above():
        found = [*_own(folder / f"{TOOL}.toml"), *_pyproject(folder / "pyproject.toml")]
        yield from found[:1]
        for other in found[1:]:
            _pass_over(f"{other.where.removesuffix('.')} is not read: there is an {TOOL}.toml beside it")
        if found:
            break
    home = os.environ.get("XDG_CONFIG_HOME", "")  # counts only if absolute, says its specification
    yield from _own(Path(home if home.startswith("/") else os.path.expanduser("~/.config")) / TOOL / "config.toml")


def _own(path: Path) -> Iterator[Table]:
    """That of a file which is all ours."""
    if text := _text(path):
        if reason := untrusted(str(path)):
            _pass_over(f"{path} is not read: {reason}")
            return
        try:
            yield _checked(f"{path}: ", _parsed(text))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: {error}", USAGE) from None


def _pyproject(path: Path) -> Iterator[Table]:
    text = _text(path)
    try:
        tools = _parsed(text).get("tool")
    except (ValueError, RecursionError) as error:
        if TOOL not in text:  # somebody else's
            _pass_over(f"{path}: {error}")
            return
        tools = {TOOL: error}
    if isinstance(tools, dict) and TOOL in tools:
        if reason := untrusted(str(path)):
            _pass_over(f"{path} is not read: {reason}")
        elif isinstance(tools[TOOL], Exception):
            raise UserError(f"{path}: {tools[TOOL]}", USAGE)
        else:
            yield _checked(f"{path}: tool.{TOOL}.", tools[TOOL])


def _checked(where: str, table: object) -> Table:
    if not isinstance(table, dict):
        raise UserError(f"{where.removesuffix('.')} is no table", USAGE)
    for name in table:
        if name not in (REASONS, *SETTINGS):
            near = difflib.get_close_matches(name.replace("_", "-"), (REASONS, *SETTINGS), 1)
            there = f"did you mean {near[0]}?" if near else f"there are {', '.join((*SETTINGS, REASONS))}"
            raise UserError(f"{where}{name}: there is no such setting; {there}", USAGE)
    return Table(where, table)


def _parsed(text: str) -> dict[str, Any]:
    if not text:
        return {}
    import tomllib  # only where there is something to parse

    return tomllib.loads(text)


def _above() -> tuple[Path, ...]:
    """The current folder and those above it; none if it is gone."""
    try:
        here = Path.cwd()
    except OSError:
        return ()
    return here, *here.parents


def _pass_over(why: str) -> None:
    """Say it, once: a command may look at the tables twice."""
    if why not in _printed:
        _printed.add(why)
        internal.say(f"{why}; going on without it")


def _text(path: Path) -> str:
    """The file's text; "" if there is no such file, or it can't be read."""
    try:
        return files.read(path, MOST).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        _pass_over(f"{path}: {error.strerror}")
    except ValueError as error:
        _pass_over(f"{path}: {error}")
    return ""
