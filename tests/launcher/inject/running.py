"""Programs that run already, and the tool at work on them."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...tools import PATIENCE_S, ROOT, TARGET, TOOL, wait_until

PROGRAMS = ROOT / "fixtures" / "inject"


class Program:
    """A program that was started as anybody would."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process, self.pid = process, process.pid

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def facts(self) -> dict[str, Any]:
        self.say("facts")
        found: dict[str, Any] = json.loads(self.line())
        return found

    def settled(self, threads: object) -> dict[str, Any]:
        """The facts once there are no more threads than that: who gave the last answer ends just after it."""
        return wait_until(lambda: found if (found := self.facts())["threads"] == threads else {})

    def end(self) -> None:
        """It ends as it would have without us, and says nothing but what it has to say."""
        self.say("go")
        assert self.line() == "answer 42"
        self.say("end")
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert (out, err, self.process.returncode) == ("ended\n", "", 0)


@contextmanager
def program(*command: str | Path, python: str = TARGET, ready: str = "ready") -> Iterator[Program]:
    """Run it; it says when it is ready."""
    words = [python, *map(str, command)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    try:
        found = Program(process)
        assert found.line() == ready, process.stderr.read() if process.stderr else ""
        yield found
    finally:
        process.kill()
        process.communicate()


def waits(kind: str = "idle") -> "Any":
    return program(PROGRAMS / "waits.py", kind)


@contextmanager
def attached(pid: int, folder: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """The tool, recording a process; afterwards it has been told to leave, and has."""
    command = [*TOOL, "attach", "--pid", str(pid), "-f", "json", *options]
    tool = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert tool.stderr is not None
    said = tool.stderr.readline()
    assert "recording process" in said, said + tool.stderr.read()
    try:
        yield tool
        if tool.poll() is None:
            tool.send_signal(signal.SIGINT)
        out, err = tool.communicate(timeout=PATIENCE_S)
        assert tool.returncode == 0, err
        assert "async-inspect:" not in err, "nothing went wrong"
        assert not out
    finally:
        tool.kill()
        tool.communicate()
