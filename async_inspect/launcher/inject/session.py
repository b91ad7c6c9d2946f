"""A recorder put into a process that runs already, and taken out again.

Knows the conversation: a line of Python is run there (``call``, or ``remote`` where a debugger is in the way), and an
answer comes in a file.  Knows nothing of what is recorded.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from async_inspect.errors import UserError
from async_inspect.launcher import corebuild, interpreter
from async_inspect.launcher.inject import call, process, remote
from async_inspect.launcher.inject.place import Place
from async_inspect.launcher.inject.process import Process
from async_inspect.launcher.inject.ptrace import DiedError
from async_inspect.launcher.target import environment
from async_inspect.support import processes
from async_inspect.tracer import Settings, env

INSIDE = Path(__file__).with_name("inside.py")
PATIENCE_SECONDS = 60.0
LATE_SECONDS = 2.0
REMIND_EVERY = 25  # looks for an answer
REMOTE = (3, 14)  # from here on Python has a way in of its own
_END = b"\0\n"


class Session:
    """One process that we record."""

    def __init__(
        self, one: Process, place: Place, tell: Callable[[str], None], given_up: Callable[[], bool] = lambda: False
    ) -> None:
        """``tell`` hears what takes long; ``given_up``: whether nobody waits for the start any more."""
        self.process, self.place = one, place
        self._given_up = given_up
        self.recording: Path | None = None
        self._tell = tell
        self._inside = ""  # the recording's path, as the process knows it
        self._began = processes.began(one.pid)
        self._by = f"{os.getpid()}:{processes.began(os.getpid())}"

    def start(self, settings: Settings, core: str) -> Path:
        """Record; where to.  UserError: it can't be, and why; then nothing is changed there."""
        asked = environment({}, self.place.inside, settings)
        del asked["PYTHONPATH"]
        asked |= self._core(core)
        asked[env.ONLY] = str(self.process.pid)  # nobody would end the recordings of what it forks
        asked |= {"do": "start", "package": self.place.package, "by": self._by}
        said = self._ask(asked)
        if said[0] == "recorded" and self._is_orphan(said[2]):
            self._ask({"do": "stop", "recording": said[1]})
            said = self._ask(asked)
        if said[0] == "recorded":
            raise UserError(
                f"{self.process.name} is being recorded already, into {said[1]}:"
                f" to watch it, async-inspect monitor {said[1]}"
            )
        if said[0] != "started":
            raise UserError(f"{self.process.name} can't be recorded: {said[-1] or said[1]}")
        self._inside = said[1]
        self.recording = self.place.outside / os.path.basename(self._inside)
        return self.recording

    def stop(self) -> None:
        """Leave it as it was.  UserError: that can't be done now."""
        if self.is_there():
            said = self._ask({"do": "stop", "recording": self._inside})
            if said[0] != "stopped":
                raise UserError(f"{self.process.name} would not let the recorder go: {said[-1]}")

    def is_there(self) -> bool:
        """Whether it still runs."""
        return processes.began(self.process.pid) == self._began and process.state(self.process.pid) not in "ZX"

    def _core(self, core: str) -> dict[str, str]:
        """What the process must be told of C cores."""
        told = {env.CORE: core} if core else {}
        if self.place.copied:
            return told
        one = self.process
        found = corebuild.prepare(interpreter.unasked(one.exe, one.version, one.suffix, one.library), core)
        if found.refused:
            self._tell(f"{found.reason}; the Python core records meanwhile")
        return told | found.variables()

    def _is_orphan(self, by: str) -> bool:
        """Whether it is recorded by somebody who attached to it and is gone."""
        pid, _, began = by.partition(":")
        return pid.isdecimal() and processes.began(int(pid)) != began

    def _ask(self, asked: dict[str, str]) -> list[str]:
        """Have it do something; what it says to that."""
        with self.place.answer() as (fd, inside):
            source = INSIDE.read_text(encoding="utf-8")
            names = {"__name__": "_async_inspect", "ASKED": {**asked, "answer": inside}}
            # A thread of its own, so that no signal's handler, which may raise, runs amid what is ours.
            line = f"__import__('_thread').start_new_thread(exec, ({source!r}, {names!r}))\n"
            try:
                return self._said(fd, line)
            except DiedError:
                raise UserError(f"{self.process.name} is gone") from None
            except OSError as exc:
                reason = exc.strerror or exc
                raise UserError(
                    f"{self.process.name} may not be attached to: {reason}{process.why_not_allowed()}"
                ) from None

    def _said(self, fd: int, line: str) -> list[str]:
        """Have it run this line, the one way or the other; the answer."""
        one = self.process
        state = process.state(one.pid)
        if state in process.STATES:
            raise UserError(f"process {one.pid} is {process.STATES[state].format(pid=one.pid)}")
        tracer = process.traced_by(one.pid)
        if not tracer:
            return self._answer(fd, call.Asked(one, line).remind)
        if one.version < REMOTE:
            raise UserError(f"process {one.pid} is held by another debugger (process {tracer})")
        with self.place.script(line) as script, remote.Asked(one, script) as wanted:
            return self._answer(fd, wanted.remind)

    def _answer(self, fd: int, remind: Callable[[], None]) -> list[str]:
        began, told = time.monotonic(), False
        while True:
            for _ in range(REMIND_EVERY):
                data = os.pread(fd, 1 << 16, 0)
                if data.endswith(_END):
                    return data.removesuffix(_END).decode("utf-8", "surrogateescape").split("\0")
                time.sleep(0.002)
            if not self.is_there():
                raise DiedError
            remind()
            if self.recording is None and self._given_up():
                raise UserError(f"given up before {self.process.name} could be recorded")
            waited = time.monotonic() - began
            if waited > LATE_SECONDS and not told:
                self._tell(f"waiting for {self.process.name}: its main thread is busy with something that is no Python")
                told = True
            if waited > PATIENCE_SECONDS:
                raise UserError(f"{self.process.name} did not come back to Python in {PATIENCE_SECONDS:.0f} s")
