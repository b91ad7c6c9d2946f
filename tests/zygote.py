"""The tool without its start: one process has imported all of it, and forks for every command that a test runs.

Importing typer, rich, numpy and pydantic takes half a second of CPU, and hundreds of tests run the tool.  A fork gets
what a start would get: arguments, environment, folder, umask, stdin, stdout and stderr, signals as they were, no other
file, and it ends as an interpreter ends.  What is decided while Python starts or modules are imported can't be given
to it afterwards: such a command is started cold (``fits``).  ``test_zygote.py`` holds every command, and every way to
end, of the one kind against the other.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

# What a command may have another value of than the process that forks: these are read when they are needed.
READ_LATE = ("ASYNC_INSPECT_", "HOME", "PATH", "PYTEST_", "TMPDIR", "XDG_")
FITS_A_PIPE = 60_000  # bytes of input that are written before anybody reads
SERVE = "import sys; sys.path.insert(0, {root!r}); from tests import zygote; zygote.serve({fd})"
NOT_THE_TOOLS = ("async_inspect.__main__", "async_inspect.tracer.", "async_inspect.launcher.inject.inside")


class Zygote:
    """The process that forks, and the one that asks it: a test's.  One command at a time."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._socket, theirs = socket.socketpair()
        # One thread: a fork has no others, and would wait for what they held.
        alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE.format(root=str(root), fd=theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**environ, **alone},
            stdin=subprocess.PIPE,  # what these three are is asked at the start: pipes, as a fork's
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        theirs.close()
        self._replies = self._socket.makefile("rb")
        atexit.register(self.end)

    def fits(self, environ: Mapping[str, str], input: str) -> bool:
        """Whether a fork is what a start would be."""
        changed = dict(self._environ.items() ^ environ.items())
        return all(name.startswith(READ_LATE) for name in changed) and len(input.encode()) < FITS_A_PIPE

    def run(self, arguments: Sequence[str], cwd: Path, environ: Mapping[str, str], input: str) -> tuple[int, str, str]:
        """Run the tool to its end: its status as ``subprocess`` gives it, what it wrote to stdout and to stderr."""
        os.umask(mask := os.umask(0o22))
        request = {"arguments": arguments, "cwd": str(cwd), "environ": dict(environ), "umask": mask}
        (stdin, typed), (out, stdout), (err, stderr) = os.pipe(), os.pipe(), os.pipe()
        os.write(typed, input.encode())
        os.close(typed)
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(request).encode())
            file.seek(0)
            socket.send_fds(self._socket, [b"x"], [file.fileno(), stdin, stdout, stderr])
        for fd in stdin, stdout, stderr:
            os.close(fd)
        if not (answer := self._replies.readline()):
            raise RuntimeError(f"the tool did not start: {self._process.communicate()[1].decode()}")
        pid = int(answer)
        try:
            said = read_all(out, err)
            status = int(self._replies.readline())
        except BaseException:  # a test's time is over: what it started must not be the next one's
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            self.end()
            raise
        stdout_text, stderr_text = (text.decode().replace("\r\n", "\n") for text in said)
        return os.waitstatus_to_exitcode(status), stdout_text, stderr_text

    @property
    def alive(self) -> bool:
        """Whether there is somebody to ask."""
        return self._process.poll() is None and self._socket.fileno() >= 0

    def end(self) -> None:
        """Let it end, and wait for that."""
        atexit.unregister(self.end)
        self._replies.close()
        self._socket.close()
        self._process.wait()


def read_all(*fds: int) -> list[bytes]:
    """All that comes out of these pipes until nobody holds their other ends; closes them."""
    said = dict.fromkeys(fds, b"")
    try:
        left = list(fds)
        while left:
            for fd in select.select(left, [], [])[0]:
                data = os.read(fd, 1 << 16)
                said[fd] += data
                if not data:
                    left.remove(fd)
    finally:
        for fd in fds:
            os.close(fd)
    return list(said.values())


# --- the process that forks ------------------------------------------------------------------------------------------


def serve(fd: int) -> None:
    """Fork for every request, tell the fork's pid and how it ended; a fork returns from here as the tool at its end."""
    import_all()
    gc.collect()
    gc.freeze()  # the forks' collections leave alone what they share
    if len(os.listdir("/proc/self/task")) > 1:
        sys.exit("the tool's imports started a thread; what forks can't have any")
    with socket.socket(fileno=fd) as asked:
        while True:
            message, fds, _, _ = socket.recv_fds(asked, 1, 4)
            if not message:
                return
            if (pid := os.fork()) == 0:
                break
            for one in fds:
                os.close(one)
            asked.sendall(b"%d\n" % pid)
            asked.sendall(b"%d\n" % os.waitpid(pid, 0)[1])
    become(fds)


def import_all() -> None:
    """All that the tool may come to import, but for what runs in targets."""
    import async_inspect

    for module in pkgutil.walk_packages(async_inspect.__path__, "async_inspect."):
        if not module.name.startswith(NOT_THE_TOOLS):
            importlib.import_module(module.name)
    importlib.import_module("typer.rich_utils")


def become(fds: Sequence[int]) -> None:
    """In the fork: be the command that was asked for."""
    with open(fds[0], encoding="utf-8") as file:
        request = json.load(file)
    for number, fd in enumerate(fds[1:]):
        os.dup2(fd, number)
    os.closerange(3, 256)
    os.chdir(request["cwd"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.argv[1:] = request["arguments"]
    from async_inspect.cli.main import main

    main()
