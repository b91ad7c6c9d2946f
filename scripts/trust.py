"""The test suites of others, bare and recorded: does every test of theirs end as it does without us?

    scripts/trust [--quick] [--core CORE] [SUITE | VERSION …]       (which there are: trust_suites.py)

Each suite runs bare and then under ``attach``.  Tests that ended otherwise are run three times more of each, alone.  If
they still do, the suite runs bare beside a monitoring tool that does nothing: what ends otherwise there too is no fault
of ours.  What is left is a difference: explained in ``trust_suites.REASONS``, or the status is 1.
"""

import argparse
import datetime as dt
import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests import servers

from .trust_page import PAGE, SAME, Counts, Difference, Run, read, write
from .trust_suites import CPYTHON, LEFT_OUT, PROJECTS, PROJECTS_ON, PYTEST, QUICK, REASONS, SUITES, Suite

WORK = Path(__file__).resolve().parent.parent / ".cache" / "trust"
TOOL = Path(sys.executable).parent / "async-inspect"
BOUND_S = 3600  # a suite that takes longer hangs
MAX_SIZE = "200M"
AGAIN = 3
ALONE = 20  # so many tests are run again by name; if more differ, the suite
WORST = ("passed", "skipped", "failed", "error")
CORES = {"c": "C", "python": "Python"}
UNEXPLAINED = "**unexplained**"
STATUS, REPORT = "(exit status)", "(the reports)"


# Runs a module as -m does, beside a monitoring tool with the events that recording has on for all code.
NOTHING = "nothing"
BESIDE = """
import runpy, sys
events = sys.monitoring.events
on = (events.PY_START, events.PY_RESUME, events.PY_UNWIND, events.PY_THROW)
sys.monitoring.use_tool_id(3, "nothing")
for event in on:
    sys.monitoring.register_callback(3, event, lambda *_: None)
sys.monitoring.set_events(3, sum(on))
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


class UnavailableError(Exception):
    """A suite can't be had or run here."""


class Outcome(NamedTuple):
    """How each test ended, by name; and how to name it to its runner."""

    tests: dict[str, str]
    ids: dict[str, str]

    @property
    def counts(self) -> Counts:
        ended = [result for name, result in self.tests.items() if name not in {STATUS, REPORT}]
        return Counts(*(ended.count(kind) for kind in ("passed", "failed", "error", "skipped")))


@dataclass
class Place:
    """Where and how a suite runs on one Python."""

    suite: Suite
    python: str  # the program
    version: str
    folder: Path  # to run in
    environ: dict[str, str] = field(default_factory=dict)

    def command(self, xml: Path, only: Sequence[str]) -> list[str]:
        """:param only: these tests, as their runner names them; none: all."""
        if not self.suite.version:
            picked = [f"--match={name}" for name in only] + [f"--ignore={name}" for name in LEFT_OUT]
            uses = [f"--use={self.suite.resources}"] if self.suite.resources else []
            return [self.python, "-m", "test", "-v", "--junit-xml", str(xml), *uses, *picked, self.suite.name]
        # Options stay; places to look give way to the tests.
        tests = _options(self.suite.tests) if only else self.suite.tests
        configs = [name for name in ("pytest.ini", "pyproject.toml") if (self.folder / name).exists()]
        config = [f"--config-file={configs[0]}"] if configs else []  # else pytest may take ours, above it
        options = ["-q", *config, "--continue-on-collection-errors", "-o", "junit_family=xunit1", f"--junit-xml={xml}"]
        return [self.python, "-m", "pytest", *options, *tests, *only]


def _options(words: Sequence[str]) -> list[str]:
    found = []
    takes = False
    for word in words:
        if word.startswith("-") or takes:
            found.append(word)
        takes = word in {"-p", "-m", "-n", "-o", "-k"}
    return [word for word in found if word != "--pyargs"]


def run(place: Place, core: str, only: Sequence[str] = (), name: str = "") -> Outcome:
    """One run: bare without a ``core``, beside a tool that does NOTHING, or recorded by that core."""
    suite = place.suite
    log, xml, reports = (
        WORK / "logs" / f"{name or suite.name}-{place.version}-{core or 'bare'}.{kind}"
        for kind in ("log", "xml", "out")
    )
    xml.unlink(missing_ok=True)
    shutil.rmtree(reports, ignore_errors=True)
    with serving(suite.server) as port:
        command = [word.format(port=port) if "{port}" in word else word for word in place.command(xml, only)]
        environ = place.environ | {key: value.format(port=port) for key, value in suite.env}
        if core == NOTHING:
            command = [command[0], "-c", BESIDE, *command[2:]]
        elif core:
            alone = [] if suite.children else ["--no-children"]
            size = ["--max-size", MAX_SIZE, "--core", core]
            command = [str(TOOL), "attach", "-q", "-f", "folded", *alone, *size, "-o", str(reports), "--", *command]
        status = bounded(command, place.folder, environ, log)
    tests, ids = parse(xml, suite) if xml.exists() else ({}, {})
    tests[STATUS] = status
    if core not in {"", NOTHING}:
        tests[REPORT] = "written" if (reports / "flamegraph.txt").exists() else "none"
        shutil.rmtree(reports, ignore_errors=True)
    return Outcome(tests, ids)


@contextmanager
def serving(server: str) -> Iterator[int]:
    """A server of that name while a suite runs, and its port."""
    if not server:
        yield 0
        return
    with getattr(servers, server)() as port:
        yield port


def bounded(command: list[str], folder: Path, environ: dict[str, str], log: Path) -> str:
    """Its exit status; it and all that it left behind are gone afterwards."""
    with log.open("wb") as said:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = str(child.wait(BOUND_S))
        except subprocess.TimeoutExpired:
            status = f"not done after {BOUND_S} s"
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
    return status


def parse(xml: Path, suite: Suite) -> tuple[dict[str, str], dict[str, str]]:
    """How each test of a JUnit file ended, and how pytest names it."""
    tests: dict[str, str] = {}
    ids: dict[str, str] = {}
    for case in ET.parse(xml).iter("testcase"):
        name, owner, file = case.get("name", ""), case.get("classname", ""), case.get("file", "")
        whole = tidy(f"{owner}.{name}" if owner else name)
        kinds = [kind for kind in ("error", "failure", "skipped") if case.find(kind) is not None]
        result = {"failure": "failed"}.get(kinds[0], kinds[0]) if kinds else "passed"
        tests[whole] = max(tests.get(whole, result), result, key=WORST.index)
        if suite.version:
            module = file.removesuffix(".py").replace("/", ".").lstrip(".")
            inner = owner.partition(module)[2].strip(".") or owner.removeprefix(module).strip(".")
            ids[whole] = "::".join([file, *inner.split(".")] if inner else [file]) + f"::{name}"
        else:
            # A class or module whose own preparation failed: all of it.
            found = re.fullmatch(r"(?:setUp|tearDown)(?:Class|Module) \((.*)\)", name)
            ids[whole] = f"{found[1]}.*" if found else name
    return tests, ids


def tidy(name: str) -> str:
    """A test's name as one printable word that is the same in every run."""
    name = re.sub(r"0x[0-9a-f]{6,}", "0x…", name)
    text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in name.replace("`", "'"))
    return text if len(text) <= 160 else f"{text[:159]}…"


def differing(bare: Outcome, recorded: Outcome) -> list[str]:
    names = dict.fromkeys([*bare.tests, *recorded.tests])
    names.pop(REPORT, None)
    found = [name for name in names if bare.tests.get(name) != recorded.tests.get(name)]
    return found + [REPORT] * (recorded.tests.get(REPORT, "written") != "written")


def examine(place: Place, core: str, bare: Outcome, recorded: Outcome) -> list[Difference]:
    """What differs, after more runs of it: see the top of this file."""
    names = differing(bare, recorded)
    if not names:
        return []
    say(f"   {len(names)} differ: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}")
    by_name = bare.ids | recorded.ids
    only = sorted({by_name[name] for name in names if name in by_name})
    bares, recordeds = [bare], [recorded]
    for _ in range(AGAIN if len(only) <= ALONE else 0):
        for core_or_none, outcomes in (("", bares), (core, recordeds)):
            again = run(place, core_or_none, only, f"{place.suite.name}-again")
            # What a part ended with says nothing about the whole.
            kept = {name: way for name, way in again.tests.items() if name in by_name or not only}
            outcomes.append(again._replace(tests=kept))
    found = list(differences(place, core, names, bares, recordeds))
    if all(one.why for one in found):
        return found
    beside = run(place, NOTHING)
    return [one._replace(why=one.why or explained(place, one.test, beside, recorded)) for one in found]


def explained(place: Place, name: str, beside: Outcome, recorded: Outcome) -> str:
    whys = ["the same beside a tool that does nothing"] if beside.tests.get(name) == recorded.tests.get(name) else []
    for reason in REASONS:
        here = not reason.pythons or any(place.version.startswith(version) for version in reason.pythons.split())
        if reason.suite == place.suite.name and here and fnmatch.fnmatchcase(name, reason.tests):
            whys.append(reason.why)
    return ": ".join(whys) or UNEXPLAINED


def differences(
    place: Place, core: str, names: Sequence[str], bares: list[Outcome], recordeds: list[Outcome]
) -> Iterator[Difference]:
    """Of tests that ended otherwise at first, with why, where more runs say it: "" if they don't."""
    for name in names:
        usual = [bares[0].tests.get(name, "not run"), *ways(name, bares[1:])]
        seen = [recordeds[0].tests.get(name, "not run"), *ways(name, recordeds[1:])]
        why = ""
        if name == REPORT:
            usual = ["written"]
        elif name == STATUS and set(names) - {STATUS, REPORT} and seen[0] in {"0", "1", "2"}:
            why = "follows from the tests"
        elif len(set(usual)) > 1:
            why = f"flaky bare: {tally(usual)}"
        elif len(seen) > 1 and set(seen[1:]) == set(usual):
            why = f"not again in {len(seen) - 1} more"
        yield Difference(place.suite.name, place.version, CORES[core], name, tally(usual), tally(seen), why)


def ways(name: str, outcomes: Sequence[Outcome]) -> list[str]:
    return [each.tests[name] for each in outcomes if name in each.tests]


def tally(ways: Sequence[str]) -> str:
    if len(set(ways)) == 1:
        return ways[0]
    return ", ".join(f"{way} {ways.count(way)} of {len(ways)}" for way in dict.fromkeys(ways))


def place_for(suite: Suite, python: str, version: str) -> Place:
    """Have it there, with what its tests need.

    :raises UnavailableError: if that can't be.
    """
    folder = WORK / f"{suite.name}-{suite.version or version}"
    folder.mkdir(parents=True, exist_ok=True)
    if not suite.version:
        ask = f"import sys, importlib.util; sys.exit(not importlib.util.find_spec('test.{suite.name}'))"
        if subprocess.run([python, "-c", ask], check=False, cwd=folder).returncode:
            raise UnavailableError("this Python has no such tests")
        return Place(suite, python, version, folder)
    own = folder / f"env-{version}" / "bin" / "python"
    pytest = [] if any(need.startswith("pytest==") for need in suite.needs) else [PYTEST]
    needs = [f"{suite.name}=={suite.version}", *pytest, *suite.needs]
    stamp = own.parent / "stamp"
    if not stamp.exists() or stamp.read_text() != " ".join(needs):
        quiet([python, "-m", "venv", "--clear", str(own.parent.parent)])
        quiet([str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needs])
        stamp.write_text(" ".join(needs))
    source = folder / "source"
    if not source.exists():
        fetch(suite, own, folder, source)
        for name in suite.hides:
            shutil.rmtree(source / name)
    return Place(suite, str(own), version, source)


def fetch(suite: Suite, python: Path, folder: Path, source: Path) -> None:
    """The suite's sources, into a folder that isn't there yet."""
    if suite.origin == "sdist":
        pip = [str(python), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        quiet([*pip, "--no-binary", suite.name, "-d", str(folder), f"{suite.name}=={suite.version}"])
        with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
            archive.extractall(folder / "unpacked", filter="data")
        next((folder / "unpacked").iterdir()).rename(source)
    else:
        quiet(["git", "clone", "--quiet", "--depth", "1", "--branch", suite.tag, suite.origin, str(source)])


def quiet(command: list[str]) -> None:
    """:raises UnavailableError: with the last of what it said, if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        raise UnavailableError(f"{Path(command[0]).name} {' '.join(command[1:4])}: {lines[-1][:200]}")


def say(text: str) -> None:
    print(text, flush=True)


Keep = Callable[[Run, list[Difference]], None]


def trust(suite: Suite, python: str, version: str, cores: Iterable[str], keep: Keep) -> bool:
    """One suite on one Python, bare and under each core; whether all is as it should be."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    try:
        place = place_for(suite, python, version)
        bare = timed(f"{suite.name} on {version}, bare", place, "")
        if not bare.counts.passed:
            raise UnavailableError(f"no test of it passed bare, which ended with status {bare.tests[STATUS]}")
    except UnavailableError as exc:
        say(f"{suite.name} on {version}: not run: {exc}")
        keep(Run(suite.name, suite.version, version, "", "not run", "not run", tidy(str(exc)), today), [])
        return False
    good = True
    for core in cores:
        recorded = timed(f"   {core}", place, core)
        found = examine(place, core, bare, recorded)
        unexplained = sum(one.why == UNEXPLAINED for one in found)
        said = SAME if shown(recorded) == shown(bare) else shown(recorded)
        remarks = f"**{unexplained} unexplained**" if unexplained else ""
        keep(Run(suite.name, suite.version, version, CORES[core], shown(bare), said, remarks, today), found)
        for one in found if unexplained else found[:8]:
            say(f"   {one.test}: bare {one.bare}, recorded {one.recorded}: {one.why}")
        good = good and not unexplained
    return good


def shown(outcome: Outcome) -> str:
    return outcome.counts.text if outcome.ids else f"no counts, status {outcome.tests[STATUS]}"


def timed(what: str, place: Place, core: str) -> Outcome:
    began = time.monotonic()
    outcome = run(place, core)
    say(f"{what}: {shown(outcome)}; status {outcome.tests[STATUS]}, {time.monotonic() - began:.0f} s")
    return outcome


def main() -> int:
    options = argparse.ArgumentParser(prog="scripts/trust", description=__doc__)
    options.add_argument("suites", nargs="*")
    options.add_argument("--python", default=sys.executable)
    options.add_argument("--core", choices=("c", "python"), action="append")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--page", type=Path, default=PAGE)
    given = options.parse_args()
    unknown = sorted(set(given.suites) - {suite.name for suite in SUITES})
    if unknown:
        options.error(f"no such suite: {', '.join(unknown)}; there are {', '.join(suite.name for suite in SUITES)}")
    ask = [given.python, "-c", "import platform; print(platform.python_version())"]
    version = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests expect it, and a shell's & takes it away
    (WORK / "logs").mkdir(parents=True, exist_ok=True)
    names = given.suites or (QUICK if given.quick else [suite.name for suite in CPYTHON + PROJECTS])
    chosen = [suite for suite in SUITES if suite.name in names]
    if not given.suites and not version.startswith(PROJECTS_ON):
        chosen = [suite for suite in chosen if not suite.version]

    def keep(one: Run, found: list[Difference]) -> None:
        if not given.quick:
            page = read(given.page)
            page.put(one, found)
            write(page, given.page)

    bad = []
    for suite in chosen:
        cores = given.core or (["c"] if suite.version else ["c", "python"])
        if not trust(suite, given.python, version, cores, keep):
            bad.append(suite.name)
    say(f"{len(chosen) - len(bad)} of {len(chosen)} suites on {version}: as bare, or explained")
    if bad:
        say(f"Look at: {', '.join(bad)} (logs: {WORK / 'logs'})")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
