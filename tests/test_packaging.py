"""A wheel holds all that a machine needs, with a compiler and without one, and so does an editable install."""

import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from .tools import ROOT, need_compiler, run

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
    if compiler:
        need_compiler([sysconfig.get_path("include")])
    expected = {path.relative_to(source).as_posix() for path in (source / "async_inspect").rglob("*") if path.is_file()}
    pip("wheel", "-w", str(tmp_path / "wheel"), ".", cwd=source, env=None if compiler else NO_COMPILER)
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("async_inspect/")}
    built = {name for name in held if name.endswith(".so")}
    assert held - built == expected
    assert len(built) == compiler
    if compiler:
        check_merged(wheel, held, tmp_path)


def check_merged(wheel: Path, held: set[str], folder: Path) -> None:
    """What scripts/wheels uploads: one wheel for any Python of this system with this core, one for all without."""
    packer = [sys.executable, "-m", "wheel"]
    run([*packer, "unpack", "--dest", folder / "tree", wheel], cwd=folder)
    (tree,) = (folder / "tree").iterdir()
    for core in tree.rglob("_core.*.so"):
        core.rename(core.with_name(re.sub(r"cpython-\d+", "cpython-399", core.name)))
    (folder / "other").mkdir()
    run([*packer, "pack", "--dest-dir", folder / "other", tree], cwd=folder)
    (other,) = (folder / "other").iterdir()
    done = run([sys.executable, ROOT / "scripts" / "merge_wheels.py", folder / "dist", wheel, other], cwd=folder)
    assert done.status == 0, done.stderr
    system, everywhere = (Path(line) for line in done.stdout.splitlines())
    platform = wheel.stem.rpartition("-")[2]
    assert system.name.endswith(f"-py3-none-{platform}.whl") and everywhere.name.endswith("-py3-none-any.whl")
    cores = {name for name in held if name.endswith(".so")}
    others = {re.sub(r"_core\.cpython-\d+", "_core.cpython-399", name) for name in cores}
    for path, expected, pure in (system, held | others, "false"), (everywhere, held - cores, "true"):
        with zipfile.ZipFile(path) as packed:
            assert {name for name in packed.namelist() if name.startswith("async_inspect/")} == expected
            (about,) = (name for name in packed.namelist() if name.endswith(".dist-info/WHEEL"))
            assert f"Root-Is-Purelib: {pure}" in packed.read(about).decode()


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
    assert sorted(parts) == sorted(f"core/{path.name}" for path in tracer.glob("core/*.[ch]"))
