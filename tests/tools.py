"""Running programs and the tool from tests: what it knows of both is a command line."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from .zygote import Zygote

if TYPE_CHECKING:
    from async_inspect import Trace

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "fixtures" / "programs"
GOLDEN = ROOT / "tests" / "golden"
TARGET = os.environ.get("TEST_TARGET", sys.executable)  # the Python that runs traced programs
# The checkout's own tool, installed or not, without a PYTHONPATH that the traced program would inherit.
ENTER = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from async_inspect.cli.main import main; main()"
TOOL = (sys.executable, "-c", ENTER)
PATIENCE_S = 250  # what is waited for comes, however busy the machine is: only what hangs takes so long


def _has_terminals() -> bool:
    """Whether there are pseudo-terminals to be had."""
    try:
        for fd in os.openpty():
            os.close(fd)
    except (AttributeError, OSError):
        return False
    return True


needs_terminal = pytest.mark.skipif(
    not _has_terminals(), reason="no pseudo-terminals (mount -t devpts devpts /dev/pts)"
)


def need_compiler(includes: Iterable[str]) -> None:
    """Skip where no C core can be built for a Python with these folders of headers."""
    if not shutil.which("cc") and not shutil.which("gcc"):
        pytest.skip("no C compiler (Debian: apt-get install gcc libc6-dev)")
    if not any(Path(folder, "Python.h").exists() for folder in includes):
        pytest.skip("no Python.h (Debian: apt-get install python3-dev)")


def examples(usual: int) -> int:
    """How many examples hypothesis tries: TEST_TIMES as many as usual, fewer at every save and thousands at night."""
    return max(1, round(usual * float(os.environ.get("TEST_TIMES", "1"))))


def wait_until[Found](look: Callable[[], Found], said: Callable[[], object] = lambda: "") -> Found:
    """What ``look`` finds, once it finds something; ``said`` says what there was instead when it never does."""
    end = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < end, f"it never came: {said()}"
        time.sleep(0.02)
    return found


@dataclass(frozen=True)
class Run:
    """A command that ended."""

    status: int
    stdout: str
    stderr: str
    folder: Path

    @cached_property
    def trace(self) -> "Trace":
        import async_inspect

        return async_inspect.load(self.folder)


class Tool(Protocol):
    """Run the command line tool: ``tool("stats", recording)``."""

    def __call__(self, *arguments: str | Path, env: Mapping[str, str] | None = None, input: str = "") -> Run: ...


class Attach(Protocol):
    """Run a program under the tool: ``attach(program, *its_arguments, core="c", options=["-f", "json"])``."""

    def __call__(
        self,
        program: str | Path,
        *arguments: str | Path,
        core: str | None = None,
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        input: str = "",
    ) -> Run: ...


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    input: str = "",
    cold: bool = False,
) -> Run:
    """Run a command to its end, with a clean environment: ASYNC_INSPECT_* and VIRTUAL_ENV would choose a target.

    The tool itself is forked from a process that has imported it, where that comes to the same; ``cold`` starts it.
    """
    words = [str(part) for part in command]
    own = {key: value for key, value in os.environ.items() if not key.startswith(("ASYNC_INSPECT_", "VIRTUAL_ENV"))}
    environ = {**own, **(env or {})}
    folder = cwd / "async_inspect_exports"
    is_tool = tuple(words[: len(TOOL)]) == TOOL and sys.platform == "linux"
    if is_tool and not cold and (warm := zygote(own)).fits(environ, input):
        return Run(*warm.run(words[len(TOOL) :], cwd, environ, input), folder)
    done = subprocess.run(
        words, cwd=cwd, env=environ, input=input, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return Run(done.returncode, done.stdout, done.stderr, folder)


_zygotes: list[Zygote] = []


def zygote(environ: Mapping[str, str]) -> Zygote:
    """This process's own; it is made when it is first asked for, and again when it is gone."""
    if not _zygotes or not _zygotes[0].alive:
        _zygotes[:] = [Zygote(ROOT, environ)]
    return _zygotes[0]
