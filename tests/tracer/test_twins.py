"""Both cores write the same records, for any program: random ones here, made of what async programs are made of; and
what these mean is whole, and has the tasks that the program itself made, with the ends that these had.

A program is source text, so that each run has code objects of its own.  Functions call only later ones; those that
lock each other out for good are cancelled.  Nothing in them depends on time or on addresses but one thing: a coroutine
that is closed with no ``try`` open ends without an event (CPython 3.13 on), and is found out when its memory is used
again.
"""

import asyncio
import itertools
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from async_inspect import events as ev
from async_inspect.model import Trace, load
from async_inspect.model import tables as t
from async_inspect.model.invariants import violations
from async_inspect.tracer.settings import DETAILS

from ..tools import examples
from . import ticks

pytestmark = pytest.mark.tracer

FUNCTIONS = 4

HEAD = '''
import asyncio, contextlib, itertools, selectors, types, weakref

names = itertools.count(1000)

made = []  # of each task what it runs, and itself

def factory(loop, coro, name=None, **options):
    place = len(made)
    made.append(None)
    if EAGER:  # 3.13.0 calls those without a name "None"
        task = asyncio.eager_task_factory(loop, coro, name=name or f"eager-{next(names)}", **options)
    else:
        task = asyncio.Task(coro, loop=loop, name=name, **options)
    made[place] = coro, task
    return task

class Generators(weakref.WeakKeyDictionary):
    """Those that a loop closes in the end, in the order in which they were begun, and not of their addresses."""
    def add(self, agen): self[agen] = None
    def discard(self, agen): self.pop(agen, None)

def new_loop():
    loop = asyncio.SelectorEventLoop(Unlocks())
    loop._asyncgens = Generators()
    loop.set_task_factory(factory)
    return loop

class Unlocks(selectors.DefaultSelector):
    """Where nothing can ever go on again (a lock taken twice by one task …), all tasks are cancelled."""
    def select(self, timeout=None):
        if timeout is None or timeout > 100:
            for one in made:
                if one is not None: one[1].cancel()
            timeout = 0
        return super().select(timeout)

class Ordered(dict):
    def add(self, task): self[task] = None
    def discard(self, task): self.pop(task, None)

class Group(asyncio.TaskGroup):
    """Cancels its tasks in the order in which they were made, and not in a set's."""
    def __init__(self):
        super().__init__()
        self._tasks = Ordered()

class Pause:
    def __init__(self, times): self.times = times
    def __await__(self):
        for _ in range(self.times): yield

class Through:
    def __init__(self, coro): self.coro = coro
    def __await__(self): yield from self.coro.__await__()

class By:
    def __init__(self, coro): self.coro = coro
    def __await__(self): return self.coro.__await__()

@types.coroutine
def old_style():
    yield

@contextlib.asynccontextmanager
async def around(coro):
    await coro
    try:
        yield
    finally:
        await Pause(1)

@contextlib.asynccontextmanager
async def context():
    await Pause(1)
    try:
        yield
    finally:
        await Pause(1)

async def stubborn():
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        await asyncio.sleep(0)

async def cancels_itself():
    asyncio.current_task().cancel()

class Shared:  # what all tasks of a program share; made when first asked for, inside the loop
    def __getattr__(self, name):
        kind = {"queue": lambda: asyncio.Queue(1), "barrier": lambda: asyncio.Barrier(2)}.get(name)
        setattr(self, name, kind() if kind else getattr(asyncio, name.capitalize())())
        return getattr(self, name)

shared = Shared()
'''

SIMPLE = (
    "await asyncio.sleep(0)",
    "await Pause(2)",
    "await old_style()",
    "raise ValueError('no')",
    "raise KeyError(1)",
    "return 1",
    "await stubborn()",
    "async with shared.lock: await asyncio.sleep(0)",
    "async with shared.semaphore: await Pause(2)",
    "async with shared.condition: shared.condition.notify_all()",
    "await shared.queue.put(1) if shared.queue.empty() else await shared.queue.get()",
    "shared.event.set(); await shared.event.wait()",
    "stubborn()",
    "asyncio.get_running_loop().call_soon(shared.event.set); await shared.event.wait(); shared.event.clear()",
    "raise SystemError if asyncio.current_task() is None else ValueError",
)
WITH_CALL = (  # {f} is a later function's call, {g} that of an async generator
    "await {f}",
    "await Through({f})",
    "await asyncio.create_task({f})",
    "await asyncio.create_task({f}, name=f'named-{{next(names)}}')",
    "await asyncio.gather({f}, {f}, return_exceptions=True)",
    "await asyncio.shield({f})",
    "await asyncio.wait_for({f}, None)",
    "async for _ in {g}: pass",
    "async for _ in {g}: await asyncio.sleep(0)",
    "it = {g}; await anext(it, None); await anext(it, None); await it.aclose()",
    "it = {g}; await anext(it, None); await it.athrow(ValueError)",
    "async with context(): await {f}",
    "async with asyncio.timeout(1000): await {f}",
    "t = asyncio.create_task({f}); await asyncio.sleep(0); t.cancel(); await asyncio.wait([t])",
    "t = asyncio.create_task({f}); t.cancel(); await asyncio.wait([t])",
    "t = asyncio.create_task(stubborn()); await asyncio.sleep(0); t.cancel(); await t",
    "await asyncio.wait([asyncio.create_task(cancels_itself())])",
    "c = {f}; drive(c, 2)",
    "c = {f}; drive(c, 1); fail(c)",
    "c = {f}; fail(c)",
    "c = {f}; drive(c, 1); c.close()",
    "await asyncio.wait([asyncio.create_task({f})])",  # sets of several have no order of their own
    "[await it for it in asyncio.as_completed([{f}, {f}])]",
    "await asyncio.gather(asyncio.shield({f}), asyncio.gather({f}), return_exceptions=True)",
    "t = asyncio.create_task({f}); await asyncio.sleep(0); await asyncio.gather(t, shared.queue.join())",
    "asyncio.create_task({f})",
    "async with shared.lock: await {f}",
    "async with Group() as g: g.create_task({f}); g.create_task({f}, name=f'in group-{{next(names)}}')",
    "await By({f})",
    "async with around({f}): pass",
    "async with contextlib.AsyncExitStack() as s: await s.enter_async_context(around({f}))",
    "async with contextlib.aclosing({g}) as it: await anext(it, None)",
    "t = asyncio.create_task(within(around({f}))); await asyncio.sleep(0); t.cancel(); await asyncio.wait([t])",
    "c = within(around({f})); drive(c, 1); fail(c)",
    "c = By({f}); c = within(around(c)); drive(c, 1); c.close()",
    "it = {g}; [await asyncio.create_task(it.__anext__()) for _ in range(3)]",
    "it = {g}; await asyncio.create_task(it.__anext__(), name=f'step-{{next(names)}}'); await anext(it, None)",
    "it = {g}; await asyncio.gather(*[asyncio.create_task(it.__anext__()) for _ in '12'], return_exceptions=True)",
    "it = {g}; asyncio.create_task(it.__anext__()); asyncio.create_task(it.__anext__()); await Pause(3)",
    "t = asyncio.create_task({g}.__anext__()); await asyncio.sleep(0); t.cancel(); await asyncio.wait([t])",
    "t = asyncio.create_task({g}.__anext__()); t.cancel(); await asyncio.wait([t])",
    "it = {g}; await anext(it, None); await asyncio.wait([asyncio.create_task(it.aclose())])",
    "it = {g}; await anext(it, None); await asyncio.wait([asyncio.create_task(it.athrow(ValueError))])",
    "it = {g}; await anext(it, None); await asyncio.wait([asyncio.create_task(it.asend(1))]); await it.aclose()",
    "it = {g}; await anext(it, None); t = asyncio.create_task(it.aclose()); await Pause(1); t.cancel(); await Pause(1)",
    "await asyncio.wait([asyncio.create_task(anext({g}, None))])",
    "asyncio.create_task({g}.__anext__())",
    "await asyncio.wait_for({g}.__anext__(), None)",
    "s = {g}.__anext__(); drive(s, 2)",
    "s = {g}.__anext__(); drive(s, 1); fail(s)",
    "s = {g}.__anext__(); drive(s, 1); s.close()",
    "it = {g}; drive(it.__anext__(), 1); await asyncio.wait([asyncio.create_task(it.__anext__())])",
    "it = {g}; drive(it.__anext__(), 3); await anext(it, None); drive(it.aclose(), 3)",
    "c = {f}; t = asyncio.create_task(c); await asyncio.wait([t]); await c",
)
TAIL = """
def drive(coro, times):
    try:
        for _ in range(times): coro.send(None)
    except (Exception, asyncio.CancelledError): pass

def fail(coro):
    try: coro.throw(ValueError('thrown'))
    except (Exception, asyncio.CancelledError): pass

async def within(context):
    async with context: await Pause(1)

async def main():
    try: await f0()
    except Exception: pass
    for one in made[1:]:  # what is left asyncio cancels in the order of a set
        if one is not None: one[1].cancel()

asyncio.run(main(), loop_factory=new_loop)
"""


@st.composite
def bodies(draw: st.DrawFn, at: int, generator: bool) -> str:
    """The body of function ``at``: statements, some under a ``try``."""
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        if at + 1 < FUNCTIONS and draw(st.booleans()):
            later = draw(st.integers(at + 1, FUNCTIONS - 1))
            line = draw(st.sampled_from(WITH_CALL)).format(f=f"f{later}()", g=f"g{later}()")
        else:
            line = draw(st.sampled_from(SIMPLE))
        if generator and line.startswith("return"):
            line = "return"
        if generator and draw(st.booleans()):
            lines.append("    yield 1")
        match draw(st.integers(0, 3)):
            case 0:
                lines += ["    try:", f"        {line}", "    except Exception: await asyncio.sleep(0)"]
            case 1:
                lines += ["    try:", f"        {line}", "    finally: await asyncio.sleep(0)"]
            case _:
                lines.append(f"    {line}")
    if generator:
        lines.append("    yield 2")
    return "\n".join(lines)


@st.composite
def programs(draw: st.DrawFn) -> str:
    parts = [f"EAGER = {draw(st.booleans())}", HEAD]
    for at in range(FUNCTIONS):
        parts.append(f"async def f{at}():\n{draw(bodies(at, False))}")
        parts.append(f"async def g{at}():\n{draw(bodies(at, True))}")
    return "\n\n".join([*parts, TAIL])


def runner(source: str, space: dict[str, Any]) -> Callable[[], None]:
    """``space``: where the program finds its names, and leaves them."""
    code = compile(source, "program.py", "exec")

    def run() -> None:
        try:
            exec(code, space)
        except BaseException as error:  # SystemExit and KeyboardInterrupt are not among what they raise
            assert type(error).__name__ in ("CancelledError", "ExceptionGroup", "BaseExceptionGroup"), error

    return run


def texts(source: str, sources: Collection[str] = ticks.ALL, calls: bool = False, detail: str = "calls") -> list[str]:
    found = []
    for name, core in ticks.CORES.items():
        if core is None:
            pytest.skip("no C core (Debian: apt-get install gcc libc6-dev python3-dev)")
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            space: dict[str, Any] = {"__name__": "program"}
            run = ticks.record(
                core, runner(source, space), Path(folder) / f"{name}.rec", sources=sources, calls=calls, detail=detail
            )
            assert run.header.lost == 0
            found.append(in_order(ticks.text(run)))
            if detail == "awaits":
                run.close()
                continue
            trace = load(Path(folder) / f"{name}.rec")
            assert violations(trace) == []
            made = [one for one in space.get("made", ()) if one is not None]  # else it could not be made
            if {"tasks", "wakes"} <= set(
                sources
            ):  # else those that never ran are not known, or not when they had turns
                assert tasks(trace, [state_of(task) for _, task in made]) == truth(made)
            run.close()
    return found


def truth(made: list[tuple[Any, asyncio.Task[Any]]]) -> list[tuple[str, str]]:
    """What runs as each task that the program made, and how it ended."""
    return [(getattr(coro, "__qualname__", "g"), state_of(task)) for coro, task in made]


def state_of(task: asyncio.Task[Any]) -> str:
    if not task.done():
        return "not done"
    return "Cancelled" if task.cancelled() else "Failed" if task.exception() else "Completed"


def tasks(trace: Trace, expected: list[str]) -> list[tuple[str, str]]:
    """The same of the trace.  Where no frame ran (the generator ran already, say) nothing may say how it ended."""
    found: list[tuple[str, str]] = []
    for row in np.flatnonzero(~trace.task_table.driven).tolist():
        name = trace.functions[trace.task_table.function[row]].name
        state = t.STATES[trace.task_table.state[row]]
        generator = re.fullmatch(r"g\d?|around|context", name)
        if generator and state == "Unknown" and not trace.task_table.polls[row] and len(found) < len(expected):
            state = expected[len(found)]
        found.append(("g" if generator else name, state))
    return found


def in_order(text: str) -> str:
    """What is said of the members of a set in the order of their tasks, not of their addresses."""
    lines = text.splitlines()
    kinds = [re.sub(r"^\d+ (\w+) .*", r"\1", line) for line in lines]
    found = []
    for kind, group in itertools.groupby(range(len(lines)), lambda at: kinds[at]):
        some = [lines[at] for at in group]
        found += (
            sorted(re.sub(r"^\d+ | ts=\d+", "", line) for line in some) if kind in ("EDGE", "RUNTIME_WARNING") else some
        )
    return "\n".join(found)


def unfound(text: str) -> list[str]:
    """Without what was found out by its memory, and without what counts it."""
    lines = [re.sub(r"^\d+ |ts=\d+", "", line) for line in text.splitlines()]
    return [line for line in lines if not line.startswith("VANISH")]


def with_none_closed(source: str) -> str:
    """Where a coroutine is closed with no ``try`` open, 3.15 tells of it if its code's RESUME is heard.

    The Python core hears that of all code, the C core at ``awaits`` of roots alone.
    """
    kept = "kept = []\ndef keep(one): kept.append(one); return one\n"
    return kept + source.replace("; c.close()", "").replace("drive(c, ", "drive(keep(c), ").replace(
        "fail(c)", "fail(keep(c))"
    )


@pytest.mark.parametrize("detail", DETAILS)
@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
@given(source=programs(), without=st.sets(st.sampled_from(ticks.ALL)), calls=st.booleans())
@example(
    source=HEAD
    + "EAGER = False\nasync def f0(): await anext(g())\nasync def g():\n    await Pause(1)\n    yield 1\n"
    + TAIL,
    without=set(),
    calls=False,
)
@example(
    source=HEAD + "EAGER = False\nasync def f0():\n    async with shared.lock:\n        await f0()\n" + TAIL,
    without=set(),
    calls=False,
)
@example(  # its end takes place in the step of an aclose() that fails
    source=HEAD
    + "EAGER = False\n"
    + "async def f0():\n    try: c = within(around(f1())); drive(c, 1); fail(c)\n"
    + "    except Exception: pass\n    await f2()\n"
    + "async def f1():\n    try: await f2()\n    finally: await asyncio.sleep(0)\n"
    + "async def f2():\n    try: await asyncio.sleep(0)\n    except Exception: await asyncio.sleep(0)\n"
    + TAIL,
    without=set(),
    calls=False,
)
@example(  # it goes past the frames of generators
    source=HEAD
    + "EAGER = False\n"
    + "async def f0():\n    c = within(around(f1())); drive(c, 1); fail(c)\n"
    + "async def f1():\n    try: await Through(f2())\n    except Exception: await Pause(1)\n"
    + "async def f2():\n    try: await Pause(2)\n    except Exception: await Pause(1)\n"
    + TAIL,
    without=set(),
    calls=False,
)
@example(  # what is closed does not want to end
    source=HEAD
    + "EAGER = False\n"
    + "async def f0():\n    c = within(around(f1())); drive(c, 1); close(c)\n"
    + "async def f1():\n    try: await f2()\n    finally: await Pause(1)\n"
    + "async def f2():\n    try: await Pause(1)\n    finally: next(names)\n"
    + "def close(c):\n    try: c.close()\n    except RuntimeError: pass\n"
    + TAIL,
    without=set(),
    calls=False,
)
def test_random_programs(detail: str, source: str, without: set[str], calls: bool) -> None:
    if detail == "awaits" and sys.version_info >= (3, 15):
        source = with_none_closed(source)
    c, python = texts(source, set(ticks.ALL) - without, calls, detail)
    if sys.version_info >= (3, 13):
        assert unfound(c) == unfound(python)
    else:
        assert c == python


ALL_KINDS = """
import asyncio

async def items(count):
    for number in range(count):
        yield number
        await asyncio.sleep(0)

async def work(number, lock):
    async for _ in items(number):
        async with lock:
            await asyncio.sleep(0)
    if number % 5 == 0:
        raise ValueError("x" * number)

async def main():
    lock = asyncio.Lock()
    tasks = [asyncio.create_task(work(number, lock), name=f"work {number}" * (number % 3)) for number in range(60)]
    for task in tasks:
        try: await task
        except ValueError: pass

asyncio.run(main())
"""


@pytest.mark.parametrize("detail", DETAILS)
def test_both_write_the_same_bytes(detail: str, tmp_path: Path) -> None:
    """What has a short form is in it, and blocks begin and end alike."""
    if ticks.CORES["c"] is None:
        pytest.skip("no C core (Debian: apt-get install gcc libc6-dev python3-dev)")
    written, code = [], compile(ALL_KINDS, "program.py", "exec")
    for name, core in ticks.CORES.items():
        assert core is not None
        run = ticks.record(core, lambda: exec(code, {}), tmp_path / f"{name}.rec", sources=ticks.ALL, detail=detail)
        assert run.damaged == run.header.lost == 0
        assert run.header.flushed * ev.SLOT_SIZE > ev.BLOCK_SIZE
        written.append(run.path.read_bytes()[run.header.header_size :])
    assert written[0] == written[1]


@pytest.mark.parametrize("core", [one for one in ticks.CORES if ticks.CORES[one] is not None])
def test_a_name_of_a_million_bytes(core: str, tmp_path: Path) -> None:
    name = "né" * 400_000

    async def main() -> None:
        await asyncio.create_task(asyncio.sleep(0), name=name)
        await asyncio.create_task(asyncio.sleep(0), name="after")

    module = ticks.CORES[core]
    assert module is not None
    with ticks.record(module, lambda: asyncio.run(main()), tmp_path / "a.rec", sources=ticks.ALL) as run:
        assert list(run.names.values()) == [name, "after"]
        assert run.damaged == run.header.lost == 0
