"""The options of every command that records: what is recorded, and how.

Knows: their names and help.  Their meaning is in the tracer (``Settings``) and the launcher.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from async_inspect.cli.configuration import PRESETS, use_preset
from async_inspect.cli.options.shared import given_as
from async_inspect.errors import USAGE, UserError
from async_inspect.events import MAX_TAGS
from async_inspect.launcher.attach import parse_size
from async_inspect.tracer.settings import DEFAULT_SLOW_POLL_MS, DETAILS, LONGEST_MS, Settings
from async_inspect.tracer.sources import SOURCES


@dataclass(frozen=True)
class How:
    """The values of these options."""

    settings: Settings
    core: str
    follow_env: bool
    preload: bool
    any_detail: bool  # nothing was asked for that depends on it


_OPTIONS: dict[str, Any] = {
    "preset": (
        Annotated[
            str | None,
            typer.Option(
                metavar="|".join(PRESETS),
                is_eager=True,
                callback=use_preset,
                help="Several settings at once; `async-inspect config --preset NAME` says which.",
            ),
        ],
        None,
    ),
    "max_size": (
        Annotated[
            str,
            typer.Option(
                metavar="SIZE", help="Stop recording events when a recording is this big (500MB, 4GB, unlimited)."
            ),
        ],
        "4GB",
    ),
    "without": (
        Annotated[
            list[str] | None,
            typer.Option(metavar="SOURCE", help=f"Don't look for this (may be repeated): {', '.join(SOURCES)}."),
        ],
        None,
    ),
    "slow_poll": (
        Annotated[
            float,
            typer.Option(
                metavar="MS", min=0, max=LONGEST_MS, help="Look what a poll does that lasts longer (0: never)."
            ),
        ],
        DEFAULT_SLOW_POLL_MS,
    ),
    "detail": (
        Annotated[
            str | None,
            typer.Option(
                metavar="|".join(DETAILS),
                help="How much is recorded: every coroutine call (calls), or tasks and what they await (awaits), at a "
                "fraction of the cost. Default: calls; with --pid awaits.",
            ),
        ],
        None,
    ),
    "callees": (
        Annotated[bool, typer.Option("--callees", help="Record each call that a coroutine's own code makes, by name.")],
        False,
    ),
    "calls": (Annotated[bool, typer.Option("--calls", hidden=True)], False),  # what --callees was called once
    "tag": (
        Annotated[
            list[str] | None,
            typer.Option(metavar="VAR", help="Record this context variable's text, by task (may be repeated)."),
        ],
        None,
    ),
    "no_argv": (
        Annotated[
            bool,
            typer.Option("--no-argv", help="Don't record command lines: there may be secrets in them."),
        ],
        False,
    ),
    "core": (
        Annotated[str, typer.Option(metavar="c|python", help="Which core records (default: c where it can be had).")],
        "",
    ),
    "follow_env": (
        Annotated[
            bool,
            typer.Option("--follow-env", help="Record children too that the program gives an environment of its own."),
        ],
        False,
    ),
    "preload": (
        Annotated[
            bool,
            typer.Option("--preload", help="Record Pythons too that are started with -I, -E or -S (by LD_PRELOAD)."),
        ],
        False,
    ),
}


def _tags(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if not name or "," in name:
            raise UserError(f"--tag {name!r}: not the name of a context variable", USAGE)
    if len(names) > MAX_TAGS:
        raise UserError(f"--tag: at most {MAX_TAGS} variables", USAGE)
    return tuple(dict.fromkeys(names))


def how(given: dict[str, Any]) -> How:
    """The values of all these options, by parameter.  UserError: one can't be, or not beside another."""
    without = given["without"] or ()
    for name in without:
        if name not in SOURCES:
            raise UserError(f"--without {name}: there is no such source; there are {', '.join(SOURCES)}", USAGE)
    tags = _tags(given["tag"] or ())
    bound, argv = parse_size(given["max_size"]), not given["no_argv"]
    callees, detail = given["callees"] or given["calls"], given["detail"]
    if detail not in (None, *DETAILS):
        raise UserError(f"--detail {detail}: there is no such detail; there are {', '.join(DETAILS)}", USAGE)
    if callees and detail == "awaits":
        raise UserError("--callees needs --detail calls: at awaits no calls of coroutines are heard", USAGE)
    settings = Settings(bound, without, given["slow_poll"], callees, tags=tags, argv=argv, detail=detail or "calls")
    return How(settings, given["core"], given["follow_env"], given["preload"], detail is None and not callees)


# A command with these options in place of its parameter ``how``, which gets a How.
with_recording = given_as("how", _OPTIONS, how)
