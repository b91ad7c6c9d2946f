"""Writing reports: formats as files in a folder, or one format to a file or a stream.

Knows: which formats a folder gets, that a file is replaced only when the new one is complete, and what happens to
older reports.  Runs the checks for the formats that show findings.  Knows no format.
"""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ..checks import survey
from ..errors import USAGE, UserError
from ..model.data import cached_on_trace
from ..model.trace import Trace
from ..recording.header import is_recording
from ..support.files import folder as folder_of
from ..support.files import replacing
from ..support.internal import explained
from . import ALL, FORMATS, Format, members, one
from .options import checked
from .shared.cost import Cost, total

MOST = Cost(20_000_000, 2_000_000)  # of what isn't compact and is written without being asked for


class IncompleteError(UserError):
    """Some reports could not be written: a line each, in ``lines``.  The others were: ``files``."""

    def __init__(self, lines: Iterable[str], files: list[Path]) -> None:
        lines = tuple(lines)
        super().__init__("\n".join(lines))
        self.lines, self.files = lines, files


type Progress = Callable[[str, int], None]  # (format, bytes written so far)


def write(
    trace: Trace,
    folder: str | os.PathLike[str],
    formats: Iterable[str] | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write reports into ``folder`` (made if need be) and return the files.

    Without ``formats``: all of them, or only the compact ones where the others would come to more than MOST (see
    ``left_out``).  ``progress`` is called with (format, bytes written so far).

    Reports of other formats in that folder get ".old" appended: they are of another run.  If a format fails, the others
    are written all the same, then IncompleteError is raised.
    UserError: no such format, the folder can't be written to; IncompleteError, which is one.
    """
    place = Path(folder)
    chosen, failed = _chosen(trace, formats, place)
    try:
        folder_of(place)
        for other in FORMATS.values():
            if other not in chosen:
                _rename_old(place / other.file)
    except (OSError, ValueError) as error:  # a NUL in its name
        raise UserError(f"{getattr(error, 'filename', None) or place}: {_why(error)}") from None
    written: list[Path] = []
    unwritten: dict[str, list[str]] = {}  # by why
    for format in chosen:
        file = place / format.file
        try:
            with replacing(file) as out:
                _write_chunks(_guarded(format, trace, {}, place), out, _size_callback(format, progress))
            written.append(file)
            continue
        except UserError as error:
            failed.append(error.message)
        except OSError as error:
            unwritten.setdefault(error.strerror or str(error), []).append(format.file)
        with suppress(OSError):
            _rename_old(file)
    failed += [f"{place}: {', '.join(names)} could not be written: {why}" for why, names in unwritten.items()]
    if failed:
        raise IncompleteError(failed, written)
    return written


def _chosen(trace: Trace, names: Iterable[str] | None, place: Path) -> tuple[list[Format], list[str]]:
    """The chosen formats, and a line for each that can't be used.  UserError: there is no such format."""
    if isinstance(names, str):
        names = [names]
    if not names:
        return [row for row in FORMATS.values() if row not in left_out(trace)], []
    found: list[Format] = []
    failed: list[str] = []
    for name in dict.fromkeys(names):
        try:
            rows = members(name, place)
        except UserError as error:
            if error.status == USAGE:
                raise
            failed.append(error.message)
            continue
        for row in rows:
            if row in found:
                continue
            if taken := [one.name for one in found if one.file == row.file]:
                failed.append(f"the formats {taken[0]!r} and {row.name!r} have one file, {row.file}; see export")
            else:
                found.append(row)
    return found, failed


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _rename_old(file: Path) -> None:
    """Rename a report of an earlier run."""
    if file.exists():
        file.replace(file.with_name(f"{file.name}.old"))


def single(name: str) -> Format:
    """The format of this name, which must be a single file.  UserError: it is several."""
    chosen = one(name)
    if chosen is None:
        names = " or ".join(row.name for row in members(name))
        raise UserError(f"{name} is several files; only one can be written here: {names}", USAGE)
    return chosen


def chunks(trace: Trace, format: str, **options: object) -> Iterator[bytes]:
    """The bytes of one format.  UserError: it failed, there is no such format, or it is several files."""
    return _guarded(single(format), trace, options)


def _guarded(
    format: Format, trace: Trace, options: Mapping[str, object], folder: Path | None = None
) -> Iterator[bytes]:
    """The bytes of a format; any error in it becomes a UserError."""
    try:
        found = (survey(trace),) if format.findings else ()
        for chunk in format.write(trace, *found, **checked(format.name, format.write, options)):
            if not isinstance(chunk, (bytes, bytearray, memoryview)):
                raise TypeError(f"it gives {type(chunk).__name__}, not bytes")
            yield bytes(chunk)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(explained(f"the format {format.name!r} failed", error, folder)) from error


def left_out(trace: Trace) -> list[Format]:
    """The formats that ``write`` leaves out by itself: those that list what happened, where all of them together would
    come to more than MOST."""
    expected = growth(trace)
    if expected.bytes <= MOST.bytes and expected.us <= MOST.us:
        return []
    return [row for row in FORMATS.values() if not row.compact]


def announced(trace: Trace, names: Iterable[str]) -> str:
    """What to say before these formats are written: that they come to more than MOST; "": they don't."""
    wanted = {*names}
    growing = [row for row in FORMATS.values() if row.estimate and {ALL, row.name, row.name.partition(":")[0]} & wanted]
    expected = total([row.estimate(trace) for row in growing if row.estimate])
    if expected.bytes <= MOST.bytes and expected.us <= MOST.us:
        return ""
    return f"{', '.join(row.file for row in growing)}: about {size_of(expected)}"


def size_of(expected: Cost) -> str:
    """In words."""
    return f"{expected.bytes / 1e6:,.0f} MB and {expected.us / 1e6:,.0f} s"


@cached_on_trace
def growth(trace: Trace) -> Cost:
    """What the formats that aren't compact would come to, all together."""
    return total([row.estimate(trace) for row in FORMATS.values() if row.estimate])


def export(
    trace: Trace, format: str, path: str | os.PathLike[str], progress: Progress | None = None, **options: object
) -> None:
    """Write one format to one file, which is replaced only when complete.  UserError as in ``write``.

    A name that ends in ".gz" where the format's own doesn't: it is compressed, with the same bytes for the same trace.
    A format of several files (``csv``) goes to a folder of this path, under the names that ``write`` gives them.
    """
    chosen, place = one(format), Path(path)
    if chosen:
        data = _guarded(chosen, trace, options)
        if place.suffix == ".gz" and not chosen.file.endswith(".gz"):
            data = _gzipped(data)
        _write_to(place, data, _size_callback(chosen, progress))
        return
    try:
        folder_of(place)
    except (OSError, ValueError) as error:
        raise UserError(f"{place}: {_why(error)}") from None
    for part in members(format):
        _replace(place / part.file, _guarded(part, trace, options), _size_callback(part, progress))


def stream(trace: Trace, format: str, out: BinaryIO, **options: object) -> None:
    """Write one format to an open binary file.  OSError as it comes; UserError: no such format, or several files."""
    out.writelines(chunks(trace, format, **options))
    out.flush()


def _gzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)  # a gzip header without name and time
    for chunk in chunks:
        yield packer.compress(chunk)
    yield packer.flush()


def _size_callback(format: Format, progress: Progress | None) -> Callable[[int], None]:
    return (lambda size: progress(format.name, size)) if progress else (lambda _: None)


def _write_to(path: Path, chunks: Iterator[bytes], progress: Callable[[int], None]) -> None:
    """Write to a path of the user's, which may be no regular file: /dev/stdout, a named pipe."""
    if not _is_open_file(path) and (not os.path.exists(path) or os.path.isfile(path)):
        _replace(path, chunks, progress)
        return
    try:
        with path.open("wb") as file:
            _write_chunks(chunks, file, progress)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {_why(error)}") from None


def _is_open_file(path: Path) -> bool:
    """Whether this names a device, or an open file of ours by /proc: such a path must not be replaced by a new file."""
    folder = os.path.realpath(path.parent)
    return folder == "/dev" or folder.startswith("/proc/")


def _replace(path: Path, chunks: Iterator[bytes], progress: Callable[[int], None]) -> None:
    if is_recording(path):
        raise UserError(f"{path}: is a recording, which a report must not replace; give it another name")
    try:
        with replacing(path) as file:
            _write_chunks(chunks, file, progress)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {_why(error)}") from None


def _write_chunks(chunks: Iterator[bytes], file: BinaryIO, progress: Callable[[int], None]) -> None:
    size = 0
    progress(size)
    for chunk in chunks:
        file.write(chunk)
        size += len(chunk)
        progress(size)
