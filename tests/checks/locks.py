"""Recordings made by hand of tasks that take locks and wait for them.

``Locks`` has two locks, made at app.py:1, and tasks of one function each, made at 0; what a task waits for stands at
the line that ``line`` says.
"""

from pathlib import Path

from async_inspect import events as ev
from async_inspect.model import Trace, load

from ..tape import Tape


class Locks:
    def __init__(self, *names: str) -> None:
        self.tape = tape = Tape()
        self.codes = [tape.code(name, 10 * number) for number, name in enumerate(names, 1)]
        self.nodes = [tape.node(0, code) for code in self.codes]
        acquire = tape.code("Lock.acquire", 90, "/py/lib/asyncio/locks.py")
        self.acquire, self.inner = acquire, [tape.node(node, acquire) for node in self.nodes]
        self.future = tape.string("asyncio.Future")
        maker = tape.code("make", 1)
        self.locks = [tape.resource("asyncio.locks.Lock", tape.site((maker, 0))) for _ in range(2)]
        tape.put(ev.THREAD, coro=0, aux=4711)
        for number, code in enumerate(self.codes, 1):
            tape.put(ev.SPAWN, 0, coro=number, aux=code, off=tape.site((maker, 0)))

    def start(self, ts: int, task: int) -> None:
        fields = {"off": self.codes[task - 1], "node": self.nodes[task - 1], "task": task, "flags": ev.IS_TASK}
        self.tape.put(ev.START, ts, coro=task, **fields)

    def take(self, ts: int, task: int, lock: int, line: int = 1) -> None:
        site = self.tape.site((self.codes[task - 1], 2 * line))
        self.tape.put(ev.TAKE, ts, coro=task, aux=self.locks[lock], off=site, node=self.nodes[task - 1], task=task)

    def give(self, ts: int, task: int, lock: int) -> None:
        """By task 0: plain code."""
        node = {"node": self.nodes[task - 1], "task": task} if task else {}
        self.tape.put(ev.GIVE, ts, coro=task, aux=self.locks[lock], **node)

    def wait(self, ts: int, task: int, lock: int, line: int = 2) -> None:
        """For a lock, in a call of its own (coroutine 20 + task)."""
        inner = 20 + task
        running = {"node": self.inner[task - 1], "task": task}
        self.tape.put(ev.START, ts, coro=inner, aux=task, off=self.acquire, **running)
        self.tape.put(ev.SUSPEND, ts, coro=inner, aux=self.future, off=4)
        self.tape.put(ev.LINK, ts, coro=task, aux=inner, off=2 * line)
        self.tape.put(ev.USE, ts, coro=inner, aux=self.locks[lock])

    def join(self, ts: int, task: int, awaited: int, line: int = 3) -> None:
        self.tape.put(ev.SUSPEND, ts, coro=task, aux=awaited, off=2 * line, flags=ev.AWAITS_TASK)

    def throw(self, ts: int, task: int) -> None:
        """A task that waits for a lock is cancelled: it ends."""
        self.tape.put(ev.WAKE, ts, coro=task, flags=ev.BY_TIMER)
        self.tape.put(ev.THROW, ts, coro=20 + task, node=self.inner[task - 1], task=task)
        self.tape.put(ev.RAISE, ts + 1, coro=20 + task, node=self.nodes[task - 1], task=task)
        self.tape.put(ev.RAISE, ts + 2, coro=task, flags=ev.CANCELLED)

    def trace(self, folder: Path, end: int) -> Trace:
        self.tape.end_ns = end
        return load(self.tape.write(folder / "a.rec"))


def crossed() -> Locks:
    """Two tasks take two locks in opposite orders; both wait from 30 on."""
    made = Locks("one", "two")
    made.start(10, 1)
    made.take(11, 1, 0)
    made.tape.put(ev.SUSPEND, 15, coro=1, off=2)
    made.start(16, 2)
    made.take(17, 2, 1)
    made.wait(20, 2, 0)
    made.tape.put(ev.RESUME, 25, coro=1, aux=1, node=made.nodes[0], task=1)
    made.wait(30, 1, 1)
    return made
