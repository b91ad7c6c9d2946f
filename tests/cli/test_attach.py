"""``async-inspect attach`` as a user meets it: options, statuses, words, files."""

import os
import pty
import select
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from async_inspect.errors import UserError
from async_inspect.formats import FORMATS, members
from async_inspect.launcher import attach as job
from async_inspect.launcher import child
from async_inspect.launcher.attach import Options, after_run, finishing_command, parse_size
from async_inspect.recording.header import head
from async_inspect.recording.reader import open_recording
from async_inspect.tracer import writer
from async_inspect.tracer.settings import Settings

from ..tools import ENTER, TARGET, TOOL, Attach, Tool, needs_terminal

pytestmark = [pytest.mark.e2e, pytest.mark.launcher]

PROGRAM = """
import asyncio, sys
async def main():
    await asyncio.sleep(0)
    print("out", *sys.argv[1:])
    print("err", file=sys.stderr)
asyncio.run(main())
sys.exit(3)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def test_the_program_is_heard_and_the_reports_are_there(attach: Attach, program: Path) -> None:
    run = attach("program.py", "-o", "x", "--quiet", "-h", options=["-f", "json", "-f", "folded"])
    assert run.status == 3
    assert run.stdout == "out -o x --quiet -h\n"
    assert run.stderr.startswith("err\n")
    assert "data.json" in run.stderr
    asked = {row.file for name in ("json", "folded") for row in members(name)}
    assert {path.name for path in run.folder.iterdir()} == {*asked, "recording"}
    [recording] = (run.folder / "recording").iterdir()
    assert recording.stat().st_mode & 0o777 == 0o600


def test_quiet(attach: Attach, program: Path) -> None:
    assert attach("program.py", options=["--quiet"]).stderr == "err\n"


@pytest.mark.parametrize("core", ["c", "python"])
def test_core_option(core: str, attach: Attach, program: Path) -> None:
    run = attach("program.py", options=["-q", "--core", core])
    if core == "c" and run.status == 1:
        pytest.skip(run.stderr)
    [path] = (run.folder / "recording").iterdir()
    with open_recording(path) as recording:
        assert recording.first("core") == core


def test_output_and_max_size(attach: Attach, program: Path, tmp_path: Path) -> None:
    attach("program.py", options=["-o", "deep/er", "--max-size", "1MB"])
    [path] = (tmp_path / "deep" / "er" / "recording").iterdir()
    with open_recording(path) as recording:
        assert recording.first("max_size") == str(1 << 20)


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "program", "a"],
        ["-c", PROGRAM, "a"],
        ["--", TARGET, "program.py", "a"],
        ["--", "sh", "-c", "exec {} program.py a"],
    ],
    ids=["-m", "-c", "--", "-- sh"],
)
def test_ways_to_name_the_program(words: list[str], tool: Tool, program: Path) -> None:
    python = [] if "--" in words else ["--python", TARGET]
    run = tool("attach", "-q", *python, *(word.replace("{}", TARGET) if "exec" in word else word for word in words))
    assert (run.status, run.stdout, run.stderr) == (3, "out a\n", "err\n")


def test_program_from_stdin(tool: Tool) -> None:
    assert tool("attach", "-q", "--python", TARGET, "-", "a", input=PROGRAM).stdout == "out a\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 2, "nothing to run"),
        (["missing.py"], 2, "can't open 'missing.py': No such file or directory"),
        (["-m"], 2, "argument expected for -m"),
        (["-f", "nonsense", "program.py"], 2, "nonsense"),
        (["--core", "rust", "program.py"], 2, "c or python"),
        (["--max-size", "much", "program.py"], 2, "--max-size much"),
        (["--python", "/no/python", "program.py"], 127, "/no/python: no such program"),
        (["--python", "/dev/null", "program.py"], 127, "no such program"),
        (["-o", "program.py", "program.py"], 1, "cannot write to"),
        (["-o", "/proc/here", "program.py"], 1, "cannot write to"),
        (["--", "no-such-command"], 127, "no-such-command: No such file or directory"),
        (["--", "./program.py"], 126, "./program.py: Permission denied"),
        (["--python", "python3", "--", "true"], 2, "--python"),
    ],
)
def test_one_clear_line(words: list[str], status: int, said: str, tool: Tool, program: Path) -> None:
    run = tool("attach", *words)
    assert run.stdout == ""
    assert run.stderr.startswith("async-inspect: ")
    assert said in run.stderr
    assert run.stderr.count("\n") == 1
    assert run.status == status


def test_unknown_options_are_usage_errors(tool: Tool, program: Path) -> None:
    run = tool("attach", "--nonsense", "program.py")
    assert run.status == 2
    assert "--nonsense" in run.stderr
    assert run.stdout == ""


def test_a_core_that_cannot_be_had(tool: Tool, program: Path, tmp_path: Path) -> None:
    """Asked for by the variable too; said before the program starts."""
    fake = tmp_path / "fake"
    fake.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" - <<E\nimport json\nprint(json.dumps(dict(version=[3, 12, 0], '
        'hexversion=0x030C00F0, implementation="cpython", suffix=".no.so", '
        'includes=["/nowhere"], free_threaded=False)))\nE\n'
    )
    fake.chmod(0o755)
    run = tool("attach", "--python", fake, "program.py", env={"ASYNC_INSPECT_CORE": "c"})
    assert run.status == 1
    assert run.stderr.startswith("async-inspect: there is no C core for Python 3.12.0")


def test_an_old_python_is_refused(tool: Tool, program: Path, tmp_path: Path) -> None:
    fake = tmp_path / "fake"
    fake.write_text(
        '#!/bin/sh\necho \'{"version": [3, 11, 7], "hexversion": 51054576, "implementation": "cpython", '
        '"suffix": ".so", "includes": [], "free_threaded": false}\'\n'
    )
    fake.chmod(0o755)
    run = tool("attach", "--python", fake, "program.py")
    assert run.status == 1
    assert "is Python 3.11.7; only CPython 3.12 and newer can be recorded" in run.stderr


def test_nothing_recorded(tool: Tool) -> None:
    for words, status in [(["true"], 1), (["false"], 1), (["sh", "-c", "exit 7"], 7), ([TARGET, "-I", "-c", ""], 1)]:
        run = tool("attach", "--", *words)
        assert run.status == status
        assert run.stderr.startswith("async-inspect: nothing was recorded: ")


def test_disabled(attach: Attach, program: Path) -> None:
    run = attach("program.py", env={"ASYNC_INSPECT_DISABLE": "1"})
    assert (run.status, run.stdout, run.stderr) == (3, "out\n", "err\n")
    assert not run.folder.exists()


def test_a_killed_program_gets_its_reports(attach: Attach) -> None:
    code = (
        "import asyncio, os\nasync def main():\n await asyncio.sleep(0)\n os.kill(os.getpid(), 9)\nasyncio.run(main())"
    )
    run = attach("-c", code, options=["-f", "json"])
    assert run.status == -signal.SIGKILL
    assert (run.folder / "data.json").exists()
    assert run.trace.meta.finished, "the launcher saw it end"


def test_virtual_env(tool: Tool, program: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(f'#!/bin/sh\necho venv\nexec "{TARGET}" "$@"\n')
    (tmp_path / "bin" / "python").chmod(0o755)
    run = tool("attach", "-q", "program.py", env={"VIRTUAL_ENV": str(tmp_path)})
    assert run.status == 126, "what speaks before it answers is no Python"
    (tmp_path / "bin" / "python").unlink()
    (tmp_path / "bin" / "python").symlink_to(TARGET)
    assert tool("attach", "-q", "program.py", env={"VIRTUAL_ENV": str(tmp_path)}).status == 3


# --- the reports stage -----------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    fd, path = writer.create(str(tmp_path))
    writer.write_header(fd, writer.metadata("python", "", Settings(0)))
    os.close(fd)
    return Path(path)


def test_second_ctrl_c_stops_the_reports(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    passed = []

    def write(*args: object) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            passed.append(1)

    monkeypatch.setattr(job, "write_reports", write)
    before = signal.getsignal(signal.SIGINT)
    options = Options(output=tmp_path / "my out", formats=("json",))
    try:
        with job.SecondInterrupt():
            status = after_run({recorded}, child.Ended(os.getpid(), 0, 1), options)
    finally:
        signal.signal(signal.SIGINT, before)
    assert status == 130
    assert passed == [1], "the first was meant for the program"
    hint, last = capsys.readouterr().err.splitlines()
    assert "Ctrl-C again" in hint
    assert last.endswith(f"To finish: async-inspect report {recorded} -o '{tmp_path}/my out' -f json")
    assert recorded.exists()


def test_reports_that_fail_name_the_command(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(*_: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(job, "write_reports", write)
    assert after_run({recorded}, child.Ended(os.getpid(), 0, 1), Options()) == 1
    said = capsys.readouterr().err
    assert "ValueError: broken" in said
    assert finishing_command([head(recorded)], Options()) in said


@needs_terminal
def test_ctrl_c_on_a_terminal_ends_the_program_and_not_the_reports(tmp_path: Path) -> None:
    """The terminal sends it to both; the program ends by it, the reports are written, and the status is mirrored."""
    code = (
        "import asyncio, os\nasync def main():\n os.write(1, b'ready')\n await asyncio.sleep(3600)\nasyncio.run(main())"
    )
    command = [*TOOL, "attach", "-f", "json", "--python", TARGET, "-c", code]
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        for name in [name for name in os.environ if name.startswith(("ASYNC_INSPECT_", "VIRTUAL_ENV"))]:
            del os.environ[name]
        os.execv(command[0], command)
    said, typed = b"", False
    while select.select([fd], [], [], 120)[0]:
        try:
            said += os.read(fd, 4096)
        except OSError:
            break
        if b"ready" in said and not typed:
            typed = True
            os.write(fd, b"\x03")
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGINT, said
    assert b"KeyboardInterrupt" in said
    assert b"data.json" in said
    assert (tmp_path / "async_inspect_exports" / "data.json").exists()


@pytest.mark.parametrize(
    ("text", "size"), [("4GB", 4 << 30), ("1.5g", 3 << 29), ("500 MB", 500 << 20), ("64KiB", 65536), ("100000", 100000)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1G", "0", "1KB", "x", "1e400", "nan"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_size(text)
    assert raised.value.status == 2


IMPORTED = """
import atexit
atexit.register(lambda: print("imported:", *sys.modules))
from async_inspect.__main__ import main
main()
"""
HEAVY = {"numpy", "pydantic", "rich", "typer"}
ALL_FORMATS = {f"async_inspect.formats.{row.name.partition(':')[0]}" for row in FORMATS.values()}


@pytest.mark.parametrize(
    ("words", "needless"),
    [
        (["version"], HEAVY | ALL_FORMATS),
        (["info"], {"numpy", "rich"} | ALL_FORMATS),
        (
            ["attach", "-q", "-f", "json", "-c", "pass"],
            {"rich"} | ALL_FORMATS - {"async_inspect.formats.json"},
        ),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_what_is_not_needed_is_not_imported(words: list[str], needless: set[str], tmp_path: Path) -> None:
    """Most of what the tool takes to start is imports."""
    command = [sys.executable, "-c", TOOL[2].partition("from async")[0] + IMPORTED, *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    imported = set(done.stdout.partition("imported: ")[2].split())
    assert "async_inspect.cli.main" in imported
    assert sorted(needless & imported) == []


def test_nothing_heavy_is_imported_before_the_program_runs() -> None:
    """numpy would bring threads, and then comes the fork."""
    code = """
import sys, os, async_inspect.launcher.attach, async_inspect.cli.attach
from async_inspect.formats import check_names
check_names(["html", "csv", "all"])
print({"numpy", "pydantic", "rich.progress"} & set(sys.modules))
"""
    command = [sys.executable, "-c", TOOL[2].partition("from async")[0] + code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("status", [0, 7])
def test_what_cannot_be_said_costs_no_report_and_no_status(stream: str, status: int, tmp_path: Path) -> None:
    """A full disk under a log, say."""
    command = [*TOOL, "attach", "-f", "json", "-c", f"raise SystemExit({status})"]
    with open("/dev/full", "wb") as full, open(os.devnull, "wb") as nothing:
        out, err = (full, nothing) if stream == "stdout" else (nothing, full)
        done = subprocess.run(command, cwd=tmp_path, stdout=out, stderr=err, check=False)
    assert done.returncode == status
    assert (tmp_path / "async_inspect_exports" / "data.json").stat().st_size


@needs_terminal
def test_a_terminal_that_is_closed_costs_no_report_and_no_status(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, signal, sys, time\nsignal.signal(signal.SIGHUP, lambda *_: sys.exit(7))\n"
        "os.write(1, b'on')\nwhile True: time.sleep(0.01)"  # pause() would wait for one that came just before
    )
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*TOOL, "attach", "-f", "json", str(program)],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        assert os.read(ours, 2) == b"on"
        os.close(ours)
        process.send_signal(signal.SIGHUP)  # as the shell does
        assert process.wait() == 7
    assert (tmp_path / "async_inspect_exports" / "data.json").stat().st_size


@pytest.mark.parametrize(
    "options",
    [
        ("--max-size", "1e30GB"),
        ("--max-size", "nan"),
        *(
            (option, value)
            for option in ("--slow-poll", "--since", "--until", "--min-duration")
            for value in ("nan", "inf", "1e300", "-1")
        ),
    ],
)
def test_numbers_that_cannot_be_are_said_before_the_program_runs(options: tuple[str, str], attach: Attach) -> None:
    run = attach("-c", "print('ran')", options=options)
    assert (run.status, run.stdout) == (2, "")
    assert "Traceback" not in run.stderr


def test_an_output_folder_that_vanishes_is_named(core: str, attach: Attach, tmp_path: Path) -> None:
    run = attach("-c", "import shutil; shutil.rmtree('async_inspect_exports')", options=["--core", core])
    assert run.status == 1
    assert "async_inspect_exports" in run.stderr.splitlines()[-1]
    assert "No such file or directory" in run.stderr.splitlines()[-1]


def test_a_binary_given_as_a_script(attach: Attach, tmp_path: Path) -> None:
    run = attach(TARGET, "x.py")
    assert run.status == 2
    assert "attach -- " in run.stderr
    run = attach("sh", "-c", "true")
    assert run.status == 2
    assert "attach -- sh" in run.stderr


def test_without_a_current_folder(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = shlex.join([sys.executable, "-P", "-c", ENTER, "attach", "-q", "-c", "print(1)"])  # -P: as installed
    done = subprocess.run(
        ["sh", "-c", f"rmdir ../gone && exec {command}"], cwd=gone, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("the current folder is gone: change to one that is there, or give absolute paths\n")


def test_a_name_with_a_line_end_makes_no_line_of_its_own(tool: Tool) -> None:
    run = tool("stats", "a\nasync-inspect: b")
    assert (run.status, run.stderr) == (1, "async-inspect: a␊async-inspect: b: No such file or directory\n")


def test_the_target_does_not_see_what_we_set_for_ourselves(attach: Attach) -> None:
    """numpy makes no threads in us: where memory is short these can't be made, and end us before the program runs."""
    code = "import os; print(os.environ.get('OPENBLAS_NUM_THREADS'))"
    run = attach("-c", code, options=["-q", "-f", "json"])
    assert run.stdout.strip() == str(os.environ.get("OPENBLAS_NUM_THREADS"))
