"""What the live view costs: a program with many tasks and events, with the view on a pty and without.

CPU share: of the process that shows the view, its children not counted.  Latency: from a key to the frame that answers
it.  Work: the time that the program took for the same work, beside the same run without a view.
"""

import argparse
import fcntl
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import NamedTuple

LOAD = Path(__file__).resolve().parent.parent / "fixtures" / "bench" / "many_tasks.py"
TOOL = f"{Path(sys.executable).parent}/async-inspect"
# A key, and what only the frame that answers it can show.
ANSWERS = ((b"4", b"where it waited"), (b"5", b"longest polls"), (b"3", b"by parent"), (b"1", b"by id"))
TICK = os.sysconf("SC_CLK_TCK")


class Shown(NamedTuple):
    cpu: float  # share of a core
    keys_ms: list[float]
    events: int
    seconds: float  # of the program's own work


def command(folder: str, load: list[str], *options: str) -> list[str]:
    words = [TOOL, "attach", "-q", "-f", "folded", "-o", folder, "--python", sys.executable, *options]
    return [*words, str(LOAD), *load]


def work(text: str) -> float:
    found = re.findall(r"^(\d+\.\d+) (\d+\.\d+)$", text, re.MULTILINE)
    if not found:
        raise SystemExit(f"the program did not end well: {text[-2000:]}")
    return float(found[-1][0])


def without(load: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command(folder, load), capture_output=True, text=True, check=True)
    return work(done.stdout)


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def shown(load: list[str], width: int, height: int, seconds: int) -> Shown:
    """A run on a pty, with keys all the while."""
    with tempfile.TemporaryDirectory() as folder:
        pid, fd = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm-256color"
            words = command(folder, load, "--live", "--exit")
            os.execv(words[0], words)
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        until(fd, b"polls/s", 30)
        time.sleep(1)
        begin, before, keys = time.monotonic(), cpu(pid), []
        while time.monotonic() < begin + seconds - 4:
            for key, answer in ANSWERS:
                until(fd, b"", 0.37)
                asked = time.monotonic()
                os.write(fd, key)
                until(fd, answer, 5)
                keys.append((time.monotonic() - asked) * 1000)
        share = (cpu(pid) - before) / (time.monotonic() - begin)
        until(fd, None, 60)
        os.waitpid(pid, 0)
        os.close(fd)
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.rec"))
        return Shown(share, keys, size // 16, work((Path(folder) / "target.log").read_text(encoding="utf-8")))


def until(fd: int, text: bytes | None, seconds: float) -> None:
    """Read to this text, or for so long; None: to the end."""
    said, end = b"", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if not select.select([fd], [], [], left)[0]:
            break
        try:
            said = said[-200:] + os.read(fd, 1 << 16)
        except OSError:
            break
        if text and text in said:
            return
    if text:
        raise SystemExit(f"the view never showed {text!r}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench_live", description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=200_000, help="events a second")
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    load = [str(chosen.tasks), str(chosen.rate), str(chosen.seconds)]
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {chosen.rounds} rounds\n")
    print("| screen | events/s | viewer's CPU, of a core | keys: median | keys: worst | work with / without the view |")
    print("|---|---|---|---|---|---|")
    for width, height in ((80, 24), (200, 60)):
        runs, ratios = [], []
        for _ in range(chosen.rounds):
            bare = without(load)
            runs.append(shown(load, width, height, chosen.seconds))
            ratios.append(runs[-1].seconds / bare)
        keys = [ms for run in runs for ms in run.keys_ms]
        events = statistics.median(run.events for run in runs) / chosen.seconds
        share = statistics.median(run.cpu for run in runs)
        cells = (f"{width}×{height}", f"{events:,.0f}", f"{share:.0%}", f"{statistics.median(keys):.0f} ms")
        print(f"| {' | '.join(cells)} | {max(keys):.0f} ms | {statistics.median(ratios):.2f} |", flush=True)


if __name__ == "__main__":
    main()
