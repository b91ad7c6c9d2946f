"""Progress bars on stderr, while it is a terminal; nothing otherwise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn


@contextmanager
def reading() -> Iterator[Callable[[int, int], None] | None]:
    """While a recording is read; gives what ``model.load`` wants to be told by."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with Progress(TextColumn("reading"), BarColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("reading", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


@contextmanager
def writing(wanted: bool = True) -> Iterator[Callable[[str, int], None] | None]:
    """While reports are written; gives what ``reports.write`` wants to be told by."""
    console = Console(stderr=True)
    if not (wanted and console.is_terminal):
        yield None
        return
    columns = (TextColumn("writing {task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=None)
        yield lambda name, size: progress.update(bar, description=name, completed=size)
