"""The holders of resources, and the kind of a resource that is a part of another."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from .. import tables as t
from ..grouping import Any1d, Ints

# What asyncio and trio create as a part of another resource, whose ``__init__`` is then in the stack.
PARTS: Final = ("asyncio.locks.Lock", "asyncio.locks.Event", "asyncio.locks.Condition", "trio.Lock")
_MAKERS: Final = ("<stdlib>/asyncio/", "site-packages/trio/", "dist-packages/trio/")
_INIT: Final = ".__init__"


def kind(type_: str, stack: Sequence[t.Function]) -> str:
    """The kind of a resource: its type, or for a part of another "asyncio.locks.Lock of a Condition".

    ``stack``: the functions in which it was made, outermost first; it is only looked at for ``PARTS``.
    """
    owner = _owner(type_, stack) if type_ in PARTS else None
    return f"{type_} of a {owner}" if owner else type_


def _owner(type_: str, stack: Sequence[t.Function]) -> str | None:
    """The innermost class in whose ``__init__`` it was created; None: in none of the library's."""
    for function in reversed(stack):
        owner = function.name.removesuffix(_INIT)
        if function.name.endswith(_INIT) and function.file.startswith(_MAKERS):
            if owner != type_.rpartition(".")[2]:
                return owner
        elif function.user:
            break
    return None


def pair_holds(resource: Any1d, task: Any1d, taken: t.Bools) -> Ints:
    """Of some TAKEs and GIVEs, in order, the row that closes each (-1: none): a GIVE closes the latest TAKE of its own
    task's, else the oldest there is.  Each TAKE opens a hold."""
    order = np.argsort(resource, kind="stable")
    closed_by = np.full(len(order), -1, np.int64)
    if not len(order):
        return closed_by
    # Where a resource has one holder at most, each GIVE closes the TAKE just before it; the others go one by one.
    same = np.concatenate([[False], resource[order[1:]] == resource[order[:-1]]])
    which = np.cumsum(~same)  # number of the resource
    is_take = taken[order]
    after_take = same & np.concatenate([[False], is_take[:-1]])
    several = np.zeros(int(which[-1]) + 1, np.bool_)
    several[which[after_take & is_take]] = True
    simple = np.flatnonzero(after_take & ~is_take & ~several[which])
    closed_by[order[simple - 1]] = order[simple]
    _one_by_one(order[several[which]].tolist(), resource, task, taken, closed_by)
    return closed_by


def _one_by_one(rows: Iterable[int], resource: Any1d, task: Any1d, taken: t.Bools, closed_by: Ints) -> None:
    """The same for resources with several holders at once."""
    open_: dict[int, list[int]] = {}  # by resource: rows of TAKE, oldest first
    for row in rows:
        held = open_.setdefault(int(resource[row]), [])
        if taken[row]:
            held.append(row)
            continue
        own = next((at for at in reversed(range(len(held))) if task[held[at]] == task[row]), 0)
        if held:
            closed_by[held.pop(own)] = row
