"""Internal errors: one line for the user, and a file with the details for a bug report.

Knows what belongs into that file, and where it can be written.  Knows nothing of what failed.
"""

import os
import platform
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from .._version import __version__
from ..errors import FAILED, UserError
from . import files
from .names import clean

PREFIX: Final = "async-inspect-error-"  # of the files' names
LIBRARIES: Final = ("numpy", "pydantic", "rich", "typer")
MEMORY: Final = "there is not enough memory; take the first part of the recording: --until MS, or --pid PID"


def explained(what: str, error: BaseException, folder: Path | None = None) -> str:
    """The line for the user: ``what`` failed, the error, and the file with the details.

    That file is in ``folder`` if possible, else in the folder for temporary files.
    """
    if isinstance(error, MemoryError):
        return f"{what}: {MEMORY}"
    message = " ".join(str(error).split())
    line = f"{what} ({type(error).__name__}{f': {message[:300]}' if message else ''})"
    place = _write(what, error, folder)
    return f"{line}; details: {place}" if place else line


def guarded(job: Callable[[], object], what: str, folder: Path | None = None) -> int:
    """Run ``job``; 0, or the status of an internal error, which is printed.  UserError, Ctrl-C and exits pass."""
    try:
        job()
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - this is where internal errors end
        say(explained(what, error, folder))
        return FAILED
    return 0


def say(line: str) -> None:
    """Print one line on stderr; nothing where it can't be written."""
    with suppress(OSError, ValueError):
        print(f"async-inspect: {clean(line)}", file=sys.stderr, flush=True)


def versions() -> Iterator[str]:
    """Versions of everything involved, for a bug report."""
    from importlib.metadata import PackageNotFoundError, version  # only now: it takes long to import

    yield f"async-inspect {__version__}"
    yield f"{platform.python_implementation()} {sys.version}"
    yield platform.platform()
    for name in LIBRARIES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name}: not installed"


def _write(what: str, error: BaseException, folder: Path | None) -> Path | None:
    text = "\n".join(
        [
            f"{what}, {time.strftime('%Y-%m-%d %H:%M:%S %z')}",
            *versions(),
            f"command line: {shlex.join(sys.argv)}",
            "",
            "".join(traceback.format_exception(error)),
        ]
    )
    name = f"{PREFIX}{time.time_ns():x}-{os.getpid()}.txt"
    for place in (folder, Path(tempfile.gettempdir())):
        if place is not None:
            try:
                with open(files.create(place / name), "wb") as file:
                    file.write(text.encode("utf-8", "backslashreplace"))
                return place / name
            except OSError:  # not there, not ours, full
                with suppress(OSError):
                    (place / name).unlink(missing_ok=True)
    return None
