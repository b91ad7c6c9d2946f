"""Which suites of others ``scripts/trust`` runs, where their tests come from, and why a test may end otherwise.

Data alone: a suite is one line, an explanation is one line.
"""

from typing import NamedTuple


class Suite(NamedTuple):
    """Tests that somebody else wrote.

    Without a ``version`` it is a module of CPython's own test package, by its name there.
    """

    name: str
    version: str = ""
    children: bool = False  # record what it starts and forks, too
    origin: str = "sdist"  # where the tests are: in the sdist, or the address of a git repository
    tag: str = ""  # of that repository
    hides: tuple[str, ...] = ()  # folders there that would be imported in place of what is installed
    needs: tuple[str, ...] = ()  # to be installed for its tests
    tests: tuple[str, ...] = ("tests",)  # for pytest; {port} is the server's
    server: str = ""  # of tests/servers.py
    resources: str = ""  # what CPython's tests may use beyond what they do by themselves
    env: tuple[tuple[str, str], ...] = ()


ALONE = """
    test_coroutines test_asyncgen test_contextlib test_contextlib_async test_threading_local test_thread test_gc
    test_weakref test_code test_monitoring test_sys_settrace test_sys_setprofile test_generators test_yield_from
    test_pdb test_bdb test_signal test_exceptions test_raise test_except_star test_exception_group
    test_traceback test_frame test_types test_inspect test_dis test_compile test_context test_queue
    test_selectors test_unittest test_sys test_capi test_opcache test_trace test_cprofile
    test_tracemalloc test_mmap test_interpreters test__interpreters
"""
WITH_CHILDREN = """
    test_asyncio test_threading test_subprocess test_audit test_faulthandler test_atexit test_fork1
    test_cmd_line test_runpy test_site test_concurrent_futures test_multiprocessing_fork
    test_multiprocessing_forkserver test_multiprocessing_spawn test_multiprocessing_main_handling
"""
CPYTHON = (
    *(Suite(name) for name in ALONE.split()),
    Suite("test_socketserver", resources="network"),
    *(Suite(name, children=True) for name in WITH_CHILDREN.split()),
)

# CPython's that don't always end, bare, on a busy machine: a timer of one second must beat the end of a recursion.
LEFT_OUT = ("test_print_exception_gh_102056",)

PYTEST = "pytest==9.2.0"
AIOHTTP = """
    client_functional client_session client_ws_functional connector streams helpers tracing
    web_functional web_protocol web_runner web_server web_websocket_functional
"""
DISTRIBUTED = "core utils_comm locks queues events semaphore batched asyncio utils"
PROJECTS = (
    Suite(
        "anyio",
        "4.16.0",
        needs=(
            "trio==0.35.0",
            "blockbuster",
            "hypothesis",
            "psutil",
            "pytest-mock",
            "pytest-timeout",
            "trustme",
            "truststore",
            "uvloop==0.23.0",
            "exceptiongroup",
        ),
        tests=("tests", "--ignore=tests/test_sockets.py"),
    ),
    Suite(
        "trio",
        "0.35.0",
        hides=("src", "tests"),
        needs=("trustme", "pyopenssl", "astor", "jedi", "isort", "pyyaml"),
        tests=("--pyargs", "trio"),
    ),
    Suite(
        "aiohttp",
        "3.14.5",
        hides=("aiohttp",),
        needs=(
            "pytest-aiohttp",
            "pytest-timeout",
            "pytest-mock",
            "pytest-xdist",
            "pytest-cov",
            "pytest-codspeed",
            "blockbuster",
            "freezegun",
            "re-assert",
            "trustme",
            "proxy.py",
            "gunicorn",
            "uvloop==0.23.0",
            "isal",
            "zlib-ng",
            "Brotli",
            "pkgconfig",
            "pydantic",
        ),
        tests=(
            "-o",
            "addopts=",
            "-o",
            "asyncio_default_fixture_loop_scope=function",  # else pytest-asyncio warns, and warnings are errors there
            *(f"tests/test_{name}.py" for name in AIOHTTP.split()),
            "-m",
            "not autobahn and not dev_mode and not internal",
        ),
    ),
    Suite(
        "httpx",
        "0.28.1",
        hides=("httpx",),
        needs=("httpx[brotli,cli,http2,socks,zstd]", "trio", "uvicorn==0.54.0", "trustme", "chardet", "pytest==8.3.4"),
    ),
    Suite(
        "starlette",
        "1.10.0",
        hides=("starlette",),
        needs=(
            "starlette[full]",
            "httpx2[zstd]",
            "blockbuster",
            "trio",
            "pytest-codspeed",
            "opentelemetry-sdk",
            "importlib-metadata",
        ),
    ),
    Suite(
        "uvicorn",
        "0.54.0",
        children=True,
        hides=("uvicorn",),
        needs=(
            "uvicorn[standard]",
            "pytest-mock",
            "pytest-xdist[psutil]",
            "pytest-codspeed",
            "trustme",
            "cryptography",
            "httpx2",
            "a2wsgi",
            "wsproto",
            "zttp",
            "gunicorn",
        ),
        tests=("-n", "0", "tests"),
    ),
    Suite(
        "websockets",
        "17.0.1",
        origin="https://github.com/python-websockets/websockets",
        tag="17.0.1",
        hides=("src",),
        needs=("python-socks[asyncio]", "mitmproxy", "werkzeug", "trio"),
    ),
    Suite("uvloop", "0.23.0", hides=("uvloop",), needs=("aiohttp", "psutil", "pyopenssl", "setuptools")),
    Suite(
        "asyncpg",
        "0.32.0",
        hides=("asyncpg",),
        needs=("distro", "uvloop==0.23.0"),
        server="postgres",
        env=(("PGHOST", "127.0.0.1"), ("PGPORT", "{port}"), ("PGUSER", "me"), ("PGDATABASE", "postgres")),
    ),
    Suite(
        "redis",
        "8.1.0",
        hides=("redis",),
        needs=(
            "redis[hiredis,jwt,circuit_breaker]",
            "aiohttp",
            "pytest-asyncio",
            "pytest-timeout",
            "numpy",
            "mock",
            "xxhash",
            "cachetools",
        ),
        server="redis",
        tests=(
            "tests/test_asyncio",
            "--redis-url=redis://127.0.0.1:{port}/0",
            "-m",
            "not redismod and not onlycluster and not cp_integration",
        ),
    ),
    Suite(
        "langchain-core",
        "1.8.3",
        hides=("langchain_core",),
        needs=(
            "freezegun",
            "pytest-mock",
            "syrupy",
            "pytest-asyncio",
            "grandalf",
            "responses",
            "pytest-socket",
            "pytest-xdist",
            "blockbuster<1.6",
            "numpy",
            "langchain-tests",
            "pytest-benchmark",
            "pytest-codspeed",
        ),
        tests=("tests/unit_tests",),
    ),
    Suite(
        "distributed",
        "2026.7.1",
        origin="https://github.com/dask/distributed",
        tag="2026.7.1",
        needs=(
            "dask[array,dataframe]==2026.7.1",
            "pytest-timeout",
            "pytest-rerunfailures",
            "pytest-asyncio",
            "bokeh",
            "requests",
            "zstandard",
        ),
        tests=tuple(f"distributed/tests/test_{name}.py" for name in DISTRIBUTED.split()),
    ),
)
PROJECTS_ON = "3.13"  # what most of them have wheels for
SUITES = CPYTHON + PROJECTS
QUICK = ("test_coroutines", "test_asyncgen", "test_contextlib_async", "test_code")


class Reason(NamedTuple):
    """Why tests may end otherwise when recorded."""

    suite: str
    tests: str  # a pattern, as a shell's
    pythons: str  # the versions on which it is so, with blanks between; none: all
    why: str


PDB = "by opcode events `set_trace()` stops at its own line since gh-111744; where a tool is on, at the next"
DESCRIPTOR = "a recorded child has one descriptor more than it was given, at 1000: the recording"
REASONS = (
    Reason("test_monitoring", "*", "", "its setUp wants that nobody has events on"),
    Reason("test_pdb", "*", "", PDB),
    Reason("test_subprocess", "*.test_pass_fds_redirected", "", DESCRIPTOR),
)
