"""The processes of a run, as their recordings appear, and which of them is looked at.

Knows which recordings are of one run.  One that is not looked at is not read meanwhile: it catches up when it is.
"""

import time
from collections.abc import Collection
from pathlib import Path

from ..errors import UserError
from ..recording import closing
from ..recording.header import Head, head
from .follow import Follower

LOOK_SECONDS = 0.5  # between two looks into the folder


class Processes:
    """Followers, one for each process that was looked at; the first is that which the view began with."""

    def __init__(self, path: Path, replay: bool = False, alone: bool = False, pids: Collection[int] = ()) -> None:
        """UserError: it can't be read.  ``alone``: no others of its run, else those of these pids (none: all)."""
        self.first = self.current = Follower(path, replay)
        self._replay, self._pids = replay, frozenset(pids)
        recording = self.first.recording
        own = Head(recording.path, recording.header, recording.meta)
        self._run = "" if alone else own.run
        self._known: dict[Path, Head | None] = {path: own}  # None: of another run
        self._open = {path: self.first}
        self._next = 0.0

    def close(self) -> None:
        for follower in self._open.values():
            follower.close()

    @property
    def title(self) -> str:
        """The command line of the process that is looked at."""
        return " ".join(self.current.recording.meta.get("argv", ())[1:])

    @property
    def whole(self) -> Path:
        """What the reports are of: the recording, or the folder of a run of several."""
        path = self.first.recording.path
        return path.parent if len(self.there()) > 1 and not self._pids else path

    def there(self) -> list[Head]:
        """The run's recordings, in the order in which they began."""
        found = [one for one in self._known.values() if one is not None]
        return sorted(found, key=lambda one: (one.header.start_ns, one.path))

    @property
    def place(self) -> tuple[int, int, int]:
        """(number of the current one, from 1; how many there are; its pid)."""
        there = self.there()
        at = [one.path for one in there].index(self.current.recording.path)
        return at + 1, len(there), there[at].header.pid

    def look(self) -> None:
        """For new ones."""
        now = time.monotonic()
        if not self._run or now < self._next:
            return
        self._next = now + LOOK_SECONDS
        for path in closing.recordings(self.first.recording.path.parent) - self._known.keys():
            try:
                one = head(path)
            except UserError:
                continue  # it has just begun
            wanted = one.run == self._run and (not self._pids or one.header.pid in self._pids)
            self._known[path] = one if wanted else None

    def turn(self, by: int) -> str:
        """To the next one, or that before; what to tell the user, "": nothing."""
        there = [one.path for one in self.there()]
        path = there[(there.index(self.current.recording.path) + by) % len(there)]
        try:
            follower = self._open.get(path) or Follower(path, self._replay)
        except UserError as exc:
            return exc.message
        self._open[path] = follower
        follower.resume_at(self.current)
        self.current = follower
        return ""
