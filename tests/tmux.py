"""A terminal with somebody at it: tmux, driven by keys and looked at as text."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from .tools import wait_until


class Tmux:
    """One terminal; a context.  Its own server, so that nobody's settings are in the way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._call("kill-server", check=False)

    def _call(self, *words: str, check: bool = True) -> str:
        done = subprocess.run([*self._tmux, *words], capture_output=True, text=True, check=check)
        return done.stdout

    def start(
        self, command: Sequence[str | Path], width: int = 80, height: int = 24, env: Mapping[str, str] | None = None
    ) -> None:
        """Run a command as from a shell, which then says its status and what the terminal's settings are."""
        variables = {"XDG_STATE_HOME": str(self._folder / "state"), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        words = [*(f"{key}={value}" for key, value in variables.items()), *map(str, command)]
        lines = [
            "trap : INT",
            "stty -g > before",
            f"env {shlex.join(words)}",
            "echo STATUS $?.",
            "stty -g > after",
            "echo DONE.",
            "sleep 3600",
        ]
        script = self._folder / "script.sh"
        script.write_text("\n".join(lines) + "\n")
        size = ("-x", str(width), "-y", str(height))
        clean = {
            key: value for key, value in os.environ.items() if not key.startswith(("ASYNC_INSPECT_", "VIRTUAL_ENV"))
        }
        words = [*self._tmux, "new-session", "-d", *size, "-c", str(self._folder), f"sh {script}"]
        subprocess.run(words, check=True, env=clean, cwd=self._folder)

    def keys(self, *names: str) -> None:
        """By tmux's names: q, Enter, Tab, C-c …"""
        self._call("send-keys", *names)

    def resize(self, width: int, height: int) -> None:
        self._call("resize-window", "-x", str(width), "-y", str(height))

    def screen(self) -> str:
        return self._call("capture-pane", "-p")

    @property
    def other_screen(self) -> bool:
        return self._call("display-message", "-p", "#{alternate_on}").strip() == "1"

    def until(self, text: str) -> str:
        """The screen, once it shows this."""

        def shown() -> str:
            return screen if text in (screen := self.screen()) else ""

        return wait_until(shown, lambda: f"{text!r} on\n{self.screen()}")

    def ended(self) -> int:
        """The command's status; the terminal is as it was."""
        shown = self.until("DONE.")
        assert not self.other_screen
        assert (self._folder / "before").read_text() == (self._folder / "after").read_text()
        assert self._call("display-message", "-p", "#{cursor_flag}").strip() == "1"
        return int(shown.rpartition("STATUS ")[2].split(".")[0])
