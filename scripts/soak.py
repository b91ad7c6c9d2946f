"""Attach to a program and leave it, again and again, and see that it neither notices nor loses anything.

    scripts/soak [ROUNDS] [PYTHON]      (default: 1,000 rounds, this Python)

Two programs, one after the other: one that allocates without pause, and an idle uvloop (where that is installed).  Each
is told to end afterwards and must say what it would have said; each recording must open and have lost nothing.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from async_inspect.errors import UserError
from async_inspect.launcher.inject import process
from async_inspect.launcher.inject.place import place
from async_inspect.launcher.inject.session import Session
from async_inspect.recording.reader import open_recording
from async_inspect.tracer.settings import Settings

CHURN = """
import asyncio, os
def heard():
    global ends
    os.read(0, 10); ends = True
async def piece(n):
    kept = [[object() for _ in range(50)] for _ in range(20)]
    await asyncio.sleep(0)
    return len(kept) + n
async def main():
    asyncio.get_running_loop().add_reader(0, heard)
    print("ready", flush=True)
    total = rounds = 0
    while not ends:
        total += sum(await asyncio.gather(*(piece(n) for n in range(20)))); rounds += 1
    print("wrong" if total != rounds * (20 * 20 + 190) else "right", flush=True)
ends = False
asyncio.run(main())
"""
IDLE = """
import asyncio, os, uvloop
async def main():
    end = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, end.set)
    print("ready", flush=True)
    await end.wait()
    print("right", flush=True)
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
"""


def soak(name: str, program: str, rounds: int, python: str) -> bool:
    pipe = subprocess.PIPE
    target = subprocess.Popen([python, "-c", program], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert target.stdout is not None
    if target.stdout.readline() != "ready\n":
        print(f"{name}: not tried: {target.communicate()[1].strip().splitlines()[-1]}")
        return True
    failed, lost, took = 0, 0, []
    fds = len(list(Path(f"/proc/{target.pid}/fd").iterdir()))
    with tempfile.TemporaryDirectory() as folder:
        one = process.inspect(target.pid)
        for _ in range(rounds):
            began = time.perf_counter()
            with place(one, Path(folder)) as where:
                session = Session(one, where, print)
                try:
                    path = session.start(Settings(), "")
                    session.stop()
                except UserError as exc:
                    failed += 1
                    print(f"{name}: {exc.message}")
                    if target.poll() is not None:
                        break
                    continue
            took.append(time.perf_counter() - began)
            with open_recording(path) as recording:
                lost += recording.header.lost + (recording.header.end_ns == 0)
            path.unlink()
    fds_after = len(list(Path(f"/proc/{target.pid}/fd").iterdir())) if target.poll() is None else -1
    out, err = target.communicate("e\n" if target.poll() is None else None, timeout=60)
    good = (out, err, target.returncode, failed, lost, fds_after) == ("right\n", "", 0, 0, 0, fds)
    print(
        f"{name}: {len(took):,} of {rounds:,} attached and left, {failed} failed, {lost} lost;"
        f" in and out {statistics.median(took) * 1e3:.0f} ms at the median, {max(took) * 1e3:.0f} at most;"
        f" the program: status {target.returncode}, said {out.strip()!r}, {err.strip()!r}: {'good' if good else 'BAD'}"
    )
    return good


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    python = sys.argv[2] if len(sys.argv) > 2 else sys.executable
    results = [soak(name, program, rounds, python) for name, program in (("churn", CHURN), ("idle uvloop", IDLE))]
    sys.exit(0 if all(results) else 1)
