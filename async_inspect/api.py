"""The library's own Trace, with findings and export: what ``async_inspect.load`` returns.

Knows ``model`` on one side and ``formats`` on the other, which know nothing of each other.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from . import checks
from .formats import writing
from .model import loading, trace
from .model.finding import Survey
from .support.settings import configured


class Trace(trace.Trace):
    """The recordings of a run, or one of them, understood.  Immutable; make one with ``async_inspect.load``.

    The columns (``polls``, ``awaits`` …) are described in ``model/tables.py``.  ``strings`` are the names of types.
    """

    @property
    def survey(self) -> Survey:
        """What all checks find, and which of them failed."""
        return checks.survey(self)

    def export(self, format: str, path: str | os.PathLike[str], **options: Any) -> None:
        """Write one format to a file, replaced only when complete.  UserError: no such format, option or place."""
        writing.export(self, format, path, **options)

    def to_bytes(self, format: str, **options: Any) -> bytes:
        """One format as bytes; text is UTF-8.  UserError: it failed, no such format or option, or several files."""
        return b"".join(writing.chunks(self, format, **options))

    def export_all(self, folder: str | os.PathLike[str], formats: Iterable[str] | None = None) -> list[Path]:
        """Write these formats into a folder, ``["all"]`` for every one; the files.  By default those that stay
        small, and the others while all of these together would, as ``async-inspect report`` does.

        UserError: as in ``export``; a ``writing.IncompleteError`` where only some could be written: its ``files``.
        """
        return writing.write(self, folder, formats)


def load(path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None) -> Trace:
    """See ``async_inspect.load``."""
    return Trace.of(loading.load_data(path, progress, rules=configured()))
