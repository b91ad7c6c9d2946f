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

LOOKS = 4  # of the watchdog, within the time that is too long
MOST = 0xFFFFFFFF  # microseconds that a record holds


class Seen:
    """A poll when it was first seen: the moment, and what the system had counted then."""

    def __init__(self, native_id: int) -> None:
        self.at = monotonic_ns()
        self.ran = ran_ns(native_id)
        self.without = without_ns(native_id)
        self.native_id = native_id
        self.looks = self.sleeping = 0
        self.look()

    def look(self) -> None:
        """The watchdog looks at it, from the first time on."""
        found = sleeps(self.native_id)
        self.looks += found is not None
        self.sleeping += found is True

    def goes_with(self, slept_ns: int, lasted_ns: int, slow_poll_ns: int) -> bool:
        """Whether what it saw goes with that the thread slept for so long: some kernels (6.18) count a sleep, now and
        then, as a wait for a processor."""
        slack_ns = 2 * slow_poll_ns // LOOKS + lasted_ns // (self.looks + 1)
        return self.looks > 0 and abs(lasted_ns // self.looks * self.sleeping - slept_ns) <= slack_ns


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


def sleeps(native_id: int) -> bool | None:
    """Whether a thread is asleep in the kernel just now.  None: not known."""
    try:
        with FileIO(f"/proc/self/task/{native_id}/stat") as file:
            return file.read(96).rpartition(b") ")[2][:1] in (b"S", b"D")
    except OSError:
        return None


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
        if seen.goes_with(lasted - ran - without, lasted, coros.slow_poll_ns):
            coros.put(ev.NO_CPU, ts, root, without // 1000, None, min(lasted // 1000, MOST))
