"""The meanings of table columns: a time, a row number of some table, a number that the recording assigned.

Knows: the kinds of meaning, and how tables declare their columns' (``tables.py``).  Merging (``transform/merge.py``),
selecting (``transform/select.py``) and the checks of references and times (``invariants.py``) follow from them.
"""

from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, TypeAliasType, get_args, get_origin

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Value:
    """A value that refers to nothing: a count, a text, a duration."""

    unit: Literal["", "ns"] = ""
    of_calls: bool = False  # below 0: not known, as the recording's detail is "awaits"; sums with it aren't, either


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
    """An id that the recording assigned; below ``first``: none."""

    of: str
    first: Literal[0, 1] = 1


type Meaning = Value | Moment | Row | Bound | Number

# --- the columns of our tables ---------------------------------------------------------------------------------------

type _Longs = npt.NDArray[np.int64]
type _Shorts = npt.NDArray[np.int32]

type Count = Annotated[_Longs, Value()]
type SmallCount = Annotated[_Shorts, Value()]
type Line = Annotated[_Shorts, Value()]
type Ns = Annotated[_Longs, Value("ns")]  # a length of time
type CountOfCalls = Annotated[_Longs, Value(of_calls=True)]
type NsOfCalls = Annotated[_Longs, Value("ns", of_calls=True)]
type Time = Annotated[_Longs, Moment()]  # nanoseconds since the recording began
type Begin = Annotated[_Longs, Moment("begin")]
type End = Annotated[_Longs, Moment("end")]  # always a time; of what had not ended, the recording's end
type At = Annotated[_Longs, Moment("at")]
type Due = Annotated[_Longs, Moment(within=False)]  # may be after all that was recorded; -1: none
type TaskId = Annotated[_Shorts, Row("task_table", first=1)]  # 1, 2, 3 …; 0: none, or not known
type OfTask = Annotated[_Shorts, Row("task_table", first=1, owner="needed")]  # whose row it is
type OfTaskIfAny = Annotated[_Shorts, Row("task_table", first=1, owner="perhaps")]  # 0: nobody's
type FunctionRow = Annotated[_Shorts, Row("functions")]  # as all rows: -1: none, or not known
type StringRow = Annotated[_Shorts, Row("strings")]
type OwnRow = Annotated[_Shorts, Row("")]  # of the table that the column is in
type ProcessRow = Annotated[_Shorts, Row("processes")]
type LocationRow = Annotated[_Shorts, Row("locations")]
type NodeRow = Annotated[_Shorts, Row("nodes")]
type ChainRow = Annotated[_Shorts, Row("chains")]
type SiteRow = Annotated[_Shorts, Row("sites")]
type CallRow = Annotated[_Shorts, Row("calls")]
type ResourceRow = Annotated[_Shorts, Row("resources")]
type Thread = Annotated[_Shorts, Number("thread", first=0)]
type CoroNumber = Annotated[_Shorts, Number("coroutine")]  # the recording's id
type ResourceNumber = Annotated[_Longs, Number("resource")]  # likewise
type Slot = Annotated[_Shorts, Number("slot", first=0)]  # the record that says so, in the recording's order; -1: none
type FirstPoll = Annotated[_Shorts, Bound("polls", last=False)]
type LastPoll = Annotated[_Shorts, Bound("polls", last=True)]


class Column(NamedTuple):
    """A column as its table declares it."""

    name: str
    means: Meaning
    dtype: Any  # of numpy; None: a list, or a dict by row


def columns(table: type) -> tuple[Column, ...]:
    """The columns of a table.  TypeError: an integer column without a meaning."""
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
