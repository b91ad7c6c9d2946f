"""A session with a process that runs already: start the recorder in it, and stop it again.

Knows the protocol: a line of Python is run there (``call``, or ``remote`` where a debugger holds the process), and the
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
from async_inspect.tracer import env
from async_inspect.tracer.settings import Settings

INSIDE = Path(__file__).with_name("inside.py")
PATIENCE_SECONDS = 60.0
LATE_SECONDS = 2.0
RETRY_EVERY = 25  # times that the answer was looked for
REMOTE = (3, 14)  # from here on Python has a way in of its own
_END = b"\0\n"


class Session:
    """One process that we record."""

    def __init__(
        self, one: Process, place: Place, tell: Callable[[str], None], cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        """``tell`` is called with a line when something takes long; ``cancelled``: whether the user has given up."""
        self.process, self.place = one, place
        self._cancelled = cancelled
        self.recording: Path | None = None
        self._tell = tell
        self._inside = ""  # the recording's path, as the process knows it
        self._began = processes.began(one.pid)
        self._by = f"{os.getpid()}:{processes.began(os.getpid())}"

    def start(self, settings: Settings, core: str) -> Path:
        """Start recording; the recording's path.  UserError: it can't be recorded; then nothing is changed there."""
        request = environment({}, self.place.inside, settings)
        del request["PYTHONPATH"]
        request |= self._core(core)
        request[env.ONLY] = str(self.process.pid)  # nobody would close the recordings of processes that it forks
        request |= {"do": "start", "package": self.place.package, "by": self._by}
        answer = self._request(request)
        if answer[0] == "recorded" and self._is_orphan(answer[2]):
            self._request({"do": "stop", "recording": answer[1]})
            answer = self._request(request)
        if answer[0] == "recorded":
            raise UserError(
                f"{self.process.name} is being recorded already, into {answer[1]}:"
                f" to watch it, async-inspect monitor {answer[1]}"
            )
        if answer[0] != "started":
            raise UserError(f"{self.process.name} can't be recorded: {answer[-1] or answer[1]}")
        self._inside = answer[1]
        self.recording = self.place.outside / os.path.basename(self._inside)
        return self.recording

    def stop(self) -> None:
        """Stop recording and leave the process as it was.  UserError: that can't be done now."""
        if self.is_alive():
            answer = self._request({"do": "stop", "recording": self._inside})
            if answer[0] != "stopped":
                raise UserError(f"{self.process.name} would not let the recorder go: {answer[-1]}")

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return processes.began(self.process.pid) == self._began and process.state(self.process.pid) not in "ZX"

    def _core(self, core: str) -> dict[str, str]:
        """The variables by which the process finds a C core."""
        environ = {env.CORE: core} if core else {}
        if self.place.copied:
            return environ
        one = self.process
        found = corebuild.prepare(interpreter.of_running(one.exe, one.version, one.suffix, one.library), core)
        if found.refused:
            self._tell(f"{found.reason}; the Python core records meanwhile")
        return environ | found.variables()

    def _is_orphan(self, by: str) -> bool:
        """Whether the tool that started its recording, "pid:start time", is gone."""
        pid, _, began = by.partition(":")
        return pid.isdecimal() and processes.began(int(pid)) != began

    def _request(self, request: dict[str, str]) -> list[str]:
        """Run ``inside.py`` there with this request; its answer."""
        with self.place.answer() as (fd, inside):
            source = INSIDE.read_text(encoding="utf-8")
            names = {"__name__": "_async_inspect", "REQUEST": {**request, "answer": inside}}
            # A thread of its own, so that no signal's handler, which may raise, runs amid what is ours.
            line = f"__import__('_thread').start_new_thread(exec, ({source!r}, {names!r}))\n"
            try:
                return self._send(fd, line)
            except DiedError:
                raise UserError(f"{self.process.name} is gone") from None
            except OSError as exc:
                reason = exc.strerror or exc
                raise UserError(
                    f"{self.process.name} may not be attached to: {reason}{process.why_not_allowed()}"
                ) from None

    def _send(self, fd: int, line: str) -> list[str]:
        """Have it run this line, by ``call`` or by ``remote``; the answer."""
        one = self.process
        state = process.state(one.pid)
        if state in process.STATES:
            raise UserError(f"process {one.pid} is {process.STATES[state].format(pid=one.pid)}")
        tracer = process.traced_by(one.pid)
        if not tracer:
            return self._answer(fd, call.InjectedCall(one, line).retry)
        if one.version < REMOTE:
            raise UserError(f"process {one.pid} is held by another debugger (process {tracer})")
        with self.place.script(line) as script, remote.RemoteScript(one, script) as call_there:
            return self._answer(fd, call_there.retry)

    def _answer(self, fd: int, retry: Callable[[], None]) -> list[str]:
        began, environ = time.monotonic(), False
        while True:
            for _ in range(RETRY_EVERY):
                data = os.pread(fd, 1 << 16, 0)
                if data.endswith(_END):
                    return data.removesuffix(_END).decode("utf-8", "surrogateescape").split("\0")
                time.sleep(0.002)
            if not self.is_alive():
                raise DiedError
            retry()
            if self.recording is None and self._cancelled():
                raise UserError(f"given up before {self.process.name} could be recorded")
            waited = time.monotonic() - began
            if waited > LATE_SECONDS and not environ:
                self._tell(f"waiting for {self.process.name}: its main thread is busy with something that is no Python")
                environ = True
            if waited > PATIENCE_SECONDS:
                raise UserError(f"{self.process.name} did not come back to Python in {PATIENCE_SECONDS:.0f} s")
