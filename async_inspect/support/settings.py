"""What a rule of waiting reasons is, and the rules that users write: a TOML table, found from the current folder.

Knows: where the table may stand, and what is wrong with one.  Knows nothing of traces: what a rule does is in
``model/reasons``.  Needs the standard library only, for ``attach`` looks at the table before it forks.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..errors import USAGE, UserError
from ..tracer.trust import untrusted
from . import files, internal

TOOL: Final = "async-inspect"
TABLE: Final = "reasons"
MOST: Final = 1 << 20  # bytes of a file
ALL: Final = "*"  # in ``covers``: all that shipped rules say or don't know


class Rule(NamedTuple):
    """Functions of one file that wait for one thing."""

    file: str  # as exports print it; a user's may be a glob
    functions: tuple[str, ...]  # qualified names; a user's may be globs
    reason: str
    covers: tuple[str, ...] = ()  # reasons of inner frames that this one says better; "" is an unknown one


def configured() -> tuple[Rule, ...]:
    """The user's rules: the project's, then those for all projects.  UserError: a table is wrong."""
    return tuple(rule for where, table in _tables() for rule in _rules(where, table))


def _tables() -> Iterator[tuple[str, object]]:
    """(file and prefix, table) of the nearest pyproject.toml that has one, and of the user's own config."""
    for folder in _above():
        path = folder / "pyproject.toml"
        text = _text(path)
        try:
            tools = _parsed(text).get("tool")
        except (ValueError, RecursionError) as error:
            if TOOL not in text:  # somebody else's
                _pass_over(f"{path}: {error}")
                continue
            tools = {TOOL: error}
        if isinstance(tools, dict) and TOOL in tools:
            if reason := untrusted(str(path)):
                _pass_over(f"{path} is not read: {reason}")
                continue
            yield f"{path}: tool.{TOOL}.", _whole(path, tools[TOOL])
            break
    home = os.environ.get("XDG_CONFIG_HOME", "")  # counts only if absolute, says its specification
    own = Path(home if home.startswith("/") else os.path.expanduser("~/.config")) / TOOL / "config.toml"
    if text := _text(own):
        if reason := untrusted(str(own)):
            _pass_over(f"{own} is not read: {reason}")
            return
        try:
            table: object = _parsed(text)
        except (ValueError, RecursionError) as error:
            table = error
        yield f"{own}: ", _whole(own, table)


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


def _whole(path: Path, table: object) -> object:
    """The table.  UserError: it is the error with which its file could not be read."""
    if isinstance(table, Exception):
        raise UserError(f"{path}: {table}", USAGE)
    return table


def _pass_over(why: str) -> None:
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


def _rules(where: str, table: object) -> Iterator[Rule]:
    if not isinstance(table, dict):
        raise UserError(f"{where.removesuffix('.')} is no table", USAGE)
    for name in table:
        if name != TABLE:
            raise UserError(f"{where}{name}: there is no such setting; there is {TABLE}", USAGE)
    entries = table.get(TABLE, [])
    if not isinstance(entries, list):
        raise UserError(f"{where}{TABLE} is no array of tables: write [[…{TABLE}]]", USAGE)
    for number, entry in enumerate(entries, 1):
        problem = _problem(entry)
        if problem:
            raise UserError(f"{where}{TABLE}, entry {number}: {problem}", USAGE)
        covers = tuple(entry.get("covers", (ALL,)))
        yield Rule(entry["file"], tuple(entry["functions"]), entry["reason"], covers)


def _problem(entry: object) -> str:
    """What is wrong with an entry; "": nothing."""
    if not isinstance(entry, dict):
        return "is no table"
    for name in entry:
        if name not in Rule._fields:
            return f"there is no {name!r}; there are {', '.join(Rule._fields)}"
    for name in ("file", "functions", "reason"):
        if name not in entry:
            return f"{name!r} is missing"
    for name in ("file", "reason"):
        if not isinstance(entry[name], str) or not entry[name].strip() or not entry[name].isprintable():
            return f"{name!r} is to be a word or a few, on one line"
    for name in ("functions", "covers"):
        if name in entry and not _is_texts(entry[name]):
            return f"{name!r} is to be an array of strings"
    return "" if entry["functions"] else "'functions' names none"


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
