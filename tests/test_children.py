"""Every process of a program is recorded, each in a file of its own, however it was started; and no other is."""

import sys
from collections import Counter
from pathlib import Path

import pytest

import async_inspect
from async_inspect.recording.reader import unrecorded_children

from .tools import ROOT, TARGET, TOOL, run, wait_until

PROGRAM = ROOT / "fixtures" / "children.py"

# Who has a recording, by role; "-" is a process of the program that ran no coroutine.
WAYS = {
    "by_subprocess": "parent child",
    "by_shell": "parent first second",
    "by_asyncio": "parent child",
    "by_posix_spawn": "parent child",
    "by_exec": "parent after",
    "by_fork": "parent child",
    "by_fork_that_ends_at_once": "parent child",
    "by_fork_of_fork": "parent child grandchild",
    "daemon": "parent - daemon",
    "process_fork": "parent child",
    "process_spawn": "parent child",  # and not the resource tracker
    "process_forkserver": "parent child",  # and not the fork server
    "forks_in_forkserver": "parent - child grandchild",
    "pool_fork": "parent worker worker",
    "pool_spawn": "parent worker worker",
    "pool_forkserver": "parent worker worker",
    "old_pool": "parent worker worker",
}
WITH_FOLLOW_ENV = {
    "empty_environment": "parent child",
    "foreign_path": "parent child",
    "changed_path": "parent child",
    "cleared_environment": "parent child",
    "asyncio_with_environment": "parent child",
    "posix_spawn_with_environment": "parent child",
    "exec_with_environment": "parent after",
    "exec_in_cleared_environment": "parent after",
}
WITH_PRELOAD = {
    "isolated": "parent child",
    "without_environment": "parent child",
    "without_site": "parent child",
    "changed_path": "parent child",
}

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("name", WAYS)
def test_ways_to_start_a_process(name: str, core: str, tmp_path: Path) -> None:
    assert recorded(name, tmp_path, WAYS[name], core=core) == sorted(WAYS[name].split())


@pytest.mark.parametrize("name", WITH_FOLLOW_ENV)
def test_environments_of_their_own(name: str, tmp_path: Path) -> None:
    for options, roles in ([], "parent"), (["--follow-env"], WITH_FOLLOW_ENV[name]):
        folder = tmp_path / roles.replace(" ", "-")
        folder.mkdir()
        assert recorded(name, folder, WITH_FOLLOW_ENV[name], *options) == sorted(roles.split())


@pytest.mark.usefixtures("preload")
@pytest.mark.parametrize("name", WITH_PRELOAD)
def test_pythons_that_look_at_nothing(name: str, core: str, tmp_path: Path) -> None:
    for options, roles in ([], "parent"), (["--preload"], WITH_PRELOAD[name]):
        folder = tmp_path / roles.replace(" ", "-")
        folder.mkdir()
        assert recorded(name, folder, WITH_PRELOAD[name], *options, core=core) == sorted(roles.split())


@pytest.mark.usefixtures("preload")
def test_both_together(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-I', {str(PROGRAM)!r}, 'child', sys.argv[2], 'child'], env={{}}, check=True)"
    )
    options = ["--follow-env", "--preload"]
    assert recorded("", tmp_path, "child", *options, program=program) == ["-", "child"]


@pytest.mark.parametrize("name", ["by_subprocess", "by_exec", "by_fork_of_fork", "process_forkserver", "pool_spawn"])
def test_no_children(name: str, core: str, tmp_path: Path) -> None:
    same_process = "parent after" if name == "by_exec" else "parent"
    assert recorded(name, tmp_path, WAYS[name], "--no-children", core=core) == sorted(same_process.split())


def recorded(
    name: str, folder: Path, expected: str, *options: str, core: str = "", program: Path = PROGRAM
) -> list[str]:
    """The roles that have recordings; each recording is of the process that says so."""
    told, recordings = folder / "told", folder / "recording"
    env = {"ASYNC_INSPECT_CORE": core} if core else {}
    attach = [*TOOL, "attach", "-q", "-f", "json", "-o", str(folder), *options, "--"]
    recordings.mkdir()
    quick = [sys.executable, "-I", str(ROOT / "tests" / "drive.py"), str(recordings)]  # without reports
    done = run([*(attach if options else quick), TARGET, program, name, told], cwd=folder, env=env)
    assert (done.status, done.stderr) == (0, "")
    processes = [role for role in expected.split() if role != "-"]
    wait_until(lambda: told.read_text().count("\n") >= len(processes), told.read_text)
    lines = told.read_text().splitlines()
    assert Counter(line.split()[0] for line in lines) == Counter(processes)
    assert not list(recordings.glob("*.log"))
    roles = []
    for recording in recordings.glob("*.rec"):
        trace = async_inspect.load(recording)
        pid = recording.stem.split("-")[1]
        [role] = {task.name for task in trace.tasks if f"{task.name} {pid}" in lines} or {"-"}
        assert role == "-" or trace.meta.core == (core or trace.meta.core)
        roles.append(role)
    return sorted(roles)


STARTS = """
import asyncio, os, subprocess, sys

python, own = sys.executable, {"A": "b"}
moved = {**os.environ, "PYTHONPATH": "/nowhere"}
pids = []

def start(*words, **more):
    with subprocess.Popen([python, *words], **more) as process:
        pids.append(process.pid)

async def main():
    process = await asyncio.create_subprocess_exec(python, "-sS", "-c", "pass")
    pids.append(process.pid)
    await process.wait()

start("-I", "-c", "pass")
start("-c", "pass", env=own)
start("-c", "pass", env=moved)
start("-XE", "-W", "error", "-BE", "-c", "pass")
asyncio.run(main())
start("-X", "dev", "-I", "-c", "pass")

subprocess.run([python, "-Bc", "-I"])  # these are as they should be
subprocess.run([python, "-c", "pass", "-S"])
subprocess.run(["true", "-I"], env=own)
subprocess.run([python, "-c", "pass"], env={"ASYNC_INSPECT_DISABLE": "1"})
try:
    subprocess.run([python + "-is-not-there", "-I"])
except FileNotFoundError:
    pass
print(*pids)
"""


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ([], ["-I", "an environment of its own", "a PYTHONPATH of its own", "-E", "-S", "-I"]),
        (["--follow-env"], ["-I", "", "", "-E", "-S", "-I"]),
        (["--follow-env", "--preload"], ["", "", "", "", "", "-I with debugged memory"]),
        (["--preload"], ["", "an environment of its own", "", "", "", "-I with debugged memory"]),
        (["--no-children"], [""] * 6),
    ],
    ids=lambda value: " ".join(value)[:24],
)
def test_what_is_missed_is_named(
    options: list[str], why: list[str], core: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if "--preload" in options:
        request.getfixturevalue("preload")
    program = tmp_path / "program.py"
    program.write_text(STARTS, encoding="utf-8")
    words = [*TOOL, "attach", "-f", "json", "-o", str(tmp_path), *options, "--", TARGET, str(program)]
    done = run(words, cwd=tmp_path, env={"ASYNC_INSPECT_CORE": core})
    assert done.status == 0, done.stderr
    expected = [(int(pid), reason) for pid, reason in zip(done.stdout.split(), why, strict=True) if reason]
    recorded = {int(path.stem.split("-")[1]) for path in tmp_path.glob("recording/*.rec")}
    assert recorded.isdisjoint({pid for pid, _ in expected})
    if options != ["--no-children"]:
        assert {int(pid) for pid in done.stdout.split()} <= recorded | {pid for pid, _ in expected}
    files = list(tmp_path.glob("recording/*.missed"))
    assert len(files) == bool(expected)
    assert [row[:2] for file in files for row in unrecorded_children(file)] == expected
    said = done.stderr.replace("\n", " ")
    assert ("not recorded" in said) == bool(expected)
    for pid, reason in expected[:5]:
        assert f"pid {pid}, {reason}: " in said
