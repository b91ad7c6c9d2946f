"""What the library is given: one clear exception of a documented type for what can't be, whatever it is."""

import asyncio
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import async_inspect
from async_inspect import Trace, checks, load
from async_inspect.errors import UserError
from async_inspect.formats import options

from .samples import kitchen

NO_TEXT: tuple[Any, ...] = (None, 5, math.nan, [None], ["a", 5])
NO_TIME: tuple[Any, ...] = ("x", [], math.nan, math.inf, -1, 1e300, 10**400)
FILTERS: dict[str, tuple[Any, ...]] = {
    "pid": (None, 1.5, math.nan, [None], ["a"], -1, 10**30),
    "task": NO_TEXT,
    "state": (*NO_TEXT, "nix"),
    "include": NO_TEXT,
    "exclude": NO_TEXT,
    "min_duration_ms": (None, *NO_TIME),
    "since_ms": NO_TIME,
    "until_ms": NO_TIME,
}
PATHS = ("nix/x.json", "a\0b", "x" * 5_000, "/proc/x")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    return load(kitchen().write(tmp_path_factory.mktemp("library") / "a.rec"))


def refused(job: Callable[[], object], kind: type[Exception] = UserError) -> None:
    with pytest.raises(kind) as caught:
        job()
    assert caught.type is kind
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FILTERS.items() for value in values])
def test_filters(name: str, value: Any, trace: Trace) -> None:
    refused(lambda: trace.filter(**{name: value}))


def test_a_single_word_is_one_of_several(trace: Trace) -> None:
    assert trace.filter(task="\udcff").tasks == ()
    assert len(trace.filter(task="*", state="completed").tasks) < len(trace.tasks)


@pytest.mark.parametrize("path", ["", "nix", "a\0b", "\udcff", "x" * 5_000, "/dev/null"])
def test_no_recording(path: str) -> None:
    refused(lambda: async_inspect.load(path))


@pytest.mark.parametrize("path", [None, 5, b"a.rec"])
def test_no_path(path: Any, trace: Trace) -> None:
    for job in (async_inspect.load, lambda path: trace.export("json", path), trace.export_all):
        refused(partial(job, path), TypeError)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_can_be_written_there(path: str, trace: Trace) -> None:
    refused(lambda: trace.export("json", path))
    if path != PATHS[0]:
        refused(lambda: trace.export_all(path, ["json"]))


@pytest.mark.parametrize("format", ["nix", "", None, 5, b"json", "JSON", "csv"])
def test_no_format(format: Any, trace: Trace) -> None:
    refused(lambda: trace.to_bytes(format))


def test_one_format_by_its_name(trace: Trace, tmp_path: Path) -> None:
    assert trace.export_all(tmp_path, "json") == [tmp_path / "data.json"]


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("html", {"nix": 1}),
        ("html", {"max_events": "x"}),
        ("html", {"max_events": None}),
        ("html", {"max_events": math.nan}),
        ("folded", {"weight": 5}),
        ("json", {"indent": object()}),
    ],
)
def test_no_option(format: str, options: dict[str, Any], trace: Trace, tmp_path: Path) -> None:
    refused(lambda: trace.to_bytes(format, **options))
    refused(lambda: trace.export(format, tmp_path / "x", **options))
    assert list(tmp_path.iterdir()) == []


def test_a_task_is_found_by_text(trace: Trace) -> None:
    number: Any = 1
    refused(lambda: trace.find(number), TypeError)
    assert trace.find("1") == 1


def test_an_option_without_an_annotation_is_as_its_default() -> None:
    def write(trace, *, upper=False, most=3, title=None, needed):  # type: ignore[no-untyped-def]
        """As somebody may well write one."""

    words = ["upper=yes", "most=7", "title=x", "needed=y"]
    assert options.parse("own", write, words) == {"upper": True, "most": 7, "title": "x", "needed": "y"}
    refused(lambda: options.parse("own", write, ["most=many"]))


def test_who_reckons_in_place_fails_alone(trace: Trace) -> None:
    for column in (trace.task_table.run_ns, trace.awaits.start_ns, trace.filter(task="main").task_table.run_ns):
        before = column.tolist()
        refused(partial(column.__imul__, 2), ValueError)
        assert column.tolist() == before


def test_no_check(trace: Trace) -> None:
    all_wrong: tuple[Any, ...] = (5, [5], "deadlock")
    for wrong in all_wrong:
        refused(partial(checks.run, trace, wrong), TypeError)
    no_trace: Any = None
    refused(lambda: checks.run(no_trace), TypeError)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ValueError, {"without": "nix"}),
        (ValueError, {"without": ["tasks", 5]}),
        (TypeError, {"without": 5}),
        (TypeError, {"tags": [5]}),
        (ValueError, {"slow_poll_ms": math.nan}),
        (TypeError, {"slow_poll_ms": "x"}),
        (ValueError, {"max_size": "much"}),
        (ValueError, {"max_size": 100}),
        (TypeError, {"max_size": None}),
        (ValueError, {"core": "rust"}),
        (ValueError, {"detail": "lines"}),
    ],
)
def test_no_setting(kind: type[Exception], words: dict[str, Any], tmp_path: Path) -> None:
    def job() -> None:
        with async_inspect.trace(tmp_path / "a.rec", **words):
            pass

    refused(job, kind)
    assert list(tmp_path.iterdir()) == []


def test_a_single_source_is_one_of_several(tmp_path: Path) -> None:
    async def main() -> None:
        await asyncio.sleep(0.001)

    with async_inspect.trace(tmp_path / "a.rec", without="wakes", callees=True, tags="request"):
        asyncio.run(main())
    assert (load(tmp_path / "a.rec").awaits.woken_by == 0).all()
