"""How long a thread was on a processor in a poll that lasts, and how long it had none.

Knows what the system counts for each thread.  Knows nothing of why polls last (``watchdog.py`` says which do).
"""

import sys
from _io import FileIO
from time import clock_gettime_ns, monotonic_ns

from ... import events as ev

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .coroutines import Coroutines
    from .threads import State

MOST = 0xFFFFFFFF  # microseconds that a record holds


class Seen:
    """A poll when it was first seen: the moment, and what the system had counted then."""

    def __init__(self, native_id: int) -> None:
        self.at = monotonic_ns()
        self.ran = ran_ns(native_id)
        self.without = without_ns(native_id)


def ran_ns(native_id: int) -> int:
    """Nanoseconds on a processor of a thread of this process, up to now if it runs.  0: not known."""
    try:
        return clock_gettime_ns(~native_id << 3 | 6) if sys.platform == "linux" else 0
    except OSError:
        return 0


def without_ns(native_id: int) -> int:
    """Nanoseconds in which it could have run and another thread had the processor, but those of a wait that goes on.
    -1: the system doesn't say."""
    try:
        with FileIO(f"/proc/self/task/{native_id}/schedstat") as file:
            return int(file.read(96).split()[1])
    except (OSError, ValueError, IndexError):
        return -1


def put_processor(coros: "Coroutines", thread: "State", root: int, seen: Seen) -> None:
    """The poll of the task ``root`` that the watchdog has seen twice has ended: write what its thread did meanwhile, at
    the time of what ended it, to which there may be more to say."""
    ran, without, lasted = ran_ns(thread.native_id), without_ns(thread.native_id), monotonic_ns() - seen.at
    if not ran or not seen.ran:
        return
    ts = coros.tape.packing.ts
    ran = min(ran - seen.ran, lasted)
    coros.put(ev.ON_CPU, ts, root, min(ran // 1000, MOST), None, min(lasted // 1000, MOST))
    if seen.without >= 0 and without >= 0:
        without = min(without - seen.without, lasted - ran)  # one that had begun before it was first seen counts whole
        coros.put(ev.NO_CPU, ts, root, without // 1000, None, min(lasted // 1000, MOST))
