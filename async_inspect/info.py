"""What ``info`` tells: this installation, the core that a Python gets and why, who holds the tool ids.

Knows whom to ask.  Starts no target; builds a missing C core, as ``attach`` would.
"""

import os
import platform
import sys

from async_inspect import corebuild, interpreter
from async_inspect._version import __version__
from async_inspect.errors import UserError
from async_inspect.tracer import env


def facts(python: str | None) -> list[tuple[str, str]]:
    """Pairs of what and how it is."""
    told = [
        ("async-inspect", __version__),
        ("tool's Python", f"{platform.python_version()} ({sys.executable})"),
        *_core(sys.executable, "core"),
    ]
    target = interpreter.find(python, dict(os.environ))
    if os.path.realpath(target) != os.path.realpath(sys.executable):
        asked = interpreter.ask(target)
        told.append(("target's Python", f"{'.'.join(map(str, asked.version))} ({target})"))
        told += _core(target, "core there")
    return [
        *told,
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
    return [(what, f"{core.name}: {core.reason}"), *([("", core.path)] if core.path else [])]


def _tool_ids() -> str:
    held = [(number, sys.monitoring.get_tool(number)) for number in range(6)]
    return ", ".join(f"{number} {name}" for number, name in held if name is not None) or "none"
