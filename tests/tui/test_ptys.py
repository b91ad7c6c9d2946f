"""The target's two terminals: what comes out of them is in the log, whole, and as lines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from async_inspect.tui.ptys import Ptys, _plain

from ..tools import needs_terminal

# Tests have numpy's threads; the tool forks before it has any.
pytestmark = [needs_terminal, pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")]

SPEAKER = """
import os, time
for number in range(200):
    for fd, word in (1, b"out"), (2, b"err"):
        os.write(fd, word)
        os.write(fd, b" %d\\n" % number)
os.write(1, b"\\x1b[31mred\\x1b[0m\\r\\nprompt> ")
time.sleep(0.3)
os.write(2, b"last")
print(os.get_terminal_size(), os.isatty(0), os.isatty(2))
"""


def said_by(tmp_path: Path, code: str, stdin: Path | None = None) -> Ptys:
    ptys = Ptys(tmp_path / "log", stdin, (70, 20))
    ptys.start()
    own = ptys.files
    process = subprocess.Popen([sys.executable, "-c", code], stdin=own[0], stdout=own[1], stderr=own[2])
    ptys.started()
    process.wait()
    ptys.drained(10)
    return ptys


def test_what_is_said_is_kept_as_lines(tmp_path: Path) -> None:
    ptys = said_by(tmp_path, SPEAKER)
    whole = (tmp_path / "log").read_bytes()
    *lines, prompt, last = whole.split(b"\n")
    expected = [b"%s %d" % (word, number) for number in range(200) for word in (b"out", b"err")]
    assert sorted(lines) == sorted([*expected, b"\x1b[31mred\x1b[0m\r"])
    assert prompt.startswith(b"prompt> ")
    assert last == b"last", "a line that nobody ends comes when it is over, or soon"
    assert b"columns=70, lines=20) False True" in prompt
    assert "\x1b" not in "".join(ptys.lines())
    assert len(ptys.lines()) == 200


def test_input_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("hello")
    ptys = said_by(tmp_path, "print(input() + '!')", tmp_path / "words")
    assert ptys.lines() == ["hello!"]
    assert ptys.more() == b""


def test_more_than_is_looked_at(tmp_path: Path) -> None:
    ptys = said_by(tmp_path, "for n in range(100_000): print(n)")
    assert ptys.lines()[-1] == "99999"
    assert (tmp_path / "log").read_bytes() == b"".join(b"%d\n" % n for n in range(100_000))
    assert os.stat(tmp_path / "log").st_mode & 0o777 == 0o600


def test_plain() -> None:
    assert _plain(b"10%\r20%\r30%\r") == "30%"
    assert _plain(b"\x1b]0;title\x07text") == "text"
    assert _plain(b"a\x1b[1;31mb\x1b[0mc\x1b(Bd") == "abcd"
    assert _plain(b"a\tb\xff") == "a       b\ufffd"
