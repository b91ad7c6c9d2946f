"""Both cores write the same records, for any program: random ones here, made of what async programs are made of.

A program is source text, so that each run has code objects of its own.  Functions call only later ones; those that
lock each other out for good are cancelled.  Nothing in them depends on time or on addresses but one thing: a coroutine
that is closed with no ``try`` open ends without an event (CPython 3.13 on), and is found out when its memory is used
again.
"""

import itertools
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from . import ticks

pytestmark = pytest.mark.tracer

FUNCTIONS = 4

HEAD = '''
import asyncio, contextlib, itertools, re, selectors, types

names = itertools.count(1000)

def eager(loop, coro, name=None, **options):  # 3.13.0 calls those without a name "None"
    return asyncio.eager_task_factory(loop, coro, name=name or f"eager-{next(names)}", **options)

class Unlocks(selectors.DefaultSelector):
    """Where nothing can ever go on again (a lock taken twice by one task …), all tasks are cancelled."""
    def select(self, timeout=None):
        if timeout is None or timeout > 100:
            for task in sorted(asyncio.all_tasks(), key=lambda task: int(re.sub(r".*-", "", task.get_name()))):
                task.cancel()
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

@types.coroutine
def old_style():
    yield

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
)
TAIL = """
def drive(coro, times):
    try:
        for _ in range(times): coro.send(None)
    except (Exception, asyncio.CancelledError): pass

def fail(coro):
    try: coro.throw(ValueError('thrown'))
    except (Exception, asyncio.CancelledError): pass

async def main():
    if EAGER: asyncio.get_running_loop().set_task_factory(eager)
    try: await f0()
    except Exception: pass

asyncio.run(main(), loop_factory=lambda: asyncio.SelectorEventLoop(Unlocks()))
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


def runner(source: str) -> Callable[[], None]:
    code = compile(source, "program.py", "exec")

    def run() -> None:
        try:
            exec(code, {"__name__": "program"})
        except BaseException as error:  # SystemExit and KeyboardInterrupt are not among what they raise
            assert type(error).__name__ in ("CancelledError", "ExceptionGroup", "BaseExceptionGroup"), error

    return run


def texts(source: str, sources: Collection[str] = ticks.ALL, calls: bool = False) -> list[str]:
    found = []
    for name, core in ticks.CORES.items():
        if core is None:
            pytest.skip("no C core was built for this Python")
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = ticks.record(core, runner(source), Path(folder) / f"{name}.rec", sources=sources, calls=calls)
            assert run.header.lost == 0
            found.append(in_order(ticks.text(run)))
            run.close()
    return found


def in_order(text: str) -> str:
    """What is said of the members of a set in the order of their tasks, not of their addresses."""
    lines = text.splitlines()
    kinds = [re.sub(r"^\d+ (\w+) .*", r"\1", line) for line in lines]
    found = []
    for kind, group in itertools.groupby(range(len(lines)), lambda at: kinds[at]):
        some = [lines[at] for at in group]
        found += sorted(re.sub(r"^\d+ | ts=\d+", "", line) for line in some) if kind in ("EDGE", "TROUBLE") else some
    return "\n".join(found)


def unfound(text: str) -> list[str]:
    """Without what was found out by its memory, and without what counts it."""
    lines = [re.sub(r"^\d+ |ts=\d+", "", line) for line in text.splitlines()]
    return [line for line in lines if not line.startswith("VANISH")]


@settings(
    max_examples=int(os.environ.get("TEST_EXAMPLES", "150")), deadline=None, suppress_health_check=list(HealthCheck)
)
@given(programs(), st.sets(st.sampled_from(ticks.ALL)), st.booleans())
@example(
    HEAD + "EAGER = False\nasync def f0(): await anext(g())\nasync def g():\n    await Pause(1)\n    yield 1\n" + TAIL,
    set(),
    False,
)
@example(
    HEAD + "EAGER = False\nasync def f0():\n    async with shared.lock:\n        await f0()\n" + TAIL, set(), False
)
def test_random_programs(source: str, without: set[str], calls: bool) -> None:
    c, python = texts(source, set(ticks.ALL) - without, calls)
    if sys.version_info >= (3, 13):
        assert unfound(c) == unfound(python)
    else:
        assert c == python
