"""Progress bars on stderr while it is a terminal, nothing otherwise; and how every command reads a recording.

Imports rich only for a bar.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model.filters import Filter
    from ..model.trace import Trace


@contextmanager
def reading_bar() -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar while a recording is read: the callback for ``model.load``; None: stderr is no terminal."""
    if not _shown():
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    from .printing import stderr

    with Progress(TextColumn("reading"), BarColumn(), console=stderr(), transient=True) as progress:
        bar = progress.add_task("reading", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


@contextmanager
def writing_bar() -> Iterator[Callable[[str, int], None] | None]:
    """A progress bar while reports are written: the callback for ``writing.write``; None: stderr is no terminal."""
    if not _shown():
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from .printing import stderr

    columns = (TextColumn("writing {task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=stderr(), transient=True) as progress:
        bar = progress.add_task("", total=None)
        yield lambda name, size: progress.update(bar, description=name, completed=size)


def load(recording: Path, wanted: "Filter | None" = None) -> "Trace":
    """``model.load`` with a progress bar and the user's rules for reasons.  UserError as there."""
    from ..model import load as load_
    from ..support.settings import configured

    rules = configured()
    with reading_bar() as show:
        return load_(recording, show, wanted, rules)


def _shown() -> bool:
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # it is closed
        return False
