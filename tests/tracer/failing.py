"""Runs a program under the C core once for each allocation that the core causes, with that allocation failing.

Knows how to build the core with ``failing.c``, and tries each failure in a forked child.  What must then hold is said
in ``test_failing.py``, which runs this file as a program: one line of JSON for each try.  Arguments: the built core;
and N: of each N-th allocation it is also tried that all that follow fail, too (0: of none).
"""

import contextlib
import ctypes
import io
import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
FOREVER = 1 << 40

PROGRAM = """
import asyncio, contextlib, contextvars, types, warnings

request = contextvars.ContextVar("request")

@types.coroutine
def pause(times=1):
    for _ in range(times): yield

async def nested(depth):
    await (nested(depth - 1) if depth else pause(2))

async def items():
    try:
        yield 1
        await asyncio.sleep(0)
        yield 2
    finally:
        await pause()

@contextlib.asynccontextmanager
async def context():
    await pause()
    yield

async def works(lock, queue, number):
    request.set(f"request {number}")
    async with lock:
        await asyncio.sleep(0)
    await queue.put(number)
    if number == 2: raise ValueError(f"no {number}")
    return number

async def stubborn():
    try: await asyncio.sleep(1000)
    except asyncio.CancelledError: await pause()
    raise KeyError("late")

async def main():
    lock, queue, event = asyncio.Lock(), asyncio.Queue(1), asyncio.Event()
    await nested(2)
    async for item in items(): print("item", item)
    async with context(): print("in a context")
    them = [asyncio.create_task(works(lock, queue, n), name=f"worker {n}") for n in range(3)]
    print("got", sorted([await queue.get() for _ in them]))
    print(await asyncio.gather(*them, return_exceptions=True))
    late = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    late.cancel()
    print(await asyncio.wait([late]) != None, repr(late.exception()))
    print(await asyncio.shield(asyncio.create_task(works(lock, queue, 5))), await queue.get())
    asyncio.get_running_loop().call_soon(event.set)
    await event.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0): await asyncio.sleep(1000)
    async with asyncio.TaskGroup() as group: group.create_task(nested(1))
    left = nested(1)
    left.send(None)
    left.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nested(0)
    print(*(each.message for each in caught))
    asyncio.create_task(asyncio.sleep(1000))

asyncio.run(main())
"""


def build(folder: Path) -> Path:
    """The core with ``failing.c`` in it; OSError or CalledProcessError where no C compiler is."""
    cc = shlex.split(os.environ.get("CC", "cc"))
    more = shlex.split(os.environ.get("TEST_CFLAGS", ""))
    common = [*cc, "-O1", "-g", "-fPIC", *more, f"-I{sysconfig.get_path('include')}"]
    source = (HERE / "failing.c").read_text()
    names = {a or b for a, b in re.findall(r"^WRAP\([^,]+, (\w+)|__wrap_([a-z]\w+)", source, re.MULTILINE)}
    wrapped = [f"-Wl,--wrap={name}" for name in sorted(names)]
    core = HERE.parents[1] / "async_inspect/tracer/_core.c"
    target = folder / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    for words in (
        ["-c", "-o", f"{folder}/failing.o", str(HERE / "failing.c")],
        [
            "-finstrument-functions",
            "-shared",
            "-pthread",
            *wrapped,
            "-o",
            str(target),
            str(core),
            f"{folder}/failing.o",
        ],
    ):
        subprocess.run([*common, *words], check=True, capture_output=True, text=True)
    return target


def run_program(code: Any) -> dict[str, Any]:
    """What the program prints, how it ends, and what CPython says of errors that nobody can catch."""
    out, unraisable = io.StringIO(), []
    sys.unraisablehook = lambda what: unraisable.append(repr(what.exc_value))
    status = "0"
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            exec(code, {"__name__": "program"})
        except BaseException:
            status = traceback.format_exc()
    sys.unraisablehook = sys.__unraisablehook__
    return {"output": out.getvalue(), "status": status, "unraisable": unraisable}


def one(core: ModuleType, failing: ctypes.CDLL, code: Any, path: str, first: int, last: int) -> dict[str, Any]:
    """In a forked child: record the program while the core's allocations from ``first`` to ``last`` fail."""
    from async_inspect.tracer import _set_probes, writer
    from async_inspect.tracer.settings import Settings

    from . import ticks

    def start() -> str:
        settings = Settings(1 << 30, [], 0, True)
        fd = writer.create_at(path)
        size = writer.write_header(fd, writer.metadata(core.NAME, "for a test", settings))
        sys.monitoring.use_tool_id(ticks.TOOL_ID, "test")
        _set_probes(core, ticks.TOOL_ID, [])
        failing.fail(first, last)
        try:
            core.start(fd, size, 1 << 30, ticks.TOOL_ID, writer.stdlib(), ticks=True, callees=True, tags=("request",))
        except (MemoryError, OSError) as error:
            return type(error).__name__
        finally:
            os.close(fd)
        return ""

    error = start()
    result = run_program(code)
    core.point("the label", "of the program")
    core.stop()
    asked = failing.stop_failing()
    where = ctypes.string_at(failing.failed_where()).decode()
    events = sys.monitoring.get_events(ticks.TOOL_ID)
    sys.monitoring.free_tool_id(ticks.TOOL_ID)
    left = {"active": core.recording(), "events": events}
    return {**result, "asked": asked, "where": where, "error": error, "started": not error, **left}


def tries(core: ModuleType, failing: ctypes.CDLL) -> Iterator[dict[str, Any]]:
    """All of them: nothing fails; each allocation; from each on."""
    import gc

    from async_inspect.recording.reader import Recording

    from . import ticks

    code = compile(PROGRAM, "program.py", "exec")
    run_program(code)  # imports what it imports
    gc.disable()
    yield {"bare": run_program(code)}

    def attempt(first: int, last: int) -> dict[str, Any]:
        path = f"{folder}/{first}-{last}.rec"
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                result = one(core, failing, compile(PROGRAM, "program.py", "exec"), path, first, last)
            except BaseException:
                result = {"broken": traceback.format_exc()}
            os.write(write, json.dumps(result).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            said = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        result = {"first": first, "last": last, "ended": status, **(json.loads(said) if said else {})}
        if result.get("started"):
            with Recording(Path(path)) as recording:
                result |= {"lost": recording.header.lost, "text": ticks.text(recording)}
        os.unlink(path)
        return result

    with tempfile.TemporaryDirectory() as folder:
        whole = attempt(0, 0)
        yield whole
        every = int(sys.argv[2])
        for n in range(1, whole["asked"] + 1):
            for last in (n, FOREVER) if every and n % every == 0 else (n,):
                result = attempt(n, last)
                result["same"] = result.pop("text", None) == whole["text"]
                yield result


def main() -> None:
    from async_inspect.tracer import choose

    core, failing = choose._load(sys.argv[1]), ctypes.CDLL(sys.argv[1])
    failing.failed_where.restype = ctypes.c_void_p
    for result in tries(core, failing):
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
