"""A bundle for a bug report: what is known of a recording, with the names of its program scrubbed.

Knows what is in a bundle, and where it is found.  What is a name is ``scrub.py``'s question.  A part that can't be made
is a line in ``problems.txt`` (with a traceback in ``errors/``), and costs itself alone.
"""

import gzip
import io
import os
import tarfile
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np

from .. import events as ev
from ..checks import survey
from ..errors import USAGE, UserError
from ..model import load
from ..recording import header, runs
from ..recording.dump import dump_records
from ..recording.reader import Recording, unrecorded_children
from ..support import files, internal
from . import info
from .scrub import Scrubber

RECORDS: Final = 100_000  # of each recording
_MOST_DETAILS: Final = 20  # files of them, the newest
_MOST_TEXT: Final = 1 << 20  # bytes of a file of details


class Bundle(NamedTuple):
    """What was written."""

    path: Path
    files: list[tuple[str, int]]  # name and size in bytes
    records: int
    left_out: int  # records
    names: int  # that were replaced
    problems: int


def bundle(place: Path, output: Path | None = None, most: int = RECORDS) -> Bundle:
    """Write what is known of the recording at ``place``, or of its run, to ``output``.

    ``most``: so many records of each process, half of them the first and half the last.  UserError: nothing is there,
    or the bundle can't be written.
    """
    if not os.path.lexists(place):
        raise UserError(f"{place}: no such file or folder")
    path = output or Path(f"async-inspect-doctor-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz")
    _refuse_recording(path)
    try:
        with files.replacing(path) as file:
            made = _Writer(file)
            made.write(place, most)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    return Bundle(path, made.files, made.records, made.left_out, len(made.scrub), made.problems)


def _refuse_recording(path: Path) -> None:
    try:
        if not path.exists():
            return
        with open(files.open_regular(path), "rb") as file:
            begins = file.read(len(ev.MAGIC))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if begins == ev.MAGIC:
        raise UserError(f"{path}: is a recording; the bundle is to be another file", USAGE)


class _Writer:
    """A bundle that is being written."""

    def __init__(self, file: BinaryIO) -> None:
        self.scrub = Scrubber()
        self.files: list[tuple[str, int]] = []
        self.records = self.left_out = self.problems = 0
        self._file = file
        self._problems: list[str] = []  # a line each
        self._failed: list[str] = []  # the tracebacks of that

    def write(self, place: Path, most: int) -> None:
        """All parts.  OSError: it can't be written."""
        # By itself, tarfile would write down whose file it is, and gzip what it is called meanwhile.
        with (
            gzip.GzipFile("", "wb", fileobj=self._file) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as self._tar,
        ):
            run = self._recordings(place)
            for number, path in enumerate(run, 1):
                self._recording(f"recordings/{number}", path, most)
            for number, log in enumerate(_logs(place), 1):
                self._part(f"logs/{number}.txt", partial(self._log, log))
            self._part("trace.txt", lambda: _meaning(place, self.scrub))
            self._part("versions.txt", self._versions)
            for number, text in enumerate(self._errors(place), 1):
                self._add(f"errors/{number}.txt", self.scrub.error(text))
            for number, text in enumerate(self._failed, 1):
                self._add(f"errors/doctor-{number}.txt", self.scrub.error(text))
            self.problems = len(self._problems)
            self._add("problems.txt", "".join(f"{line}\n" for line in self._problems) or "none\n")

    def _recordings(self, place: Path) -> list[Path]:
        """The recordings of the run that can be opened; the others are reported as problems."""
        try:
            run = [one.path for one in runs.run_at(place)]
        except Exception as error:  # noqa: BLE001 - what fails is what the bundle is for
            self._problem("the recordings", error)
            return []
        if place.is_dir():
            for path in sorted(run[0].parent.glob(f"*{header.SUFFIX}")):
                try:
                    header.head(path)
                except Exception as error:  # noqa: BLE001 - as above
                    self._problem("a recording beside them", error)
        return run

    def _recording(self, name: str, path: Path, most: int) -> None:
        try:
            recording = Recording(path)
        except Exception as error:  # noqa: BLE001 - as above
            self._problem(name, error)
            return
        with recording:
            self.scrub.of(recording.meta)
            self._part(f"{name}/header.txt", lambda: _header(recording, self.scrub))
            self._part(f"{name}/records.txt", lambda: self._records(recording, most))
        if commands := unrecorded_children(path):
            self._part(
                f"{name}/missed.txt",
                lambda: (f"{one.pid} {self.scrub.text(one.why)}: {self.scrub.name(one.command)}" for one in commands),
            )

    def _records(self, recording: Recording, most: int) -> Iterator[str]:
        """Half of them from the beginning, half from the end; numbers are those of slots, which texts take too."""
        left, right = min((most + 1) // 2, recording.count), max(recording.count - most // 2, 0)
        for part in (slice(left), slice(max(left, right), None)):
            if part.start and left < right:
                kinds = np.concatenate([slots["kind"] for slots in recording.chunks])
                between = int(np.count_nonzero(kinds[left:right] != ev.TEXT))
                self.left_out += between
                yield f"... {between} records left out (--records) ..."
            for line in dump_records(recording, part, self.scrub.record):
                self.records += 1
                yield line

    def _log(self, path: Path) -> list[str]:
        return [self.scrub.error(_read(path))]

    def _versions(self) -> Iterator[str]:
        yield from internal.versions()
        for what, how in info.facts(None):
            yield f"{what}: {self.scrub.text(how)}"

    def _errors(self, place: Path) -> Iterator[str]:
        """The details of internal errors: where reports of this recording are, and where there is always room."""
        folders = {place, place.parent, place.parent.parent} if place.is_file() else {place}
        found = {path for folder in (*folders, Path(tempfile.gettempdir())) for path in _ours(folder)}
        for path in sorted(found, key=lambda path: path.name, reverse=True)[:_MOST_DETAILS]:
            try:
                yield _read(path)
            except (OSError, UserError) as error:
                self._problem("details of an internal error", error)

    # --- the file ----------------------------------------------------------------------------------------------------

    def _part(self, name: str, lines: Callable[[], Iterable[str]]) -> None:
        """A file of these lines; of what fails, those before."""
        text = io.StringIO()
        try:
            for line in lines():
                text.write(f"{line}\n")
        except Exception as error:  # noqa: BLE001 - as above
            self._problem(name, error)
        self._add(name, text.getvalue())

    def _problem(self, what: str, error: Exception) -> None:
        known = isinstance(error, UserError)
        message = error.message if isinstance(error, UserError) else str(error)
        line = f"{what}: {'' if known else f'{self.scrub.type(type(error).__name__)}: '}{self.scrub.text(message)}"
        self._problems.append(" ".join(line.split()))
        if not known:
            self._failed.append("".join(traceback.format_exception(error)))

    def _add(self, name: str, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        entry = tarfile.TarInfo(f"async-inspect-doctor/{name}")
        entry.size, entry.mode, entry.mtime = len(data), files.PRIVATE_FILE, int(time.time())
        self._tar.addfile(entry, io.BytesIO(data))
        self.files.append((name, len(data)))


def _header(recording: Recording, scrub: Scrubber) -> Iterator[str]:
    for name, value in recording.header._asdict().items():
        yield f"{name}: {value if isinstance(value, int) else repr(value)}"
    for key, values in recording.meta.items():
        for text in values:
            yield ": ".join(scrub.value(key, text))
    yield f"slots: {recording.count}"
    yield f"damaged: {recording.damaged} slots and header fields"
    yield f"cut: {recording.cut}"
    yield f"missing: {recording.missing} slots at least"


def _meaning(place: Path, scrub: Scrubber) -> Iterator[str]:
    """What the model makes of the run, and what of that can't be."""
    trace = load(place)
    yield f"processes: {len(trace.processes)}, tasks: {len(trace.task_table)}, awaits: {len(trace.awaits)}"
    yield f"damaged: {trace.meta.damaged}"
    yield f"exact: {trace.not_exact or 'yes'}"
    for one in trace.violations:
        task, space, name = one.example.partition(" (")
        example = f"{task}{space}{scrub.name(name.removesuffix(')'))}{')' if space else ''}"
        yield f"broken: {scrub.text(one.rule)}: {one.rows} in all, first {example}"
    for left in trace.left_out:
        yield f"left out: process {left.pid}, {left.records} records: {scrub.text(left.why)}"
    for line in survey(trace).failed:
        yield f"failed: {scrub.text(line)}"


def _logs(place: Path) -> list[Path]:
    """In which the tracer complained, also of processes that could not be recorded; the newest."""
    if not place.is_dir():
        return [log] if (log := place.with_suffix(".log")).is_file() else []
    found = [*place.glob("*.log"), *(place / header.FOLDER).glob("*.log")]
    return sorted((log for log in found if log.is_file()), key=lambda log: log.stat().st_mtime_ns)[-_MOST_DETAILS:]


def _ours(folder: Path) -> Iterator[Path]:
    """Files of this user with details of internal errors."""
    try:
        for path in folder.glob(f"{internal.PREFIX}*.txt"):
            if not hasattr(os, "geteuid") or path.lstat().st_uid == os.geteuid():
                yield path
    except OSError:
        return


def _read(path: Path) -> str:
    return files.read(path, _MOST_TEXT).decode("utf-8", "replace")
