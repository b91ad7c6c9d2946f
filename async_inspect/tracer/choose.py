"""Which core records: decided here and nowhere else, with the reason as text.

Knows where a C core for this very Python may lie, and loads it without importing anything the program had not.  Does
not know how one is built (``corebuild``, in the viewer).
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
    from types import ModuleType

SUFFIX = _imp.extension_suffixes()[0]  # ".cpython-312-x86_64-linux-gnu.so": one core fits one of these
FREE_THREADED = "t" in getattr(sys, "abiflags", "")  # Windows has none


def choose(forced: str = "", cores: str = "", hint: str = "") -> "tuple[ModuleType, str]":
    """The core and why it is this one; ``forced`` is "c", "python" or "".

    Where C is forced and cannot be had it is still the twin: a traced program is no place for an error.  Who may
    raise looks at the core's ``NAME``.
    """
    if forced == "python":
        return _twin(), f"asked for by {env.CORE}"
    if FREE_THREADED:
        return _twin(), "a free-threaded Python"
    why = hint or f"no C core for {SUFFIX}"
    for path in places(cores):
        if os.path.exists(path):
            if refused := untrusted(path) if path not in places() else "":  # the one beside us is as good as we are
                why = f"a C core that is not to be trusted: {refused}"
                continue
            try:
                return _load(path), f"asked for by {env.CORE}" if forced else "the C core fits this Python"
            except Exception as exc:
                why = f"{path} cannot be loaded: {exc}"
    return _twin(), why


def places(cores: str = "", suffix: str = SUFFIX) -> list[str]:
    """Where a C core with this suffix may lie: beside this file, or in the user's cache."""
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
    return module


def _twin() -> "ModuleType":
    from . import _pycore

    return _pycore
