"""The summary of a run: what a user wants to know first, in 80 columns, with or without a terminal.

Knows how figures look.  Knows nothing of how they are found (``model/figures/stats.py``).
"""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from ..checks import survey
from ..formats import ALL, Format
from ..formats.writing import growth, size_of
from ..model import tables as t
from ..model.figures.distribution import Distribution
from ..model.figures.long_polls import BlockingPoll
from ..model.figures.stats import Stats, stats
from ..model.figures.waiting import Holder
from ..model.text import NOT_DIVIDED, count, ms, on_processor, short, shown_state
from ..model.trace import Trace
from ..support.names import clean, cleaned
from ..tracer.choose import ASKED
from . import findings, missing
from .printing import Table, numbers_table, stderr

TOP = 5
PROCESSES = 10  # of them at most have a line each
WORTH_A_LINE_NS = 1_000_000  # of having been ready: less is what any loop takes


def render(trace: Trace, console: Console | None = None) -> None:
    """Print the summary of a trace; on stderr, if not told otherwise."""
    console = console or stderr(highlight=False)
    for part in summary(trace, stats(trace, TOP)):
        console.print(part)


def render_files(
    trace: Trace, files: Iterable[Path], left_out: Iterable[Format] = (), console: Console | None = None
) -> None:
    """Print which files were written of it, and how to get those left out."""
    if files := list(files):
        console = console or stderr(highlight=False)
        console.print(_files(trace, files, list(left_out)), soft_wrap=True)  # paths and commands are to be copied


def summary(trace: Trace, figures: Stats) -> Iterator[RenderableType]:
    """The parts of the summary, top down."""
    meta, figures = trace.meta, cleaned(figures)
    several = f", {len(figures.processes):,} processes" if len(figures.processes) > 1 else ""
    yield Text.assemble(("async-inspect", "bold"), f"  {ms(meta.duration_ns)} recorded{several}", missing.ending(trace))
    yield from missing.broken_off(trace)
    if meta.filter:
        yield Text(clean(f"only {meta.filter}"), "yellow")
    yield from _not_exact(trace)
    if not figures.tasks:
        yield Text("no tasks: no coroutine ran in this program", "yellow")
    else:
        yield Text.assemble(_states(figures), f"  (at most {figures.peak_concurrency} at once)")
        time = sum(process.end_ns - process.start_ns for process in figures.processes)
        share, polls = figures.run_ns / time if time else 0, figures.polls
        of_each = " of all processes" if several else ""
        yield Text(f"  {polls.count:,} polls ran {ms(figures.run_ns)}, {share:.1%} of the time{of_each}", "dim")
        if several:
            yield processes_table(figures)
        if figures.awaits.count:
            yield awaits_table(figures)
        yield coroutines_table(figures)
        yield _longest(figures)
        yield from _delays(figures)
        yield from _cuts(figures)
        yield from _worst_findings(trace)
    yield from missing.left_out(trace)
    yield _recorded(trace, figures)
    yield from missing.not_recorded(trace)


def _states(figures: Stats) -> Text:
    colours = {"Failed": "red", "Cancelled": "yellow", "Waiting": "magenta", "Unknown": "red"}
    text = Text(f"{figures.tasks:,} task{'s' if figures.tasks != 1 else ''}: ")
    shown = {shown_state(state): n for state, n in figures.tasks_by_state.items()}
    parts = [Text(f"{n:,} {state}", colours.get(state, "")) for state, n in shown.items()]
    return text + Text(", ").join(parts)


def _least(ns: int, at_least: object) -> str:
    """A time; with ≥ where it is a lower bound."""
    return f"≥ {ms(ns)}" if at_least else ms(ns)


def _not_exact(trace: Trace) -> Iterator[Text]:
    """Which figures are not exact, and why: records are missing or damaged, or they contradict each other."""
    yield from missing.lost(trace)
    if damaged := trace.meta.damaged:
        some = "1 record or header field" if damaged == 1 else f"{damaged:,} records or header fields"
        yield Text(f"no figure is exact: the recording is damaged: {some} made no sense", "bold red")
    if trace.violations:
        lead = (
            "nor does this hold"
            if damaged
            else f"not exact: {trace.not_exact}, nor are sums over them, for this does not hold"
        )
        yield Text(f"{lead}:", "bold yellow")
        for one in trace.violations[:TOP]:
            yield Text(f"  {one.rule}: {one.rows:,} times not, first {one.example}", "yellow")
        if more := trace.violations[TOP:]:
            yield Text(f"  … and {len(more):,} more", "yellow")


def processes_table(figures: Stats) -> Table:
    """The processes that had tasks, by run."""
    table = numbers_table("\nprocesses", "run", "wait", "tasks", "longest poll", "lost", "pid")
    table.add_column("command", overflow="fold", style="dim")
    busy = sorted((one for one in figures.processes if one.tasks), key=lambda one: -one.run_ns)
    for one in busy[:PROCESSES]:
        times = ms(one.run_ns), ms(one.wait_ns), f"{one.tasks:,}", ms(one.longest_poll_ns)
        least = "≥ " * (one.ending in missing.LATER_IS_LOST)
        lost_records = Text(f"{least}{one.lost:,}", "bold red" if one.lost else "")
        table.add_row(*times, lost_records, str(one.pid), Text(short(one.command)))
    if rest := busy[PROCESSES:]:
        names = "run_ns", "wait_ns", "tasks", "lost"
        run, wait, tasks, lost = (sum(getattr(one, name) for one in rest) for name in names)
        longest = max(one.longest_poll_ns for one in rest)
        table.add_row(ms(run), ms(wait), f"{tasks:,}", ms(longest), f"{lost:,}", "", f"{len(rest):,} more")
    if idle := len(figures.processes) - len(busy):
        table.add_row("", "", "0", "", "", "", f"{idle:,} {'more' if busy else 'of them'} without a task")
    return table


def awaits_table(figures: Stats) -> Table:
    """Top await points by wait."""
    table = numbers_table("\nwhere it waited", "wait", "count", "max")
    table.add_column("await", overflow="fold")
    table.add_column("for", overflow="fold", style="dim")
    for row in figures.top_awaits:
        waits = row.wait
        place = Text.assemble(row.place, (f"  {row.function}", "dim"))
        table.add_row(
            ms(waits.total_ns),
            f"{waits.count:,}",
            _least(waits.max_ns, waits.at_least),
            place,
            Text(_short(row.reasons)),
        )
    return table


def _short(kinds: tuple[str, ...]) -> str:
    return ", ".join(kinds[:2]) + (", …" if len(kinds) > 2 else "")


def coroutines_table(figures: Stats) -> Table:
    """Top coroutines by run time."""
    table = numbers_table("\nwhere it ran", "run", "calls")
    table.add_column("coroutine", overflow="fold")
    for row in figures.top_coroutines:
        all_of_it = "" if row.divided else f", {t.NOT_DIVIDED.name}"
        what = Text.assemble(row.function, (f"  {row.place}{all_of_it}", "dim"))
        table.add_row(ms(row.run_self_ns), count(row.calls), what)
    return table


def _longest(figures: Stats) -> Text:
    if not figures.longest_polls:
        return Text("\nnothing was ever polled")
    poll = figures.longest_polls[0]
    text = Text.assemble(
        ("\nlongest poll", "bold"), f"  {_least(poll.duration_ns, poll.at_least)} of task {poll.task} ({poll.name})"
    )
    if poll.since or poll.until:
        text.append(f"\n  from {poll.since or 'its start'} to {poll.end_place}", "dim")
    return text


def _delays(figures: Stats) -> Iterator[Text]:
    """A line about blocking polls, and one about the longest time that a task was ready."""
    if figures.blocking_polls:
        worst, n = figures.blocking_polls[0], figures.blocking.count
        text = Text.assemble((f"{n:,} blocking poll{'s' if n != 1 else ''}", "bold yellow"))
        text.append(f" of {ms(figures.slow_poll_ns)} and more; the longest {_victims(worst)}")
        yield text
        if worst.doing or worst.held_interpreter:
            yield Text(f"  it was in {_doing(worst)}", "dim")
        if divided := on_processor(worst):
            yield Text(f"  {divided}", "dim")
    if (worst_ready := figures.worst_ready) and worst_ready.ready_ns >= WORTH_A_LINE_NS:
        text = Text.assemble(
            ("longest ready", "bold"),
            f"  {_least(worst_ready.ready_ns, worst_ready.at_least)} of task {worst_ready.task}",
        )
        text.append(f" ({worst_ready.name}), {worst_ready.place or 'before its first poll'}")
        yield text


def _cuts(figures: Stats) -> Iterator[Text]:
    """Timeouts and cancel scopes that cut waits short."""
    if figures.cuts:
        waits = sum(one.wait.count for one in figures.cuts)
        text = Text.assemble((f"{waits:,} wait{'s' if waits != 1 else ''} cut short", "bold"), " by ")
        of_each = [f"{one.scope}" + f" ×{one.wait.count:,}" * (one.wait.count > 1) for one in figures.cuts]
        yield text + Text(", ".join(of_each[:TOP]) + ", …" * (len(of_each) > TOP))


def _worst_findings(trace: Trace) -> Iterator[Text]:
    """The worst findings, and the checks that failed."""
    found, failed = survey(trace)
    yield from findings.brief(found, trace.meta.path)
    yield from (Text(clean(line), "yellow") for line in failed)


def _victims(poll: BlockingPoll) -> str:
    n, unknown = len(poll.hurt), len({*poll.suspended} - {victim.task for victim in poll.victims})
    certain = f"held up {n:,} task{'s' * (n > 1)}" if n else "held up nobody"
    if unknown:
        one = f"{unknown:,} task{'s' * (unknown > 1)}"
        return f"{certain}; whom else, of {unknown:,} that waited, is not known" if n else f"may have held up {one}"
    certain += "" if n else " for long" if poll.victims else " for sure"
    return f"{certain}, perhaps {poll.maybe:,} more" if poll.maybe else certain


def _doing(poll: BlockingPoll) -> str:
    if poll.doing:
        return poll.doing
    return "something that held the interpreter" if poll.held_interpreter else "?"


def _recorded(trace: Trace, figures: Stats) -> Text:
    cost = "" if figures.tracer_cost_ns is None else f", which cost {ms(figures.tracer_cost_ns)}"
    text = Text(f"\n{figures.records:,} records of {figures.callbacks:,} callbacks{cost}; ")
    losses = missing.losses(figures)
    text.append(losses, "" if losses == "nothing lost" else "bold red")
    names = {"c": "the C core", "python": "the Python core"}
    why = f" ({clean(reason)})" if (reason := _no_c_core(trace)) else ""
    cores = " and ".join(names.get(core, "an unknown core") for core in figures.core.split(", "))
    text.append(f"\nPython {figures.python or '?'}, {cores}{why}", "dim")
    if "awaits" in figures.detail:
        of_some = " in some processes" if "calls" in figures.detail else ""
        text.append(f"\nrecorded at --detail awaits{of_some}: {NOT_DIVIDED}", "dim")
    return text


def _no_c_core(trace: Trace) -> str:
    """Why the Python core recorded; "" where the C core did, or the user asked for the Python core."""
    (reason,) = trace.meta.extra.get("core_reason", ("",))[:1]
    return "" if trace.meta.core != "python" or reason == ASKED else reason


def _files(trace: Trace, files: list[Path], left_out: list[Format]) -> Text:
    text = Text("\nwritten: ", "bold")
    folders = {file.parent for file in files}
    if len(folders) == 1:
        text.append(clean(f"{folders.pop()}/ "), "not bold")
        text.append(", ".join(file.name for file in files), "not bold")
    else:
        text.append(clean(", ".join(map(str, files))), "not bold")
    if left_out:
        size = f"about {size_of(growth(trace))}"
        text.append(f"\nnot written ({size}): {', '.join(format.file for format in left_out)}", "not bold yellow")
        one, of = left_out[0], shlex.quote(trace.meta.path)
        for command in (
            f"report {of} -o {shlex.quote(str(files[0].parent))} -f {ALL}",
            f"export {of} -f {one.name} -o {one.file}",
        ):
            line = clean(f"async-inspect {command} {trace.meta.filter}".rstrip())
            text.append(f"\n  {line}", "not bold yellow")
    return text


def detailed(figures: Stats) -> Iterator[RenderableType]:
    """What ``stats --detailed`` adds: distributions, reasons, and the longest polls one by one."""
    figures = cleaned(figures)
    table = numbers_table("\nhow long", "count", "total", "p50", "p90", "p99", "max")
    table.add_column("of")
    rows: tuple[tuple[str, Distribution], ...] = (
        ("polls", figures.polls),
        ("awaits", figures.awaits),
        ("tasks' lives", figures.task_lifetimes),
    )
    for name, s in rows:
        table.add_row(f"{s.count:,}", *_times(s), name)
    yield table
    reasons = numbers_table("\nwhat it waited for", "count", "total", "p50", "p90", "p99", "max")
    reasons.add_column("reason")
    for row in figures.reasons:
        s = row.wait
        reasons.add_row(f"{s.count:,}", *_times(s), row.reason or Text("not known", style="dim"))
    yield reasons
    polls = numbers_table("\nlongest polls", "took", "at")
    for name in ("task", "from", "to"):
        polls.add_column(name, overflow="fold")
    for poll in figures.longest_polls:
        who = Text(f"{poll.task} {poll.name}")
        places = (Text(poll.since or "its start"), Text(poll.end_place))
        polls.add_row(_least(poll.duration_ns, poll.at_least), ms(poll.start_ns), who, *places)
    yield polls


def _times(s: Distribution) -> Iterator[str]:
    yield from map(ms, (s.total_ns, s.p50_ns, s.p90_ns, s.p99_ns))
    yield _least(s.max_ns, s.at_least)


def delays(figures: Stats) -> Iterator[RenderableType]:
    """The rest of ``stats --detailed``: times ready, locks, cancelled waits, blocking polls, runtime warnings."""
    figures = cleaned(figures)
    if figures.top_ready:
        yield _ready_table(figures)
    if figures.resources:
        yield _resources_table(figures)
    if figures.cuts:
        yield _cuts_table(figures)
    if figures.blocking_polls:
        yield _blocking_table(figures)
    if figures.runtime_warnings:
        yield _runtime_warnings_table(figures)


def _ready_table(figures: Stats) -> Table:
    table = numbers_table("\nwhere it could have run and did not", "ready", "at most", "count", "max")
    table.add_column("at", overflow="fold")
    for row in figures.top_ready:
        place = Text.assemble(row.place, (f"  {row.function}{', before its first poll' * row.first}", "dim"))
        times = (
            ms(row.ready.total_ns),
            ms(row.most_ns),
            f"{row.ready.count:,}",
            _least(row.ready.max_ns, row.ready.at_least),
        )
        table.add_row(*times, place)
    return table


def _resources_table(figures: Stats) -> Table:
    table = numbers_table("\nlocks and queues", "wait", "count", "taken", "held max")
    for name in ("of", "held by", "waiting"):
        table.add_column(name, overflow="fold")
    for row in figures.resources:
        held = [_held(holder, row.number > 1) for holder in row.holders]
        times = (
            ms(row.wait.total_ns),
            f"{row.wait.count:,}",
            f"{row.taken:,}",
            _least(row.longest_hold_ns, row.held_at_least),
        )
        table.add_row(*times, Text(row.name), _several(held), _several([f"task {task}" for task in row.queue]))
    return table


def _held(holder: Holder, which: bool) -> str:
    what = f"{holder.resource}: " if which else ""
    ended = " (ended)" if holder.ended else ""
    return f"{what}task {holder.task} since {ms(holder.since_ns)} at {holder.place or '?'}{ended}"


def _cuts_table(figures: Stats) -> Table:
    table = numbers_table("\nwaits cut short", "wait", "count", "max")
    table.add_column("by", overflow="fold")
    for row in figures.cuts:
        table.add_row(ms(row.wait.total_ns), f"{row.wait.count:,}", ms(row.wait.max_ns), Text(row.scope))
    return table


def _blocking_table(figures: Stats) -> Table:
    table = numbers_table(f"\nblocking polls, of {ms(figures.slow_poll_ns)} and more", "took", "at")
    for name in ("task", "in", "held up"):
        table.add_column(name, overflow="fold")
    for poll in figures.blocking_polls:
        victims = _several([f"{ms(v.held_up_ns)} of task {v.task} ({v.name})" for v in poll.victims])
        if poll.maybe:
            victims.append(f"{chr(10) * bool(victims)}perhaps {poll.maybe:,} more")
        times = _least(poll.duration_ns, poll.at_least), ms(poll.start_ns)
        doing = Text.assemble(_doing(poll), (f"\n{divided}" if (divided := on_processor(poll)) else "", "dim"))
        table.add_row(*times, Text(f"{poll.task} {poll.name}"), doing, victims)
    return table


def _runtime_warnings_table(figures: Stats) -> Table:
    table = numbers_table("\nruntime warnings", "count")
    for name in ("what", "of", "where"):
        table.add_column(name, overflow="fold")
    for row in figures.runtime_warnings:
        first = row.first
        task = f"task {first.task} ({first.name})" if first.task and not first.function else ""
        function = f"{first.function} ({first.defined})" if first.function else ""
        of = ", ".join(filter(None, (first.error, function, task)))
        where = f"dropped at {first.place}" if first.place else ""
        table.add_row(f"{row.count:,}", first.kind, Text(of), Text(where))
    return table


def _several(lines: list[str]) -> Text:
    more = [f"… {len(lines) - TOP:,} more"] if len(lines) > TOP else []
    return Text("\n".join([*lines[:TOP], *more]))
