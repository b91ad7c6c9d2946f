"""The real programs that read our files: where they are on this machine, and how to hear what they say.

What is missing is skipped (``.ci/run`` installs all of it).
"""

import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .tools import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

FLAMEGRAPH = Path("/usr/share/perl5/Devel/NYTProf/flamegraph.pl")  # Debian: libdevel-nytprof-perl
# Nothing but loopback has a name: a page that needs more than it brings fails.
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]  # fmt: skip

PACKAGES = {"go": "golang-go", "node": "nodejs"}  # Debian's, where they have another name than their program


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (Debian: {PACKAGES.get(name, name)})")
    return path


def flamegraph() -> list[str]:
    if not FLAMEGRAPH.exists():
        pytest.skip("flamegraph.pl is not installed (Debian: libdevel-nytprof-perl)")
    return [program("perl"), str(FLAMEGRAPH)]


def pprof() -> list[str]:
    """``go tool pprof`` (Debian: golang-go), whose settings and files go to TMPDIR."""
    return [program("go"), "tool", "pprof"]


def speedscope() -> Path:
    """The folder of Speedscope's release: its app, and the JSON Schema of its file format."""
    folder = Path(os.environ.get("NPM_DIR", ROOT / ".cache" / "npm")) / "node_modules/speedscope/dist/release"
    if not folder.is_dir():
        pytest.skip("speedscope is not installed (npm install --prefix .cache/npm speedscope@1.25.0)")
    return folder


def npm_module(name: str, version: str) -> Path:
    """A package's folder; ``.ci/run`` installs it."""
    folder = Path(os.environ.get("NPM_DIR", ROOT / ".cache" / "npm")) / "node_modules" / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not installed (npm install --ignore-scripts --prefix .cache/npm {name}@{version})")
    return folder


@contextlib.contextmanager
def firefox_profiler(profile: Path, home: Path) -> Iterator[Callable[..., Any]]:
    """Mozilla's profiler-cli with a profile loaded: a question is its words, the answer is what it says as JSON.

    It answers from a daemon, which has half a second to start when it starts it itself, and which may ignore all but
    SIGKILL: so it is our child.
    """
    script = npm_module("@firefox-devtools/profiler-cli", "0.10.0") / "dist" / "profiler-cli.js"
    tool, session = [program("node"), str(script)], ["--session", "test"]
    environ = {**os.environ, "HOME": str(home), "PROFILER_CLI_SESSION_DIR": str(home)}

    def asked(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*tool, *words, *session, "--json"]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    def ask(*words: str) -> Any:
        done = asked(*words)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return json.loads(done.stdout)

    home.mkdir()
    with subprocess.Popen(
        [*tool, "--daemon", str(profile), *session], env=environ, stdout=subprocess.DEVNULL
    ) as daemon:
        try:
            until = time.monotonic() + 60
            # A client that comes before the socket takes the session for a dead one, and its files away.
            while (
                not all((home / f"test.{end}").exists() for end in ("json", "sock"))
                or asked("thread", "list").returncode
            ):
                assert daemon.poll() is None, "the profile can't be loaded"
                assert time.monotonic() < until, asked("thread", "list").stderr
                time.sleep(0.2)
            yield ask
        finally:
            daemon.kill()


@contextlib.contextmanager
def chromium() -> Iterator["BrowserContext"]:
    """Debian's Chromium, headless, driven by playwright."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = program("chromium")
    with sync_api.sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=path, headless=True, args=CHROMIUM_FLAGS, accept_downloads=True
        )
        try:
            yield context
        finally:
            context.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """A folder over loopback; its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
