"""The C core for the target's Python, which may not be the tool's; and the library for LD_PRELOAD.

Knows where a built core may be, and how to build one with the C compiler into the user's own cache, once for each
source and SOABI.  Which core records is decided in the target, by ``tracer/choose.py``; this puts the C core where that
looks for it, or gives the reason why there is none.
"""

import contextlib
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from async_inspect.errors import UserError
from async_inspect.launcher.interpreter import Interpreter, cache_folder
from async_inspect.support.files import private_folder
from async_inspect.tracer import choose, env
from async_inspect.tracer.trust import untrusted

SOURCE = Path(choose.__file__).parent / "_core.c"
PRELOAD = SOURCE.with_name("preload.c")
FLAGS = ("-O3", "-DNDEBUG", "-fwrapv", "-fPIC", "-pthread")
INSTALL = "Debian: apt-get install gcc libc6-dev python3-dev"
LINK = ("-bundle", "-undefined", "dynamic_lookup") if sys.platform == "darwin" else ("-shared",)


@dataclass(frozen=True)
class Core:
    """The core that the target will use."""

    name: str  # "c" or "python"
    reason: str
    path: str = ""  # of the C core
    refused: bool = False  # there was one, or its folder, that another user may have written

    def variables(self) -> dict[str, str]:
        """The environment variables for the target."""
        found = {env.CORES: cores_prefix()}
        if self.name == "python":
            found[env.CORE_HINT] = self.reason
        return found


def prepare(python: Interpreter, forced: str = "") -> Core:
    """Find or build the C core for this Python.  UserError: C is forced, and there can be none."""
    if forced not in {"", "c", "python"}:
        raise UserError(f"{env.CORE} must be c or python, not {forced!r}", 2)
    if forced == "python":
        return Core("python", choose.ASKED)
    try:
        if python.free_threaded:
            raise NoCoreError("a free-threaded Python")
        if os.name != "posix":
            raise NoCoreError(f"it is written for POSIX systems, and this is {sys.platform}")
        major, minor, micro = python.version
        if reason := choose.untested(python.hexversion or major << 24 | minor << 16 | micro << 8 | 0xF0):
            raise NoCoreError(reason)
        path = existing(python.suffix) or _build(python)
    except (NoCoreError, OSError) as exc:
        if forced == "c":
            raise UserError(f"there is no C core for {python.name} ({python.path}): {exc}") from exc
        return Core("python", str(exc), refused=isinstance(exc, RefusedError))
    return Core("c", choose.ASKED if forced else "the C core fits this Python", path)


def preload() -> str:
    """The library of ``preload.c``; UserError where it cannot be had."""
    if sys.platform != "linux":
        raise UserError(f"--preload rests on LD_PRELOAD as Linux has it, and this is {sys.platform}")
    try:
        text = PRELOAD.read_bytes()
        library = cache_folder() / f"preload-{hashlib.sha256(text).hexdigest()}-{platform.machine()}.so"
        _own_folder(library.parent)
        if not library.exists():
            _compile(_compiler(), [str(PRELOAD), "-ldl"], library)
        _check(str(library))
    except (NoCoreError, OSError) as exc:
        raise UserError(f"--preload needs a small C library, which cannot be had: {exc}") from exc
    if set(str(library)) & set(" :"):
        raise UserError(f"--preload: LD_PRELOAD takes no path with a space or colon: {library} (set XDG_CACHE_HOME)")
    return str(library)


class NoCoreError(Exception):
    """Why no C core can be had."""


class RefusedError(NoCoreError):
    """Why the one that is there is not used."""


def cores_prefix() -> str:
    """The path of the folders with built cores, without the "-<SOABI>" that each ends with."""
    source = hashlib.sha256()
    for path in (SOURCE, *sorted(SOURCE.parent.glob("core/*.[ch]"))):
        with contextlib.suppress(OSError):
            source.update(path.read_bytes())
    return str(cache_folder() / source.hexdigest())


def existing(suffix: str) -> str | None:
    """The C core for Pythons with this suffix, if there is one.  RefusedError, OSError: it must not be used."""
    for path in choose.places(cores_prefix(), suffix):
        if os.path.exists(path):
            if Path(path).is_relative_to(cache_folder()):
                _own_folder(cache_folder())
                _own_folder(Path(path).parent)
                _check(path)
            return path
    return None


def _own_folder(path: Path) -> None:
    """Make this folder private.  RefusedError: it belongs to another user."""
    try:
        private_folder(path)
    except PermissionError as exc:
        raise RefusedError(
            f"{exc.filename}: {exc.strerror}: remove it, or set XDG_CACHE_HOME to a folder of your own"
        ) from None


def _check(path: str) -> None:
    if reason := untrusted(path):
        raise RefusedError(f"{reason}: remove {path}, or set XDG_CACHE_HOME to a folder of your own")


def _build(python: Interpreter) -> str:
    compiler = _compiler()
    if not SOURCE.exists():
        raise NoCoreError("the source of the C core is not installed")
    if not any(os.path.exists(f"{folder}/Python.h") for folder in python.includes):
        raise NoCoreError(f"no Python.h for {python.name}; {INSTALL}")
    _own_folder(cache_folder())
    target = Path(choose.places(cores_prefix(), python.suffix)[-1])
    _own_folder(target.parent)
    _compile(compiler, [*(f"-I{path}" for path in python.includes), str(SOURCE)], target)
    return str(target)


def _compile(compiler: list[str], words: list[str], target: Path) -> None:
    """Run the compiler; ``target`` appears when it is complete."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:  # beside it: the rename must be atomic
        built = Path(folder) / target.name
        command = [*compiler, *FLAGS, *LINK, "-o", str(built), *words]
        try:
            done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=300, check=False)
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise NoCoreError(f"{compiler[0]}: {exc}") from exc
        if done.returncode:
            lines = done.stderr.decode(errors="replace").splitlines()
            first = next((line for line in lines if "error" in line), lines[0] if lines else "no output")
            raise NoCoreError(f"{compiler[0]} failed: {first.strip()}")
        built.chmod(0o700)  # whatever the umask
        built.replace(target)


def _compiler() -> list[str]:
    named = shlex.split(os.environ.get("CC", ""))
    for command in [named] if named else [["cc"], ["gcc"]]:
        if shutil.which(command[0]):
            return command
    raise NoCoreError(f"no C compiler found; {INSTALL}")
