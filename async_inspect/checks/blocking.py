"""Polls that blocked the loop while others could have run.

Looks for: polls of at least the recording's ``slow_poll_ms`` with victims: tasks of the same thread that certainly were
ready meanwhile, for 1 ms and 1 % of the poll at least.  Polls that did the same at the same place are one finding.
On a loop that isn't seen (uvloop) it is not known which tasks were ready: there a poll is reported if it is known what
it did, and tasks that did not wait for it were suspended meanwhile and ran again soon after.

Evidence: what the poll did (the watchdog's stack, or the calls of coroutines), and which tasks it held up for how long.
Where it is not known what it did it is a hint: on a busy machine a process may have to wait for the processor.  Where
that is known to be why, it is none of these (``no_processor.py``).

Cannot see: tasks that waited for I/O which may or may not have been ready; a poll without a certain victim is not
reported (``stats --detailed`` lists all blocking polls).
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from ..model.figures.long_polls import BlockingPoll
from ..model.finding import Finding
from ..model.text import many, ms, on_processor, several, who
from ..model.trace import Trace
from .never_yields import AWAITS, slow

NAME = "blocking"
ABOUT = "polls that blocked the loop while others could have run"
UNSEEN: Final = "; what it did was not seen: the process may not have had the processor"


def find(trace: Trace) -> Iterator[Finding]:
    alike: dict[str, list[BlockingPoll]] = defaultdict(list)
    for poll, count in slow(trace):
        if count >= AWAITS or poll.starved(trace.meta.slow_poll_ns):
            continue
        if poll.hurt or (poll.doing and poll.suspended):
            alike[_doing(poll)].append(poll)
    for doing, polls in alike.items():
        longest = polls[0]
        victims = {victim.task for poll in polls for victim in poll.hurt}
        suspended = {task for poll in polls for task in poll.suspended}
        lasted = f"{'at least ' * longest.at_least}{ms(longest.duration_ns)}"
        text = f"{who(trace, longest.task)} blocked the loop for {lasted} in {doing}"
        more = f" ({many(len(polls), 'such poll')})" if len(polls) > 1 else ""
        yield Finding(
            check=NAME,
            severity="warning" if longest.seen_by or longest.held_interpreter else "hint",
            text=f"{text}{more}{_held_up(victims, suspended)}"
            f"{'' if longest.seen_by or longest.no_cpu_ns is not None else UNSEEN}",
            place=_place(longest),
            task=longest.task,
            tasks=(longest.task, *sorted(victims - {longest.task})),
            evidence=(
                *filter(None, (on_processor(longest),)),
                *(f"{v.name} (task {v.task}) for {ms(v.held_up_ns)}" for v in longest.hurt[:5]),
                *(() if longest.hurt else (f"suspended meanwhile: {several(trace, sorted(suspended))}",)),
            ),
            gain_ns=sum(max((victim.held_up_ns for victim in poll.hurt), default=0) for poll in polls)
            if victims
            else None,
            weight_ns=sum(victim.held_up_ns for poll in polls for victim in poll.hurt),
        )


def _held_up(victims: set[int], suspended: set[int]) -> str:
    unknown = "is not known, as this loop is not seen"
    if not victims:
        return f" while {many(len(suspended), 'task')} waited; whom it held up {unknown}"
    certain = f", and held up {many(len(victims), 'task')}"
    others = many(len(suspended - victims), "other")
    return f"{certain}; whom else, of {others} that waited, {unknown}" if suspended - victims else certain


def _doing(poll: BlockingPoll) -> str:
    if poll.doing:
        return poll.doing
    if poll.held_interpreter:
        return "something that held the interpreter"
    return f"something after {poll.since or 'its start'}"


def _place(poll: BlockingPoll) -> str | None:
    """The place of what it did: "app.py:12" of "f (app.py:12)"."""
    if poll.doing:
        return poll.doing.rpartition(" (")[2].removesuffix(")")
    return poll.since or poll.until
