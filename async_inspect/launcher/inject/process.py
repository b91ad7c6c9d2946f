"""A process as /proc shows it: its user, its state, its Python; and why it can't be recorded, if so.

Knows /proc, and what forbids attaching.  Only reads: the process itself is not touched.
"""

import os
import platform
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from async_inspect.errors import UserError
from async_inspect.launcher.inject import elf
from async_inspect.launcher.interpreter import OLDEST

STATES = {
    "T": "stopped (Ctrl-Z, or a SIGSTOP); let it go on first: kill -CONT {pid}",
    "Z": "dead: a zombie whose parent hasn't asked for it",
    "X": "dead",
}
CAP_SYS_PTRACE = 19
_MAPPED = re.compile(r"(([0-9a-f]+)-\S+) \S+ ([0-9a-f]+) \S+ (\d+)\s+(/.*)")
# Where Python's functions may be; and libc's, one of which we call.
_LIBRARIES = re.compile(r"libpython|libc[.-]|ld-musl|libc\.musl")
_NEEDED = frozenset({
    "Py_AddPendingCall", "Py_IsInitialized", "Py_Version", "PyGILState_Check", "PyGILState_Ensure",
    "PyGILState_GetThisThreadState", "PyGILState_Release", "PyInterpreterState_Main", "PyRun_SimpleString",
    "_PyEval_AddPendingCall", "_PyRuntime", "_Py_DecRefShared", "mmap", "munmap",
})  # fmt: skip
_OPTIONAL = {"_Py_DecRefShared"}  # builds


class _Mapped(NamedTuple):
    """A file as it is mapped."""

    base: int  # where it begins in the process
    range: str  # its first mapping, as the kernel calls it
    inode: int


@dataclass(frozen=True)
class Process:
    """A process that runs a Python which can be recorded."""

    pid: int
    exe: str  # as the process sees it
    uid: int  # of its effective user
    gid: int
    symbols: dict[str, int]  # addresses in it
    version: tuple[int, int, int]
    musl: bool
    library: str = ""  # the libpython that it has mapped, as it sees it; "": Python is in its executable

    @property
    def same_files(self) -> bool:
        """Whether a path means the same file to it and to us (same root, same mount namespace)."""
        return _identity(f"/proc/{self.pid}/root/") == _identity("/proc/self/root/") and (
            _namespace(self.pid) == _namespace("self")
        )

    @property
    def suffix(self) -> str:
        """Of the extension modules that fit it, unless it is a debug build."""
        major, minor, _ = self.version
        return f".cpython-{major}{minor}-{os.uname().machine}-linux-{'musl' if self.musl else 'gnu'}.so"

    @property
    def name(self) -> str:
        return f"process {self.pid}"


def inspect(pid: int) -> Process:
    """The process with this pid.  UserError: it can't be recorded, and why."""
    status = _status(pid)
    if status["Tgid"] != str(pid):
        raise UserError(f"{pid} is a thread of process {status['Tgid']}: name that")
    if (now := status["State"][:1]) in STATES:
        raise UserError(f"process {pid} is {STATES[now].format(pid=pid)}")
    if pid == os.getpid():
        raise UserError(f"process {pid} is this tool itself")
    uid, gid = int(status["Uid"].split()[1]), int(status["Gid"].split()[1])
    privileged = has_capability(CAP_SYS_PTRACE)
    if uid != os.geteuid() and not privileged:
        raise UserError(f"process {pid} is another user's (uid {uid}): attach as that user, or as root")
    try:
        exe = os.readlink(f"/proc/{pid}/exe")
        mapped = _mapped(pid)
    except FileNotFoundError:
        raise UserError(f"process {pid} is no program, but a part of the kernel, or has just ended") from None
    except OSError as exc:
        raise UserError(f"process {pid} may not be looked into: {exc.strerror}{why_not_allowed()}") from None
    _check_machine(pid)
    symbols = _symbols(pid, exe, mapped)
    version = _version(pid, symbols)
    if missing := _NEEDED - _OPTIONAL - symbols.keys():
        raise UserError(f"process {pid} hides what is needed of it: {', '.join(sorted(missing))}")
    musl = any("musl" in os.path.basename(path) for path in mapped)
    library = next((path for path in mapped if "libpython" in os.path.basename(path)), "")
    return Process(pid, exe, uid, gid, symbols, version, musl, library)


def state(pid: int) -> str:
    """R, S, T …: one letter, as the kernel says; X: there is no such process."""
    try:
        return _status(pid)["State"][:1]
    except UserError:
        return "X"


def traced_by(pid: int) -> int:
    """The pid of the debugger that traces it, or 0."""
    return int(_status(pid)["TracerPid"])


def command(pid: int) -> str:
    """Its command line, as one text."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return str(pid)
    return " ".join(os.fsdecode(word) for word in words if word) or str(pid)


def has_capability(number: int) -> bool:
    """Whether we ourselves have this capability."""
    return bool(int(_status(os.getpid())["CapEff"], 16) >> number & 1)


def why_not_allowed() -> str:
    """What to do where the kernel forbids tracing a process, as a phrase to append to its error."""
    try:
        scope = int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text(encoding="ascii"))
    except (OSError, ValueError):
        scope = 0
    if scope == 3:
        return "; kernel.yama.ptrace_scope is 3, which forbids it to everybody until the next boot"
    if has_capability(CAP_SYS_PTRACE):
        return "; it, or what it belongs to, is protected from that"
    root = "as root" if os.geteuid() else "with CAP_SYS_PTRACE"
    if scope:
        return (
            f"; kernel.yama.ptrace_scope is {scope}, so that takes CAP_SYS_PTRACE: attach {root}"
            " (a container: --cap-add=SYS_PTRACE), or set it to 0"
        )
    return f"; that takes CAP_SYS_PTRACE: attach {root} (a container: --cap-add=SYS_PTRACE)"


def read_memory(pid: int, address: int, size: int) -> bytes:
    """``size`` bytes of its memory.  OSError: they can't be read."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(size)


def _version(pid: int, symbols: dict[str, int]) -> tuple[int, int, int]:
    if "Py_IsInitialized" not in symbols:
        raise UserError(f"process {pid} is no Python, or one that hides its functions")
    oldest = ".".join(map(str, OLDEST))
    if "Py_Version" not in symbols:  # came with 3.11
        raise UserError(f"process {pid} runs a Python older than {oldest}, which can't be recorded")
    try:
        packed = struct.unpack("<Q", read_memory(pid, symbols["Py_Version"], 8))[0]
    except OSError as exc:
        raise UserError(f"process {pid} may not be looked into: {exc.strerror}{why_not_allowed()}") from None
    version = packed >> 24 & 255, packed >> 16 & 255, packed >> 8 & 255
    if version < OLDEST:
        raise UserError(
            f"process {pid} runs Python {'.'.join(map(str, version))}; only {oldest} and newer can be recorded"
        )
    if "_Py_DecRefShared" in symbols:  # only there without a GIL
        raise UserError(f"process {pid} runs a free-threaded Python, into which there is no safe way")
    return version


def _check_machine(pid: int) -> None:
    with open(f"/proc/{pid}/exe", "rb") as file:
        its = elf.machine(file.read(20))
    with open("/proc/self/exe", "rb") as file:
        ours = elf.machine(file.read(20))
    if its != ours:
        raise UserError(f"process {pid} is of another architecture ({its}) than this tool's Python ({ours})")
    if ours not in {"x86-64", "aarch64"}:
        raise UserError(f"attaching to a process works on x86-64 and aarch64, not on {platform.machine()}")


def _status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except (OSError, OverflowError):
        raise UserError(f"there is no process {pid}") from None
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def _mapped(pid: int) -> dict[str, _Mapped]:
    """Each file that is mapped."""
    found: dict[str, _Mapped] = {}
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        match = _MAPPED.match(line)
        if match:
            one = _Mapped(int(match[2], 16) - int(match[3], 16), match[1], int(match[4]))
            found.setdefault(match[5], one)
    return found


def _symbols(pid: int, exe: str, mapped: dict[str, _Mapped]) -> dict[str, int]:
    """The addresses of what is wanted, as far as it is there."""
    found: dict[str, int] = {}
    for path, one in mapped.items():
        if path == exe or _LIBRARIES.search(os.path.basename(path)):
            file = f"/proc/{pid}/exe" if path == exe else _file_of(pid, path, one)
            found = elf.symbols(file, one.base, _NEEDED) | found
    return found


def _file_of(pid: int, path: str, one: _Mapped) -> str:
    """Where to read a mapped file: by its path as the process sees it, if that is still the same file.

    Else by the mapping itself, which needs privileges.  (An overlay file system, as containers have, reports another
    inode for the same file.)
    """
    by_path, by_range = f"/proc/{pid}/root{path}", f"/proc/{pid}/map_files/{one.range}"
    try:
        same = os.stat(by_path).st_ino == one.inode
    except OSError:
        same = False
    return by_path if same or not os.access(by_range, os.R_OK) else by_range


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _namespace(pid: int | str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")
    except OSError:
        return ""
