"""Nothing leaves the machine: no command makes a connection, or asks for a name, whatever it is to do."""

import subprocess
import sys
from pathlib import Path

from .samples import kitchen

COMMANDS = (
    "stats RECORDING", "stats RECORDING --json", "check RECORDING", "critical-path RECORDING", "dump RECORDING",
    "dump RECORDING --records", "report RECORDING -o reports", "export RECORDING -f html -o page.html",
    "doctor RECORDING -o bundle.tar.gz", "info", "version", "env -o out", "attach -o run app.py",
)  # fmt: skip

# An audit hook stays for good, so this has a process of its own.
EACH = """
import sys
from async_inspect.cli.main import main

asked = []
sys.addaudithook(lambda event, arguments: asked.append(event) if event.startswith("socket.") else None)
for line in sys.argv[1:]:
    asked.clear()
    try:
        main(line.split())
    except SystemExit as end:
        print(line, end.code, asked, sep="|")
import socket
asked.clear()
socket.socket().close()
print("a socket", 0, asked, sep="|")
"""


def test_no_command_connects(tmp_path: Path) -> None:
    kitchen().write(tmp_path / "a.rec")
    (tmp_path / "app.py").write_text("import asyncio\nasyncio.run(asyncio.sleep(0))\n")
    lines = [line.replace("RECORDING", "a.rec") for line in COMMANDS]
    done = subprocess.run(
        [sys.executable, "-c", EACH, *lines], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True
    )
    said = [line.split("|") for line in done.stdout.splitlines() if line.endswith("]") and line.count("|") == 2]
    assert {line: asked for line, _, asked in said} == dict.fromkeys(lines, "[]") | {"a socket": "['socket.__new__']"}
    assert {status for _, status, _ in said} == {"0"}
