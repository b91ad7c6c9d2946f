"""Record something in this very process, with a clock that only counts: the same program gives the same text.

Knows how to start a core by itself, without the launcher.  The text is what ``dump --records`` prints, less what
differs from run to run by nature (the kernel's thread ids).
"""

import gc
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from types import ModuleType

from async_inspect import events as ev
from async_inspect.recording.dump import dump_records
from async_inspect.recording.reader import Recording
from async_inspect.tracer import _set_probes, choose, pycore, writer
from async_inspect.tracer.settings import Settings
from async_inspect.tracer.sources import SOURCES


def _c_core() -> ModuleType | None:
    core = choose.choose("c")[0]  # or the other one, where there is none
    return core if core.NAME == "c" else None


CORES: dict[str, ModuleType | None] = {"c": _c_core(), "python": pycore}
TOOL_ID = 4
ALL = tuple(SOURCES)


def record(
    core: ModuleType,
    program: Callable[[], object],
    path: Path,
    max_size: int = 1 << 30,
    sources: Collection[str] = ("tasks",),
    calls: bool = False,
    tasks: Collection[object] = (),
    detail: str = "calls",
) -> Recording:
    """Run ``program`` under ``core`` into a new file, and open that. ``tasks``: that were there before."""
    without = [name for name in SOURCES if name not in sources]
    settings = Settings(max_size, without, 0, calls and detail == "calls", detail=detail)
    fd = writer.create_at(str(path))
    size = writer.write_header(fd, writer.metadata(core.NAME, "for a test", settings))
    sys.monitoring.use_tool_id(TOOL_ID, "test")
    _set_probes(core, TOOL_ID, settings.without)
    gc.collect()
    gc.disable()  # or finalizers run coroutines when they like
    try:
        core.start(
            fd, size, max_size, TOOL_ID, writer.stdlib(), True, 0, settings.callees, (), [*tasks], settings.detail
        )
        try:
            program()
        finally:
            core.stop()
    finally:
        gc.enable()
        sys.monitoring.free_tool_id(TOOL_ID)
    return Recording(path)


def text(recording: Recording) -> str:
    lines = dump_records(recording)
    return "\n".join(line for line in lines if f" {ev.KIND_NAMES[ev.THREAD]} " not in line)


def kinds(recording: Recording) -> list[str]:
    """The names of the records' kinds, definitions and texts left out."""
    return [ev.KIND_NAMES[kind] for kind in recording.records["kind"].tolist() if kind >= ev.FIRST_EVENT]
