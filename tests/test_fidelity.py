"""A traced program is the program: same status, same stdout, same stderr as bare, whatever it does.

The cases are in ``fixtures/fidelity``.  Each runs bare and under the launcher and the recorder.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from async_inspect.recording.reader import open_recording

from .tools import ROOT, TARGET

FIDELITY = ROOT / "fixtures" / "fidelity"
CASES = FIDELITY / "cases.py"
NAMES = [
    node.name
    for node in ast.parse(CASES.read_text()).body
    if isinstance(node, ast.FunctionDef) and not node.args.args and node.name != "boom"
]
# Known to differ: the tool id can be seen; the Python core imports modules and keeps a file, and takes a level.
DIFFER = {"monitoring"}
DIFFER_WITH_PYTHON_CORE = {"recursion_depth", "modules", "descriptors"}
# --follow-env wraps what starts processes, and has its module imported from the start.
DIFFER_EVERYWHERE = {"modules", "not_executable", "not_executable_by_subprocess", "starts_processes"}

pytestmark = pytest.mark.e2e


class Seen(NamedTuple):
    """What a user sees of a program that ran."""

    status: int
    stdout: str
    stderr: str


@pytest.mark.parametrize("name", sorted(set(NAMES) - DIFFER))
def test_case(name: str, core: str, tmp_path: Path) -> None:
    if core == "python" and name in DIFFER_WITH_PYTHON_CORE:
        return
    if name == "inherited_descriptor":
        return  # has a test of its own
    assert_same([TARGET, CASES, name], core, tmp_path, input="first\nsecond\n")


@pytest.mark.parametrize("name", sorted(set(NAMES) - DIFFER - DIFFER_EVERYWHERE - {"inherited_descriptor"}))
@pytest.mark.usefixtures("preload")
def test_case_followed_everywhere(name: str, tmp_path: Path) -> None:
    """With --follow-env and --preload, on the core that there is."""
    assert_same([TARGET, CASES, name], "", tmp_path, input="first\nsecond\n", options=["--everywhere"])


@pytest.mark.parametrize(
    "words",
    [
        [CASES, "itself"],
        ["-I", CASES, "itself"],
        ["-I", CASES, "import_path"],
        ["-I", CASES, "exception_in_task_group"],
        ["-E", CASES, "hooks"],
        ["-S", CASES, "import_path"],
        ["-S", CASES, "never_awaited"],
        ["-I", "-X", "dev", CASES, "never_awaited"],
        ["-I", "-c", "def f(:"],
        ["-I", "missing.py"],
        ["-I", "-m", "missing"],
        ["-I", "-"],
        ["-S", "-E", CASES, "spawned"],
        ["-I", CASES, "replaced"],
        ["-I", CASES, "forked"],
        ["-I", CASES, "keyboard_interrupt"],
    ],
    ids=lambda words: " ".join(word.name if isinstance(word, Path) else word for word in words),
)
@pytest.mark.usefixtures("preload")
def test_command_line_followed_everywhere(words: Sequence[str | Path], core: str, tmp_path: Path) -> None:
    typed = "import sys; print(sys.argv)\n"
    assert_same([TARGET, *words], core, tmp_path, input=typed, cwd=FIDELITY, options=["--everywhere"])


@pytest.mark.usefixtures("preload")
def test_shadowing_files_followed_everywhere(core: str, tmp_path: Path) -> None:
    """Beside the program lie files with the names of modules that the recorder needs."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\nasync def f(): pass\ntry: f().send(None)\nexcept StopIteration: print(sys.path)\n",
        encoding="utf-8",
    )
    for name in "os", "mmap", "fcntl", "time", "atexit", "resource", "_struct", "sitecustomize":
        (tmp_path / f"{name}.py").write_text("print('mine')\n1 / 0\n", encoding="utf-8")
    for words in ["-E"], ["-S"], ["-E", "-s"]:
        assert_same([TARGET, *words, program], core, tmp_path, options=["--everywhere"])
    assert len(list(tmp_path.glob("recording/*.rec"))) == 3


@pytest.mark.parametrize(
    "words",
    [
        ["missing.py"],
        ["cases.py", "itself"],
        ["cases.py", "import_path"],
        ["./cases.py", "exception"],
        [".", "x"],
        ["-O", "-u", "-B", CASES, "itself"],
        ["-OO", "-q", "-c", "pass"],
        ["-x", CASES, "itself"],
        ["-d", CASES, "exit_3"],
        ["-m", "json.tool", "--help"],
        ["-m", "package", "x"],
        ["-m", "missing"],
        [FIDELITY / "package", "an", "-m", "argument"],
        ["-m", "package", "-c", "x"],
        ["-c", "import sys; print(sys.argv, sys.path[0], sys.orig_argv)", "-x"],
        ["-"],
        ["-X", "dev", CASES, "never_awaited"],
        ["-W", "error", CASES, "itself"],
        ["-O", CASES, "itself"],
        ["-P", CASES, "import_path"],
        ["-s", CASES, "itself"],
        ["-I", CASES, "itself"],
        ["-S", CASES, "exception"],
        ["-E", CASES, "itself"],
        ["-bb", "-u", CASES, "exception_in_task"],
        ["-V"],
        ["-X", "frozen_modules=off", CASES, "exception"],
    ],
    ids=lambda words: " ".join(word.name if isinstance(word, Path) else word for word in words)[:40],
)
def test_command_line(words: Sequence[str | Path], core: str, tmp_path: Path) -> None:
    assert_same([TARGET, *words], core, tmp_path, input="import sys; print(sys.argv)\n", cwd=FIDELITY)


@pytest.mark.parametrize(
    "source",
    [b"def f(:\n    pass\n", b"\xef\xbb\xbf# -*- coding: latin-1 -*-\nprint(1)\n", 'print("é")\n'.encode()],
    ids=["syntax error", "byte order mark", "utf-8"],
)
def test_source(source: bytes, core: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_bytes(source)
    assert_same([TARGET, program], core, tmp_path)


def test_zip(core: str, tmp_path: Path) -> None:
    program = shutil.make_archive(str(tmp_path / "program"), "zip", FIDELITY / "package")
    assert_same([TARGET, program, "x"], core, tmp_path)


def test_symlink(core: str, tmp_path: Path) -> None:
    program = tmp_path / "link.py"
    program.symlink_to(CASES)
    for name in "itself", "import_path", "exception":
        assert_same([TARGET, program, name], core, tmp_path)


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONPATH": "/nowhere:"},
        {"PYTHONPATH": ""},
        {"PYTHONSAFEPATH": "1"},
        {"PYTHONWARNINGS": "error"},
        {"PYTHONDEVMODE": "1"},
        {"PYTHONASYNCIODEBUG": "1"},
        {"PYTHONNOUSERSITE": "1"},
        {"PYTHONHASHSEED": "7"},
        {"PYTHONUTF8": "0", "LC_ALL": "C"},
        {"PYTHONMALLOC": "debug"},
        {"PYTHONTRACEMALLOC": "1"},
    ],
    ids=lambda env: " ".join(f"{name}={value}" for name, value in env.items()),
)
def test_variables(env: Mapping[str, str], core: str, tmp_path: Path) -> None:
    for name in "itself", "import_path", "never_awaited", "locales":
        assert_same([TARGET, CASES, name], core, tmp_path, env=env)


def test_own_usercustomize(core: str, tmp_path: Path) -> None:
    """Whether there is one depends on the environment; bare and traced agree."""
    version = subprocess.run(
        [TARGET, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=True
    ).stdout.strip()
    site = tmp_path / "base" / "lib" / f"python{version}" / "site-packages"
    site.mkdir(parents=True)
    (site / "usercustomize.py").write_text("print('own usercustomize')\n", encoding="utf-8")
    assert_same([TARGET, CASES, "import_path"], core, tmp_path, env={"PYTHONUSERBASE": str(tmp_path / "base")})


def test_own_sitecustomize(core: str, tmp_path: Path) -> None:
    bare = assert_same(
        [TARGET, "-c", "import sys; print(sys.path, sys.modules['sitecustomize'])"],
        core,
        tmp_path,
        env={"PYTHONPATH": str(FIDELITY / "own_path")},
    )
    assert bare.stdout.startswith("own sitecustomize")


def test_failing_sitecustomize(core: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("1 / 0")
    bare = assert_same([TARGET, "-c", "print(1)"], core, tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert "division" in bare.stderr


def test_broken_pipe(core: str, tmp_path: Path) -> None:
    """Nobody reads what it prints: SIGPIPE is not the launcher's to change."""
    for command in [[TARGET, str(CASES), "broken_pipe"], ["sh", "-c", "yes"]]:
        results = []
        for under in [[], driver(tmp_path)]:
            reads, writes = os.pipe()
            os.close(reads)
            done = subprocess.run(
                [*under, *command], stdout=writes, stderr=subprocess.PIPE, text=True, env=environment(core), check=False
            )
            os.close(writes)
            results.append((done.returncode, done.stderr))
        assert results[0] == results[1]


def test_inherited_descriptor(core: str, tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.write(writes, b"hello")
    os.close(writes)
    command = [*driver(tmp_path), TARGET, str(CASES), "inherited_descriptor", str(reads)]
    done = subprocess.run(command, pass_fds=[reads], capture_output=True, text=True, env=environment(core), check=False)
    os.close(reads)
    assert done.stdout == "b'hello'\n"


def test_tool_id_is_visible_and_ours(core: str, tmp_path: Path) -> None:
    done = seen([*driver(tmp_path), TARGET, CASES, "monitoring"], core)
    assert done.stdout == "[None, None, None, 'async-inspect', None, None]\n"


def test_every_case_was_recorded_without_complaint(core: str, tmp_path: Path) -> None:
    """Or all of the above would be easy."""
    seen([*driver(tmp_path / "recording"), TARGET, CASES, "exception_in_task_group"], core)
    [path] = (tmp_path / "recording").iterdir()
    with open_recording(path) as recording:
        assert recording.first("core") == core
        assert len(recording.records) > 10


def test_older_pythons_are_handed_over(tmp_path: Path) -> None:
    """A child that cannot be recorded runs as if nothing were: on every older Python that is here."""
    door = ROOT / "async_inspect" / "tracer" / "boot" / "sitecustomize.py"
    ast.parse(door.read_text(encoding="utf-8"), feature_version=(3, 7))  # the oldest that ast knows
    for python in older():
        command = [python, "-c", "import sys; print(sys.path, 'sitecustomize' in sys.modules); sys.exit(3)"]
        env = {"PYTHONPATH": str(FIDELITY / "own_path")}
        bare, traced = seen(command, "", env), seen([*driver(tmp_path), "env", *command], "", env)
        assert bare == traced
        assert bare.status == 3
        assert not list(tmp_path.iterdir())


def older() -> Iterator[str]:
    for version in ("2.7", "3.6", "3.8", "3.11"):
        for python in [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]:
            if python and subprocess.run([python, "-V"], capture_output=True, check=False).returncode == 0:
                yield str(python)
                break


def assert_same(
    command: Sequence[str | Path],
    core: str,
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    input: str = "",
    cwd: Path = ROOT,
    options: Sequence[str] = (),
) -> Seen:
    bare = seen(command, core, env, input, cwd)
    traced = seen([*driver(folder / "recording"), *options, *command], core, env, input, cwd)
    assert traced == bare
    assert not list(folder.glob("recording/*.log"))
    return bare


def driver(folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    return [sys.executable, "-I", str(ROOT / "tests" / "drive.py"), str(folder)]


def seen(
    command: Sequence[str | Path], core: str, env: Mapping[str, str] | None = None, input: str = "", cwd: Path = ROOT
) -> Seen:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        input=input,
        cwd=cwd,
        env={**environment(core), **(env or {})},
        timeout=120,
        check=False,
    )
    return Seen(done.returncode, *(re.sub(r"0x[0-9a-f]{4,}", "0x…", text) for text in (done.stdout, done.stderr)))


def environment(core: str) -> dict[str, str]:
    """The same for both: no bytecode is written between the one run and the other."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ASYNC_INSPECT_", "PYTHON"))}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **({"ASYNC_INSPECT_CORE": core} if core else {})}
