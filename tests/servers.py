"""Real servers for tests, on loopback, each with a folder of its own; gone when the test is.

Knows: where Debian puts PostgreSQL's programs, and that they don't run as root.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from .tools import PATIENCE_S, wait_until


@contextmanager
def postgres() -> Iterator[int]:
    """The port of a PostgreSQL server whose user ``me`` needs no password."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    there = str(found[-1]) if found else shutil.which("postgres")
    if not there:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    programs = Path(there).resolve().parent
    with _folder() as (folder, user):
        made = [programs / "initdb", "-D", folder / "data", "-U", "me", "-A", "trust", "--no-sync"]
        subprocess.run([str(word) for word in made], check=True, stdout=subprocess.DEVNULL, cwd=folder, user=user)
        port = free_port()
        options = ("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off")
        server: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-p", str(port), *options]
        asked = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        with _running(server, folder, user, lambda: subprocess.run(asked, check=False).returncode == 0):
            yield port


@contextmanager
def redis(*options: str) -> Iterator[int]:
    """The port of a Redis server."""
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("Redis is not installed (Debian: redis-server)")
    with _folder() as (folder, user):
        port = free_port()
        where = ("--bind", "127.0.0.1", "--port", str(port), "--dir", folder)
        command: list[str | Path] = [program, *where, "--save", "", *options]
        with _running(command, folder, user, lambda: _listens(port)):
            yield port


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _folder() -> Iterator[tuple[Path, str | None]]:
    """A folder, and the user whose it is, if we may be someone else: not below pytest's own, which only root enters."""
    user = None
    with tempfile.TemporaryDirectory(prefix="server-") as name:
        if os.geteuid() == 0:
            users = {entry.pw_name for entry in pwd.getpwall()}
            user = "postgres" if "postgres" in users else "nobody"
            shutil.chown(name, user)
        yield Path(name), user


@contextmanager
def _running(
    command: Sequence[str | Path], folder: Path, user: str | None, ready: Callable[[], bool]
) -> Iterator[None]:
    log = folder / "log"
    with log.open("wb") as file:
        words = [str(word) for word in command]
        server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=folder, user=user)
    try:
        wait_until(lambda: ready() or server.poll() is not None, lambda: log.read_text(errors="replace"))
        assert server.poll() is None, f"{command[0]} ended: {log.read_text(errors='replace')}"
        yield
    finally:
        server.terminate()
        try:
            server.wait(1)  # "smart": it waits for its clients
        except subprocess.TimeoutExpired:
            server.send_signal(2)  # SIGINT is "fast"
            server.wait(PATIENCE_S)
