"""Waits that cancel scopes and timeouts cut short, by where these were made.

Knows how to put a trace's ``awaits.scope`` into figures.
"""

from collections.abc import Sequence

import numpy as np

from . import tables as t
from .columns import group
from .places import Sites
from .spread import Spread, spread
from .trace import Frozen, Trace
from .wakes import Woken


def columns(woken: Woken, sites: Sites, functions: Sequence[t.Function]) -> dict[str, t.Small]:
    """The columns of ``tables.Awaits`` about them.  What a library makes to sleep cuts nothing short."""
    site, which = np.unique(woken.scope_site, return_inverse=True)
    sleeps = [any(f >= 0 and _sleeps(functions[f]) for f in sites.chain(number)) for number in site.tolist()]
    known = (woken.scope > 0) & ~np.array(sleeps, np.bool_)[which]
    return {
        "scope": np.where(known, woken.scope - 1, -1).astype(np.int32),
        "scope_location": np.where(known & (woken.scope_site > 0), sites.shown(woken.scope_site), -1).astype(np.int32),
    }


def _sleeps(function: t.Function) -> bool:
    return function.name == "sleep_until" and function.file.endswith("-packages/trio/_timeouts.py")


class CutFigures(Frozen):
    """Cancel scopes of one type that were made at one place, and the waits that ended for them."""

    scope: str  # "Timeout (made at app.py:12)"
    made_at: str | None  # "file:line"
    wait: Spread  # of these waits


def scopes(trace: Trace) -> tuple[tuple[str, ...], t.Small]:
    """What cut waits short, those alike once: their names, and by await the row of its own; -1: none."""
    awaits = trace.awaits
    rows = np.flatnonzero(awaits.scope >= 0)
    (kind, made), which = group(awaits.scope[rows], awaits.scope_location[rows] + 1)
    names = [trace.scope(kind, made - 1) or "?" for kind, made in zip(kind.tolist(), made.tolist(), strict=True)]
    found = np.full(len(awaits), -1, np.int32)
    found[rows] = which
    return tuple(names), found


def cut_figures(trace: Trace) -> tuple[CutFigures, ...]:
    """All there are, the longest wait first."""
    awaits = trace.awaits
    rows = np.flatnonzero(awaits.scope >= 0)
    (kind, made), which = group(awaits.scope[rows], awaits.scope_location[rows] + 1)
    wait = (awaits.end_ns - awaits.start_ns)[rows]
    found = [
        CutFigures(
            scope=trace.scope(kind, made - 1) or "?", made_at=trace.place(made - 1), wait=spread(wait[which == number])
        )
        for number, (kind, made) in enumerate(zip(kind.tolist(), made.tolist(), strict=True))
    ]
    return tuple(sorted(found, key=lambda one: -one.wait.total_ns))
