"""Safe file access in shared folders: opens regular files only, creates private files, removes unfinished ones.

Knows kinds of files, modes, locks and signals.  Knows nothing of what is in them.  Who may have written a file is
``tracer/trust.py``'s question.
"""

import contextlib
import errno
import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_QUIETLY = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0)
_QUIETLY |= getattr(os, "O_BINARY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_PART = ".async-inspect-"
_LAST = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def open_regular(path: str | os.PathLike[str], flags: int = os.O_RDONLY, *, follow: bool = True) -> int:
    """A descriptor of a regular file, even if the path is swapped meanwhile; never blocks.

    ``follow``: whether the path's last part may be a link.  OSError: it can't be opened, or is something else.
    """
    _check(path, os.stat(path, follow_symlinks=follow))  # a device may feel that it is opened
    fd = os.open(path, flags | _QUIETLY | (0 if follow else _NOFOLLOW))
    try:
        _check(path, os.fstat(fd))
    except OSError:
        os.close(fd)
        raise
    return fd


def _check(path: str | os.PathLike[str], status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        number = errno.EISDIR if kind == stat.S_IFDIR else errno.EINVAL
        raise OSError(number, f"is {_KINDS.get(kind, 'a link')}, not a file", os.fspath(path))


def read(path: str | os.PathLike[str], most: int) -> bytes:
    """The content of a regular file.  OSError: it can't be read, is something else, or is longer than ``most``
    bytes."""
    with open(open_regular(path), "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"is longer than {most:,} bytes", os.fspath(path))
    return data


def folder(path: Path) -> Path:
    """This folder, created if need be, with its parents, for this user alone, whatever the umask.  OSError: it can't
    be."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for one in reversed(missing):
        with contextlib.suppress(FileExistsError):
            one.mkdir(PRIVATE_FOLDER)
            one.chmod(PRIVATE_FOLDER)  # a umask may take the owner's rights, too
    if path.is_symlink() and hasattr(os, "geteuid") and path.lstat().st_uid not in (0, os.geteuid()):
        raise PermissionError(errno.EPERM, "is another user's link", str(path))
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    return path


def private_folder(path: Path) -> Path:
    """This folder, created if need be, accessible to this user alone: its files get loaded into programs.

    OSError: it can't be.
    """
    status = folder(path).lstat()
    if (hasattr(os, "geteuid") and status.st_uid != os.geteuid()) or not stat.S_ISDIR(status.st_mode):
        raise PermissionError(errno.EPERM, "is not this user's own folder", str(path))
    if status.st_mode & 0o077:
        path.chmod(PRIVATE_FOLDER)
    return path


def try_writing(place: Path) -> None:
    """Create and remove a file in this folder.  OSError: that can't be done."""
    probe = place / f"{_PART}{os.urandom(8).hex()}.part"
    os.close(create(probe))
    probe.unlink()


def create(path: str | os.PathLike[str], flags: int = os.O_WRONLY) -> int:
    """A descriptor of a new, empty file for this user alone; it replaces a file or a link at this path.

    OSError: it can't be made.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    fd = os.open(path, flags | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _QUIETLY & ~getattr(os, "O_NONBLOCK", 0), 0o600)
    if hasattr(os, "fchmod"):
        os.fchmod(fd, PRIVATE_FILE)
    return fd


# --- files that appear when they are complete ------------------------------------------------------------------------


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that is renamed to this path at the block's end; if the block or this process fails, it is removed.

    What a killed writer left behind is removed by the next one in the same folder.  OSError: it can't be written.
    """
    _sweep(path.parent)
    part = path.with_name(f"{_PART}{os.urandom(8).hex()}.part")
    with _removed(part), open(_create_locked(part), "wb") as file:
        yield file
        file.flush()
        part.replace(path)


@contextlib.contextmanager
def _removed(part: Path) -> Iterator[None]:
    """Remove this file, if it still exists, at the block's end or by SIGTERM or SIGHUP, if these have no handler."""

    def end(number: int, _frame: object) -> None:
        part.unlink(missing_ok=True)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    main = threading.current_thread() is threading.main_thread()
    handled = [number for number in _LAST if main and signal.getsignal(number) == signal.SIG_DFL]
    for number in handled:
        signal.signal(number, end)
    try:
        yield
    finally:
        part.unlink(missing_ok=True)
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _sweep(place: Path) -> None:
    """Remove unfinished files of writers that have ended: those that no process has locked."""
    if not hasattr(os, "geteuid"):
        return
    import fcntl

    for part in place.glob(f"{_PART}*.part"):
        with contextlib.suppress(OSError), open(open_regular(part, follow=False), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_uid == os.geteuid():
                part.unlink()


def _create_locked(part: Path) -> int:
    """A new file, locked as long as it is open: the lock shows that its writer is still alive."""
    while True:
        fd = create(part)
        with contextlib.suppress(ImportError, OSError):  # not to be had on this file system
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX)
        if part.exists():  # else another process removed it before it was locked
            return fd
        os.close(fd)
