"""The target: parsed from the command line, with the command and the environment to run it.

Pure: starts nothing.  Only environment variables are added; the command itself stays as the user gave it.
"""

import os
import shutil
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from async_inspect import tracer
from async_inspect.errors import USAGE, UserError
from async_inspect.tracer import env
from async_inspect.tracer.settings import Settings

ELF = b"\x7fELF"
AS_COMMAND = "async-inspect attach -- {} …"
BOOT = str(Path(tracer.__file__).parent / "boot")


@dataclass(frozen=True)
class Target:
    """What the user wants to run: arguments for a Python, or a command of its own."""

    words: tuple[str, ...]
    is_command: bool = False  # given after "--"

    @property
    def title(self) -> str:
        """Its name in lists and titles: the script and its arguments."""
        return " ".join(self.words)

    @property
    def name(self) -> str:
        """The title without arguments."""
        return " ".join(self.words[: 2 if self.words[0] == "-m" else 1])

    def argv(self, python: str) -> list[str]:
        return list(self.words) if self.is_command else [python, *self.words]


def split(args: list[str], valued: Collection[str]) -> tuple[list[str], Target | None]:
    """The tool's own arguments, and the target: that begins at a script, -m X, -c X or "--", whichever comes first.

    ``valued`` are the tool's options that take the next word as their value.
    """
    at = 0
    while at < len(args):
        word = args[at]
        if word == "--":
            rest = tuple(args[at + 1 :])
            return args[:at], Target(rest, is_command=True) if rest else None
        if not word.startswith("-") or word == "-" or word.startswith(("-m", "-c")):
            return args[:at], Target(tuple(args[at:]))
        at += 2 if word in valued else 1
    return args, None


def check(target: Target | None) -> Target:
    """The target.  UserError: there is none, or it can't be started; checked before anything is done."""
    if target is None:
        raise UserError("nothing to run: give a script, -m MODULE, -c CODE or -- COMMAND", USAGE)
    first = target.words[0]
    if target.is_command or first == "-":
        return target
    if first in {"-m", "-c"}:
        if len(target.words) == 1:
            raise UserError(f"argument expected for {first}", USAGE)
        return target
    if not first.startswith("-"):
        _check_script(first)
    return target


def environment(
    environ: dict[str, str],
    folder: str,
    settings: Settings,
    run: str = "",
    *,
    follow_env: bool = False,
    preload: str = "",
) -> dict[str, str]:
    """The target's environment: this one, with our sitecustomize first on PYTHONPATH, and the recorder's settings.

    ``run``: the id of the run that the target's and its children's recordings belong to; "": each stands alone.
    ``preload``: the library for LD_PRELOAD, if it is wanted.
    """
    made = {
        **without_ours(environ),
        env.DIR: os.path.abspath(folder),
        env.MAX_SIZE: str(settings.max_size),
        env.WITHOUT: ",".join(settings.without),
        env.SLOW_POLL_MS: f"{settings.slow_poll_ms:g}",
        env.CALLEES: str(int(settings.callees)),
        env.DETAIL: settings.detail,
        env.TAGS: ",".join(settings.tags),
    }
    if run:
        made[env.RUN] = run
    if not settings.argv:
        made[env.NO_ARGV] = "1"
    if follow_env:
        made[env.FOLLOW_ENV] = "1"
    if preload:
        made[env.DOOR] = f"{BOOT}/sitecustomize.py"
    for name, ours in ("PYTHONPATH", BOOT), ("LD_PRELOAD", preload):
        if ours:
            made[name] = os.pathsep.join(filter(None, (ours, made.get(name))))
    return made


def without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    """This environment as it was before ``environment``: the tool itself may be run in a recorded program."""
    kept = {name: value for name, value in environ.items() if name not in env.OURS}
    path = environ.get("PYTHONPATH", "").split(os.pathsep)
    if BOOT in path:
        kept["PYTHONPATH"] = os.pathsep.join(folder for folder in path if folder != BOOT)
    if env.DOOR in environ:
        kept["LD_PRELOAD"] = environ.get("LD_PRELOAD", "").partition(os.pathsep)[2]
    return {name: value for name, value in kept.items() if value or not environ[name]}


def _check_script(path: str) -> None:
    binary = False
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            with open(path, "rb") as file:
                binary = file.read(len(ELF)) == ELF
        elif not stat.S_ISDIR(mode):  # Python runs a folder's __main__.py; a pipe, too, which is not read twice
            os.close(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)))
    except OSError as exc:
        hint = f"; to run the command of this name: {AS_COMMAND.format(path)}" if shutil.which(path) else ""
        raise UserError(f"can't open {path!r}: {exc.strerror}{hint}", USAGE) from exc
    if binary:
        raise UserError(f"{path} is no Python script; to run it as a command: {AS_COMMAND.format(path)}", USAGE)
