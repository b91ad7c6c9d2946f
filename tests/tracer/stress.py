"""Programs that are hard on the core, recorded in this very process: to be run under a checker, or long.

Knows nothing of the checker.  Needs the standard library alone (``greenlets``: greenlet, too), so that it runs on a
debug build, under valgrind, on another machine.  ``python -m tests.tracer.stress NAME [AMOUNT]`` ends with 0 and
"NAME: …" where all is well; what it recorded is left in the file that ``STRESS_RECORDING`` names.

    threads    loops on threads that come and go, each with polls that the watchdog looks into
    restarts   the recording stops and starts while the threads run
    forks      forks by Python from several threads, and forks that Python doesn't see, at any moment
    locked     AMOUNT forks that Python doesn't see, each while the watchdog has its lock; of a C core that is built
               with -DWATCHDOG_DAWDLES, or it has that too seldom
    greenlets  coroutines that greenlets leave in mid-run, on threads that end meanwhile
    leaks      AMOUNT tasks, bare and recorded: nothing is left of any, in blocks, references or resident memory
"""

import asyncio
import contextlib
import ctypes
import gc
import itertools
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from async_inspect.tracer import _set_probes, choose, writer
from async_inspect.tracer.settings import DETAILS, Settings

TOOL_ID = 4
SLOW_NS = 2_000_000
WANTED = os.environ.get("STRESS_CORE", "c")
core, WHY = choose.choose(WANTED)
details = itertools.cycle(DETAILS)  # one recording at this, the next at that


def start(path: str, slow_ns: int = SLOW_NS) -> None:
    settings = Settings(1 << 30, [], 0, detail=next(details))
    fd = writer.create_at(path)
    try:
        size = writer.write_header(fd, writer.metadata(core.NAME, "for a test", settings))
        sys.monitoring.use_tool_id(TOOL_ID, "test")
        _set_probes(core, TOOL_ID, settings.without)
        stdlib, tags = writer.stdlib(), ("request",)
        core.start(fd, size, 1 << 30, TOOL_ID, stdlib, slow_poll_ns=slow_ns, tags=tags, detail=settings.detail)
    finally:
        os.close(fd)


def stop() -> None:
    core.stop()
    sys.monitoring.free_tool_id(TOOL_ID)


@contextlib.contextmanager
def recorded() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        start(os.environ.get("STRESS_RECORDING", f"{folder}/run.rec"))
        try:
            yield
        finally:
            stop()


def compute(ns: int) -> None:
    """A poll that the watchdog looks into, or is about to."""
    end = time.monotonic_ns() + ns
    while time.monotonic_ns() < end:
        sum(range(100))


async def nested(depth: int) -> None:
    if depth:
        await nested(depth - 1)
    else:
        await asyncio.sleep(0)


async def items() -> AsyncIterator[int]:
    for n in range(3):
        yield n
        await asyncio.sleep(0)


async def work(number: int) -> None:
    async with asyncio.timeout(1000):
        await nested(number % 4)
    async for _ in items():
        pass
    if number % 7 == 0:
        compute(SLOW_NS * 2)
    if number % 5 == 0:
        raise ValueError(number)


async def loop(tasks: int) -> int:
    done = await asyncio.gather(*[work(n) for n in range(tasks)], return_exceptions=True)
    await asyncio.get_running_loop().run_in_executor(None, compute, 1000)
    late = asyncio.create_task(asyncio.sleep(1000))
    await asyncio.sleep(0)
    late.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await late
    return sum(isinstance(each, ValueError) for each in done)


def on_threads(*runs: Callable[[], object]) -> None:
    """A thread each; an error in one is this one's."""
    errors = []

    def guarded(run: Callable[[], object]) -> None:
        try:
            run()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def one_loop() -> None:
    assert asyncio.run(loop(21)) == 5


def threads(amount: int) -> str:
    with recorded():
        for _ in range(amount):
            on_threads(*[one_loop] * 6)
    return f"{6 * amount} threads"


def restarts(amount: int) -> str:
    ending = threading.Event()
    runs = 0

    def until_the_end() -> None:
        while not ending.is_set():
            one_loop()

    def drive() -> None:
        nonlocal runs
        try:
            with tempfile.TemporaryDirectory() as folder:
                for n in range(amount):
                    start(f"{folder}/{n}.rec")
                    compute(SLOW_NS)
                    time.sleep(0)
                    core.rest()
                    compute(SLOW_NS * 2)
                    stop()
                    os.unlink(f"{folder}/{n}.rec")
                    runs += 1
        finally:
            ending.set()

    on_threads(drive, until_the_end, until_the_end, until_the_end)
    return f"{runs} recordings"


def wait_for(child: int) -> None:
    """It must end well, and soon: whoever waits for a lock for ever is ended by its alarm."""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, f"a child ended with {status}"


def in_child() -> None:
    """The child records anew, as the package has it, or ends at once; in neither does it touch the parent's file."""
    signal.alarm(60)
    status = 1
    try:
        core.abandon()
        with contextlib.suppress(ValueError):
            sys.monitoring.free_tool_id(TOOL_ID)
        with recorded():
            one_loop()
        status = 0
    finally:
        os._exit(status)


def forks(amount: int) -> str:
    libc = ctypes.PyDLL(None)
    counts = {"by Python": 0, "unseen": 0}
    os.register_at_fork(before=core.rest)

    def by_python() -> None:
        for _ in range(amount):
            child = os.fork()
            if child == 0:
                in_child()
            wait_for(child)
            counts["by Python"] += 1
            one_loop()

    def unseen() -> None:
        """By C code, with the GIL held; the child runs no Python but to end, as one that execs would."""
        for _ in range(amount):
            child = libc.fork()
            if child == 0:
                signal.alarm(60)
                core.stop()
                os._exit(0)
            wait_for(child)
            counts["unseen"] += 1
            one_loop()

    os.environ.pop("STRESS_RECORDING", None)
    sys.setswitchinterval(1000)  # or a child that Python doesn't know of waits for a thread that asked for the GIL
    with recorded():
        on_threads(by_python, unseen, by_python, unseen)
    return f"{counts}"


def locked(amount: int) -> str:
    libc = ctypes.PyDLL(None)
    held, tries = 0, 0
    sys.setswitchinterval(1000)  # see forks()
    with tempfile.TemporaryDirectory() as folder:
        start(f"{folder}/run.rec", slow_ns=4)  # it looks all the time
        try:
            one_loop()
            while held < amount and tries < 100 * amount:
                tries += 1
                child = libc.fork()
                if child == 0:
                    signal.alarm(60)
                    if not core.kept()["held"]:
                        os._exit(3)
                    in_child()
                status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                assert status in (0, 3), f"a child ended with {status}"
                held += status == 0
        finally:
            stop()
    assert held == amount, f"{held} of {tries} forks while it had its lock"
    return f"{held} of {tries} forks while the watchdog had its lock"


def greenlets(amount: int) -> str:
    import greenlet

    kept = []

    async def stuck(main: "greenlet.greenlet") -> None:
        main.switch()
        await asyncio.sleep(0)

    def in_thread() -> None:
        main = greenlet.getcurrent()

        def run() -> None:
            with contextlib.suppress(StopIteration):
                stuck(main).send(None)

        one = greenlet.greenlet(run)
        kept.append(one)
        one.switch()
        one_loop()

    with recorded():
        for _ in range(amount):
            on_threads(*[in_thread] * 8)
            again = [b"\x11" * (300 + i % 80) for i in range(5000)]  # where the threads' states were
            compute(SLOW_NS * 4)
            del again
    return f"{8 * amount} threads, {len(kept)} greenlets"


def own_blocks() -> int:
    """How many blocks, a reference each, a core has for what it knows of objects by their address; bounded in itself.

    A weak reference each; of the Python core two numbers, too.
    """
    things: int = core.kept()["objects"]
    assert things < 20_000, things
    return things * (1 if core.NAME == "c" else 3)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def leaks(amount: int) -> str:
    batch = 1000

    async def main(tasks: int) -> None:
        for _ in range(tasks // batch):
            await asyncio.gather(*[work_once(n) for n in range(batch)], return_exceptions=True)

    async def work_once(number: int) -> None:
        await nested(number % 3)
        if number % 10 == 0:
            raise ValueError("no")

    def counts() -> tuple[int, int]:
        for _ in range(3):
            gc.collect()
        own, blocks = own_blocks(), sys.getallocatedblocks()  # 0 where malloc is asked for each
        references = getattr(sys, "gettotalrefcount", lambda: 0)()
        return blocks and blocks - own, references and references - own

    def grown(record: bool) -> tuple[int, int, int]:
        with recorded() if record else contextlib.nullcontext():
            asyncio.run(main(20 * batch))
            before, size = counts(), resident()
            asyncio.run(main(amount))
            after, grew = counts(), resident() - size
        return after[0] - before[0], after[1] - before[1], grew

    grown(True)  # whatever is made once is there
    at_first = counts()
    bare, recording = grown(False), grown(True)
    at_last = counts()
    left = at_last[0] - at_first[0], at_last[1] - at_first[1]
    what = f"{amount} tasks: bare {bare}, recorded {recording} (blocks, references, bytes); left after both {left}"
    # A few hundred for a million tasks: caches of the interpreter's that grew meanwhile.
    assert recording[0] - bare[0] < 300 and recording[1] - bare[1] < 1000, what
    assert left[0] < 300 and left[1] < 1000, what
    assert recording[2] - bare[2] < 4 << 20, what
    return what


def main() -> None:
    assert WANTED == core.NAME, f"not the {WANTED} core: {WHY}"  # else what is said of one was seen of the other
    run, amount = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10
    print(f"{run}: {globals()[run](amount)}", flush=True)
    if run == "greenlets":  # greenlet frees frames of the coroutines it kills, which the collector still looks at
        os._exit(0)


if __name__ == "__main__":
    main()
