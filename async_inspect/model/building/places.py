"""Suspensions that stand at the same place: one of each is climbed from (``chains.py``), and stands for the others.

Knows when two do.  A chain that the recording defines is the same whenever it is named (detail "awaits").  Else a
suspension may stand where the same leaf stood last, if nothing was said since then of any of its frames: which is
looked at when those are known.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import numpy as np

from ... import events as ev
from .. import tables as t
from ..grouping import Any1d, Ints, Whole, counts, distinct_of, first_rows, sums
from .chains import Chained, Sums

_FEW: Final = 2  # where fewer than one in so many would stand for another, none does


class Standing(NamedTuple):
    """Suspensions, in order of (task, slot)."""

    task: Whole
    pos: Whole
    coro: Any1d
    off: Any1d
    below: Any1d
    flags: Any1d
    wait: Ints


class Places:
    """Which suspensions may stand where others do."""

    def __init__(self, all_: Standing, chains: int, detailed: Iterable[Any1d]) -> None:
        """``chains``: ids of chains are below.  ``detailed``: slots of suspensions of which more is said."""
        self._task, self._pos, self._wait = all_.task, all_.pos, all_.wait
        defined = (all_.flags & ev.IN_CHAIN > 0) & (all_.off > 0) & (all_.off < chains)
        alone = _among(all_.pos, np.concatenate([np.empty(0, np.int64), *detailed]))
        by_chain, self._others = np.flatnonzero(defined & ~alone), np.flatnonzero(~defined | alone)
        of_chain, number = distinct_of(all_.task[by_chain].astype(np.int64) * chains + all_.off[by_chain])
        self._firsts = by_chain[first_rows(number, len(of_chain))]
        self._which = np.empty(len(defined), np.int32)
        self._which[by_chain] = number
        self._new = (alone | defined | _differs(all_))[self._others]
        if int(np.count_nonzero(self._new)) * _FEW > len(self._others):
            self._new[:] = True
        self.leaves = self._number()  # the suspensions that have leaves of their own

    def _number(self) -> Ints:
        """Number the places; the first suspension of each."""
        self._which[self._others] = np.cumsum(self._new) + (len(self._firsts) - 1)
        return np.concatenate([self._firsts, self._others[self._new]])

    def climb(self, climb: Callable[[Ints, Whole, Sums, bool], Chained]) -> tuple[Whole, Chained]:
        """By suspension its place; and of each place the chain.

        ``climb``: the chains of some suspensions, given which of ``leaves`` each has, and what those add up to that
        stand there, and whether to look until when they hold.
        """
        rows, leaf = self.leaves, self._which.copy()
        while True:
            which = self._which
            of_place = Sums(self._task[rows], counts(which, len(rows)), sums(which, self._wait, len(rows)))
            chained = climb(rows, leaf[rows], of_place, not self._new.all())
            wrong = ~self._new & (self._pos[self._others] >= chained.until[which[self._others]])
            if not wrong.any():
                return which, chained
            self._new |= wrong
            rows = self._number()


def _differs(all_: Standing) -> t.Bools:
    """Which suspensions are not by the same leaf, at the same place, as the one before."""
    columns = (all_.task, all_.coro, all_.off, all_.below, all_.flags)
    found = np.ones(len(all_.pos), np.bool_)
    found[1:] = False
    for column in columns:
        found[1:] |= column[1:] != column[:-1]
    return found


def _among(pos: Whole, some: Any1d) -> t.Bools:
    """Which of these are among ``some``."""
    if not len(some):
        return np.zeros(len(pos), np.bool_)
    some = np.sort(some)
    found: t.Bools = some[np.minimum(np.searchsorted(some, pos), len(some) - 1)] == pos
    return found
