"""A critical path as people read it: what it is made of, the awaits that cost most, its longest hops in order.

Knows how one looks.  Knows nothing of how it is found (``model/figures/critical_path.py``).
"""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from ..model.figures.critical_path import CriticalPath
from ..model.text import ms
from ..support.names import cleaned
from .printing import numbers_table


def critical(path: CriticalPath, top: int = 10, hops: int = 25) -> Iterator[RenderableType]:
    """A critical path: what it is made of, the awaits that cost most, and its longest hops in order."""
    path = cleaned(path)
    span = max(path.end_ns - path.start_ns, 1)
    head = f"  {ms(span)} up to the end of task {path.task} ({path.name}), {len(path.hops):,} hops"
    yield Text.assemble(("critical path", "bold"), head)
    waited = sum(row.ns for row in path.awaits)
    shares = (("run", path.run_ns), ("ready", path.ready_ns), ("waiting", waited))
    yield Text("  " + ", ".join(f"{ms(ns)} {what} ({ns / span:.1%})" for what, ns in shares), "dim")
    if path.awaits:
        table = numbers_table(
            "\nwithout this await it would have ended earlier, at most by", "at most", "share", "count"
        )
        table.add_column("await", overflow="fold")
        table.add_column("for", overflow="fold", style="dim")
        for row in path.awaits[:top]:
            table.add_row(ms(row.ns), f"{row.ns / span:.1%}", f"{row.count:,}", row.place, Text(row.reason or ""))
        yield table
    longest = sorted(path.hops, key=lambda hop: hop.start_ns - hop.end_ns)[:hops]
    chosen = sorted(longest, key=lambda hop: hop.start_ns)
    title = "\nhop by hop" if len(chosen) == len(path.hops) else f"\nits {len(chosen)} longest hops, in order"
    table = numbers_table(title, "at", "took", "share")
    for name in ("what", "task", "at"):
        table.add_column(name, overflow="fold")
    for hop in chosen:
        length = hop.end_ns - hop.start_ns
        what = (
            hop.kind if hop.kind in ("run", "ready") or hop.reason in (None, hop.kind) else f"{hop.kind}, {hop.reason}"
        )
        who = f"{hop.task} {hop.name}" if hop.task else ""
        table.add_row(ms(hop.start_ns), ms(length), f"{length / span:.1%}", what, Text(who), hop.place or "")
    yield table
