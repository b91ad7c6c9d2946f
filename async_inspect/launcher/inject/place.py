"""A folder that the tool and a process that runs already share: it holds the recorder, recordings and answers.

Knows two kinds: where both see the same files as the same user, it is the tool's output folder; else (a container,
another user's process) a folder made among the process's files, with a copy of the recorder, and removed at the end.
"""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from async_inspect import tracer
from async_inspect.errors import UserError
from async_inspect.launcher import corebuild
from async_inspect.launcher.inject.process import Process

PACKAGE = Path(tracer.__file__).parent.parent
FOLDERS = ("tmp", "var/tmp", "dev/shm")  # where a program may be expected to read and write
_IN_THE_PROCESS = ("_version.py", "events.py", "tracer")
_NOT_IN_THE_PROCESS = ("__pycache__", "core")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Place:
    """The shared folder: ``outside`` is its path to us, ``inside`` its path to the process."""

    def __init__(self, one: Process, inside: str, outside: Path, package: str, copied: bool) -> None:
        self.inside, self.outside, self.package, self.copied = inside, outside, package, copied
        self._owner = (one.uid, one.gid)
        self._pid = one.pid

    @contextlib.contextmanager
    def answer(self) -> Iterator[tuple[int, str]]:
        """A file for an answer, as (fd, path inside), while somebody waits for one."""
        with self._file("answer") as (fd, name):
            yield fd, name

    @contextlib.contextmanager
    def script(self, text: str) -> Iterator[str]:
        """A file with this text; its path inside."""
        with self._file("py") as (fd, name):
            os.write(fd, text.encode("utf-8", "surrogateescape"))
            yield name

    @contextlib.contextmanager
    def _file(self, kind: str) -> Iterator[tuple[int, str]]:
        name = f".{self._pid}-{os.getpid()}-{time.monotonic_ns():x}.{kind}"
        fd = os.open(self.outside / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if self.copied:
                os.fchown(fd, *self._owner)
            yield fd, f"{self.inside}/{name}"
        finally:
            os.close(fd)
            with contextlib.suppress(OSError):
                (self.outside / name).unlink()


@contextlib.contextmanager
def place(one: Process, ours: Path) -> Iterator[Place]:
    """The folder shared with this process: ``ours`` if possible.  UserError: there is none."""
    if one.same_files and one.uid == os.geteuid():
        yield Place(one, str(ours), ours, str(PACKAGE), copied=False)
        return
    root = os.open(f"/proc/{one.pid}/root", os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.ExitStack() as made:
            for folder in FOLDERS:
                with contextlib.suppress(OSError):
                    found = made.enter_context(_made(root, folder, one))
                    break
            else:
                raise UserError(
                    f"{one.name} has other files than we, and none of {', '.join(FOLDERS)} to put the recorder into"
                )
            yield found
    finally:
        os.close(root)


@contextlib.contextmanager
def _made(root: int, folder: str, one: Process) -> Iterator[Place]:
    # By descriptors: a path through another user's files may lead anywhere.
    above = root
    opened = []
    try:
        for part in folder.split("/"):
            above = os.open(part, _DIRECTORY, dir_fd=above)
            opened.append(above)
        # The same name each time: a C core that is loaded there already is then not loaded again.
        name = f"async-inspect-{one.pid}-{_contents()}"
        _remove(above, name)
        os.mkdir(name, 0o700, dir_fd=above)
        fd = os.open(name, _DIRECTORY, dir_fd=above)
        opened.append(fd)
        try:
            _copy(fd, one)
            os.fchown(fd, one.uid, one.gid)
            outside = Path(f"/proc/{os.getpid()}/fd/{fd}")  # also valid in processes that we start
            inside = f"/{folder}/{name}"
            yield Place(one, inside, outside, f"{inside}/{PACKAGE.name}", copied=True)
        finally:
            _remove(above, name)
    finally:
        for fd in reversed(opened):
            os.close(fd)


def _copy(into: int, one: Process) -> None:
    """The recorder's files, into the folder of this descriptor, for that process's user."""
    package = _new_folder(into, PACKAGE.name, one)
    try:
        for name in _IN_THE_PROCESS:
            _copy_one(package, PACKAGE / name, name, one)
        with contextlib.suppress(corebuild.NoCoreError, OSError):  # then the Python core records
            if core := corebuild.existing(one.suffix):
                tracer = os.open("tracer", _DIRECTORY, dir_fd=package)
                try:
                    _copy_one(tracer, Path(core), f"_core{one.suffix}", one)
                finally:
                    os.close(tracer)
    finally:
        os.close(package)


def _copy_one(into: int, source: Path, name: str, one: Process) -> None:
    """A file, or a folder with what a process needs of it."""
    if source.is_dir():
        made = _new_folder(into, name, one)
        try:
            for each in sorted(source.iterdir()):
                if each.suffix == ".py" or (each.is_dir() and each.name not in _NOT_IN_THE_PROCESS):
                    _copy_one(made, each, each.name, one)
        finally:
            os.close(made)
        return
    with open(os.open(name, _NEW, 0o600, dir_fd=into), "wb") as to:
        to.write(source.read_bytes())
        os.fchown(to.fileno(), one.uid, one.gid)


def _new_folder(into: int, name: str, one: Process) -> int:
    os.mkdir(name, 0o700, dir_fd=into)
    fd = os.open(name, _DIRECTORY, dir_fd=into)
    os.fchown(fd, one.uid, one.gid)
    return fd


def _contents() -> str:
    """A hash of all that is copied."""
    return hashlib.sha256(corebuild.cores_prefix().encode()).hexdigest()[:12]


def _remove(above: int, name: str) -> None:
    """A folder that we made, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(name, dir_fd=above)
