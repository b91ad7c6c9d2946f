"""``--follow-env``: adds our variables where a program gives a child an environment of its own.

Knows the C functions by which Python starts programs (``subprocess``, ``multiprocessing`` and ``os.exec…`` all use
these), and which variables are ours.  Wraps these functions, so a traceback through them has one frame more.  Does not
see what starts programs without them: ``os.system``, uvloop, C code.
"""

import _posixsubprocess
import os
import posix
import sys

from . import env

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PREFIX = b"ASYNC_INSPECT_"
_ENVIRONMENT = 5  # of fork_exec's arguments

_ours: dict[bytes, bytes] = {}
_boot = _preload = b""


def install() -> None:
    """Wrap the functions, in this process and those it forks."""
    global _boot, _preload
    _ours.update((key, value) for key, value in os.environb.items() if key.startswith(_PREFIX))
    _boot = os.fsencode(os.path.dirname(__file__)) + b"/boot"
    if env.DOOR in os.environ:
        _preload = os.environb.get(b"LD_PRELOAD", b"").split(b":")[0]
    _posixsubprocess.fork_exec = _fork_exec(_posixsubprocess.fork_exec)  # type: ignore[assignment,unused-ignore]
    for name in "posix_spawn", "posix_spawnp":  # to these, from 3.13 on, None is the environment as it is
        _wrap(name, _with_third(getattr(posix, name), os.environ if sys.version_info >= (3, 13) else None))
    _wrap("execve", _with_third(posix.execve))
    _wrap("execv", _execv(posix.execv))


def merged(given: "Mapping[bytes, bytes]") -> dict[bytes, bytes]:
    """This environment, with our variables where they are missing."""
    found = {**_ours, **given}
    for name, ours in (b"PYTHONPATH", _boot), (b"LD_PRELOAD", _preload):
        old = found.get(name, b"")
        if ours and ours not in old.split(b":"):
            found[name] = ours + b":" + old if old else ours
    return found


def _changed(environment: object, none_is: object) -> object:
    """An environment with our variables added; unchanged where it has them, or where ``os`` would reject it."""
    try:
        items = (none_is if environment is None else environment).items()  # type: ignore[attr-defined]
        given = {os.fsencode(key): os.fsencode(value) for key, value in items}
    except Exception:
        return environment  # the wrapped function will raise the error
    found = merged(given)
    return found if found != given else environment


def _with_third(function: "Callable[..., object]", none_is: object = None) -> "Callable[..., object]":
    """``function(path, argv, env, …)``"""

    def wrapper(*args: object, **options: object) -> object:
        if "env" in options:
            options["env"] = _changed(options["env"], none_is)
        elif len(args) > 2:
            args = (*args[:2], _changed(args[2], none_is), *args[3:])
        return function(*args, **options)

    return wrapper


def _execv(function: "Callable[..., object]") -> "Callable[..., object]":
    """``execv`` uses the process's environment, which the program may have changed."""
    execve = posix.execve

    def wrapper(*args: object, **options: object) -> object:
        given = dict(os.environb)
        found = merged(given)
        if found != given and len(args) == 2 and not options:
            return execve(*args, found)  # type: ignore[arg-type]
        return function(*args, **options)

    return wrapper


def _fork_exec(function: "Callable[..., int]") -> "Callable[..., int]":
    """Its environment is a list of b"KEY=value", or None for the one there is."""

    def fork_exec(*args: object) -> int:
        if len(args) > _ENVIRONMENT:
            words = args[_ENVIRONMENT]
            try:
                given = dict(os.environb) if words is None else dict(word.split(b"=", 1) for word in words)  # type: ignore[attr-defined]
                found = merged(given)
                if found != given:
                    words = [key + b"=" + value for key, value in found.items()]
            except Exception:
                pass
            args = (*args[:_ENVIRONMENT], words, *args[_ENVIRONMENT + 1 :])
        return function(*args)

    return fork_exec


def _wrap(name: str, wrapper: "Callable[..., object]") -> None:
    original = getattr(posix, name)
    wrapper.__name__ = wrapper.__qualname__ = name
    wrapper.__module__, wrapper.__doc__ = original.__module__, original.__doc__
    for module in posix, os:
        setattr(module, name, wrapper)
