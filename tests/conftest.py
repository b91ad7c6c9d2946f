"""What all tests share: both cores, of which C's is built; a program under the tool; expected texts; skips are seen.

``REQUIRE_ALL=1`` makes a skip a failure: where everything is installed, a test that cannot run is a broken test.
``TEST_TARGET`` is the Python that runs traced programs (default: the tests' own).  ``--golden`` rewrites the expected
texts instead of comparing them.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

import pytest

from async_inspect.errors import UserError
from async_inspect.launcher import corebuild
from async_inspect.tracer import choose

from .tools import GOLDEN, ROOT, TARGET, TOOL, Attach, Run, Tool, run

# Whoever starts the tests in a shell's background has them ignore Ctrl-C, and so would every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


# Both cores; but what a trace means is asked of one, unless TEST_CORES says so: both write the same records, which is
# what tests/tracer/test_twins.py proves, and the programs of fixtures/programs and fixtures/runtimes.
CORES = os.environ.get("TEST_CORES", "c python").split()
# Modules that start programs, servers, browsers or compilers for most of what they show: three quarters of the CPU of
# all that is not marked e2e.
LONG = {
    "test_commands", "test_consumers", "test_docs_exports", "test_healthy", "test_html", "test_limits",
    "test_packaging", "test_reasons_of_libraries", "test_runtimes", "test_services", "test_systems", "test_timelines",
    "launcher.test_corebuild", "launcher.test_shell", "support.test_settings",
    "inject.test_attach", "inject.test_elsewhere", "inject.test_frozen",
}  # fmt: skip
OF_ONE_CORE = "TEST_CORES" not in os.environ


@pytest.fixture(scope="session", params=CORES)
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a core; the C one is skipped where the target has none and nothing can build it."""
    name: str = request.param
    if name == "c":
        command = [*TOOL, "attach", "--quiet", "--python", TARGET, "-c", ""]
        tried = run(command, cwd=tmp_path_factory.mktemp("core"), env={"ASYNC_INSPECT_CORE": "c"})
        if tried.status:
            pytest.skip(f"no C core: {tried.stderr.strip()}")
    return name


@pytest.fixture(scope="session")
def preload() -> None:
    """For tests of ``--preload``: skipped where its library can't be had."""
    try:
        corebuild.preload()
    except UserError as error:
        pytest.skip(error.message)


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    def call(*arguments: str | Path, env: Mapping[str, str] | None = None, input: str = "") -> Run:
        return run([*TOOL, *arguments], cwd=tmp_path, env=env, input=input)

    return call


@pytest.fixture
def attach(tmp_path: Path) -> Attach:
    def call(
        program: str | Path,
        *arguments: str | Path,
        core: str | None = None,
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        input: str = "",
    ) -> Run:
        chosen = {} if core is None else {"ASYNC_INSPECT_CORE": core}
        command = [*TOOL, "attach", "--python", TARGET, *options, program, *arguments]
        return run(command, cwd=tmp_path, env={**chosen, **(env or {})}, input=input)

    return call


# --- the C core ------------------------------------------------------------------------------------------------------


def pytest_sessionstart(session: pytest.Session) -> None:
    """End at once where the C core of this checkout could be built and is not what its sources say.

    An installation goes on without it, as users want it, and leaves the one that was built before.
    """
    if not hasattr(session.config, "workerinput") and (reason := not_built()):
        pytest.exit(reason, returncode=1)


def not_built() -> str:
    """Why the C core beside its sources is not of these; "": it is, or nothing here can build it."""
    source, headers = corebuild.SOURCE, sysconfig.get_path("include")
    compiler = shutil.which("cc") or shutil.which("gcc")
    checkout = source.is_relative_to(ROOT) and (ROOT / "pyproject.toml").exists()
    if (
        not checkout
        or not compiler
        or not Path(headers, "Python.h").exists()
        or sysconfig.get_config_var("Py_GIL_DISABLED")
    ):
        return ""
    built = Path(choose.places()[0])
    newest = max(path.stat().st_mtime for path in (source, *source.parent.glob("core/*.[ch]")))
    if built.exists() and built.stat().st_mtime >= newest:
        return ""
    tried = [compiler, "-fsyntax-only", f"-I{headers}", str(source)]
    said = subprocess.run(tried, capture_output=True, text=True, check=False).stderr
    return f"the C core is not built of these sources: {sys.executable} -m pip install -e .\n{said}".rstrip()


# --- expected texts --------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="rewrite the expected texts under tests/golden")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--golden"):
        items[:] = [item for item in items if "golden" in getattr(item, "fixturenames", ())]
    for item in items:
        names = item.nodeid.partition(".py")[0].split("/")
        if LONG & {names[-1], ".".join(names[-2:])}:
            item.add_marker(pytest.mark.long)
    again = [item for item in items if OF_ONE_CORE and item.get_closest_marker("meaning") and core_of(item) == CORES[1]]
    config.hook.pytest_deselected(items=again)
    items[:] = [item for item in items if item not in set(again)]


def core_of(item: pytest.Item) -> object:
    """The core that a test is run with; None where it doesn't say."""
    return item.callspec.params.get("core") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the expected one of this name, or write it (``--golden``)."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())  # line ends as they are
        assert text == path.read_bytes().decode(), f"{name} differs; scripts/golden rewrites it"

    return compare


# --- skips -----------------------------------------------------------------------------------------------------------

REQUIRE_ALL = os.environ.get("REQUIRE_ALL", "") not in ("", "0")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return refuse_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return refuse_skip(report)


def refuse_skip[Report: (pytest.TestReport, pytest.CollectReport)](report: Report) -> Report:
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"REQUIRE_ALL is set, and this was skipped: {reason}"
    return report
