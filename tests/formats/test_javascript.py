"""The assets' JavaScript under eslint, whose rules are in ``eslint.config.mjs``."""

import os
import shutil
import subprocess
from pathlib import Path

from .. import consumers
from ..tools import ROOT

ASSETS = ROOT / "async_inspect" / "formats" / "assets"
CONFIG = Path(__file__).with_name("eslint.config.mjs")


def lint(assets: Path) -> tuple[int, str]:
    """eslint's status and words about all scripts of this folder."""
    eslint, known = consumers.npm_module("eslint", "9.39.5"), consumers.npm_module("globals", "14.0.0")
    script = eslint / "bin" / "eslint.js"
    command = [consumers.program("node"), str(script), "--no-config-lookup", "-c", str(CONFIG), "."]
    own = {**os.environ, "NODE_MODULES": str(known.parent), "ASSETS": str(assets)}
    done = subprocess.run(command, cwd=assets, env=own, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_nothing_is_wrong() -> None:
    assert lint(ASSETS) == (0, "")


def test_what_would_be_wrong_is_seen(tmp_path: Path) -> None:
    """A name that no script of the page has, one that nobody uses, and a name of another script that is taken anew."""
    assets = tmp_path / "assets"
    shutil.copytree(ASSETS, assets)
    (assets / "report" / "own.js").write_text("const Own = () => {\n  const idle = 1;\n  missing();\n};\n", "utf-8")
    (assets / "report" / "app.js").open("a", encoding="utf-8").write("Words = 1;\n")
    status, said = lint(assets)
    assert status == 1
    assert "'idle' is assigned a value but never used" in said
    assert "'missing' is not defined" in said
    assert "'Words' is read-only" in said or "Read-only global 'Words' should not be modified" in said
    assert "3 problems" in said
