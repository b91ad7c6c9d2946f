"""What the columns of tables can mean: a moment, a row of some table, a number that the recording gave.

Knows: the kinds of meaning, and how a table's columns say theirs (``tables.py``).  Knows no table.  From the meanings
follow how traces are merged (``transform/merge.py``), what goes with what where a part is taken
(``transform/select.py``), and which references and times can't be (``invariants.py``).
"""

from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, TypeAliasType, get_args, get_origin

import numpy as np


@dataclass(frozen=True, slots=True)
class Value:
    """What is the same in every trace: a count, a text, a length of time."""

    unit: Literal["", "ns"] = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """ns since the trace's time began; below 0: none, or not known."""

    role: Literal["", "begin", "end", "at"] = ""  # of the row: its begin, its end, or it is about that moment alone
    within: bool = True  # from 0 to the recording's end


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table of the trace (or of its functions, strings, processes); below ``first``: none."""

    of: str  # the trace's name for that table; "": the table that the column is in
    first: Literal[0, 1] = 0  # how the first row is numbered
    owner: Literal["", "needed", "perhaps"] = ""  # its row goes with that one; "needed": and with none, it goes too


@dataclass(frozen=True, slots=True)
class Bound:
    """The first or the last of some rows of a table; of no rows, the last is that before the first."""

    of: str
    last: bool


@dataclass(frozen=True, slots=True)
class Number:
    """A number that the recording gave to such a thing; below ``first``: none."""

    of: str
    first: Literal[0, 1] = 1


@dataclass(frozen=True, slots=True)
class Subject:
    """A row of that table which another column's value says; the row goes with it."""

    by: str
    of: tuple[str, ...]  # by that value


type Meaning = Value | Moment | Row | Bound | Number | Subject


class Column(NamedTuple):
    """A column as its table declares it."""

    name: str
    means: Meaning
    dtype: Any  # of numpy; None: a list, or a dict by row


def columns(table: type) -> tuple[Column, ...]:
    """The columns of a table.  TypeError: nobody said what the whole numbers of one are."""
    return _columns(table)


@cache
def _columns(table: type) -> tuple[Column, ...]:
    return tuple(_column(table, field.name, field.type) for field in fields(table))


def _column(table: type, name: str, hint: Any) -> Column:
    notes: tuple[Any, ...] = ()
    while isinstance(hint, TypeAliasType) or get_origin(hint) is Annotated:
        hint, *more = (hint.__value__,) if isinstance(hint, TypeAliasType) else get_args(hint)
        notes = (*notes, *more)
    dtype = _dtype(hint)
    if not notes and dtype in (np.int64, np.int32):
        raise TypeError(f"{table.__name__}.{name}: what are these numbers?")
    return Column(name, notes[0] if notes else Value(), dtype)


def _dtype(hint: Any) -> Any:
    """What an array's type says of its elements; None: it is none."""
    if isinstance(hint, type):
        return hint if issubclass(hint, np.generic) else None
    return next(filter(None, map(_dtype, get_args(hint))), None)
