"""docs/cli.md says what the commands themselves say, and every example in it is a command line that is understood."""

import re
import shlex
from collections.abc import Callable, Iterator

import pytest
import typer

from async_inspect import errors
from async_inspect.cli.application import application
from async_inspect.cli.commands import COMMANDS, WITH_TARGET, examples
from async_inspect.launcher import target
from async_inspect.tracer import env

from .tools import ROOT

FILE = ROOT / "docs" / "cli.md"
FOR_PEOPLE = (env.CORE, env.DISABLE)
GROUP = application()


def described() -> Iterator[str]:
    """The part of the page between its marks, from the code."""
    for name in COMMANDS:
        parsed = GROUP.commands[name]
        yield f"## {name}\n"
        yield f"    async-inspect {name} {_usage(parsed, name)}\n"
        yield "\n\n".join(re.sub(r"\s*\n\s*", " ", part) for part in (parsed.help or "").split("\n\n")) + "\n"
        options = [
            parameter
            for parameter in parsed.params
            if parameter.param_type_name == "option" and not vars(parameter)["hidden"]
        ]
        if options:
            yield "| option | |\n|---|---|"
            yield from map(_row, options)
            yield ""
        yield "```sh"
        yield from (line + (f"  # {what}" if what else "") for line, what in examples(name))
        yield "```\n"


def _usage(parsed: "typer.core.TyperCommand | object", name: str) -> str:
    arguments = [p for p in vars(parsed)["params"] if p.param_type_name == "argument"]
    words = [str(p.metavar or p.name).upper().strip("[]") for p in arguments]
    shown = [word if p.required else f"[{word}]" for word, p in zip(words, arguments, strict=True)]
    return " ".join(["[OPTIONS]", *shown, *([WITH_TARGET[name]] if name in WITH_TARGET else [])])


def _row(option: "object") -> str:
    about = vars(option)
    words = ", ".join(f"`{word}`" for word in (*about["opts"], *about["secondary_opts"]))
    value = f" {about['metavar']}" if about["metavar"] and not about["is_flag"] else ""
    text = str(about["help"]).replace("|", "\\|")
    return f"| {words}{value.replace('|', chr(92) + '|')} | {text} |"


def test_the_page(golden: Callable[[str, str], None]) -> None:
    before, _, rest = FILE.read_text(encoding="utf-8").partition("<!-- commands -->\n")
    after = rest.partition("<!-- end -->")[2]
    text = "\n".join(described())
    golden("../../docs/cli.md", f"{before}<!-- commands -->\n{text}<!-- end -->{after}")


@pytest.mark.parametrize("line", [line for name in COMMANDS for line, _ in examples(name)])
def test_an_example(line: str) -> None:
    found = re.search(r"async-inspect [^|&)]+", line)
    assert found
    words = shlex.split(found[0])
    name, arguments = words[1], words[2:]
    command = GROUP.commands[name]
    if name in WITH_TARGET:
        valued = frozenset(word for p in command.params if not getattr(p, "is_flag", False) for word in p.opts)
        arguments = target.split(arguments, valued)[0]
    command.make_context(name, arguments).close()


def test_statuses_and_variables() -> None:
    text = FILE.read_text(encoding="utf-8")
    statuses = {
        number for row in re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE) for number in re.findall(r"\d+", row)
    }
    assert {str(value) for name, value in vars(errors).items() if name.isupper()} <= statuses
    assert all(f"| `{name}` |" in text for name in FOR_PEOPLE)
