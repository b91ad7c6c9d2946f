"""What ``info`` prints: this installation, the core that a Python gets and why, who holds the tool ids.

Starts no target; builds a missing C core, as ``attach`` would.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

from async_inspect._version import __version__
from async_inspect.errors import UserError
from async_inspect.launcher import corebuild, interpreter
from async_inspect.tracer import choose, env


def facts(python: str | None) -> list[tuple[str, str]]:
    """Pairs of (what, its value)."""
    rows = [
        ("async-inspect", __version__),
        ("tool's Python", f"{platform.python_version()} ({sys.executable})"),
        *_core(sys.executable, "core"),
    ]
    target = interpreter.find(python, dict(os.environ))
    if os.path.realpath(target) != os.path.realpath(sys.executable):
        found = interpreter.ask(target)
        rows.append(("target's Python", f"{'.'.join(map(str, found.version))} ({target})"))
        rows += _core(target, "core there")
    return [
        *rows,
        ("tool ids in use", _tool_ids()),
        ("cache", str(interpreter.cache_folder())),
    ]


def _core(path: str, what: str) -> list[tuple[str, str]]:
    python = interpreter.ask(path)
    if not python.recordable:
        return [(what, f"none: {python.name} cannot be recorded, it takes CPython 3.12 or newer")]
    try:
        core = corebuild.prepare(python, os.environ.get(env.CORE, ""))
    except UserError as exc:
        return [(what, f"none: {exc.message}")]
    name, reason = _loaded(python.path, core) if core.path else (core.name, core.reason)
    return [(what, f"{name}: {reason}"), *([("", core.path)] if core.path else [])]


def _loaded(path: str, core: corebuild.Core) -> tuple[str, str]:
    """(core, reason) that the target's Python ends up with: it loads the C core, which then tests itself."""
    command = [path, "-I", "-S", "-c", _LOAD, str(Path(choose.__file__).parents[2]), corebuild.cores_prefix()]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, text=True, check=False)
    name, _, reason = done.stdout.strip().partition(" ")
    return (name, core.reason if name == core.name else reason) if name else ("none", f"{path} cannot load it")


_LOAD = """
import sys
private = type(sys)("_async_inspect")
private.__path__ = [sys.argv[1] + "/async_inspect"]
sys.modules["_async_inspect"] = private
from _async_inspect.tracer import choose
core, reason = choose.choose("", sys.argv[2])
print(core.NAME, reason)
"""


def _tool_ids() -> str:
    held = [(number, sys.monitoring.get_tool(number)) for number in range(6)]
    return ", ".join(f"{number} {name}" for number, name in held if name is not None) or "none"
