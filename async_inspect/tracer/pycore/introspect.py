"""Reading the program's objects without running any of its code: types, exceptions, tasks, text.

Knows which attributes may be read so, past whatever ``__getattribute__``, ``__str__`` or property a class of the
program has, and where asyncio keeps what it knows, if the program has imported it.  Knows nothing of recordings.
"""

import sys
from gc import get_referents
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
)

from ... import events as ev

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_type_module = type.__dict__["__module__"].__get__
_type_name = type.__dict__["__name__"].__get__
_type_qualname = type.__dict__["__qualname__"].__get__
_type_mro = type.__dict__["__mro__"].__get__
_type_dict = type.__dict__["__dict__"].__get__
_module_dict: "Callable[[object], dict[str, Any]]" = ModuleType.__dict__["__dict__"].__get__  # type: ignore[index]
_MISSING = object()
_SAFE = (MemberDescriptorType, GetSetDescriptorType, FunctionType, MethodDescriptorType)  # run nothing when they bind
_exc_args = BaseException.__dict__["args"].__get__
MAX_GATHERED = 8
_STEPS = ("async_generator_asend", "async_generator_athrow", "anext_awaitable")
_SAFE_STR = tuple(cls.__dict__["__str__"] for cls in (BaseException, OSError, KeyError))


def type_module(cls: type) -> object:
    return _type_module(cls)


def exact(text: str) -> str:
    """The same text without the methods that a subclass may have."""
    return text if type(text) is str else str.__str__(text)


def utf8(text: str) -> bytes:
    return str.encode(text, "utf-8", "backslashreplace")


def type_name(cls: type) -> str:
    module = _type_module(cls)
    name = exact(_type_qualname(cls))
    return name if type(module) is not str or module == "builtins" else f"{module}.{name}"


def short_name(cls: type) -> str:
    return exact(_type_name(cls))


def message_of(exc: BaseException) -> str | None:
    """The message of ``exc``, if getting it runs no code of the program."""
    if not any(_of_class(type(exc), "__str__") is safe for safe in _SAFE_STR):
        return None
    parts = list(_exc_args(exc))
    if issubclass(type(exc), OSError):
        parts += [OSError.__dict__[name].__get__(exc) for name in ("errno", "strerror", "filename", "filename2")]
    if any(part is not None and type(part) not in (str, int) for part in parts):
        return None
    return str(exc)[: ev.MAX_MESSAGE]


def is_cancellation(exc: BaseException, depth: int = 0) -> bool:
    """Whether ``exc`` means that its task was cancelled, or is a group of only such exceptions."""
    cancelled = part("asyncio.exceptions", "CancelledError")
    if cancelled is not None and issubclass(type(exc), cancelled):
        return True
    cancelled = trio_part("Cancelled")
    if cancelled is None or type(exc) is cancelled:
        return cancelled is not None
    if depth >= MAX_GATHERED or type(exc) is not BaseExceptionGroup:
        return False
    return all(is_cancellation(part, depth + 1) for part in exc.exceptions)


def get(thing: object, name: str) -> object:
    """An attribute, past ``__getattribute__`` and ``__getattr__``.

    None where there is none, or where to get it would run code of the program's: a property, a descriptor of its own.
    """
    found = _of_class(type(thing), name)
    if type(found) not in _SAFE and _of_class(type(found), "__get__") is not _MISSING:
        return None
    try:
        return object.__getattribute__(thing, name)
    except AttributeError:
        return None


def _of_class(cls: type, name: str) -> object:
    """The attribute of a class or its bases under this name, without descriptors."""
    for base in _type_mro(cls):
        found = _type_dict(base).get(name, _MISSING)
        if found is not _MISSING:
            return found
    return _MISSING


def part(module: str, name: str) -> "Any":
    """A name of a module that the program has imported; None: there is none."""
    found = sys.modules.get(module) if type(sys.modules) is dict else None
    return _module_dict(found).get(name) if issubclass(type(found), ModuleType) else None


def trio_part(name: str) -> "Any":
    """A name of trio's loop, if the program has imported trio."""
    return part("trio._core._run", name)


def trio_now(name: str) -> object:
    """What trio runs now on this thread."""
    return getattr(trio_part("GLOBAL_RUN_CONTEXT"), name, None)


def is_trio_task(value: object) -> bool:
    return value is not None and type(value) is trio_part("Task")


def is_guest() -> bool:
    """Whether no trio runs on this thread but as another loop's guest, whose selector is asked on any thread."""
    return get(trio_now("runner"), "is_guest") is not False


def trio_moment(when: object) -> int:
    """A time of trio's clock on ours, if both are the same clock; else 0."""
    clock = get(trio_now("runner"), "clock")
    offset = get(clock, "offset") if clock is not None and type(clock) is trio_part("SystemClock") else None
    if type(when) is not float or type(offset) is not float:
        return 0
    return int((when - offset) * 1e9) if 0 < when - offset < 1e10 else 0


def is_bare(value: object) -> bool:
    """Whether the yielded value only asks to be resumed."""
    return value is None or (type(value) is type and value is trio_part("CancelShieldedCheckpoint"))


def coroutine_of(task: object) -> object:
    """The coroutine of a task."""
    return get(task, "coro" if is_trio_task(task) else "_coro")


def current_task() -> object:
    current = part("_asyncio", "current_task")
    if current is None:
        return None
    task: object = None
    if sys.version_info >= (3, 14):  # before, this asks the loop for its hash
        try:
            task = current()
        except RuntimeError:  # no loop runs on this thread
            return None
    if task is None:
        tasks = part("asyncio.tasks", "_current_tasks")  # from 3.14 on of Python's Tasks alone
        if type(tasks) is dict and tasks:
            loop = part("_asyncio", "_get_running_loop")()
            return next((its for one, its in list(tasks.items()) if one is loop), None)
    return task


def is_function(value: object, qualname: str) -> bool:
    return type(value) is FunctionType and exact(value.__code__.co_qualname) == qualname


def callable_name(value: object) -> str:
    """The name of a callable, without calling its methods."""
    if type(value) is MethodType:
        value = value.__func__
    if type(value) is FunctionType:
        return value.__code__.co_qualname
    if type(value) is BuiltinFunctionType:
        owner = value.__self__
        if owner is None or type(owner) is ModuleType:
            module = value.__module__
            return f"{module}.{value.__name__}" if type(module) is str else value.__name__
        return f"{type_name(_class_of(owner))}.{value.__name__}"
    if type(value) is MethodDescriptorType:
        return f"{type_name(value.__objclass__)}.{value.__name__}"
    return type_name(_class_of(value))


def _class_of(value: object) -> type:
    """The object, if it is a class, else its type; ``__class__`` is not used."""
    return value if issubclass(type(value), type) else type(value)  # type: ignore[return-value]


def stepped_task(callback: object) -> object:
    """The Task of which a loop's callback is a step, or None."""
    cls = type(callback)
    if cls is BuiltinFunctionType:  # a C Task's wake-up
        return callback.__self__ if callback.__name__ == "task_wakeup" else None  # type: ignore[attr-defined]
    if cls is MethodType:  # a Python Task's step or wake-up
        function, task = callback.__func__, callback.__self__  # type: ignore[attr-defined]
        ours = type(function) is FunctionType and exact(function.__code__.co_name) in ("__step", "__wakeup")
        return task if ours and is_task(task) else None
    return get(callback, "__self__") if short_name(cls) == "TaskStepMethWrapper" else None


def is_gathering(value: object) -> bool:
    return type(value) is part("asyncio.tasks", "_GatheringFuture")


def is_timer(handle: object) -> bool:
    return type(handle) is part("asyncio.events", "TimerHandle")


def has_our_clock(loop: object) -> bool:
    """Whether a loop's time is ``time.monotonic()``: asyncio's own, not one of a test's making."""
    clock = get(loop, "time")
    return type(clock) is MethodType and is_function(clock.__func__, "BaseEventLoop.time")


def shielded(outer: object) -> object:
    """The inner future of ``shield()``'s outer one."""
    callbacks = get(outer, "_callbacks")
    for pair in callbacks if type(callbacks) is list else ():
        done = pair[0] if type(pair) is tuple and pair else None
        if type(done) is FunctionType and is_function(done, "shield.<locals>._outer_done_callback"):
            cells = dict(zip(done.__code__.co_freevars, done.__closure__ or (), strict=False))
            try:
                inner: object = cells["inner"].cell_contents
            except (KeyError, ValueError):  # it is empty
                continue
            return inner
    return None


def agen_of(step: object) -> "AsyncGeneratorType[Any, Any] | None":
    """The async generator of which this is a step: what ``asend()``, ``athrow()``, ``aclose()``, ``anext()`` return."""
    while short_name(type(step)) in _STEPS:
        step = next((one for one in get_referents(step) if _is_of_agen(one)), None)
    return step if type(step) is AsyncGeneratorType else None


def _is_of_agen(value: object) -> bool:
    return type(value) is AsyncGeneratorType or short_name(type(value)) in _STEPS


def is_aclose(step: object) -> bool:
    """Whether a step of an async generator is an ``aclose()``: an ``athrow()`` has an exception as well."""
    return short_name(type(step)) == "async_generator_athrow" and len(get_referents(step)) == 1


def swallows(step: object, exc: BaseException | None) -> bool:
    """Whether the step succeeded, given the exception that ended its generator (None: it returned)."""
    over = exc is None or issubclass(type(exc), StopAsyncIteration)
    if is_aclose(step):
        return over or issubclass(type(exc), GeneratorExit)
    return over and short_name(type(step)) == "anext_awaitable"  # it has a default


def is_task(value: object) -> bool:
    cls = type(value)
    for module, name in (("_asyncio", "Task"), ("asyncio.tasks", "_PyTask")):
        task_type = part(module, name)
        if task_type is not None and issubclass(cls, task_type):
            return True
    return False


def is_made_up(name: str) -> bool:
    """Whether asyncio gave a task this name.

    An eager task ends its first step before ``create_task`` names it.  On 3.13 one that comes from a task
    factory, and has no name, is named "None" (CPython's gh-130033).
    """
    if name == "None":
        return sys.version_info[:2] == (3, 13)
    return name.startswith("Task-") and name[5:].isascii() and name[5:].isdigit()


def task_name(task: object) -> str | None:
    if is_trio_task(task):
        name = get(task, "name")
        return name if type(name) is str else None
    c_task = part("_asyncio", "Task")
    name = c_task.get_name(task) if c_task is not None and issubclass(type(task), c_task) else get(task, "_name")
    return name if type(name) is str else None
