"""The registry of commands: their names, and how the module of one is found.

A new command is a module here with a function of the same name and EXAMPLES (command line, what it does), and its line
in COMMANDS.  Only the module of the command that is called is imported.
"""

import importlib
from collections.abc import Callable
from typing import Any

COMMANDS = (
    "attach",
    "monitor",
    "env",
    "export",
    "report",
    "stats",
    "check",
    "critical-path",
    "dump",
    "info",
    "config",
    "doctor",
    "version",
)
# These run a program: what follows its name is the program's, and never seen by typer.
WITH_TARGET = {"attach": "SCRIPT [ARGS]... | -m MODULE | -c CODE | -- COMMAND"}
# These have no options: called without any, they answer before typer is imported.
AT_ONCE = ("version",)


def examples(name: str) -> tuple[tuple[str, str], ...]:
    """(command line, what it does) of each that the command's help shows."""
    shown: tuple[tuple[str, str], ...] = _module(name).EXAMPLES
    return shown


def function(name: str) -> Callable[..., None]:
    """The function that is the command."""
    found: Callable[..., None] = getattr(_module(name), name.replace("-", "_"))
    return found


def _module(name: str) -> Any:
    return importlib.import_module(f"async_inspect.cli.{name.replace('-', '_')}")
