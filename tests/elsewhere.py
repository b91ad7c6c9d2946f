"""Makes a Python on Linux forget what other systems lack: run first, with ELSEWHERE=windows or macos.

Knows only what can be taken away: what our own modules import, ``os`` and ``signal`` by name, ``/proc``.  Separators,
text encodings and how processes are made stay Linux's: passing here is no proof of anything there.
"""

import builtins
import os
import signal
import subprocess  # noqa: F401 - the standard library goes on with what it took when it was imported
import sys

SYSTEM = os.environ.get("ELSEWHERE", "")
MODULES = {
    "windows": ("fcntl", "termios", "pty", "tty", "resource", "pwd", "grp", "posix", "syslog"),
    "macos": ("posix_linux",),
}
IN_OS = {
    "windows": (
        "fork", "forkpty", "register_at_fork", "posix_fallocate", "pread", "pwrite", "preadv", "pwritev", "waitid",
        "pidfd_open", "pipe2", "openpty", "getuid", "geteuid", "getgid", "getegid", "setsid", "killpg", "getpgid",
        "O_CLOEXEC", "O_NONBLOCK", "O_NOFOLLOW", "O_NOCTTY", "sched_getaffinity", "sendfile", "memfd_create",
    ),
    "macos": ("posix_fallocate", "waitid", "pidfd_open", "pipe2", "sched_getaffinity", "memfd_create", "eventfd"),
}  # fmt: skip
IN_SIGNAL = {
    "windows": (
        "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGXFSZ", "SIGWINCH", "SIGCONT", "SIGTSTP", "SIGSTOP",
        "SIGTTOU", "SIGTTIN", "SIGCHLD", "SIGKILL", "pthread_sigmask", "sigwait", "sigtimedwait", "sigwaitinfo",
        "setitimer",
    ),
    "macos": ("SIGPWR", "SIGSTKFLT", "sigtimedwait", "sigwaitinfo"),
}  # fmt: skip
OURS = ("async_inspect", "_async_inspect")


def _forget() -> None:
    import_ = builtins.__import__
    readlink = os.readlink

    def find(name, globals=None, locals=None, fromlist=(), level=0):  # type: ignore[no-untyped-def]
        who = str((globals or {}).get("__name__", "")).partition(".")[0]
        if who in OURS and not level and name.partition(".")[0] in MODULES[SYSTEM]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return import_(name, globals, locals, fromlist, level)

    def refuse(event: str, args: tuple[object, ...]) -> None:
        if event == "open" and str(args[0]).startswith("/proc/"):
            raise FileNotFoundError(2, "No such file or directory", args[0])

    def no_link(path, **more):  # type: ignore[no-untyped-def]
        if str(path).startswith("/proc/"):
            raise FileNotFoundError(2, "No such file or directory", path)
        return readlink(path, **more)

    builtins.__import__ = find
    os.readlink = no_link
    sys.addaudithook(refuse)
    for module, names in (os, IN_OS[SYSTEM]), (signal, IN_SIGNAL[SYSTEM]):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)


if SYSTEM:
    _forget()
