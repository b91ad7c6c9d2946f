"""Which Python runs the target, and what kind of Python that is.

Knows where to look for one, and how to query it.  A query costs a process, so its answer is kept in the user's cache,
by the executable's real path, size and mtime.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from async_inspect.errors import UserError
from async_inspect.support import files
from async_inspect.tracer import choose
from async_inspect.tracer.trust import untrusted

OLDEST = (3, 12)
# What pipx and uv leave in the environment that they make for one tool alone: no target ever lives there.
ISOLATED_MARKERS = ("pipx_metadata.json", "uv-receipt.toml")
MAX_CACHE = 1 << 20  # bytes of answers
# A program with any other name may be anything, and is not started for a query.
_NAME = re.compile(r"(python|pypy)[0-9.]*[dtmu]*(-dbg|-debug)?(\.exe)?")

QUESTION = """
import json, sys, sysconfig, _imp
print(json.dumps({
    "version": sys.version_info[:3],
    "hexversion": sys.hexversion,
    "implementation": sys.implementation.name,
    "suffix": _imp.extension_suffixes()[0],
    "includes": sorted({sysconfig.get_path("include"), sysconfig.get_path("platinclude")}),
    "free_threaded": "t" in getattr(sys, "abiflags", ""),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python as it described itself."""

    path: str
    version: tuple[int, int, int]
    implementation: str
    suffix: str  # of its extension modules; names its SOABI
    includes: tuple[str, ...]
    free_threaded: bool
    hexversion: int = 0  # says of a pre-release which one it is; 0: not known

    @property
    def name(self) -> str:
        return f"Python {'.'.join(map(str, self.version))}"

    @property
    def recordable(self) -> bool:
        return self.implementation == "cpython" and self.version >= OLDEST


def find(wanted: str | None, environ: dict[str, str]) -> str:
    """The Python for a target that names none itself: --python, $VIRTUAL_ENV's, the tool's own."""
    if wanted:
        found = shutil.which(wanted, path=environ.get("PATH"))
        if found is None:
            raise UserError(f"--python {wanted}: no such program", 127)
        return found
    venv = environ.get("VIRTUAL_ENV")
    if venv:
        candidate = f"{venv}/bin/python" if os.name == "posix" else f"{venv}/Scripts/python.exe"
        if not os.access(candidate, os.X_OK):
            raise UserError(f"{candidate} is not there, although VIRTUAL_ENV names its folder; use --python", 127)
        return candidate
    if not any(os.path.exists(os.path.join(sys.prefix, marker)) for marker in ISOLATED_MARKERS):
        return sys.executable
    for name in "python3", "python":
        found = shutil.which(name, path=environ.get("PATH"))
        if found:
            return found
    raise UserError("no Python found to run the program with; use --python", 127)


def of_command(command: list[str], environ: dict[str, str]) -> str | None:
    """The Python that a command will start, by its name or its shebang line; None: not known."""
    path = shutil.which(command[0], path=environ.get("PATH"))
    if path is None:
        return None
    if _NAME.fullmatch(os.path.basename(path)):
        return path
    words = _shebang(path)
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    if words and _NAME.fullmatch(os.path.basename(words[0])):
        return shutil.which(words[0], path=environ.get("PATH"))
    return None


def ask(path: str) -> Interpreter:
    """Query this Python, or its cached answer."""
    if os.path.realpath(path) == os.path.realpath(sys.executable):
        return _own_interpreter(path)
    key = _key(path)
    known = _cached_answers()
    if key is not None and key in known:
        with contextlib.suppress(LookupError, TypeError, ValueError):  # an invalid one is queried again
            return _from_answer(path, known[key])
    found = _from_answer(path, _answer(path))
    if key is not None:
        answer = asdict(found)
        del answer["path"]
        _cache_answers({**known, key: answer})
    return found


def of_running(exe: str, version: tuple[int, int, int], suffix: str, library: str = "") -> Interpreter:
    """The interpreter of a program that runs already, without starting it for a query: it may be anything (a frozen
    program, say).

    ``library``: its libpython, if it has one.  Without headers of this very version nearby it has no ``includes``.
    """
    known: list[Interpreter] = []
    if os.path.realpath(exe) == os.path.realpath(sys.executable):
        known.append(_own_interpreter(exe))
    with contextlib.suppress(LookupError, TypeError, ValueError):
        known.append(_from_answer(exe, _cached_answers()[_key(exe) or ""]))
    for one in known:
        if one.version == version and one.implementation == "cpython":
            return one
    return Interpreter(exe, version, "cpython", suffix, _headers(version, (exe, library)), free_threaded=False)


def _headers(version: tuple[int, int, int], near: tuple[str, ...]) -> tuple[str, ...]:
    """The folder of this version's headers: beside the files of ``near``, or a system's; () if there is none."""
    roots = [os.path.dirname(os.path.dirname(path)) for path in near if path]
    for root in (*roots, "/usr", "/usr/local"):
        folder = f"{root}/include/python{version[0]}.{version[1]}"
        if untrusted(f"{folder}/Python.h") or untrusted(f"{folder}/patchlevel.h"):
            continue  # what we compile runs in the target
        with contextlib.suppress(OSError):
            text = files.read(f"{folder}/patchlevel.h", MAX_CACHE).decode("utf-8", "replace")
            numbers = re.findall(r"^#define\s+PY_(?:MAJOR|MINOR|MICRO)_VERSION\s+(\d+)", text, re.MULTILINE)
            if tuple(map(int, numbers)) == version:
                return (folder,)
    return ()


def cache_folder() -> Path:
    """The user's own cache folder; not made by asking."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    return Path(base if os.path.isabs(base) else os.path.expanduser("~/.cache")) / "async-inspect"


def _own_interpreter(path: str) -> Interpreter:
    includes = {sysconfig.get_path("include"), sysconfig.get_path("platinclude")}
    version = sys.version_info[:3]
    return Interpreter(
        path,
        version,
        sys.implementation.name,
        choose.SUFFIX,
        tuple(sorted(includes)),
        choose.FREE_THREADED,
        sys.hexversion,
    )


def _answer(path: str) -> dict[str, object]:
    # -I -S: nothing of the environment, and no recorder, gets in.
    command = [path, "-I", "-S", "-c", QUESTION]
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise UserError(f"{path} cannot be run: {getattr(exc, 'strerror', None) or exc}", 126) from exc
    try:
        answer = json.loads(done.stdout)
        _from_answer(path, answer)
    except (LookupError, TypeError, ValueError) as exc:
        raise UserError(f"{path} is not a Python 3 that can be recorded", 126) from exc
    assert isinstance(answer, dict)
    return answer


def _from_answer(path: str, answer: Any) -> Interpreter:
    """The interpreter that an answer describes.  LookupError, TypeError, ValueError: it is no valid answer."""
    (major, minor, micro), includes = answer["version"], answer["includes"]
    return Interpreter(
        path,
        (int(major), int(minor), int(micro)),
        str(answer["implementation"]),
        str(answer["suffix"]),
        tuple(map(str, includes)),
        bool(answer["free_threaded"]),
        int(answer["hexversion"]),
    )


def _key(path: str) -> str | None:
    """The answer's key in the cache; None for a script, which may choose another Python each time (pyenv's shims)."""
    real = os.path.realpath(path)
    if _shebang(real):
        return None
    try:
        status = os.stat(real)
    except OSError:
        return None
    return f"{real}:{status.st_size}:{status.st_mtime_ns}"


def _cached_answers() -> dict[str, dict[str, object]]:
    """The cached answers by key; {} where another user may have written the cache."""
    path = cache_folder() / "pythons.json"
    if untrusted(str(path)):
        return {}
    try:
        known = json.loads(files.read(path, MAX_CACHE))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _cache_answers(known: dict[str, dict[str, object]]) -> None:
    try:
        path = files.private_folder(cache_folder()) / "pythons.json"
        with files.replacing(path) as file:
            file.write(json.dumps(known, indent=1).encode())
    except OSError:
        pass  # then the next run queries again


def _shebang(path: str) -> list[str]:
    try:
        with open(files.open_regular(path), "rb") as file:
            line = file.readline(1024)
    except OSError:
        return []
    return os.fsdecode(line[2:]).split() if line.startswith(b"#!") else []
