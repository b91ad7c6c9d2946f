"""Choosing the core that records, with the reason as text.

Knows where a C core for exactly this Python may be, and loads it without importing anything that the program has not.
Does not know how one is built (``launcher/corebuild.py``).
"""

import _frozen_importlib
import _frozen_importlib_external
import _imp
import os
import sys

from . import env
from .trust import untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator
    from types import ModuleType

SUFFIX = _imp.extension_suffixes()[0]  # ".cpython-312-x86_64-linux-gnu.so": one core fits one of these
# What the C core was tested on, since it reads CPython's own frames: minor versions that are final, and of those before
# that each pre-release for itself, by its sys.hexversion.
FINALS = frozenset(((3, 12), (3, 13), (3, 14), (3, 15)))
PRERELEASES: frozenset[int] = frozenset()
ASKED = f"asked for by {env.CORE}"
FREE_THREADED = "t" in getattr(sys, "abiflags", "")  # Windows has none


def choose(forced: str = "", cores: str = "", hint: str = "") -> "tuple[ModuleType, str]":
    """The core and why it is this one; ``forced`` is "c", "python" or "".

    Where C is forced and not available it is the Python core all the same: nothing may raise in a traced program.  A
    caller that may raise checks the core's ``NAME``.
    """
    if forced == "python":
        return _twin(), ASKED
    if FREE_THREADED:
        return _twin(), "a free-threaded Python"
    if reason := untested(sys.hexversion):
        return _twin(), reason
    why = hint or f"no C core for {SUFFIX}"
    for path in places(cores):
        if os.path.exists(path):
            if refused := untrusted(path) if path not in places() else "":  # the one beside us is as good as we are
                why = f"a C core that is not to be trusted: {refused}"
                continue
            try:
                return _load(path), ASKED if forced else "the C core fits this Python"
            except Exception as exc:
                why = f"{path} cannot be loaded: {exc}"
    return _twin(), why


def untested(version: int) -> str:
    """Why the Python of this ``sys.hexversion`` gets no C core; "": it does."""
    major, minor, micro, level = version >> 24, version >> 16 & 0xFF, version >> 8 & 0xFF, version & 0xFF
    if version in PRERELEASES or (level == 0xF0 and (major, minor) in FINALS):
        return ""
    stage = {0xA: "a", 0xB: "b", 0xC: "rc"}.get(level >> 4, "")
    name = f"{major}.{minor}.{micro}" + (f"{stage}{level & 0xF}" if stage else "")
    return f"the C core was not tested on Python {name}, whose frames may be others"


def places(cores: str = "", suffix: str = SUFFIX) -> list[str]:
    """The paths at which a C core with this suffix may be: beside this file, or in the user's cache."""
    found = [f"{os.path.dirname(__file__)}/_core{suffix}"]
    if cores:
        found.append(f"{cores}-{suffix[1:].rpartition('.')[0]}/_core{suffix}")
    return found


def _load(path: str) -> "ModuleType":
    name = f"{__package__}._core"
    loader = _frozen_importlib_external.ExtensionFileLoader(name, path)
    module = _frozen_importlib.module_from_spec(_frozen_importlib.ModuleSpec(name, loader, origin=path))
    loader.exec_module(module)
    sys.modules.pop(name, None)  # a fatal error's dump lists the extension modules that are found there
    _self_test(module)
    return module


def _self_test(core: "ModuleType") -> None:
    """ImportError where the core reads other values from frames than this Python does."""

    async def outer(inner: "Coroutine[object, object, object]") -> None:
        await inner

    async def inner(job: object) -> None:
        core.self_test(one, other, job, 1)
        await _Once()

    mark = object()
    other = inner(mark)
    one = outer(other)
    try:
        core.self_test(one, other, mark, 0)
        one.send(None)
        core.self_test(one, other, mark, 2)
    finally:
        one.close()
        other.close()


class _Once:
    def __await__(self) -> "Generator[None, None, None]":
        yield


def _twin() -> "ModuleType":
    from . import pycore

    return pycore
