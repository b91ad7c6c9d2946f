"""Polls that lasted as the system let others run: no fault of the code.

Looks for: blocking polls that would have been no such polls if their thread had not waited for a processor.

Evidence: what the system counted for the thread, from when the watchdog first saw the poll to its end.

Cannot see: what went on before that (for up to a quarter of ``slow_poll_ms``), shorter polls, and what systems don't
count.
"""

from collections.abc import Iterator

from ..model.finding import Finding
from ..model.text import many, ms, on_processor, who
from ..model.trace import Trace
from .never_yields import slow

NAME = "no processor"
ABOUT = "polls that lasted as the system let others run"


def find(trace: Trace) -> Iterator[Finding]:
    polls = [poll for poll, _ in slow(trace) if poll.starved(trace.meta.slow_poll_ns)]
    if polls:
        longest = polls[0]
        waited = f"waited for a processor for {ms(longest.no_cpu_ns or 0)} of its poll of {ms(longest.duration_ns)}"
        more = f" ({many(len(polls), 'such poll')})" if len(polls) > 1 else ""
        yield Finding(
            check=NAME,
            severity="hint",
            text=f"{who(trace, longest.task)} {waited}{more}: the system let others run",
            place=longest.since or longest.until,
            task=longest.task,
            tasks=tuple(sorted({poll.task for poll in polls})),
            evidence=(on_processor(longest),),
            gain_ns=None,
            weight_ns=sum(poll.no_cpu_ns or 0 for poll in polls),
        )
