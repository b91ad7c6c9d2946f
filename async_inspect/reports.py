"""Reports: formats as files in a folder.

Knows: which formats a folder gets, how a file is replaced only when its successor is complete, what becomes of old
reports.  Knows no format.
"""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import USAGE, UserError
from .files import folder as folder_of
from .files import replacing
from .formats import FORMATS, Format, members, one
from .model.trace import Trace
from .progress import writing

MANY_EVENTS = 1_000_000

type Progress = Callable[[str, int], None]  # (format, bytes written so far)


def write(
    trace: Trace,
    folder: str | os.PathLike[str],
    formats: Iterable[str] | None = None,
    progress: Progress | bool | None = None,
) -> list[Path]:
    """Write reports into ``folder`` (made if need be) and return the files.

    Without ``formats`` it is all of them, above MANY_EVENTS events only the compact ones (``left_out`` says which are
    missing).  ``progress``: whom to tell; True: a bar on stderr, where that is a terminal.

    Reports of other formats that lie there get ".old" appended: they are of another run.
    UserError: no such format, can't be written.
    """
    place = Path(folder)
    if formats:
        chosen = list(dict.fromkeys(row for name in formats for row in members(name)))
    else:
        chosen = [row for row in FORMATS.values() if row not in left_out(trace)]
    try:
        folder_of(place)
        for other in FORMATS.values():
            if other not in chosen and (place / other.file).exists():
                (place / other.file).replace(place / f"{other.file}.old")
    except OSError as error:
        raise UserError(f"{error.filename or place}: {error.strerror}") from None
    files = [place / format.file for format in chosen]
    with writing(progress is True) as bar:
        for format, file in zip(chosen, files, strict=True):
            _replace(file, format.write(trace), _for(format, bar if progress is True else progress or None))
    return files


def left_out(trace: Trace) -> list[Format]:
    """The formats that ``write`` leaves out by itself because of the number of events."""
    return [f for f in FORMATS.values() if not f.compact] if len(trace.events) > MANY_EVENTS else []


def export(
    trace: Trace, format: str, path: str | os.PathLike[str], progress: Progress | None = None, **options: object
) -> None:
    """Write one format to one file, which is replaced only when complete.  UserError as in ``write``.

    A name that ends in ".gz" where the format's own doesn't: it is compressed, with the same bytes for the same trace.
    A format of several files (``csv``) goes to a folder of this path, under the names that ``write`` gives them.
    """
    chosen, place = one(format), Path(path)
    if chosen:
        chunks = chosen.write(trace, **options)
        if place.suffix == ".gz" and not chosen.file.endswith(".gz"):
            chunks = _gzipped(chunks)
        _write_to(place, chunks, _for(chosen, progress))
        return
    try:
        folder_of(place)
    except OSError as error:
        raise UserError(f"{place}: {error.strerror}") from None
    for part in members(format):
        _replace(place / part.file, part.write(trace, **options), _for(part, progress))


def stream(trace: Trace, format: str, out: BinaryIO, **options: object) -> None:
    """Write one format to an open binary file.  OSError as it comes; UserError: no such format, or several files."""
    out.writelines(single(format).write(trace, **options))
    out.flush()


def single(name: str) -> Format:
    """The format of this name, which must be one file.  UserError: it isn't."""
    chosen = one(name)
    if chosen is None:
        names = " or ".join(row.name for row in members(name))
        raise UserError(f"{name} is several files; only one can be written here: {names}", USAGE)
    return chosen


def _gzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)  # a gzip header without name and time
    for chunk in chunks:
        yield packer.compress(chunk)
    yield packer.flush()


def _for(format: Format, progress: Progress | None) -> Callable[[int], None]:
    return (lambda size: progress(format.name, size)) if progress else (lambda _: None)


def _write_to(path: Path, chunks: Iterator[bytes], progress: Callable[[int], None]) -> None:
    """To where the user says, which may be no file: /dev/stdout, a named pipe."""
    if not path.exists() or path.is_file():
        _replace(path, chunks, progress)
        return
    try:
        with path.open("wb") as file:
            _pour(chunks, file, progress)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None


def _replace(path: Path, chunks: Iterator[bytes], progress: Callable[[int], None]) -> None:
    try:
        with replacing(path) as file:
            _pour(chunks, file, progress)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None


def _pour(chunks: Iterator[bytes], file: BinaryIO, progress: Callable[[int], None]) -> None:
    size = 0
    progress(size)
    for chunk in chunks:
        file.write(chunk)
        size += len(chunk)
        progress(size)
