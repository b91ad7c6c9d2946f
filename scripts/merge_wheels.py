"""Of wheels that differ by their C core: one with all the cores, and one with none.

    python scripts/merge_wheels.py OUT WHEEL...

What records a program must fit the program's Python, not the tool's: so the wheel that is installed beside the tool
holds a core for each.  The platform is that of the wheels; of several (manylinux_2_17_x86_64, linux_x86_64) the first.
Needs the package ``wheel``.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def merge(wheels: list[Path], out: Path) -> list[Path]:
    """Write both wheels into ``out``.  ValueError: the wheels differ by more than cores, or are for several systems."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        trees = [_unpacked(wheel, Path(folder) / str(number)) for number, wheel in enumerate(wheels)]
        platforms = list(dict.fromkeys(wheel.stem.rpartition("-")[2] for wheel in wheels))
        if len(platforms) > 1:
            raise ValueError(f"wheels of several systems: {', '.join(platforms)}")
        first, *others = trees
        for tree in others:
            if _rest(tree) != _rest(first):
                raise ValueError("the wheels differ by more than their cores")
            for core in _cores(tree):
                shutil.copy2(core, first / core.relative_to(tree))
        made = [_packed(first, f"py3-none-{platforms[0]}", False, out)]
        for core in _cores(first):
            core.unlink()
        return [*made, _packed(first, "py3-none-any", True, out)]


def _unpacked(wheel: Path, folder: Path) -> Path:
    _wheel("unpack", "--dest", folder, wheel)
    (tree,) = folder.iterdir()
    return tree


def _packed(tree: Path, tag: str, pure: bool, out: Path) -> Path:
    (about,) = tree.glob("*.dist-info/WHEEL")
    lines = [
        line for line in about.read_text().splitlines() if line and not line.startswith(("Tag:", "Root-Is-Purelib:"))
    ]
    tags = [f"py3-none-{platform}" for platform in tag.removeprefix("py3-none-").split(".")]
    lines += [f"Root-Is-Purelib: {str(pure).lower()}", *(f"Tag: {one}" for one in tags)]
    about.write_text("\n".join(lines) + "\n")
    before = set(out.glob("*.whl"))
    _wheel("pack", "--dest-dir", out, tree)
    (made,) = set(out.glob("*.whl")) - before
    return made


def _cores(tree: Path) -> list[Path]:
    return sorted(path for path in tree.rglob("_core*") if path.suffix in {".so", ".pyd"})


def _rest(tree: Path) -> dict[str, bytes]:
    """All but the cores, and but what says which Python a wheel is for."""
    held = {path.relative_to(tree).as_posix(): path for path in tree.rglob("*") if path.is_file()}
    cores = set(_cores(tree))
    return {
        name: path.read_bytes()
        for name, path in held.items()
        if path not in cores and not re.search(r"\.dist-info/(WHEEL|RECORD)$", name)
    }


def _wheel(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "wheel", *arguments], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("wheels", type=Path, nargs="+")
    options = parser.parse_args()
    try:
        for path in merge(options.wheels, options.out):
            print(path)
    except ValueError as error:
        sys.exit(str(error))
