"""Jobs that take long run as processes of their own: reports, and the checks over a whole recording.

Knows how to start the tool beside the view, and turns its output into lines.  One job of a kind at a time; the view
only polls.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Final

from ..model.finding import Finding, Severity
from ..terminal.findings import lines

STYLE_OF_SEVERITY: Final[dict[Severity, str]] = {"error": "bad", "warning": "warn", "hint": "dim"}
PACKAGE = Path(__file__).resolve().parent.parent
REST = 10  # the checks run a tenth of the time at most


class BackgroundCommand:
    """A command of this tool that runs beside the view."""

    def __init__(self, words: list[str]) -> None:
        self.began = time.monotonic()
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - until it is over
        path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(
            [sys.executable, "-P", *words],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            start_new_session=True,  # the terminal's Ctrl-C is not for it
        )

    def result(self) -> tuple[int, str, str] | None:
        """(status, output, errors) once it is over."""
        status = self._process.poll()
        return None if status is None else (status, _all(self._out), _all(self._err))

    def stop(self) -> None:
        self._process.terminate()  # it removes what it hasn't finished
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _all(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode("utf-8", "replace")


class Reports:
    """The reports, on demand."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._command: BackgroundCommand | None = None

    def start(self, recording: Path) -> str:
        """Start writing them; a message for the user."""
        if self._command is None:
            words = ["-m", "async_inspect", "report", str(recording), "-o", str(self._folder), "-q"]
            self._command = BackgroundCommand(words)
        return f"writing the reports to {self._folder} …"

    def poll(self) -> str:
        """A message for the user when they are done, once; "": nothing new."""
        done = self._command.result() if self._command else None
        if done is None:
            return ""
        self._command = None
        status, _, err = done
        return f"reports of now are in {self._folder}" if not status else f"no reports: {err.strip()[-200:]}"

    def stop(self) -> None:
        if self._command:
            self._command.stop()


def finding_lines(status: int, out: str, err: str) -> list[tuple[str, str]]:
    """The output of ``check --json`` as (text, style) lines, the worst first; its error, if it failed."""
    try:
        answer = json.loads(out)
        found, failed = [Finding.model_validate(one) for one in answer["findings"]], [*map(str, answer["failed"])]
    except (ValueError, TypeError, KeyError):  # it did not come to its end
        return [(" ".join(err.split())[-300:] or f"the checks ended with status {status}", "bad")]
    shown = []
    for one in found:
        head, *rest = lines(one)
        shown += [(head, STYLE_OF_SEVERITY[one.severity]), *((line, "dim") for line in rest)]
    return [*shown, *((line, "bad") for line in failed)] or [("nothing was found", "good")]


class Findings:
    """The findings of ``check``, which is run again and again while they are shown."""

    def __init__(self, recording: Path) -> None:
        self._recording = recording
        self._command: BackgroundCommand | None = None
        self._next = 0.0
        self.lines: list[tuple[str, str]] = [("the checks have not run yet", "dim")]
        self._age = 0.0

    def poll(self, wanted: bool) -> None:
        """Start the checks if they are due and ``wanted``; store their findings when they are done."""
        if self._command is None:
            if wanted and time.monotonic() >= self._next:
                self._command = BackgroundCommand(["-m", "async_inspect", "check", "--json", str(self._recording)])
            return
        done = self._command.result()
        if done is not None:
            duration = time.monotonic() - self._command.began
            self._next, self._age = time.monotonic() + duration * REST, self._command.began
            self._command = None
            self.lines = finding_lines(*done)

    @property
    def age(self) -> float:
        """Seconds since the checks' last run began; 0: they have not run."""
        return time.monotonic() - self._age if self._age else 0.0

    def stop(self) -> None:
        if self._command:
            self._command.stop()
