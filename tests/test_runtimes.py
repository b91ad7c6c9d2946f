"""Programs of other runtimes than asyncio's own, against what they say of themselves (``fixtures/runtimes``)."""

import sys
from pathlib import Path

import pytest

from .tools import ROOT, Attach, run
from .truth import Program, check

PROGRAMS = ROOT / "fixtures" / "runtimes"
ALL = sorted(path.stem for path in PROGRAMS.glob("[!_]*.py"))


@pytest.mark.parametrize("detail", ["calls", "awaits"])
@pytest.mark.parametrize("name", ALL)
def test_a_runtime(name: str, detail: str, core: str, attach: Attach, tmp_path: Path) -> None:
    program = Program(PROGRAMS / f"{name}.py")
    assert program.rows("Why"), "a program without a truth proves nothing"
    bare = run([sys.executable, program.path], cwd=tmp_path)
    traced = attach(program.path, core=core, options=["--quiet", "--python", sys.executable, "--detail", detail])
    assert (traced.status, traced.stdout, traced.stderr) == (bare.status, bare.stdout, bare.stderr)
    assert bare.status == 0, bare.stderr
    check(program, traced.trace)
