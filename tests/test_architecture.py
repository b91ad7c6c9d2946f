"""The rules of the house: data moves one way, the target gets the standard library only, modules stay small."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tools import ROOT, TARGET, Attach, run

PACKAGE = ROOT / "async_inspect"

# From left to right. A module may import from its own place and from places to its left. A new module goes where what
# it knows belongs.
PLACES = (
    ("_version", "errors", "system", "events", "files", "names", "internal", "headers", "slots", "codes"),
    ("tracer",),
    ("recording", "rules"),
    ("model",),
    ("checks",),
    ("formats",),
    ("printing", "progress", "scrub"),
    ("reports", "summary", "gaps", "hops", "findings", "picture"),
    (
        "interpreter",
        "corebuild",
        "launch",
        "inplace",
        "target",
        "finish",
        "running",
        "info",
        "doctor",
        "attach",
        "inject",
        "shell",
    ),
    ("tui",),
    ("cli", "__main__"),
)
RANK = {name: rank for rank, names in enumerate(PLACES) for name in names}

# What people call on a thing that lies to the left, handed on inside the call.
HANDED_ON = {("async_inspect.model.trace", f"async_inspect.{place}") for place in ("checks", "reports")}

# What a target may be given, beside what is built into its interpreter.
TARGET_IMPORTS = {
    *sys.builtin_module_names,
    *("_frozen_importlib", "_frozen_importlib_external"),
    *(
        "__future__",
        "_contextvars",
        "_posixsubprocess",
        "_struct",
        "collections.abc",
        "fcntl",
        "gc",
        "mmap",
        "opcode",
        "os",
    ),
    *("resource", "types", "typing"),
}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imports(name: str, path: Path) -> Iterator[str]:
    """The absolute names of the modules that a module imports, at its top or inside."""
    known = {other for other, _ in modules()}
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in known else base


def place(name: str) -> str:
    """async_inspect.model.trace → model"""
    return name.split(".")[1]


ALL = list(modules())


@pytest.mark.parametrize(("name", "path"), ALL, ids=[name for name, _ in ALL])
def test_nothing_imports_to_its_right(name: str, path: Path) -> None:
    # The package itself is the library's face: it may show anything but the command line.
    rank = RANK["tui"] if name == "async_inspect" else RANK[place(name)]
    for imported in imports(name, path):
        if imported.startswith("async_inspect.") and (name, imported) not in HANDED_ON:
            assert RANK[place(imported)] <= rank, f"{name} imports {imported}, which lies to its right"


@pytest.mark.parametrize(("name", "path"), ALL, ids=[name for name, _ in ALL])
def test_what_enters_the_target_needs_nothing(name: str, path: Path) -> None:
    if name not in ("async_inspect.events", "async_inspect._version") and not name.startswith("async_inspect.tracer"):
        return
    ours = ("async_inspect.tracer", "async_inspect.events", "async_inspect._version", "_async_inspect", "sitecustomize")
    for imported in imports(name, path):
        assert imported in TARGET_IMPORTS or imported.startswith(ours), f"{name} imports {imported}"


@pytest.mark.parametrize(("name", "path"), ALL, ids=[name for name, _ in ALL])
def test_libraries_have_one_home(name: str, path: Path) -> None:
    homes = {"typer": ("cli",), "pydantic": ("model", "formats", "checks"), "numpy": None, "rich": None}
    for imported in imports(name, path):
        library = imported.split(".")[0]
        if library in sys.stdlib_module_names or library in ("async_inspect", "_async_inspect", "sitecustomize"):
            continue
        assert library in homes, f"{name} imports {library}, which is not a dependency"
        home = homes[library]
        assert home is None or place(name) in home, f"{name} imports {library}, whose home is {home}"


@pytest.mark.parametrize(("name", "path"), ALL, ids=[name for name, _ in ALL])
def test_modules_are_small_and_say_what_they_are(name: str, path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    if source.strip():
        assert ast.get_docstring(ast.parse(source)), f"{name} doesn't say what it knows"
    assert source.count("\n") <= 400, f"{name} wants to be two modules"


def test_the_library_is_quick_to_import(tmp_path: Path) -> None:
    """Who traces by ``async_inspect.trace`` pays for no viewer: its libraries come when something is loaded."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import async_inspect; print(*sys.modules)"
    done = run([sys.executable, "-c", code], cwd=tmp_path)
    loaded = set(done.stdout.split())
    assert "async_inspect" in loaded
    assert not loaded & {"numpy", "pydantic", "rich", "typer", "asyncio"}


# What the Python core itself needs, with all that these import in turn, on any Python from 3.12 on.
OF_THE_PYTHON_CORE = {
    "_opcode", "_opcode_metadata", "_struct", "_types", "errno", "fcntl", "gc", "mmap", "opcode", "resource", "types",
}  # fmt: skip


@pytest.mark.e2e
def test_modules_that_the_target_sees(core: str, attach: Attach, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import sys\nprint(*sys.modules)\n", encoding="utf-8")
    bare = set(run([TARGET, program], cwd=tmp_path).stdout.split())
    seen = set(attach(program, core=core).stdout.split())
    assert bare <= seen, "what the program would have had is there"
    added = {name for name in seen - bare if name.split(".")[0] != "_async_inspect"}
    assert added <= (set() if core == "c" else OF_THE_PYTHON_CORE)
