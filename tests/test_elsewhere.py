"""The tool and a traced program where Linux's extras are not: what must work does, what cannot says so in one line.

``elsewhere.py`` takes those away on Linux; what it can't take away is untested.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from async_inspect import events as ev
from async_inspect.model import load

from .tape import Tape
from .tools import ENTER, ROOT, TARGET, Run, run
from .tui.test_views import tape

pytestmark = [pytest.mark.e2e, pytest.mark.launcher]

PRELUDE = ROOT / "tests" / "elsewhere.py"
FORGET = f"exec(compile(open({str(PRELUDE)!r}).read(), 'elsewhere', 'exec'), {{'__name__': 'elsewhere'}})"
PROGRAM = """
import asyncio, os, sys, time
print("waits:", hasattr(os, "waitid"), "forks:", hasattr(os, "fork"), "args:", sys.argv[1:])

async def work(n):
    await asyncio.sleep(0.001 * n)
    if n == 3:
        raise ValueError(n)
    return n

async def main():
    done = await asyncio.gather(*(work(n) for n in range(5)), return_exceptions=True)
    time.sleep(0.15)
    print(len(done))

asyncio.run(main())
sys.exit(3)
"""
COMMANDS = (
    ("stats", "--detailed"), ("check",), ("dump",), ("dump", "--records"), ("critical-path",), ("export", "-f", "json"),
    ("export", "-f", "svg", "-o", "made.svg"), ("report", "-o", "reports"),
)  # fmt: skip


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python for the target that forgets, too, as soon as it starts."""
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([TARGET, "-m", "venv", "--without-pip", folder], check=True)
    [site] = folder.glob("lib/python*/site-packages")
    (site / "elsewhere.pth").write_text(f"import sys; {FORGET}\n", encoding="utf-8")
    return folder / "bin" / "python"


def tool(folder: Path, system: str, *arguments: str | Path, core: str = "") -> Run:
    command = [sys.executable, "-c", f"{FORGET}\n{ENTER}", *arguments]
    return run(command, cwd=folder, env={"ELSEWHERE": system, **({"ASYNC_INSPECT_CORE": core} if core else {})})


@pytest.mark.parametrize(("system", "core"), [("windows", "python"), ("macos", "python"), ("macos", "")])
def test_a_script_is_recorded_and_read(system: str, core: str, python: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    seen = tool(tmp_path, system, "attach", "--python", python, program, "a", "b c", core=core)
    assert seen.status == 3, seen.stderr
    assert seen.stdout.splitlines()[:2] == [f"waits: False forks: {system == 'macos'} args: ['a', 'b c']", "5"]
    assert "Traceback" not in seen.stderr
    works = [task for task in seen.trace.tasks if task.kind_name == "work"]
    assert sorted(task.state for task in works) == ["Completed"] * 4 + ["Failed"]
    assert seen.trace.meta.lost == 0
    made = {path.name for path in seen.folder.iterdir()}
    assert {"data.json", "report.html", "tasks.csv", "trace.json", "flamegraph.svg"} <= made

    for arguments in COMMANDS:
        command, *more = arguments
        here = tool(tmp_path, "", command, seen.folder, *more)
        there = tool(tmp_path, system, command, seen.folder, *more)
        assert (there.status, there.stdout) == (here.status, here.stdout), arguments
        assert "Traceback" not in there.stderr


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_what_needs_no_recording(system: str, tmp_path: Path) -> None:
    for arguments in ("version", "--help", "info"):
        assert tool(tmp_path, system, arguments).status == 0, arguments
    missing = tool(tmp_path, system, "stats", "nowhere")
    assert (missing.status, len(missing.stderr.splitlines())) == (1, 1)
    missing = tool(tmp_path, system, "attach", "-q", "--", "no-such-command")
    assert missing.status == 127
    assert missing.stderr == "async-inspect: no-such-command: No such file or directory\n"


@pytest.mark.parametrize(
    ("system", "arguments", "lacks"),
    [
        ("windows", ("attach", "--live", "-c", ""), "fork"),
        ("macos", ("attach", "--live", "-c", ""), "waitid"),
        ("windows", ("attach", "--exec", "-c", ""), "fork"),
        ("macos", ("attach", "--exec", "-c", ""), "pidfd_open"),
        ("windows", ("attach", "--no-children", "-c", ""), "fork"),
        ("windows", ("monitor",), "openpty"),
    ],
)
def test_what_a_system_lacks_is_said_in_a_line(
    system: str, arguments: tuple[str, ...], lacks: str, tmp_path: Path
) -> None:
    done = tool(tmp_path, system, *arguments)
    assert done.status == 1
    assert done.stderr.endswith(f" cannot be had on this system ({sys.platform}): it has no os.{lacks}\n")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_views_are_drawn(system: str, tmp_path: Path) -> None:
    """Without a terminal: what ``monitor`` draws, as lines."""
    tape().write(tmp_path / "a.rec")
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tests.tui import test_views as views
follower = views.Follower(Path("a.rec"))
follower.step()
seen = views.LiveSnapshot(follower.live, follower.live.end + 1000 * views.MS)
print(*views.screen(views.State(), seen), sep="\\n")
"""
    lines = [
        run([sys.executable, "-c", f"{FORGET}\n{code}"], cwd=tmp_path, env={"ELSEWHERE": where})
        for where in ("", system)
    ]
    assert lines[0].status == 0
    assert "writer" in lines[0].stdout
    assert lines[1].stdout == lines[0].stdout


def test_paths_of_windows_are_told_like_any(tmp_path: Path) -> None:
    """A recording made there: the folder, the libraries and the program's own files are known."""
    folders = {"cwd": "C:|work|app", "stdlib": "C:|Python|Lib", "site": "C:|work|venv|Lib|site-packages"}
    shown = {
        "C:|work|app|src|main.py": "src/main.py",
        "C:|Python|Lib|asyncio|tasks.py": "<stdlib>/asyncio/tasks.py",
        "C:|work|venv|Lib|site-packages|aiohttp|web.py": "site-packages/aiohttp/web.py",
        "D:|other|x.py": "D:/other/x.py",
    }
    made = Tape()
    made.meta = [("platform", "win32"), *((key, path.replace("|", r"\\")) for key, path in folders.items())]
    for file in shown:
        code = made.code("f", 1, file.replace("|", "\\"))
        made.put(ev.START, code, coro=code, off=code, node=made.node(0, code), task=code, flags=ev.IS_TASK)
        made.put(ev.RETURN, code + 1, coro=code)
    trace = load(made.write(tmp_path / "a.rec"))
    assert [function.file for function in trace.functions if function.name == "f"] == list(shown.values())
