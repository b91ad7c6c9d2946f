"""A wheel holds all that a machine needs, with a compiler and without one, and so does an editable install."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from .tools import ROOT, run

NO_COMPILER = {"CC": "/nonexistent/cc"}
WITHOUT = ("__pycache__", "*.so", "*.pyc")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The checkout as a clone would have it: nothing built."""
    folder = tmp_path / "source"
    shutil.copytree(ROOT / "async_inspect", folder / "async_inspect", ignore=shutil.ignore_patterns(*WITHOUT))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def pip(*arguments: str, env: dict[str, str] | None = None, cwd: Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = run([*command, "--quiet", "--no-deps", "--no-build-isolation"], cwd=cwd, env=env)
    assert done.status == 0, done.stderr


@pytest.mark.parametrize("compiler", [True, False])
def test_wheel(compiler: bool, source: Path, tmp_path: Path) -> None:
    expected = {path.relative_to(source).as_posix() for path in (source / "async_inspect").rglob("*") if path.is_file()}
    pip("wheel", "-w", str(tmp_path / "wheel"), ".", cwd=source, env=None if compiler else NO_COMPILER)
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("async_inspect/")}
    built = {name for name in held if name.endswith(".so")}
    assert held - built == expected
    assert len(built) == compiler


def test_editable_install_without_a_compiler(source: Path, tmp_path: Path) -> None:
    pip("install", "--target", str(tmp_path / "site"), "--editable", ".", cwd=source, env=NO_COMPILER)
    code = "import site, sys; site.addsitedir(sys.argv[1]); import async_inspect; print(async_inspect.__file__)"
    shown = subprocess.check_output([sys.executable, "-I", "-S", "-c", code, tmp_path / "site"], text=True)
    assert Path(shown.strip()) == source / "async_inspect" / "__init__.py"


def test_a_change_in_a_part_of_the_core_builds_it_anew() -> None:
    tracer = ROOT / "async_inspect" / "tracer"
    parts = re.findall(r'#include "(core/.*)"', (tracer / "_core.c").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (extension,) = project["tool"]["setuptools"]["ext-modules"]
    assert [f"async_inspect/tracer/{part}" for part in parts] == extension["depends"]
    assert sorted(parts) == sorted(f"core/{path.name}" for path in tracer.glob("core/*.h"))
