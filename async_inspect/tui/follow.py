"""Following a recording: its new records go into the live model, a bounded number at a time; or a replay of a finished
one, at any speed.

Knows: what time it is in the recording, and whether its program still runs.  Knows nothing of terminals.
"""

import os
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import events as ev
from ..model.live import LiveModel
from ..model.live.state import PIECE
from ..recording.reader import Recording
from ..recording.slots import Slots
from ..support.settings import Rule

AT_A_TIME_SECONDS = 0.05


class Follower:
    """A recording and its live state."""

    def __init__(self, path: Path, replay: bool = False, rules: Sequence[Rule] = ()) -> None:
        """UserError: it can't be read.  ``replay``: from its beginning, as fast as it went then.  ``rules``: the user's
        own, for reasons."""
        self.recording = Recording(path, at_most=PIECE)
        self.live = LiveModel(self.recording, rules)
        self.replaying = replay
        self.over = False  # the host has said that the program has ended
        self._waiting: deque[Slots] = deque()  # read, but not fed to the live model yet
        self._enqueue(self.recording.chunks)
        self._position = 0.0  # of a replay, ns since its beginning
        self._last = time.monotonic_ns()
        self._now = 0

    def close(self) -> None:
        self.recording.close()

    @property
    def running(self) -> bool:
        """Whether the program is still there to record more."""
        header = self.recording.header
        if self.over or self.replaying or header.state != ev.RUNNING or header.start_ns > time.monotonic_ns():
            return False
        if os.name != "posix":
            return True  # there os.kill(pid, 0) would end the process
        try:
            os.kill(header.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True

    @property
    def behind(self) -> int:
        """Records that the file has, and that are not shown yet."""
        return 0 if self.replaying else self._left

    @property
    def _left(self) -> int:
        """Records that are not fed yet."""
        return sum(len(slots) for slots in self._waiting) + self.recording.unread

    @property
    def now(self) -> int:
        """The moment that is shown, on the recording's clock."""
        return self._now

    def step(self, speed: float = 1.0) -> None:
        """Read and feed what there is to the live model, for AT_A_TIME_SECONDS at most, and little more than is fed: so
        a recording is never in memory, however far behind this is."""
        began = time.monotonic_ns()
        self._position += (began - self._last) * speed
        self._last = began
        until = self.live.base + int(self._position)
        while self._waiting or self._read():
            piece = self._waiting.popleft()
            if self.replaying and (ready := _until(piece, until)) < len(piece):
                self._waiting.appendleft(piece[ready:])
                if ready:
                    self.live.feed(piece[:ready])
                break
            self.live.feed(piece)
            if time.monotonic_ns() - began > AT_A_TIME_SECONDS * 1e9:
                break
        if self.replaying:
            self._now = until if self._left else min(until, self.live.end)
        elif self._left or not self.running or self.live.broken_off:
            self._now = self.live.end
        else:
            self._now = max(time.monotonic_ns(), self.live.end)

    def resume_at(self, other: "Follower") -> None:
        """Continue at the other follower's moment (a replay), or now."""
        self._last = time.monotonic_ns()
        self._position = other.live.base + other._position - self.live.base

    def stand_still(self) -> None:
        """Feed nothing for now: a replay does not move on."""
        self._last = time.monotonic_ns()

    def _read(self) -> bool:
        """Read on; whether there was anything.  A replay is of what there was when it began."""
        if not self.replaying or self.recording.unread:
            self._enqueue(self.recording.refresh())
        return len(self._waiting) > 0

    def _enqueue(self, chunks: list[Slots]) -> None:
        for slots in chunks:
            self._waiting += (slots[begin : begin + PIECE] for begin in range(0, len(slots), PIECE))
        self.recording.chunks, self.recording.points = [], []  # not needed again


def _until(slots: Slots, moment: int) -> int:
    """How many of these were there at a moment."""
    times = np.maximum.accumulate(slots["ts"].astype(np.int64) * (slots["kind"] >= ev.FIRST_EVENT))
    return int(np.searchsorted(times, moment, side="right"))
