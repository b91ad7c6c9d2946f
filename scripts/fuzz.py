"""Damaged recordings, many of them, through everything that reads one: no traceback, hang, memory, or wrong number.

Three parts, each on all cores: random mutants of small recordings; every cut of three of them; and mutants that are
kept and mutated further where they reach a line of the reader or the model that none reached before.  (An own loop on
``sys.monitoring``: atheris has to be built for each Python, and of numpy's inside it sees as little.)  What goes wrong
is kept in ``.cache/fuzz`` and makes the status 1; as ``tests/corpus/NAME.rec.gz`` the gate replays it for good.
"""

import argparse
import contextlib
import gzip
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from random import Random

from async_inspect import events as ev
from tests.damage.judge import judge
from tests.damage.mutate import MUTATIONS, mutant
from tests.samples import SAMPLES

KEPT = Path(".cache/fuzz")
CPU_SECONDS = 5
MEMORY = 100 << 20  # and so many times the file:
TIMES = 20
SHORT_TAIL = 128 * ev.SLOT_SIZE  # bytes: a file of which every byte can be cut
CUT = ("two_tasks", "unfinished", "contention")
WATCHED = ("/recording/", "/model/")

type Job = tuple[str, int, int]  # what to do, from which number to which


def recordings() -> dict[str, bytes]:
    """The samples, with a short tail: as they were when the program ended, and with a part of them in the tail."""
    found = {}
    for name, make in SAMPLES.items():
        for tail in (0, 20):
            found[f"{name}-{tail}"] = make().data(tail, SHORT_TAIL)
    return found


class Limits:
    """What one mutant may cost, and what the worst cost."""

    def __init__(self) -> None:
        self.seconds, self.bytes = 0.0, 0
        signal.signal(signal.SIGVTALRM, self._late)
        signal.signal(signal.SIGALRM, self._late)

    def _late(self, _number: int, _frame: object) -> None:
        raise TimeoutError(f"more than {CPU_SECONDS} s")

    @contextlib.contextmanager
    def kept(self, size: int) -> Iterator[None]:
        """Raises TimeoutError, or MemoryError, where it takes too much."""
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before, began, most = _status("VmRSS"), time.process_time(), MEMORY + TIMES * size
        resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + 2 * most, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
        signal.alarm(20 * CPU_SECONDS)  # where it only waits
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.alarm(0)
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        used = _status("VmHWM") - before
        self.seconds, self.bytes = max(self.seconds, time.process_time() - began), max(self.bytes, used)
        if used > most:
            raise MemoryError(f"{used >> 20} MB")


def _status(name: str) -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:"))) << 10


class Lines:
    """The lines of the reader and the model that were reached."""

    def __init__(self) -> None:
        self.reached = 0
        events = sys.monitoring.events
        sys.monitoring.use_tool_id(4, "fuzz")
        sys.monitoring.register_callback(4, events.LINE, self._line)
        sys.monitoring.set_events(4, events.LINE)

    def _line(self, code: object, _number: int) -> object:
        file = code.co_filename  # type: ignore[attr-defined]
        self.reached += "async_inspect" in file and any(part in file for part in WATCHED)
        return sys.monitoring.DISABLE


def work(job: Job) -> tuple[Counter[str], float, int, list[str]]:
    """Outcomes, the worst time and memory, and what went wrong."""
    what, begin, end = job
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    limits, pool = Limits(), [*recordings().values()]
    lines = Lines() if what == "guided" else None
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"running-{what}-", dir=KEPT) as folder:  # who is killed leaves it there
        path = Path(folder) / "a.rec"
        path.write_bytes(pool[0])
        judge(path)  # what is imported and made once is nobody's cost
        for number in range(begin, end):
            data, how = _one(what, number, pool)
            path.write_bytes(data)
            before = lines.reached if lines else 0
            try:
                with limits.kept(len(data)):
                    outcomes[judge(path, thorough=what != "cut")] += 1
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                outcomes["WRONG"] += 1
                (KEPT / f"{what}-{number}.rec.gz").write_bytes(gzip.compress(data, mtime=0))
                where = traceback.extract_tb(error.__traceback__)[-1]
                wrong.append(f"{what} {number} ({how}): {error!r:.200} at {Path(where.filename).name}:{where.lineno}")
            if lines and lines.reached > before:
                pool += [data] * 5  # it is to be met among those it came from
                outcomes["new lines"] += 1
    return outcomes, limits.seconds, limits.bytes, wrong


def _one(what: str, number: int, pool: list[bytes]) -> tuple[bytes, str]:
    if what != "cut":
        return mutant(pool, Random(number))
    for name in CUT:
        data = recordings()[f"{name}-20"]
        if number < len(data):
            return data[:number], f"{name} cut at {number}"
        number -= len(data)
    raise IndexError(number)


def _jobs(what: str, first: int, count: int) -> list[Job]:
    step = max(-(-count // (os.cpu_count() or 1)), 1) if what == "guided" else 500
    return [(what, at, min(at + step, first + count)) for at in range(first, first + count, step)]


def main() -> int:
    parser = argparse.ArgumentParser(description="Damaged recordings, many of them.")
    parser.add_argument("mutants", nargs="?", type=int, default=20_000)
    parser.add_argument("--guided", type=int, default=4_000, help="of these, that are led to new lines")
    parser.add_argument("--no-cuts", action="store_true", help="without every cut of three recordings")
    parser.add_argument("--seed", type=int, default=0, help="the first mutant's number")
    wanted = parser.parse_args()
    cuts = 0 if wanted.no_cuts else sum(len(recordings()[f"{name}-20"]) for name in CUT)
    bad = 0
    print(f"{len(MUTATIONS)} kinds of damage, {len(recordings())} recordings")
    parts = (("mutant", wanted.seed, wanted.mutants), ("guided", wanted.seed, wanted.guided), ("cut", 0, cuts))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), spawn) as pool:
        for what, first, count in parts:
            outcomes: Counter[str] = Counter()
            seconds, most = 0.0, 0
            for job in as_completed([pool.submit(work, job) for job in _jobs(what, first, count)]):
                try:
                    found, took, used, wrong = job.result()
                except BrokenProcessPool:
                    print(f"{what}: a process was killed; on what it worked is in {KEPT}")
                    return 1
                outcomes += found
                seconds, most = max(seconds, took), max(most, used)
                for line in wrong:
                    print(line, flush=True)
            said = ", ".join(f"{number:,} {name}" for name, number in sorted(outcomes.items()))
            print(f"{what}: {count:,}: {said}; worst {seconds:.2f} s of CPU, {most / 2**20:.1f} MB", flush=True)
            bad += outcomes["WRONG"]
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
