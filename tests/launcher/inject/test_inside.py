"""The script that runs inside another process: what it changes there, and for how long."""

import posix
import sys
from pathlib import Path
from typing import Any

import pytest

from async_inspect.launcher.inject import session

SCRIPT = Path(session.__file__).with_name("inside.py")


def run(answer: Path) -> None:
    request = {"do": "stop", "answer": str(answer), "recording": "none"}
    exec(compile(SCRIPT.read_text(encoding="utf-8"), SCRIPT, "exec"), {"REQUEST": request})


def test_the_switch_interval_is_the_programs_own_when_the_answer_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the answer may look at once."""
    own, write, seen = sys.getswitchinterval(), posix.write, []

    def written(fd: int, data: bytes) -> int:
        seen.append(sys.getswitchinterval())
        return write(fd, data)

    monkeypatch.setattr(posix, "write", written)
    answer = tmp_path / "answer"
    answer.touch()
    run(answer)
    assert (seen, sys.getswitchinterval()) == ([own], own)


def test_a_second_run_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may overlap with the first, whose change it would take for the program's own."""
    changes: list[Any] = []
    monkeypatch.setattr(sys, "setswitchinterval", changes.append)
    run(tmp_path / "gone")
    assert changes == []
