"""trio: its tasks, and what schedules them.

Knows what the actions that only trio's functions ask for read off them.  Knows nothing of which functions these are
(``sources/``).  Where trio keeps what it runs is in ``introspect``.
"""

from types import CoroutineType

from ... import events as ev
from ..actions import EXPIRE, GROUP, IO, JOB
from . import introspect
from .coroutine import Coro
from .objects import Objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from .probes import Probes


class Trio:
    def __init__(self, probes: "Probes") -> None:
        self.probes = probes
        self.coros = probes.coros
        self.thread = probes.thread
        self.jobs = Objects(probes.tape.lose)  # callback id, by what a job is known by, until it runs

    def new_trio_task(self, frame: "FrameType", actions: int, task: object) -> None:
        """A function made a task, and returns it."""
        made = introspect.coroutine_of(task) if introspect.is_trio_task(task) else None
        if type(made) is not CoroutineType or made.cr_running or made.cr_suspended or made.cr_frame is None:
            return
        known = self.coros.live.get(id(made.cr_frame))
        if known is not None:
            self.coros.vanish_chain(known)
        coro = self.probes.new_task(made)
        name = introspect.task_name(task)
        caller = frame.f_back
        given = caller.f_locals.get("name") if caller is not None else None
        self.probes.put_spawn(coro, frame, name if given is not None else None)
        if name is not None:
            coro.name_hash = hash(name)  # also of trio's making: its end asks whether it is another
        if actions & GROUP:
            owner = introspect.get(frame.f_locals.get("nursery"), "_parent_task")
            if introspect.is_trio_task(owner):
                self.probes.edges.put(self.probes.coro_of(owner), coro)

    def put_next(self, frame: "FrameType", actions: int, value: object) -> None:
        """A task was scheduled."""
        task = frame.f_locals.get("task")
        made = introspect.coroutine_of(task) if introspect.is_trio_task(task) else None
        if type(made) is CoroutineType and made.cr_suspended:
            coro = self.probes.coro_of(task)
            if coro is not None and not coro.bare:
                self.probes.put_wake(coro, frame)

    def by(self, frame: "FrameType", step: int) -> tuple[int, int, int]:
        """The cause of scheduling, by what trio does in ``frame``, as (BY_*, aux, off)."""
        if step & JOB:
            return (ev.BY_CALLBACK if self.thread.job else ev.BY_CODE), self.thread.job, 0
        if step & EXPIRE:
            due = self.moment_of(frame.f_locals.get("deadline"))
            return ev.BY_TIMER, due & 0xFFFFFFFF, due >> 32
        if step & IO:
            return (ev.BY_CODE if introspect.is_guest() else ev.BY_IO), 0, 0
        task = introspect.trio_now("task")
        return self.probes.by_step(task) if introspect.is_trio_task(task) else (ev.BY_CODE, 0, 0)

    def leave(self, frame: "FrameType", actions: int, value: object) -> None:
        """A job is queued for trio to run, mostly by another thread."""
        key = _job_key(frame.f_locals.get("sync_fn"), frame.f_locals.get("args"))
        one = not self.jobs.get(id(key))  # two that are alike can't be told apart
        number = self.probes.put_callback(frame)
        self.jobs.set(id(key), number if one else 0, key)

    def job(self, frame: "FrameType", actions: int, value: object) -> None:
        """... and is run."""
        pair = frame.f_locals.get("job")
        self.thread.job = 0
        if type(pair) is tuple and len(pair) == 2:
            self.thread.job = self.jobs.pop(id(_job_key(*pair)))

    def wait_until(self, coro: Coro, deadline: object, ts: int) -> None:
        """A suspension in ``coro`` waits until this time."""
        due = self.moment_of(deadline)
        while coro.child is not None:
            coro = coro.child
        self.probes.put(ev.TIMER, ts, self.coros.told_as(coro).id, due & 0xFFFFFFFF, due >> 32)

    def moment_of(self, when: object) -> int:
        return 0 if self.coros.tape.ticks else introspect.trio_moment(when)


def _job_key(function: object, args: object) -> object:
    """The object that identifies a job: its arguments, if they were made for it alone, or its function."""
    return args if type(args) is tuple and args else function
