"""Settings from files and from the environment, which are what an option is where the command line doesn't say it.

Knows the order in which they count, the presets, and which values an option can't have.  Which settings there are and
where files stand is in ``support/tables.py``; what a setting does, in the option of the same name.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import typer
import typer.core

from async_inspect.errors import USAGE, UserError
from async_inspect.support.tables import SETTINGS, tables
from async_inspect.tracer import env

COMMANDS: Final = ("attach", "env", "report")  # which take them
PRESETS: Final[dict[str, dict[str, object]]] = {
    "development": {},
    "production": {"detail": "awaits", "callees": False},
    "debug": {"detail": "calls", "callees": True, "max-size": "unlimited"},
}
_VARIABLES: Final = {"slow-poll": env.SLOW_POLL_MS, "tag": env.TAGS}  # the others are named as the setting is
_WORDS: Final = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)


class Setting(NamedTuple):
    """What holds where the command line doesn't say otherwise, and where that stands."""

    value: Any
    where: str


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return _VARIABLES.get(name, f"ASYNC_INSPECT_{name.upper().replace('-', '_')}")


def held(command: Any, environ: Mapping[str, str], preset: str | None = None) -> dict[str, Setting]:
    """The settings of this command's options, by name.  ``preset``: the command line's.  UserError: one is wrong."""
    options = settable(command)
    found: dict[str, Setting] = {}
    first = {} if preset is None else {"preset": Setting(preset, "--preset")}
    for layer in (first, *_layers(environ, options, typer.Context(command))):
        chosen = layer.get("preset")
        stands_for = {} if chosen is None else _preset(chosen)
        if chosen is not None and "preset" not in found:  # of several presets one holds, and that is all of it
            for name, value in stands_for.items():
                layer.setdefault(name, Setting(value, f"{chosen.where}, {chosen.value}"))
        for name, setting in layer.items():
            found.setdefault(name, setting)
    return {name: setting for name, setting in found.items() if name in options}


def settable(command: Any) -> dict[str, typer.core.TyperOption]:
    """The options of a command that are settings, by their names, in the order of these."""
    named = {word.removeprefix("--"): option for option in command.params for word in option.opts}
    return {name: named[name] for name in SETTINGS if name in named}


def defaults(command: Any, settings: Mapping[str, Setting]) -> dict[str, object]:
    """The same as click takes it: by the names of parameters. A preset is not among them: it is what it stands for."""
    options = settable(command)
    return {str(options[name].name): one.value for name, one in settings.items() if name != "preset"}


def values(command: Any, settings: Mapping[str, Setting]) -> dict[str, Any]:
    """The value of each option, by its parameter, where the command line is empty."""
    options, context = settable(command), typer.Context(command)
    found = {str(option.name): option.default for option in command.params}
    for name, one in settings.items():
        if name != "preset":
            found[str(options[name].name)] = options[name].process_value(context, one.value)
    return found


def use_preset(context: typer.Context, value: str | None) -> str | None:
    """The callback of ``--preset``, which comes first: what it stands for wins over files and the environment."""
    if value is not None:
        context.default_map = defaults(context.command, held(context.command, os.environ, value))
    return value


def is_setting(context: typer.Context, parameter: str) -> bool:
    """Whether the value of a parameter is a setting's: the command line said nothing."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "DEFAULT_MAP"


def explained(error: UserError, settings: Mapping[str, Setting]) -> UserError:
    """The error of a command whose options these were in part: it says where one stands that it names."""
    for name, setting in settings.items():
        if error.status == USAGE and f"--{name} " in f"{error.message} ".replace(":", " "):
            return UserError(f"{error.message} (--{name} is from {setting.where})", USAGE)
    return error


def _layers(
    environ: Mapping[str, str], options: Mapping[str, typer.core.TyperOption], context: typer.Context
) -> Iterator[dict[str, Setting]]:
    """What the environment says, then each file: those that win first."""
    if env.DIR not in environ:  # else these are the recorder's, of a program that is being recorded itself
        texts = {name: environ.get(variable(name), "") for name in SETTINGS}
        yield {
            name: _setting(name, _from_text(options.get(name), text), variable(name), options.get(name), context)
            for name, text in texts.items()
            if text
        }
    for table in tables():
        yield {
            name: _setting(name, table.settings[name], f"{table.where}{name}", options.get(name), context)
            for name in SETTINGS
            if name in table.settings
        }


def _preset(chosen: Setting) -> dict[str, object]:
    if chosen.value not in PRESETS:
        raise UserError(
            f"{chosen.where} {chosen.value}: there is no such preset; there are {', '.join(PRESETS)}", USAGE
        )
    return PRESETS[chosen.value]


def _from_text(option: typer.core.TyperOption | None, text: str) -> object:
    """The value of a variable, as a file would have it."""
    if option is not None and option.is_flag:
        return _WORDS.get(text.strip().lower(), text)
    return text.split(",") if option is not None and option.multiple else text


def _setting(
    name: str, value: object, where: str, option: typer.core.TyperOption | None, context: typer.Context
) -> Setting:
    """The value, as its option takes it.  ``option``: None where the command has none, so that nobody asks."""
    if name == "preset":
        if not isinstance(value, str):
            raise UserError(f"{where}: is to be a name", USAGE)
    elif option is not None:
        value = _fitting(option, value, where)
        try:
            option.process_value(context, value)
        except typer.BadParameter as error:
            raise UserError(f"{where}: {error.message}", USAGE) from None
    return Setting(value, where)


def _fitting(option: typer.core.TyperOption, value: object, where: str) -> object:
    """The value as a command line would have it."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise UserError(f"{where}: is to be true or false", USAGE)
        return value
    values = value if isinstance(value, list) and option.multiple else [value]
    if not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in values):
        kind = "an array of texts" if option.multiple else "a text or a number"
        raise UserError(f"{where}: is to be {kind}", USAGE)
    texts = [str(one) for one in values]
    return texts if option.multiple else texts[0]
