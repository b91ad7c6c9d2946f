"""What the program's objects are asked, without running any of its code: types, exceptions, tasks, text.

Knows which attributes may be read so, past whatever ``__getattribute__``, ``__str__`` or property a class of the
program has, and where asyncio keeps what it knows, if the program has imported it.  Knows nothing of recordings.
"""

import sys
from gc import get_referents
from types import AsyncGeneratorType

from .. import events as ev

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_type_module = type.__dict__["__module__"].__get__
_type_name = type.__dict__["__name__"].__get__
_type_qualname = type.__dict__["__qualname__"].__get__
_exc_args = BaseException.__dict__["args"].__get__
_SAFE_STR = (BaseException.__str__, OSError.__str__, KeyError.__str__)


def utf8(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def type_name(cls: type) -> str:
    module = _type_module(cls)
    name: str = _type_qualname(cls)
    return name if type(module) is not str or module == "builtins" else f"{module}.{name}"


def short_name(cls: type) -> str:
    name: str = _type_name(cls)
    return name


def message_of(exc: BaseException) -> str | None:
    """What ``exc`` says, if saying it runs no code of the program."""
    if type.__getattribute__(type(exc), "__str__") not in _SAFE_STR:
        return None
    parts = list(_exc_args(exc))
    if issubclass(type(exc), OSError):
        parts += [OSError.__dict__[name].__get__(exc) for name in ("errno", "strerror", "filename", "filename2")]
    if any(part is not None and type(part) not in (str, int) for part in parts):
        return None
    return str(exc)[: ev.MAX_MESSAGE]


def is_cancellation(exc: BaseException) -> bool:
    cancelled = getattr(sys.modules.get("asyncio.exceptions"), "CancelledError", None)
    return cancelled is not None and issubclass(type(exc), cancelled)


def get(task: object, name: str) -> object:
    try:
        return object.__getattribute__(task, name)
    except Exception:
        return None


def current_task() -> object:
    module = sys.modules.get("_asyncio")
    if module is not None:
        try:
            return module.current_task()
        except Exception:  # no loop runs on this thread
            return None
    return None


def agen_frame(made: object) -> "FrameType | None":
    """The frame of the async generator that an ``aclose()``, ``athrow()`` or ``asend()`` object is about."""
    if short_name(type(made)).startswith("async_generator_a"):
        for found in get_referents(made):
            if type(found) is AsyncGeneratorType:
                return found.ag_frame
    return None


def is_task(value: object) -> bool:
    cls = type(value)
    for module, name in (("_asyncio", "Task"), ("asyncio.tasks", "_PyTask")):
        task_type = getattr(sys.modules.get(module), name, None)
        if task_type is not None and issubclass(cls, task_type):
            return True
    return False


def task_name(task: object) -> str | None:
    c_task = getattr(sys.modules.get("_asyncio"), "Task", None)
    name = c_task.get_name(task) if c_task is not None and issubclass(type(task), c_task) else get(task, "_name")
    return name if type(name) is str else None
