"""What a rule of waiting reasons is, and the rules that users write in their ``reasons`` tables.

Knows what is wrong with one.  Knows neither files (``tables.py``) nor traces: what a rule does is in ``model/reasons``.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from ..errors import USAGE, UserError
from .tables import REASONS, Table, tables

ALL: Final = "*"  # in ``covers``: all that shipped rules say or don't know


class Rule(NamedTuple):
    """Functions of one file that wait for one thing."""

    file: str  # as exports print it; a user's may be a glob
    functions: tuple[str, ...]  # qualified names; a user's may be globs
    reason: str
    covers: tuple[str, ...] = ()  # reasons of inner frames that this one says better; "" is an unknown one


def configured() -> tuple[Rule, ...]:
    """The user's rules: the project's, then those for all projects.  UserError: a table is wrong."""
    return tuple(rule for table in tables() for rule in _rules(table))


def _rules(table: Table) -> Iterator[Rule]:
    where = f"{table.where}{REASONS}"
    entries = table.settings.get(REASONS, [])
    if not isinstance(entries, list):
        raise UserError(f"{where} is no array of tables: write [[…{REASONS}]]", USAGE)
    for number, entry in enumerate(entries, 1):
        problem = _problem(entry)
        if problem:
            raise UserError(f"{where}, entry {number}: {problem}", USAGE)
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
