"""The commands as one command line, which typer makes of their signatures.

Knows typer.  Which commands there are is in ``commands.py``.
"""

from collections.abc import Iterable
from typing import Any

import typer
import typer.core

from async_inspect.cli.commands import COMMANDS, WITH_TARGET, examples, function
from async_inspect.errors import INTERRUPTED
from async_inspect.support import internal


def application(names: Iterable[str] = COMMANDS) -> typer.core.TyperGroup:
    """The command line with these commands."""
    app = typer.Typer(
        cls=_Commands,
        callback=lambda: None,  # or an only command would be no group's
        help="An X-ray for async Python: records every await of an unchanged program, exactly.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name in names:
        usage = f"[OPTIONS] {WITH_TARGET[name]}" if name in WITH_TARGET else "[OPTIONS]"
        app.command(name, options_metavar=usage, epilog=_epilog(examples(name)))(function(name))
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return group


def options_with_value(group: typer.core.TyperGroup, name: str) -> frozenset[str]:
    """The options of this command that take a value."""
    parameters = group.commands[name].params
    return frozenset(word for option in parameters if not getattr(option, "is_flag", False) for word in option.opts)


def _epilog(rows: tuple[tuple[str, str], ...]) -> str:
    """Examples for the help text; escaped, as rich would take brackets for markup."""
    lines = (line for row in rows for line in (f"  {row[0]}", f"    {row[1]}") if line.strip())
    return "\n".join(["Examples:", *lines]).replace("[", r"\[")


class _Commands(typer.core.TyperGroup):
    """All commands; Ctrl-C ends each as it ends other programs."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            internal.say("interrupted")
            raise SystemExit(INTERRUPTED) from None
