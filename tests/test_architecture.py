"""The rules of the house: data moves one way, the target gets the standard library only, modules stay small."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tools import ROOT, TARGET, Attach, run

PACKAGE = ROOT / "async_inspect"

# From left to right, as the data goes. A module may import from its own place and from places to its left.
PLACES = (
    "_version",
    "errors",
    "events",
    "tracer",
    "support",
    "recording",
    "model",
    "checks",
    "formats",
    "api",
    "terminal",
    "launcher",
    "tui",
    "cli",
    "__main__",
)
RANK = {name: rank for rank, name in enumerate(PLACES)}

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


KNOWN = {name for name, _ in modules()}


def imports(name: str, path: Path, for_types: bool = True) -> Iterator[str]:
    """The absolute names of the modules that a module imports, at its top or inside; ``for_types``: for types only."""
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    for node in nodes if for_types else _that_run(nodes):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in KNOWN else base


def _that_run(nodes: list[ast.AST]) -> Iterator[ast.AST]:
    """Without what is below an ``if TYPE_CHECKING``."""
    skipped = {
        below
        for node in nodes
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for one in node.body
        for below in ast.walk(one)
    }
    yield from (node for node in nodes if node not in skipped)


def place(name: str) -> str:
    """async_inspect.model.trace → model"""
    return name.split(".")[1]


def imported() -> Iterator[tuple[str, str]]:
    """(module, a module that it imports), of all."""
    for name, path in modules():
        for other in imports(name, path):
            yield name, other


def test_nothing_imports_to_its_right() -> None:
    # The package itself shows the library.
    ranks = {name: RANK["api"] if name == "async_inspect" else RANK[place(name)] for name, _ in modules()}
    ours = [(name, other) for name, other in imported() if other.startswith("async_inspect.")]
    assert len(ours) > 300, "or this test sees nothing"
    assert not [(name, other) for name, other in ours if RANK[place(other)] > ranks[name]], "they import to their right"


def a_cycle(edges: dict[str, set[str]]) -> list[str]:
    """Modules each of which imports the next, the last the first; []: there are none."""
    left = {name: set(to) for name, to in edges.items()}
    while ends := [name for name, to in left.items() if not to & left.keys()]:
        for name in ends:
            del left[name]
    path: list[str] = []
    name = min(left, default="")
    while left and name not in path:  # whoever is left imports somebody who is left
        path.append(name)
        name = min(left[name] & left.keys())
    return path[path.index(name) :] if left else []


def test_there_is_no_import_cycle() -> None:
    """Nor one by imports inside functions: those for types alone don't count."""
    assert a_cycle({"a": {"b", "d"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"b"}}) == ["b", "c"]
    assert a_cycle({"a": {"b"}, "b": set()}) == []
    edges = {name: set(imports(name, path, for_types=False)) for name, path in modules()}
    assert sum(map(len, edges.values())) > 300, "or this test sees nothing"
    assert not (found := a_cycle(edges)), " → ".join([*found, *found[:1]])


def test_what_enters_the_target_needs_nothing() -> None:
    ours = ("async_inspect.tracer", "async_inspect.events", "async_inspect._version", "_async_inspect", "sitecustomize")
    enters = [(name, other) for name, other in imported() if name.startswith(ours)]
    assert len(enters) > 100, "or this test sees nothing"
    assert not [row for row in enters if row[1] not in TARGET_IMPORTS and not row[1].startswith(ours)]


def test_libraries_have_one_home() -> None:
    homes = {"typer": ("cli",), "pydantic": ("model", "formats", "checks"), "numpy": None, "rich": None}
    known = (*sys.stdlib_module_names, "async_inspect", "_async_inspect", "sitecustomize")
    theirs = [(name, lib) for name, other in imported() if (lib := other.split(".")[0]) not in known]
    assert {lib for _, lib in theirs} == set(homes), "the dependencies, and no others"
    assert not [(name, lib) for name, lib in theirs if (home := homes[lib]) and place(name) not in home]


def test_modules_are_small_and_say_what_they_are() -> None:
    sources = {name: path.read_text(encoding="utf-8") for name, path in modules()}
    silent = [name for name, text in sources.items() if text.strip() and not ast.get_docstring(ast.parse(text))]
    assert not silent, "these don't say what they know"
    assert not [name for name, text in sources.items() if text.count("\n") > 400], "these want to be two modules"


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
