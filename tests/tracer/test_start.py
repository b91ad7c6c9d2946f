"""How recording starts and ends in a process: the door, tool ids, forks, refusals; and that it is never heard."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from async_inspect import events as ev
from async_inspect.recording.reader import Recording, open_recording

from ..tools import ROOT, TARGET

pytestmark = pytest.mark.e2e

BOOT = ROOT / "async_inspect" / "tracer" / "boot"
WORK = "import asyncio\nasync def work():\n    await asyncio.sleep(0)\nasyncio.run(work())\n"
TRACER = "import sys\ntracer = sys.modules['_async_inspect.tracer']\n"


class Done(NamedTuple):
    """What a program under the door left."""

    status: int
    stdout: str
    folder: Path

    @property
    def recordings(self) -> list[Path]:
        return sorted(self.folder.glob("*.rec"), key=lambda path: path.stat().st_ino)

    @property
    def only(self) -> Recording:
        [path] = self.recordings
        return open_recording(path)

    @property
    def log(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("*.log"))


def door(folder: Path, code: str, *flags: str, **env: str) -> Done:
    """Run code in a Python that comes through the door.  It may not be heard."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("ASYNC_INSPECT_", "PYTHON"))}
    variables |= {"PYTHONPATH": str(BOOT), "ASYNC_INSPECT_DIR": str(folder), "ASYNC_INSPECT_CORE": "python", **env}
    done = subprocess.run(
        [TARGET, *flags, "-c", code], env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    return Done(done.returncode, done.stdout, folder)


def test_records_and_says_so(tmp_path: Path) -> None:
    done = door(tmp_path, WORK)
    with done.only as recording:
        assert recording.header.state == ev.STOPPED
        assert recording.header.end_ns > recording.header.start_ns
        assert recording.first("core") == "python"
        assert recording.first("core_reason") == "asked for by ASYNC_INSPECT_CORE"
        assert recording.meta["argv"][1:] == ("-c", WORK)
    assert done.log == ""


def test_a_synchronous_program_leaves_a_recording_too(tmp_path: Path) -> None:
    with door(tmp_path, "pass").only as recording:
        assert recording.header.state == ev.STOPPED


@pytest.mark.parametrize(
    "env", [{"ASYNC_INSPECT_DISABLE": "1"}, {"ASYNC_INSPECT_DIR": ""}], ids=["disabled", "no folder"]
)
def test_no_op(tmp_path: Path, env: dict[str, str]) -> None:
    done = door(tmp_path, WORK + "import sys; print([sys.monitoring.get_tool(n) for n in range(6)].count(None))", **env)
    assert done.stdout == "6\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("env", [{"ASYNC_INSPECT_CORE": "nonsense"}, {"ASYNC_INSPECT_CORES": "/nowhere"}])
def test_odd_variables_do_no_harm(tmp_path: Path, env: dict[str, str]) -> None:
    assert len(door(tmp_path, WORK, **env).recordings) == 1


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("MAX_SIZE", "much", "invalid literal for int() with base 10: 'much'"),
        ("SLOW_POLL_MS", "-1", "slow_poll_ms -1.0: not between 0 and 1e+12 ms"),
        ("DETAIL", "all", "detail 'all': not one of calls, awaits"),
    ],
)
def test_what_goes_wrong_is_in_the_log(tmp_path: Path, name: str, value: str, why: str) -> None:
    done = door(tmp_path, WORK, **{f"ASYNC_INSPECT_{name}": value})
    assert done.status == 0
    assert done.recordings == []
    assert f"ValueError: ASYNC_INSPECT_{name}={value}: {why}\n" in done.log


@pytest.mark.parametrize("folder", ["/nowhere/at/all", "/dev/null"])
def test_a_folder_that_cannot_be_written(folder: str) -> None:
    assert door(Path(folder), WORK + "print('ran')").stdout == "ran\n"


@pytest.mark.parametrize(("taken", "expected"), [([], 3), ([3], 4), ([3, 4], 2), ([2, 3, 4], 5), ([2, 3, 4, 5], None)])
def test_tool_ids(tmp_path: Path, taken: list[int], expected: int | None) -> None:
    """Ours comes first in the door; here it is started again among others."""
    code = f"""{TRACER}
tracer.stop()
assert not any(sys.monitoring.get_tool(n) for n in range(6))
for number in {taken}:
    sys.monitoring.use_tool_id(number, "other")
tracer.start_from_environment()
print([n for n in range(6) if sys.monitoring.get_tool(n) == "async-inspect"])
tracer.stop()
print([n for n in range(6) if sys.monitoring.get_tool(n)])
"""
    done = door(tmp_path, code)
    assert done.stdout == f"{[] if expected is None else [expected]}\n{taken}\n"
    assert ("held by 0 None, 1 None, 2 'other', 3 'other'" in done.log) == (expected is None)


def test_start_is_idempotent_and_one_a_process(tmp_path: Path) -> None:
    code = f"""{TRACER}
tracer.start_from_environment()
sys.path.insert(0, {str(ROOT)!r})
from async_inspect import tracer as another
another.start_from_environment()
try:
    another.start()
except RuntimeError as exc:
    print(exc)
print(another.recording() is tracer.recording() is not None)
"""
    done = door(tmp_path, code)
    assert done.stdout == "this process is being recorded already\nTrue\n"
    assert len(done.recordings) == 1
    assert done.log == ""


def test_by_hand(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from async_inspect import tracer
path = tracer.start({str(tmp_path / "mine.rec")!r})
{WORK}
tracer.stop()
tracer.stop()
print(path, tracer.recording())
{WORK}
try:
    tracer.start({str(tmp_path / "other")!r})
except FileExistsError:
    print("exists", [sys.monitoring.get_tool(n) for n in range(6)].count(None))
tracer.start({str(tmp_path / "second.rec")!r})
"""
    (tmp_path / "other").write_text("no recording")
    done = door(tmp_path, code, ASYNC_INSPECT_DIR="")
    assert done.stdout == f"{tmp_path / 'mine.rec'} None\nexists 6\n"
    assert (tmp_path / "other").read_text() == "no recording"
    for path in done.recordings:
        with open_recording(path) as recording:
            assert recording.header.state == ev.STOPPED
    assert {path.name for path in done.recordings} == {"mine.rec", "second.rec"}


def test_a_recording_is_replaced_by_a_later_one(tmp_path: Path) -> None:
    """As a notebook's cell is run again."""
    mine = tmp_path / "mine.rec"
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import async_inspect
for label in "first", "second":
    with async_inspect.trace({str(mine)!r}):
        async_inspect.inspection_point(label)
"""
    door(tmp_path, code, ASYNC_INSPECT_DIR="")
    with open_recording(mine) as recording:
        assert [label for _, label, _ in recording.points] == ["second"]
    assert list(tmp_path.iterdir()) == [mine]


def test_a_recording_that_is_being_made_is_not_replaced(tmp_path: Path) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
import async_inspect
begun, says = os.pipe()
over, ends = os.pipe()
child = os.fork()
if child == 0:
    os.close(ends)
    with async_inspect.trace({str(tmp_path / "theirs.rec")!r}):
        os.write(says, b"x")
        os.read(over, 1)
    os._exit(0)
os.read(begun, 1)
for _ in range(2):
    try:
        with async_inspect.trace({str(tmp_path / "theirs.rec")!r}):
            print("replaced")
    except FileExistsError:
        print("still made")
    if child:
        os.close(ends)
        child = os.waitpid(child, 0)[1]
"""
    done = door(tmp_path, code, ASYNC_INSPECT_DIR="")
    assert done.stdout == "still made\nreplaced\n"


def test_a_forked_child_has_its_own(tmp_path: Path) -> None:
    code = f"""
import os
pid = os.fork()
{WORK}
if pid == 0:
    os._exit(0)
print(os.getpid(), pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    done = door(tmp_path, code)
    parent, child, status = map(int, done.stdout.split())
    assert status == 0
    states = {}
    for path in done.recordings:
        with open_recording(path) as recording:
            states[recording.header.pid] = recording.header.state
            assert recording.first("pid") == str(recording.header.pid)
            assert str(recording.header.pid) in path.name
            assert len(recording.records) > 5
    assert states == {parent: ev.STOPPED, child: ev.RUNNING}, "os._exit leaves no time to say so"
    assert done.log == ""


def test_no_child_recording_where_the_parent_has_none(tmp_path: Path) -> None:
    code = f"{TRACER}\nimport os\ntracer.stop()\nif os.fork() == 0: os._exit(0)\nos.wait()"
    assert len(door(tmp_path, code).recordings) == 1


def test_children_inherit_the_door(tmp_path: Path) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WORK!r}], check=True)"
    assert len(door(tmp_path, code).recordings) == 2


def test_exec_keeps_both(tmp_path: Path) -> None:
    code = f"import os, sys; os.execv(sys.executable, [sys.executable, '-c', {WORK!r}])"
    done = door(tmp_path, code)
    pids = set()
    for path in done.recordings:
        with open_recording(path) as recording:
            pids.add(recording.header.pid)
    assert len(done.recordings) == 2
    assert len(pids) == 1


def test_a_subinterpreter_is_left_alone(tmp_path: Path) -> None:
    code = """
import sys
name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
interpreters = __import__(name)
number = interpreters.create()
interpreters.run_string(number, "print(1, flush=True)")
interpreters.destroy(number)
"""
    done = door(tmp_path, code)
    assert done.stdout == "1\n"
    assert len(done.recordings) == 1
    assert done.log.count("a subinterpreter began; it is not recorded") == 1


def test_the_door_imports_nothing_for_itself(tmp_path: Path) -> None:
    """With a C core the program finds the modules that it would have had."""
    code = "import sys; print(sorted(name for name in sys.modules if not name.startswith('_async_inspect')))"
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("ASYNC_INSPECT_", "PYTHON"))}
    bare = subprocess.run([TARGET, "-c", code], env=variables, capture_output=True, text=True, check=True).stdout
    disabled = door(tmp_path, code, ASYNC_INSPECT_DISABLE="1").stdout
    assert disabled == bare


def test_ends_with_the_last_atexit(tmp_path: Path) -> None:
    """What runs while the program ends is still recorded."""
    code = f"import atexit\natexit.register(exec, {WORK!r}, {{}})"
    with door(tmp_path, code).only as recording:
        assert len(recording.records) > 5


def test_lazy_imports(tmp_path: Path) -> None:
    version = subprocess.run([TARGET, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, check=True)
    if int(version.stdout) < 15:
        return  # they came with 3.15
    assert len(door(tmp_path, WORK, "-X", "lazy_imports=all").recordings) == 1


def test_imports_under_the_tools_own_python() -> None:
    """The tracer is part of a package that the target never sees; here it is."""
    from async_inspect import tracer

    assert tracer.recording() is None
    assert sys.modules["async_inspect.tracer"] is tracer
