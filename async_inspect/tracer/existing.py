"""Finding the tasks that existed before the recording, without running any of the program's code.

Knows where asyncio keeps them: up to Python 3.13 in two sets; from 3.14 on C tasks are kept by loop.  The core records
them (``adopt``).
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_RUN = (".run_forever", ".run_until_complete", "Runner.run")  # methods that run a loop


def tasks() -> list[object]:
    """All tasks that have not ended, of all loops and threads; [] where the program has not imported asyncio."""
    names = getattr(sys.modules.get("asyncio.tasks"), "__dict__", {})
    found: dict[int, object] = {}
    for known in names.get("_scheduled_tasks"), names.get("_eager_tasks"):
        found.update((id(task), task) for task in _members(known))
    all_tasks = names.get("_c_all_tasks")
    if sys.version_info >= (3, 14) and all_tasks is not None:
        for loop in _loops([*found.values()]):
            found.update((id(task), task) for task in all_tasks(loop))
    return [*found.values()]


def _members(known: object) -> list[object]:
    """The members of a set or a WeakSet."""
    if type(known) is set:
        return list(known)
    weak = getattr(known, "data", None)
    return [one for one in (ref() for ref in list(weak)) if one is not None] if type(weak) is set else []


def _loops(tasks: list[object]) -> list[object]:
    """The loops of these tasks, and those running on any thread; where there are none, every loop that exists."""
    abstract = getattr(sys.modules.get("asyncio.events"), "AbstractEventLoop", None)
    if abstract is None:
        return []
    found: dict[int, object] = {}

    def add(loop: object) -> None:
        if issubclass(type(loop), abstract):
            found[id(loop)] = loop

    for task in tasks:
        add(_get(task, "_loop"))
    for outermost in sys._current_frames().values():
        frame: FrameType | None = outermost
        while frame is not None:
            name = frame.f_code.co_qualname
            if name.endswith(_RUN):
                own = frame.f_locals.get("self")
                add(own)
                add(_get(own, "_loop"))
            frame = frame.f_back
    if not found:
        import gc

        for one in gc.get_objects():
            add(one)
    return [*found.values()]


def _get(one: object, name: str) -> object:
    try:
        return object.__getattribute__(one, name)
    except Exception:
        return None
