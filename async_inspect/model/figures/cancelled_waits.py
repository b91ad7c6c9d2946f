"""Waits that were cancelled by cancel scopes and timeouts, grouped by where these were made."""

from collections.abc import Sequence

import numpy as np

from .. import tables as t
from ..building.locations import Sites
from ..building.wakes import Woken
from ..data import TraceData, cached_on_trace
from ..entities import Frozen, Scope
from ..grouping import group
from .distribution import Distribution, spread


def columns(woken: Woken, sites: Sites, functions: Sequence[t.Function]) -> dict[str, t.Small]:
    """The columns of ``tables.Awaits`` about scopes.  A scope that a library makes just to sleep does not count."""
    if not woken.scope.any():
        none = np.broadcast_to(np.full(1, -1, np.int32), len(woken.scope))
        return {"scope": none, "scope_location": none}
    site, which = np.unique(woken.scope_site, return_inverse=True)
    sleeps = [any(f >= 0 and _sleeps(functions[f]) for f in sites.chain(number)) for number in site.tolist()]
    known = (woken.scope > 0) & ~np.array(sleeps, np.bool_)[which]
    return {
        "scope": np.where(known, woken.scope - 1, -1).astype(np.int32),
        "scope_location": np.where(known & (woken.scope_site > 0), sites.shown(woken.scope_site), -1).astype(np.int32),
    }


def _sleeps(function: t.Function) -> bool:
    return function.name == "sleep_until" and function.file.endswith("-packages/trio/_timeouts.py")


class CancelledWaitFigures(Frozen):
    """The waits that were cancelled by scopes made at one place."""

    scope: str
    made_at: str | None
    wait: Distribution


@cached_on_trace
def scopes(trace: TraceData) -> tuple[tuple[Scope, ...], t.Small]:
    """(scopes that cancelled waits, those alike once; by await the index of its scope, -1: none)."""
    awaits = trace.awaits
    rows = np.flatnonzero(awaits.scope >= 0)
    (kind, made), which = group(awaits.scope[rows], awaits.scope_location[rows] + 1)
    found = np.full(len(awaits), -1, np.int32)
    found[rows] = which
    return tuple(_scope(trace, *pair) for pair in zip(kind.tolist(), (made - 1).tolist(), strict=True)), found


def _scope(trace: TraceData, kind: int, made: int) -> Scope:
    name, place = trace.strings[kind].rpartition(".")[2], trace.place(made)
    return Scope(f"{name} (made at {place})" if place else name, place)


def cancelled_wait_figures(trace: TraceData) -> tuple[CancelledWaitFigures, ...]:
    """By scope, the longest total wait first."""
    names, which = scopes(trace)
    wait = trace.awaits.end_ns - trace.awaits.start_ns
    found = [
        CancelledWaitFigures(scope=one.name, made_at=one.made_at, wait=spread(wait[which == row]))
        for row, one in enumerate(names)
    ]
    return tuple(sorted(found, key=lambda one: -one.wait.total_ns))
