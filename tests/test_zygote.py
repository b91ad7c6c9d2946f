"""The tool forked is the tool started: every command, and every way in which a program ends under ``attach``.

These are also the commands' cold starts: what imports itself wrongly, or is found only by what was imported before,
fails here.  And the kit's own ways to end are tried, as nothing else would notice.
"""

import os
import re
from pathlib import Path

import pytest

from async_inspect.cli.commands import COMMANDS

from . import samples
from .tools import TARGET, TOOL, Run, run
from .zygote import FITS_A_PIPE, Zygote

pytestmark = [pytest.mark.e2e, pytest.mark.launcher]

OWN: dict[str, list[list[str]]] = {  # by command: the words that are tried
    "attach": [["-q", "-f", "folded", "-c", "print(__name__, input())"], ["no/such/program.py"]],
    "monitor": [["a.rec"], ["no/such.rec"]],
    "env": [["--python", TARGET], ["--unset"]],
    "export": [["a.rec", "-f", "json"], ["a.rec", "-f", "nothing"]],
    "report": [["a.rec", "-o", "out"], ["no/such.rec"]],
    "stats": [["a.rec"], ["a.rec", "--json"]],
    "check": [["a.rec"], ["a.rec", "--json"]],
    "critical-path": [["a.rec"]],
    "dump": [["a.rec"], ["a.rec", "--records"]],
    "info": [["--python", TARGET], ["--python", "/no/python"]],
    "config": [[], ["--preset", "production", "--json"]],
    "doctor": [["a.rec"], []],
    "version": [[]],
}
ENDINGS = {
    "well": "print('said', file=sys.stderr)",
    "a status": "sys.exit(3)",
    "a message": "sys.exit('a message')",
    "an exception": "1 / 0",
    "SIGTERM": "os.kill(os.getpid(), 15)",
    "SIGKILL": "os.kill(os.getpid(), 9)",
    "SIGABRT": "os.abort()",
    "SIGINT": "signal.raise_signal(2)",
    "what it was given": (
        "print(os.getcwd(), sorted(os.listdir('/proc/self/fd')), os.umask(0), os.getpgrp(), os.getsid(0),\n"
        "      sorted(os.environ.items()), os.nice(0), "
        "[line for line in open('/proc/self/status') if line.startswith('Sig') and line[:4] != 'SigQ'],\n"
        "      sys.stdin.read(), sys.argv)"  # SigQ: how many signals wait for all of the user's processes
    ),
}


def both(words: list[str], folder: Path) -> list[tuple[int, str, str, list[str]]]:
    """What a user sees of a command that was forked, and of one that was started: status, words, files."""
    seen = []
    for cold in False, True:
        own = folder / ("cold" if cold else "warm")
        own.mkdir()
        samples.kitchen().write(own / "a.rec")
        env = {"XDG_CACHE_HOME": str(own), "TMPDIR": str(own)}
        done = run([*TOOL, *words], cwd=own, input="typed\n", cold=cold, env=env)
        files = sorted(re.sub(r"\d+", "N", str(path.relative_to(own))) for path in own.rglob("*"))
        seen.append((done.status, same(done.stdout, own), same(done.stderr, own), files))
    return seen


def same(text: str, folder: Path) -> str:
    """Without what is another's for each process, folder and moment."""
    return re.sub(
        r"0x[0-9a-f]+|\d{8}-\d{6}|[0-9a-f]{16}-\d+|\d+(\.\d+)? (kB|KB|MB|[µm]?s)\b",
        "…",
        text.replace(str(folder), "FOLDER"),
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_command(name: str, tmp_path: Path) -> None:
    for number, words in enumerate([*OWN[name], ["--help"]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        warm, cold = both([name, *words], folder)
        assert warm == cold


@pytest.mark.parametrize("code", ENDINGS.values(), ids=ENDINGS)
def test_ending(code: str, tmp_path: Path) -> None:
    code = f"import os, signal, sys\nos.environ.pop('PYTEST_CURRENT_TEST', 0)\n{code}"
    warm, cold = both(["attach", "--python", TARGET, "-f", "json", "-c", code, "an argument"], tmp_path)
    assert warm == cold
    assert any(file.endswith("data.json") for file in warm[3])


def test_usage(tmp_path: Path) -> None:
    warm, cold = both(["--nothing"], tmp_path)
    assert warm == cold
    assert warm[0] == 2


def test_what_fits() -> None:
    """Whatever an interpreter, or a module, reads at its start is not given to a fork."""
    environ = {"PATH": "/bin", "LANG": "C"}
    zygote = Zygote.__new__(Zygote)
    zygote._environ = environ
    fitting = [{}, {"ASYNC_INSPECT_CORE": "c"}, {"HOME": "/h"}]
    assert all(zygote.fits({**environ, **own}, "") for own in fitting)
    others = [{"PYTHONPATH": "/a"}, {"LANG": "de"}, {"LD_PRELOAD": "a.so"}, {"NO_COLOR": "1"}, {"TZ": "UTC"}]
    assert not any(zygote.fits({**environ, **own}, "") for own in others)
    assert not zygote.fits({"PATH": "/bin"}, ""), "LANG is not there"
    assert not zygote.fits(environ, "x" * FITS_A_PIPE)


def test_what_is_left_running_is_waited_for(tmp_path: Path) -> None:
    """As by ``subprocess.run``: until nobody can say anything more."""
    line = "(read line <pipe; echo $line) & (echo >pipe late) &"
    os.mkfifo(tmp_path / "pipe")
    done: Run = run([*TOOL, "attach", "-q", "-f", "folded", "--", "sh", "-c", line], cwd=tmp_path)
    assert done.stdout == "late\n"
