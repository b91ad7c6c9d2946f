"""The console on stderr, and progress bars there while it is a terminal, nothing otherwise; and how every command
reads a recording."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from .printing import Console

if TYPE_CHECKING:
    from ..model.filters import Filter
    from ..model.trace import Trace


class _Tolerant:
    """A stream that drops what can't be written: a terminal that is gone must not cost the reports."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def stderr(**options: Any) -> Console:
    """A console on stderr that never raises OSError."""
    if sys.stderr is None:  # we were started without
        return Console(stderr=True, **options)
    return Console(file=cast("IO[str]", _Tolerant(sys.stderr)), **options)


@contextmanager
def reading_bar() -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar while a recording is read: the callback for ``model.load``; None: stderr is no terminal."""
    console = stderr()
    if not console.is_terminal:
        yield None
        return
    with Progress(TextColumn("reading"), BarColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("reading", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


@contextmanager
def writing_bar() -> Iterator[Callable[[str, int], None] | None]:
    """A progress bar while reports are written: the callback for ``writing.write``; None: stderr is no terminal."""
    console = stderr()
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("writing {task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=None)
        yield lambda name, size: progress.update(bar, description=name, completed=size)


def load(recording: Path, wanted: "Filter | None" = None) -> "Trace":
    """``model.load`` with a progress bar and the user's rules for reasons.  UserError as there."""
    from ..model import load as load_
    from ..support.settings import configured

    rules = configured()
    with reading_bar() as show:
        return load_(recording, show, wanted, rules)
