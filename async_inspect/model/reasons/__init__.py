"""Why a task waited, where the frames between its await point and the leaf say so; else not known, never a guess.

Knows: how rules are applied to a chain of frames.  The rules themselves are in the modules beside it, one a library,
each with its line in ``SHIPPED``.  *Which* lock it was is not known here (``resources.py``).

A rule applies where its function is the leaf; and where the reason found from the frames inside is one that it
``covers``, as it is more specific, provided that these frames are of its own library or the standard library.  An await
of a task has the reason ``task``, whatever the rules say.  A user's rules come first, and override shipped ones.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

import numpy as np

from ...support.settings import ALL, Rule
from .. import tables as t
from ..data import TraceData, cached_on_trace
from . import aiohttp, anyio, asyncpg, redis, stdlib, trio

__all__ = ["GATHER", "RULES", "SHIPPED", "TASK", "UNKNOWN", "YIELD", "Rule", "coded", "covering", "reasons"]

UNKNOWN: Final = ""
TASK: Final = "task"
GATHER: Final = "gather"
YIELD: Final = "yield"
GATHERING: Final = "asyncio.tasks._GatheringFuture"  # what ``gather`` gives to be awaited

SHIPPED: Final = (
    stdlib,
    aiohttp,
    asyncpg,
    redis,
    trio,
    anyio,
)
RULES: Final[tuple[Rule, ...]] = tuple(rule for library in SHIPPED for rule in library.RULES)


def reasons(trace: TraceData) -> list[str]:
    """Why each row of ``trace.awaits`` waited: a rule's reason, ``task``, ``gather`` or ``yield``; "" not known."""
    words, codes = coded(trace)
    return [words[code] for code in codes.tolist()]


@cached_on_trace
def coded(trace: TraceData) -> tuple[tuple[str, ...], t.Small]:
    """The same as codes: (words, row of ``words`` by await)."""
    words, awaits = vocabulary(trace.rules), trace.awaits
    code = {word: i for i, word in enumerate(words)}
    by_chain = np.array([code[reason] for reason in _of_chains(trace)] + [0], np.int32)  # the last: of no chain
    gathering = [row for row, name in enumerate(trace.strings) if name == GATHERING]
    of_task, gathers = awaits.awaited_task > 0, np.isin(awaits.awaited, gathering)
    return words, of_awaits(by_chain[awaits.chain], of_task, awaits.awaited < 0, gathers)


def vocabulary(rules: Sequence[Rule]) -> tuple[str, ...]:
    """All reasons that there are, with these rules of the user's; the first ones are numbered by ``of_awaits``."""
    first = (UNKNOWN, TASK, GATHER, YIELD)
    return (*first, *sorted({rule.reason for rule in (*rules, *RULES)} - {*first}))


def of_awaits(by_frames: t.Small, of_task: t.Bools, of_nothing: t.Bools, gathers: t.Bools) -> t.Small:
    """Of awaits the rows of ``vocabulary``: of what a known task is awaited, else that of their frames, else by what
    is awaited: nothing, or a Future that gathers others."""
    found = np.where(of_task, 1, by_frames)
    found = np.where((found == 0) & gathers, 2, found)
    return np.where((found == 0) & of_nothing, 3, found).astype(np.int32)


def of_frames(frames: Iterable[t.Function], rules: Sequence[Rule]) -> str:
    """What the frames of a chain say, from the leaf outwards up to the await point."""
    verdict = _NOTHING
    for function in frames:
        verdict = verdict.outwards(*_rules_of(function, rules))
    return verdict.reason


def covering(functions: Sequence[t.Function]) -> t.Bools:
    """By function: whether a shipped rule for it covers the reasons of what it awaits."""
    return np.array([any(rule.covers for rule in _shipped_rules(f)) for f in functions], np.bool_)


class _Verdict(NamedTuple):
    """The reason found from the inner frames of a chain so far."""

    reason: str
    by_user: bool  # by a user's rule
    libraries: frozenset[str] | None  # the libraries of these frames; None: there was no frame yet

    def outwards(self, library: str, own: Sequence[Rule], shipped: Sequence[Rule]) -> "_Verdict":
        """The verdict with the next frame outwards, which is of this library and has these rules."""
        inside, leaf = self.libraries or frozenset(), self.libraries is None
        libraries = inside | {library} if library else inside
        for rule in own:
            if leaf or self.reason in rule.covers or (ALL in rule.covers and not self.by_user):
                return _Verdict(rule.reason, True, libraries)
        # A shipped rule does not rename the waits of another library's code.
        for rule in () if self.by_user or inside - {library} else shipped:
            if leaf or self.reason in rule.covers:
                return _Verdict(rule.reason, False, libraries)
        return self._replace(libraries=libraries)


_NOTHING: Final = _Verdict(UNKNOWN, False, None)


def _rules_of(function: t.Function, rules: Sequence[Rule]) -> tuple[str, Sequence[Rule], Sequence[Rule]]:
    """Of a frame of this function, what ``outwards`` asks for."""
    return _library(function.file), _own_rules(function, rules), _shipped_rules(function)


def _of_chains(trace: TraceData) -> list[str]:
    """The reason of every chain, as ``of_frames``; what the inner frames of several say is asked once."""
    frames = [_rules_of(function, trace.rules) for function in trace.functions]
    inner, function = trace.chains.inner.tolist(), trace.locations.function[trace.chains.location].tolist()
    known = {-1: _NOTHING}
    for outermost in range(len(inner)):
        path, row = [], outermost
        while row not in known:
            path.append(row)
            row = inner[row]
        for row in reversed(path):
            known[row] = known[inner[row]].outwards(*frames[function[row]])
    return [known[row].reason for row in range(len(inner))]


_SHIPPED: Final[dict[tuple[str, str], list[Rule]]] = {}
for _rule in RULES:
    for _name in _rule.functions:
        _SHIPPED.setdefault((_rule.file, _name), []).append(_rule)


def _shipped_rules(function: t.Function) -> Sequence[Rule]:
    return _SHIPPED.get((_usual(function.file), function.name), ())


def _own_rules(function: t.Function, rules: Sequence[Rule]) -> Sequence[Rule]:
    """The user's rules that name this function."""
    file, name = _usual(function.file), function.name
    return [r for r in rules if fnmatchcase(file, r.file) and any(fnmatchcase(name, glob) for glob in r.functions)]


def _library(file: str) -> str:
    """The library of a file: an installed package; "" for the standard library; else the folder."""
    file = _usual(file)
    return "" if file.startswith("<stdlib>/") else "/".join(file.split("/")[:2])


def _usual(file: str) -> str:
    """The path with Debian's dist-packages as site-packages."""
    return file.replace("dist-packages/", "site-packages/", 1) if file.startswith("dist-packages/") else file
