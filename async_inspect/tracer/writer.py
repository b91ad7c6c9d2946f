r"""The recording's file, up to its first slot: name, header, metadata.

Knows what comes before the records; these are written by the core.  Runs in the traced program before its first line,
so it uses only modules that a bare Python has loaded by then.

Metadata, one "key TAB value LF" a line (``events.py`` has the escapes)::

    version            the tool's
    python             3.12.1                   implementation     cpython
    executable         sys.executable           argv               sys.orig_argv, one line a word
    cwd  prefix  base_prefix  stdlib            site               each site-packages folder on sys.path
    platform           linux                    pid  ppid
    core               c or python              core_reason        why this one
    max_size           the bound in bytes
    source             each source that is on, one line a name
    run                the id of the run, where the environment has one
    slow_poll_ms       from what length on polls are looked at      calls   1: calls of coroutines are recorded
"""

import os
import sys
import time

from .. import events as ev
from .._version import __version__
from .sources import SOURCES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings


# Python makes no descriptor inheritable by itself, but on one system each of these has another name.
OPEN_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)

# A link or a pipe that another user has put there is not followed, and not waited for.
_OURS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def create(folder: str) -> tuple[int, str]:
    """A new recording's file in this folder, as (fd, path); named by time and pid."""
    stem = f"{folder}/{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}"
    again = 0
    while True:
        path = f"{stem}-{again}.rec" if again else f"{stem}.rec"
        try:
            return create_at(path), path
        except FileExistsError:  # the same process before an exec, or a thousand short ones of one pid
            again += 1


def create_at(path: str) -> int:
    """Create the file of exactly this name, which must not exist: an old one may be mapped by a reader."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | OPEN_FLAGS, 0o600)
    if hasattr(os, "fchmod"):
        os.fchmod(fd, 0o600)  # a umask may take the user's own rights, too
    return fd


def create_replacement(path: str) -> tuple[int, str]:
    """A new file that is to replace an older recording at this path, as (fd, its path until then).

    Where nothing is there, it is the path itself.  FileExistsError: what is there is no recording, or one that another
    process still makes.
    """
    try:
        return create_at(path), path
    except FileExistsError as exc:
        try:
            old = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | OPEN_FLAGS)
        except OSError:
            raise exc from None
        try:
            header = os.read(old, ev.META_OFFSET)
        finally:
            os.close(old)
        if header[: len(ev.MAGIC)] != ev.MAGIC or _is_made(header):
            raise
    made = f"{path}.{os.getpid()}"
    return create_at(made), made


def _is_made(header: bytes) -> bool:
    """Whether another process is still writing the recording with this header."""
    pid = int.from_bytes(header[ev.PID_OFFSET : ev.PID_OFFSET + 4], "little")
    state = int.from_bytes(header[ev.STATE_OFFSET : ev.STATE_OFFSET + 4], "little")
    if state != ev.RUNNING or pid in (0, os.getpid()):
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass
    except OSError:
        return False
    return True


def write_header(fd: int, metadata: list[tuple[str, str]]) -> int:
    """Write the header into the new file, all at once, and return its size."""
    text = b"".join(_line(key, value) for key, value in metadata)
    size = -(-(ev.META_OFFSET + len(text)) // ev.HEADER_SIZE) * ev.HEADER_SIZE
    fields = (
        ev.MAGIC,
        _int(ev.VERSION, 4),
        _int(size, 4),
        _int(ev.SLOT_SIZE, 4),
        _int(os.getpid(), 4),
        _int(time.monotonic_ns(), 8),
        _int(time.time_ns(), 8),
        _int(0, 8),  # end_ns
        _int(0, 8),  # lost
        _int(ev.RUNNING, 4),
        _int(len(text), 4),
    )
    header = b"".join(fields).ljust(ev.META_OFFSET, b"\0") + text
    if os.write(fd, header.ljust(size, b"\0")) != size:
        raise OSError("the header could not be written whole")
    return size


def metadata(core: str, core_reason: str, settings: "Settings") -> list[tuple[str, str]]:
    """The metadata about this process."""
    try:
        cwd = os.getcwd()
    except OSError:  # removed under the process
        cwd = ""
    return [
        ("version", __version__),
        ("python", ".".join(str(part) for part in sys.version_info[:3])),
        ("implementation", sys.implementation.name),
        ("executable", sys.executable or ""),
        *[("argv", word) for word in sys.orig_argv if settings.argv],
        ("cwd", cwd),
        ("prefix", sys.prefix),
        ("base_prefix", sys.base_prefix),
        ("stdlib", stdlib()),
        *[("site", path) for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")],
        ("platform", sys.platform),
        ("pid", str(os.getpid())),
        ("ppid", str(os.getppid())),
        ("core", core),
        ("core_reason", core_reason),
        ("max_size", str(settings.max_size)),
        *[("source", name) for name in SOURCES if name not in settings.without],
        ("slow_poll_ms", f"{settings.slow_poll_ms:g}"),
        ("calls", str(int(settings.callees))),
        ("detail", settings.detail),
        *([("run", settings.run)] if settings.run else []),
        *[("tag", name) for name in settings.tags],
    ]


def stdlib() -> str:
    """The directory of the standard library."""
    return os.path.dirname(os.__file__)


def log(path: str, text: str) -> None:
    """Add a line to this log, the only place where the tracer reports errors."""
    append(path, f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}")


def append(path: str, line: str) -> None:
    """Add a line to this file, which is made when first needed."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | OPEN_FLAGS | _OURS, 0o600)
        try:
            os.write(fd, f"{line}\n".encode(errors="replace"))
        finally:
            os.close(fd)
    except OSError:
        pass  # the log is the last resort


def _line(key: str, value: str) -> bytes:
    for char, escape in ("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"):
        value = value.replace(char, escape)
    return f"{key}\t{value}\n".encode("utf-8", "surrogateescape")


def _int(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")
