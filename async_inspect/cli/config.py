"""``async-inspect config``: which settings hold here, and from where."""

import json
import os
import re
from pathlib import Path
from typing import Annotated

import typer
import typer.core

from async_inspect.cli import configuration
from async_inspect.cli.options.recording import how
from async_inspect.errors import UserError
from async_inspect.support.names import clean
from async_inspect.support.settings import configured

EXAMPLES = (
    ("async-inspect config", "in the folder of a project"),
    ("async-inspect config --preset production", "what that would be here"),
)


def config(
    context: typer.Context,
    preset: Annotated[
        str | None,
        typer.Option(metavar="|".join(configuration.PRESETS), help="As though attach were called with this one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Print the settings that hold where the command line doesn't say otherwise: attach's, and for env and report those
    that they share with it.

    They stand in the table tool.async-inspect of the nearest pyproject.toml, or in an async-inspect.toml there, in the
    user's own ~/.config/async-inspect/config.toml, and in the environment, which wins.
    """
    assert context.parent is not None
    attach = vars(context.parent.command)["commands"]["attach"]
    settings = configuration.held(attach, os.environ, preset)
    try:
        how(configuration.values(attach, settings))
    except UserError as error:
        raise configuration.explained(error, settings) from None
    rows = [
        (name, *(settings.get(name) or (_default(option), "default")))
        for name, option in configuration.settable(attach).items()
    ]
    rules = configured()
    if as_json:
        print(json.dumps({name: {"value": value, "from": where} for name, value, where in rows}, indent=2))
        return
    shown = [(name, _shown(value), where) for name, value, where in rows]
    width = max(len(value) for _, value, _ in shown)
    for name, value, where in shown:
        print(clean(f"{name:12}  {value:{width}}  {where}"))
    if rules:
        print(f"{len(rules)} rules of your own for waiting reasons")


def _default(option: typer.core.TyperOption) -> object:
    """What holds if nobody says anything; of what has no value then, what its help says."""
    value = str(option.default) if isinstance(option.default, Path) else option.default
    if not option.is_flag and value in (None, ""):
        found = re.search(r"[Dd]efault: ([^.)]*)", option.help or "")
        return found[1] if found else ""
    return value


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
