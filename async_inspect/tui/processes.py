"""The processes of a run, as their recordings appear, and which of them is shown.

Knows which recordings are of one run.  Only the one that is shown is read; the others catch up when they are.
"""

import time
from collections.abc import Collection, Sequence
from pathlib import Path

from ..errors import UserError
from ..recording import closing
from ..recording.header import Head, head
from ..support.settings import Rule
from .follow import Follower

SCAN_SECONDS = 0.5  # between two scans of the folder


class Processes:
    """Followers, one for each process that was shown; ``first`` is the one that the view began with."""

    def __init__(
        self,
        path: Path,
        replay: bool = False,
        alone: bool = False,
        pids: Collection[int] = (),
        rules: Sequence[Rule] = (),
    ) -> None:
        """UserError: it can't be read.  ``alone``: no others of its run, else those of these pids (none: all).
        ``rules``: the user's own, for reasons."""
        self.first = self.current = Follower(path, replay, rules)
        self._replay, self._pids, self._rules = replay, frozenset(pids), rules
        recording = self.first.recording
        head_ = Head(recording.path, recording.header, recording.meta)
        self._run = "" if alone else head_.run
        self._known: dict[Path, Head | None] = {path: head_}  # None: of another run
        self._open = {path: self.first}
        self._next = 0.0

    def close(self) -> None:
        for follower in self._open.values():
            follower.close()

    @property
    def title(self) -> str:
        """The command line of the process that is shown."""
        return " ".join(self.current.recording.meta.get("argv", ())[1:])

    @property
    def whole(self) -> Path:
        """The recording to make reports of, or its folder where the run has several."""
        path = self.first.recording.path
        return path.parent if len(self.recordings()) > 1 and not self._pids else path

    def recordings(self) -> list[Head]:
        """The run's recordings, in the order in which they began."""
        found = [one for one in self._known.values() if one is not None]
        return sorted(found, key=lambda one: (one.header.start_ns, one.path))

    @property
    def place(self) -> tuple[int, int, int]:
        """(number of the current one, from 1; how many there are; its pid)."""
        recordings = self.recordings()
        at = [one.path for one in recordings].index(self.current.recording.path)
        return at + 1, len(recordings), recordings[at].header.pid

    def scan_folder(self) -> None:
        """Look for new recordings of this run, at most every SCAN_SECONDS."""
        now = time.monotonic()
        if not self._run or now < self._next:
            return
        self._next = now + SCAN_SECONDS
        for path in closing.recordings(self.first.recording.path.parent) - self._known.keys():
            try:
                one = head(path)
            except UserError:
                continue  # it has just begun
            wanted = one.run == self._run and (not self._pids or one.header.pid in self._pids)
            self._known[path] = one if wanted else None

    def turn(self, by: int) -> str:
        """Show the process ``by`` further on; an error message, or ""."""
        recordings = [one.path for one in self.recordings()]
        path = recordings[(recordings.index(self.current.recording.path) + by) % len(recordings)]
        try:
            follower = self._open.get(path) or Follower(path, self._replay, self._rules)
        except UserError as exc:
            return exc.message
        self._open[path] = follower
        follower.resume_at(self.current)
        self.current = follower
        return ""
