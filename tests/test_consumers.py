"""Our reports in the real programs that read them: jq, pandas, flamegraph.pl, Speedscope's schema and its app.

The reports are those of a real program, the aiohttp demo, as ``attach`` writes them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import consumers
from .formats.test_svg import agree
from .tools import ROOT, TARGET, TOOL, Run, run

PROGRAM = (str(ROOT / "fixtures" / "aiohttp_demo.py"), "--clients", "6", "--requests", "10")


@pytest.fixture(scope="module", params=["calls", "awaits"])
def demo(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Run:
    command = [*TOOL, "attach", "--python", TARGET, "--detail", request.param, *PROGRAM]
    made = run(command, cwd=tmp_path_factory.mktemp("demo"))
    assert made.status == 0, made.stderr
    return made


@pytest.fixture(scope="module")
def data(demo: Run) -> Any:
    return json.loads((demo.folder / "data.json").read_text(encoding="utf-8"))


JQ: dict[str, Callable[[Any], Any]] = {
    ".": lambda data: data,
    ".tasks[].name": lambda data: [task["name"] for task in data["tasks"]],
    ".tasks | sort_by(.duration_ms) | reverse | .[0] | .duration_ms": lambda data: max(
        task["duration_ms"] for task in data["tasks"]
    ),
    ".tasks | map(.duration_ms) | add / length": lambda data: pytest.approx(
        sum(task["duration_ms"] for task in data["tasks"]) / len(data["tasks"])
    ),
    '.tasks[] | select(.name | contains("client")) | .id': lambda data: [
        task["id"] for task in data["tasks"] if "client" in task["name"]
    ],
    ".events | group_by(.kind) | map({kind: .[0].kind, count: length}) | map(.count) | add": lambda data: len(
        data["events"]
    ),
    '.tasks[] | select(.state == "Failed") | {name, error}': lambda data: [
        {"name": task["name"], "error": task["error"]} for task in data["tasks"] if task["state"] == "Failed"
    ],
}


@pytest.mark.parametrize("filter", JQ)
def test_jq(filter: str, demo: Run, data: Any) -> None:
    command = [consumers.program("jq"), "-c", filter, str(demo.folder / "data.json")]
    done = run(command, cwd=demo.folder)
    assert done.status == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    expected = JQ[filter](data)
    assert (answers if isinstance(expected, list) else answers[0]) == expected


def test_pandas(data: Any) -> None:
    pandas = pytest.importorskip("pandas")
    tasks = pandas.DataFrame(data["tasks"])
    numbers = tasks[["created_at_ms", "duration_ms", "run_time_ms", "poll_count"]]
    assert numbers.notna().all().all()
    assert (numbers.describe().loc["count"] == len(data["tasks"])).all()
    assert (tasks["run_time_ms"] <= tasks["duration_ms"]).all()
    by_kind = pandas.DataFrame(data["events"]).groupby("kind").size()
    assert by_kind["TaskSpawned"] == data["metadata"]["total_tasks"] == len(tasks)
    assert by_kind["PollStarted"] == tasks["poll_count"].sum()


def test_flamegraph(demo: Run, tmp_path: Path) -> None:
    folded = demo.folder / "flamegraph.txt"
    command = [*consumers.flamegraph(), "--countname", "us", str(folded)]
    done = run(command, cwd=tmp_path)
    assert (done.status, done.stderr) == (0, "")
    total = sum(int(line.rpartition(" ")[2]) for line in folded.read_text(encoding="utf-8").splitlines())
    assert f"({total:,} us, 100%)" in done.stdout
    agree((demo.folder / "flamegraph.svg").read_text(encoding="utf-8"), done.stdout)


def test_speedscope_schema(demo: Run) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((consumers.speedscope() / "file-format-schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads((demo.folder / "speedscope.json").read_text(encoding="utf-8")), schema)


def test_speedscope_app(demo: Run, tmp_path: Path) -> None:
    """The app opens every profile and warns of nothing; what it exports again is what it was given."""
    path = demo.folder / "speedscope.json"
    given = json.loads(path.read_text(encoding="utf-8"))
    heard: list[str] = []

    def refuse(dialog: Any) -> None:
        heard.append(f"Failed: {dialog.message}")
        dialog.dismiss()

    with consumers.serve(consumers.speedscope()) as address, consumers.chromium() as browser:
        page = browser.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", refuse)
        page.goto(f"{address}/index.html")
        with page.expect_file_chooser() as chooser:
            page.get_by_text("Browse", exact=True).click()
        chooser.value.set_files(path)
        page.get_by_text("Time Order").first.wait_for(timeout=60_000)
        with page.expect_download() as download:
            page.get_by_text("Export").click()
        download.value.save_as(tmp_path / "again.json")
    again = json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))
    complaints = [text for text in heard if "Failed" in text or "Tried to end" in text or "still open" in text]
    assert complaints == []
    assert [profile["name"] for profile in again["profiles"]] == [profile["name"] for profile in given["profiles"]]
    assert {frame["name"] for frame in again["shared"]["frames"]} == {
        frame["name"] for frame in given["shared"]["frames"]
    }
    for seen, meant in zip(again["profiles"], given["profiles"], strict=True):
        assert seen["endValue"] - seen["startValue"] == meant["endValue"] - meant["startValue"]


def test_the_demo_does_the_same_work_traced(demo: Run, tmp_path: Path) -> None:
    bare = run([TARGET, *PROGRAM], cwd=tmp_path)
    assert (demo.status, demo.stdout) == (bare.status, bare.stdout)


def test_the_report_in_a_browser(demo: Run, data: Any) -> None:
    """Every view of a real program's report: it says data.json's numbers, and no script fails on the way."""
    heard: list[str] = []
    with consumers.chromium() as browser:
        page = browser.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.goto((demo.folder / "report.html").as_uri())
        page.wait_for_selector("body[data-ready]")
        cards = page.locator("#view-summary .cards").inner_text()
        assert f"\n{data['metadata']['total_tasks']:,}\n" in cards
        assert f"\n{data['metadata']['total_events']:,}\n" in cards
        for tab in page.locator("#tabs a").all():
            tab.click()
            page.wait_for_timeout(200)
        assert page.locator("#view-events output").inner_text() == f"{len(data['events']):,} events"
        for task in data["tasks"][:: max(1, len(data["tasks"]) // 20)]:
            page.evaluate(f"location.hash = '#view=tasks&task={task['id']}'")
            page.locator("#drawer h2", has_text=f"task {task['id']} ").wait_for()
    assert heard == []
