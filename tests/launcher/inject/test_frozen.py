"""A program that has Python inside and is none itself, as PyInstaller makes them: it is never started a second time."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import async_inspect
from async_inspect.launcher import interpreter

from ...tools import TOOL
from .running import PROGRAMS, attached, program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="attaching to a process is for Linux")

# Whatever it is told on its command line, it does what it is for; and it counts its starts.
SOURCE = r"""
#include <Python.h>

int main(void)
{
    FILE *starts = fopen(STARTS, "a");
    fputs("started\n", starts);
    fclose(starts);
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.parse_argv = 0;
    wchar_t *words[] = {L"app", L"idle"};
    PyConfig_SetArgv(&config, 2, words);
    PyConfig_SetString(&config, &config.home, HOME);
    if (PyStatus_Exception(Py_InitializeFromConfig(&config)))
        return 3;
    PyConfig_Clear(&config);
    FILE *program = fopen(PROGRAM, "r");
    int status = PyRun_SimpleFileEx(program, PROGRAM, 1);
    Py_FinalizeEx();
    return status ? 1 : 0;
}
"""


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    """It counts in the file "starts"."""
    library, name = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDLIBRARY") or ""
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not shutil.which("cc") or not name.endswith(".so") or not headers.exists():
        pytest.skip("no C compiler, or no libpython to put into a program")
    words = {"STARTS": tmp_path / "starts", "PROGRAM": PROGRAMS / "waits.py"}
    told = [f'-D{key}="{value}"' for key, value in words.items()]
    (tmp_path / "app.c").write_text(SOURCE, encoding="utf-8")
    subprocess.run(
        [
            *("cc", "-o", str(tmp_path / "app"), str(tmp_path / "app.c"), *told, f'-DHOME=L"{sys.base_prefix}"'),
            *(f"-I{headers.parent}", f"-L{library}", f"-Wl,-rpath,{library}"),
            f"-l{name.removeprefix('lib').removesuffix('.so')}",
        ],
        check=True,
    )
    return tmp_path / "app"


def test_what_runs_is_not_run_again(frozen: Path, tmp_path: Path) -> None:
    with program(python=str(frozen)) as running:
        assert os.readlink(f"/proc/{running.pid}/exe") == str(frozen)
        said = subprocess.run(
            [*TOOL, "dump", "--pid", str(running.pid)], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert "request" in said.stdout
        with attached(running.pid, tmp_path):
            pass
        assert (tmp_path / "starts").read_text(encoding="utf-8") == "started\n"
        running.end()
    trace = async_inspect.load(tmp_path / "async_inspect_exports")
    assert trace.meta.core == "c", "its version's headers were found where its library lies"
    assert [task.state for task in trace.tasks if task.name == "request"] == ["Blocked"]


def test_nothing_is_asked_by_starting_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(interpreter, "_answer", lambda path: pytest.fail(f"{path} was started"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = interpreter.of_running("/opt/app/app", (3, 99, 1), ".cpython-399-x86_64-linux-gnu.so")
    assert (found.recordable, found.includes, found.suffix) == (True, (), ".cpython-399-x86_64-linux-gnu.so")
    version = sys.version_info[:3]
    assert interpreter.of_running(sys.executable, version, ".x.so") == interpreter.ask(sys.executable)


def test_headers_are_of_this_very_version_and_nobody_elses(tmp_path: Path) -> None:
    folder = tmp_path / "include" / "python3.99"
    folder.mkdir(parents=True)
    (folder / "Python.h").touch()
    numbers = {"MAJOR": 3, "MINOR": 99, "MICRO": 1}
    text = "".join(f"#define PY_{name}_VERSION        {number}\n" for name, number in numbers.items())
    (folder / "patchlevel.h").write_text(text, encoding="utf-8")
    near = str(tmp_path / "bin" / "app"), ""
    assert interpreter._headers((3, 99, 1), near) == (str(folder),)
    assert interpreter._headers((3, 99, 2), near) == ()
    (folder / "Python.h").chmod(0o666)
    assert interpreter._headers((3, 99, 1), near) == ()


@pytest.mark.parametrize("name", ["pythonapp", "python-server", "python3_tool", "pypyserver"])
def test_a_program_is_no_python_for_its_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x7fELF")
    (tmp_path / name).chmod(0o755)
    assert interpreter.of_command([name], {"PATH": str(tmp_path)}) is None


@pytest.mark.parametrize("name", ["python", "python3", "python3.13", "python3.14t", "python3-dbg", "pypy3"])
def test_pythons_by_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x7fELF")
    (tmp_path / name).chmod(0o755)
    assert interpreter.of_command([name], {"PATH": str(tmp_path)}) == str(tmp_path / name)
