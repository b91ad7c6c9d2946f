"""Recordings of many programs, one run of each, at both details."""

from pathlib import Path

import pytest

from async_inspect import events as ev
from async_inspect.recording.reader import Recording, open_recording

from ..levels import as_awaits
from ..samples import SAMPLES
from ..tape import Tape
from ..tools import PROGRAMS, ROOT, TARGET, run

RUN = [
    "async_generators", "async_generator_root", "asynccontextmanager", "cancel_caught", "driven", "eager",
    "exception_group", "gather", "known_waits", "pending", "queue_and_lock", "self_cancel", "several_runs", "shield",
    "task_group", "threads", "timeouts", "to_thread",
]  # fmt: skip
AT_AWAITS = " at awaits"
LOADS = {"await_chains": "5", "queues_and_locks": "30"}


# Runs a program under the recorder: the recording, then the program and its arguments.
RECORD = """
import runpy, sys
import async_inspect
recording, *sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
with async_inspect.trace(recording):
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    """One run of each program, and what had been written of it at the detail "awaits"."""
    folder = tmp_path_factory.mktemp("recorded")
    programs: dict[str, list[str | Path]] = {name: [PROGRAMS / f"{name}.py"] for name in RUN}
    programs |= {name: [ROOT / "fixtures" / "bench" / f"{name}.py", size] for name, size in LOADS.items()}
    for name, argv in programs.items():
        run([TARGET, "-c", RECORD, folder / f"{name}.rec", *argv], cwd=folder, env={"PYTHONPATH": str(ROOT)})
    for name, sample in TAPES.items():
        sample().write(folder / f"{name}.rec")
    for name in (*programs, *TAPES):
        as_awaits(folder / f"{name}.rec", folder / f"{name}{AT_AWAITS}.rec")
    return {path.stem: open_recording(path) for path in folder.glob("*.rec")}


def there_before() -> Tape:
    """What a tracer writes that comes to a running process: a task that waits, and two that have not run."""
    tape = Tape()
    work, future = tape.code("work", 3), tape.string("asyncio.Future")
    node = tape.node(0, work)
    tape.put(ev.START, 500, coro=1, off=work, node=node, task=1, flags=ev.IS_TASK | ev.BEFORE)
    tape.put(ev.SUSPEND, 500, coro=1, aux=future, off=4, flags=ev.BEFORE)
    for coro in (2, 3):
        tape.put(ev.SPAWN, 500, coro=coro, aux=work, flags=ev.BEFORE)
    tape.put(ev.START, 700, coro=2, off=work, node=node, task=2, flags=ev.IS_TASK)
    tape.put(ev.SUSPEND, 800, coro=2, aux=future, off=4)
    tape.put(ev.WAKE, 850, coro=1, flags=ev.BY_THREAD)
    tape.put(ev.RESUME, 900, coro=1, aux=1, node=node, task=1)
    tape.put(ev.RETURN, 950, coro=1)
    return tape


TAPES = {name: make for name, make in SAMPLES.items() if "awaits" not in name} | {"there_before": there_before}


RECORDED = (*RUN, *LOADS, *TAPES)
