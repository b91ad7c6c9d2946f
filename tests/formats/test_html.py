"""report.html: its data against the Trace, and what a browser makes of it."""

import csv
import gzip
import io
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from async_inspect import checks
from async_inspect import events as ev
from async_inspect.formats import FORMATS, html
from async_inspect.formats.html.machines import EARLIER, END, ENDS, START
from async_inspect.model import Trace, load
from async_inspect.model import tables as t
from async_inspect.model import text as phrases
from async_inspect.model.figures.stats import stats
from async_inspect.model.finding import Finding, Survey
from async_inspect.support.names import clean

from .. import consumers, report
from ..levels import at_awaits
from ..samples import SAMPLES, kitchen
from ..tape import Tape, at, two_tasks
from ..tools import ROOT

ASSETS = ROOT / "async_inspect" / "formats" / "assets" / "report"
SCRIPTS = sorted(ASSETS.glob("*.js"))
VIEWS = ("summary", "timeline", "flame", "tasks", "machines", "graph", "events")
HOSTILE = "</script><img src=x onerror=alert(1)><!--"
HEAD = 66  # of the timeline: what stands above its rows
ROW = 20


def written(trace: Trace, survey: Survey | None = None, **options: Any) -> bytes:
    """``survey``: other findings than the checks'."""
    return b"".join(html.write(trace, survey or checks.survey(trace), **options))


@pytest.fixture(params=SAMPLES)
def trace(request: pytest.FixtureRequest, tmp_path: Path) -> Trace:
    return load(SAMPLES[request.param]().write(tmp_path / f"{request.param}.rec"))


# --- the data --------------------------------------------------------------------------------------------------------


def test_columns_are_the_traces(trace: Trace) -> None:
    found, table = report.blocks(written(trace)), trace.task_table
    assert found["words"]["names"] == [clean(name) for name in table.name]
    assert found["words"]["errors"] == {str(row + 1): error for row, error in table.error.items()}
    for name in ("created_ns", "run_ns", "state", "parent", "polls", "function", "location"):
        assert found[f"tasks.{name}"].tolist() == getattr(table, name).tolist(), name
    assert (found["tasks.created_ns"] + found["tasks.life_ns"]).tolist() == table.end_ns.tolist()
    assert (found["tasks.run_ns"] - found["tasks.nested_ns"]).tolist() == table.self_ns.tolist()
    assert found["polls.run_ns"].tolist() == (trace.polls.end_ns - trace.polls.start_ns).tolist()
    waits = trace.awaits.end_ns - trace.awaits.start_ns
    assert (found["shapes.wait_ns"].sum(), found["shapes.count"].sum()) == (waits.sum(), len(waits))
    assert found["shapes.location"][found["awaits.shape"]].tolist() == trace.awaits.location.tolist()
    assert found["shapes.leaf"][found["awaits.shape"]].tolist() == trace.awaits.leaf_node.tolist()
    assert found["shapes.chain"][found["awaits.shape"]].tolist() == trace.awaits.chain.tolist()
    assert found["awaits.task"].tolist() == trace.awaits.awaited_task.tolist()
    assert (found["events.kind"].tolist(), found["events.task"].tolist()) == (
        trace.events.kind.tolist(),
        trace.events.task.tolist(),
    )
    for mine, theirs in (("sums", trace.node_sums), ("lines", trace.line_sums)):
        for name in ("task", "node", "wait_ns"):
            assert found[f"{mine}.{name}"].tolist() == getattr(theirs, name).tolist()


def test_waits_are_the_traces(trace: Trace) -> None:
    """Who woke whom, how long what was ready, who held what: what isn't known is -1, and never 0."""
    found, awaits = report.blocks(written(trace)), trace.awaits
    least, most = trace.ready
    assert found["tasks.ready_ns"].tolist() == least.tolist()
    assert (found["tasks.ready_ns"] + found["tasks.more_ns"]).tolist() == most.tolist()
    for name in ("woken_by", "waker", "resource"):
        assert found[f"awaits.{name}"].tolist() == getattr(awaits, name).tolist(), name
    due, more = found["awaits.due_in_ns"], found["awaits.more_ns"]
    assert (due < 0).tolist() == (awaits.due_ns < 0).tolist()
    assert (more < 0).tolist() == ((awaits.ready_ns < 0) | (awaits.ready_most_ns < 0)).tolist()
    assert more[more >= 0].tolist() == (awaits.ready_most_ns - awaits.ready_ns)[more >= 0].tolist()
    assert found["words"]["resources"] == [trace.resource(row, made=False) for row in range(len(trace.resources))]
    assert found["holds.count"].sum() == len(trace.holds)
    assert found["holds.held_ns"].sum() == (trace.holds.end_ns - trace.holds.start_ns).sum()
    assert len(found["held.task"]) == (~trace.holds.ended).sum()
    waited = awaits.resource >= 0
    assert found["queues.wait_ns"].sum() == (awaits.end_ns - awaits.start_ns)[waited].sum()
    pairs = set(zip(found["edges.task"].tolist(), found["edges.awaited"].tolist(), strict=True))
    assert pairs == set(zip(trace.edges.task.tolist(), trace.edges.awaited.tolist(), strict=True))
    assert found["edges.count"].sum() == (awaits.awaited_task > 0).sum()
    blind = checks.not_looked_for(trace).removeprefix("not looked for: ")
    assert [(one["severity"], one["text"], one["task"]) for one in found["about"]["findings"]] == [
        *((one.severity, one.text, one.task) for one in checks.run(trace)),
        *[("hint", blind, None)] * bool(blind),
    ]


def test_what_follows_is_not_said_twice(tmp_path: Path) -> None:
    """The columns that say where a row differs from what the page expects have nothing to say."""
    found = report.blocks(written(load(kitchen().write(tmp_path / "a.rec"))))
    for name in ("awaits.start_off_ns", "awaits.end_off_ns", "events.off"):
        assert len(found[name]) > 10
        assert not found[name].any(), name


def moves_of(trace: Trace, function: str) -> dict[tuple[str, str], tuple[int, int]]:
    """How often a machine went from one state to another, and what ran in between."""
    found = report.blocks(written(trace))
    places = {row: trace.place(row) or "?" for row in range(len(trace.locations))}
    names = places | {START: "start", EARLIER: "earlier"} | {END - row: text for row, text in enumerate(ENDS)}
    keys = ("function", "from", "to", "count", "run_ns")
    rows = zip(*(found[f"moves.{key}"].tolist() for key in keys), strict=True)
    return {(names[a], names[b]): (n, ns) for row, a, b, n, ns in rows if trace.functions[row].name == function}


def test_machines(tmp_path: Path) -> None:
    """Eight orders: from their start to the pool's lock, from there to the cook; three ends.  A cook has its own."""
    trace = load(kitchen().write(tmp_path / "a.rec"))
    assert moves_of(trace, "Kitchen.order") == {
        ("start", "app.py:33"): (8, 8_000_000),
        ("app.py:33", "app.py:37"): (8, 16_000_000),
        ("app.py:37", "returned"): (6, 600_000),
        ("app.py:37", "cancelled"): (1, 50_000),
        ("app.py:37", "raised"): (1, 100_000),
    }


def test_an_await_is_one_however_often_it_suspends(tmp_path: Path) -> None:
    """Outer awaits a coroutine that suspends three times, then the same line again, then an async generator, of which
    each item is another await.  The time for which the generator's consumer runs is not the generator's."""
    tape = Tape()
    outer, inner, items = (tape.code(name, 10 * n) for n, name in enumerate(("outer", "inner", "items"), 1))
    future = tape.string("asyncio.Future")
    at_outer = tape.node(0, outer)
    at_inner, at_items = tape.node(at_outer, inner), tape.node(at_outer, items)
    tape.put(ev.START, 0, coro=1, off=outer, node=at_outer, task=1, flags=ev.IS_TASK)
    clock = 0
    for coro in (2, 3):
        tape.put(ev.START, clock := clock + 10, coro=coro, aux=1, off=inner, node=at_inner, task=1)
        for _ in range(3):
            tape.put(ev.SUSPEND, clock := clock + 100, coro=coro, aux=future, off=2)
            tape.put(ev.LINK, clock, coro=1, aux=coro, off=4)
            tape.put(ev.RESUME, clock := clock + 1000, coro=1, aux=coro, node=at_inner, task=1)
        tape.put(ev.RETURN, clock := clock + 10, coro=coro, node=at_outer, task=1)
    for item in range(2):
        kind, fields = (ev.ENTER, {}) if item else (ev.START, {"off": items})
        tape.put(kind, clock := clock + 7, coro=4, aux=1, node=at_items, task=1, **fields)
        tape.put(ev.SUSPEND, clock := clock + 100, coro=4, aux=future, off=6)
        tape.put(ev.LINK, clock, coro=1, aux=4, off=8)
        tape.put(ev.RESUME, clock := clock + 1000, coro=1, aux=4, node=at_items, task=1)
        tape.put(ev.ITEM, clock := clock + 10, coro=4, aux=1, node=at_outer, task=1)
    tape.put(ev.RETURN, clock := clock + 7, coro=1)
    tape.end_ns = clock
    trace = load(tape.write(tmp_path / "a.rec"))
    assert moves_of(trace, "outer") == {
        ("start", "app.py:12"): (1, 110),
        ("app.py:12", "app.py:12"): (1, 120),
        ("app.py:12", "app.py:14"): (1, 117),
        ("app.py:14", "app.py:14"): (1, 117),
        ("app.py:14", "returned"): (1, 17),
    }
    assert moves_of(trace, "inner") == {
        ("start", "app.py:21"): (2, 200),
        ("app.py:21", "app.py:21"): (4, 400),
        ("app.py:21", "returned"): (2, 20),
    }
    assert moves_of(trace, "items") == {
        ("start", "app.py:33"): (1, 100),
        ("app.py:33", "app.py:33"): (1, 110),
        ("app.py:33", "open"): (1, 10),
    }
    found = report.blocks(written(trace))
    keys = ("location", "count", "wait_ns", "run_ns")
    states = zip(*(found[f"states.{key}"].tolist() for key in keys), strict=True)
    assert {trace.place(location): rest for location, *rest in states} == {
        "app.py:12": [2, 6000, 400], "app.py:14": [2, 2000, 0], "app.py:21": [6, 6000, 0], "app.py:33": [2, 2000, 0],
    }  # fmt: skip


def test_every_move_starts_and_ends(trace: Trace) -> None:
    """A machine is entered as often as it is left, state by state; its times are those of its calls."""
    found = report.blocks(written(trace))
    machine, begin, end, count, ran = (found[f"moves.{key}"] for key in ("function", "from", "to", "count", "run_ns"))
    stood = found["states.wait_ns"] + found["states.run_ns"]
    assert (ran >= 0).all()
    assert (found["states.run_ns"] >= 0).all()
    for one in np.unique(machine).tolist():
        mine, states = machine == one, trace.locations.function[found["states.location"]] == one
        entered = {place: count[mine & (end == place)].sum() for place in end[mine].tolist() if place >= 0}
        assert entered == {place: count[mine & (begin == place)].sum() for place in entered}
        assert entered == dict(
            zip(found["states.location"][states].tolist(), found["states.count"][states].tolist(), strict=True)
        )
        calls = np.flatnonzero(trace.calls.function == one)
        assert count[mine & (begin <= START)].sum() == count[mine & (end <= END)].sum() == len(calls)
        inside = np.isin(trace.entries.call, calls)
        lived = (trace.entries.end_ns - trace.entries.start_ns)[inside].sum()
        assert ran[mine].sum() + stood[states].sum() == lived


def never_waited() -> Tape:
    """Of one the await points are known, of one they aren't (an old recording), one has none; and one never ran."""
    tape = Tape()
    future = tape.string("asyncio.Future")
    codes = (tape.code("known", 10, awaits=(2, 4, 6, 8)), tape.code("old", 20), tape.code("bare", 30, awaits=(4,)))
    for coro, code in enumerate(codes, 1):
        node = tape.node(0, code)
        tape.put(ev.START, coro * 100, coro=coro, off=code, node=node, task=coro, flags=ev.IS_TASK)
        tape.put(ev.SUSPEND, coro * 100 + 50, coro=coro, aux=future, off=4)
    tape.put(ev.SPAWN, 500, coro=4, aux=tape.code("idle", 40))
    tape.end_ns = 1000
    return tape


def test_where_it_never_waited(tmp_path: Path) -> None:
    """Awaits that are known from the code alone: it never came there, or never had to wait."""
    trace = load(never_waited().write(tmp_path / "a.rec"))
    found = report.blocks(written(trace))
    rows = zip(found["never.function"].tolist(), found["never.line"].tolist(), strict=True)
    assert [(trace.functions[row].name, line) for row, line in rows] == [("known", 11), ("known", 13), ("known", 14)]
    assert [trace.functions[row].name for row in found["unsaid.function"].tolist()] == ["old"]


def many(path: Path, tasks: int = 5_000) -> Trace:
    """Tasks of two polls and one await each, the later the longer, all of one parent."""
    tape = Tape()
    main, work, future = tape.code("main", 1), tape.code("work", 10), tape.string("asyncio.Future")
    at_main, at_work = tape.node(0, main), tape.node(0, work)
    tape.put(ev.SPAWN, 0, coro=1, aux=main)
    tape.put(ev.START, 1_000, coro=1, off=main, node=at_main, task=1, flags=ev.IS_TASK)
    for task in range(2, tasks + 2):
        tape.put(ev.SPAWN, task * 1_000, coro=task, aux=work, node=at_main, task=1)
    clock = (tasks + 2) * 1_000
    tape.put(ev.SUSPEND, clock, coro=1, aux=future, off=2)
    for task in range(2, tasks + 2):
        tape.put(ev.START, clock + task * 100, coro=task, off=work, node=at_work, task=task, flags=ev.IS_TASK)
        tape.put(ev.SUSPEND, clock + task * 100 + 50, coro=task, aux=future, off=4)
    clock += (tasks + 2) * 100
    for task in range(2, tasks + 2):
        tape.put(ev.RESUME, clock + task * 10_000, coro=task, aux=task, node=at_work, task=task)
        tape.put(ev.RETURN, clock + task * 10_000 + 5_000, coro=task)
    tape.end_ns = clock + (tasks + 3) * 10_000
    return load(tape.write(path))


def test_past_the_bound_the_longest_lived_are_whole(tmp_path: Path) -> None:
    trace = many(tmp_path / "a.rec", 100)
    whole, part = report.blocks(written(trace)), report.blocks(written(trace, max_events=200))
    assert whole["about"]["left"] == {"tasks": 0, "events": 0}
    left = part["about"]["left"]
    kept = part["tasks.whole"].astype(bool)
    assert left["tasks"] == 101 - kept.sum() > 60
    assert left["events"] == len(trace.events) - len(part["events.id"]) > 400
    lives = trace.task_table.end_ns - trace.task_table.created_ns
    assert lives[kept].min() >= lives[~kept].max()
    assert trace.events.task[part["events.id"]].tolist() == part["events.task"].tolist()
    for name, column in whole.items():
        if not name.startswith(("about", "polls.", "awaits.", "events.", "tasks.whole")):
            assert np.array_equal(column, part[name]), f"{name} is whole"


# --- the code --------------------------------------------------------------------------------------------------------


def test_every_script_is_one_and_used() -> None:
    """What a linter of scripts would say: each can be parsed, alone and together; none is forgotten or too long."""
    assert {path.stem for path in SCRIPTS} == set(html.SCRIPTS)
    node = consumers.program("node")
    for path in SCRIPTS:
        source = path.read_text(encoding="utf-8")
        assert source.startswith("// "), f"{path.name} doesn't say what it knows"
        assert source.count("\n") <= 400, f"{path.name} wants to be two files"
        assert max(map(len, source.splitlines())) <= 120
        done = subprocess.run([node, "--check", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    joined = (
        '"use strict"; (() => {' + "".join((ASSETS / f"{name}.js").read_text("utf-8") for name in html.SCRIPTS) + "})"
    )
    done = subprocess.run([node, "--check", "-"], input=joined, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_page_is_small_and_needs_nothing(tmp_path: Path) -> None:
    page = written(load(Tape().write(tmp_path / "a.rec")))
    assert len(gzip.compress(page)) < 150_000
    addresses = set(re.findall(rb"https?://[^\"' ]+", page))
    assert addresses == {b"http://www.w3.org/2000/svg"}
    assert b"Content-Security-Policy" in page and b"default-src 'none'" in page
    assert not re.search(rb"connect-src|form-action|frame-src|https?:(?!//www\.w3\.org/2000/svg)", page)
    assert b"{{" not in page.replace(b"${{", b"")


def contrast(one: str, other: str) -> float:
    """As WCAG has it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_all_text_can_be_read() -> None:
    """Contrast of 4.5 at least (AA), in the light and in the dark."""
    style = (ASSETS / "report.css").read_text(encoding="utf-8")
    themes = [
        dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root[^{]*{(.*?)}", style, re.DOTALL)
    ]
    assert len(themes) == 2
    pairs = "ink/panel ink/back ink/soft ink/wait ink/ready ink/k0 ink/k1 ink/k2 ink/k3 ink/k4 dim/panel dim/back"
    for theme in themes:
        for pair in f"{pairs} accent/panel accent/soft bad/panel".split():
            text, back = pair.split("/")
            assert contrast(theme[text], theme[back]) >= 4.5, pair
        assert contrast("#1d1206", theme["run"]) >= 4.5
        assert contrast("#ffffff", theme["hit"]) >= 4.5


# --- in a browser ----------------------------------------------------------------------------------------------------


class Browser:
    """One Chromium for all tests of this file; what went wrong in a page is a failure."""

    def __init__(self, context: Any, folder: Path) -> None:
        self.context, self.folder = context, folder
        self.heard: list[str] = []
        self.asked: list[str] = []

    def open(self, trace: Trace, fragment: str = "", size: tuple[int, int] = (1440, 900), **options: Any) -> Any:
        file = self.folder / "report.html"
        file.write_bytes(written(trace, **options))
        page = self.context.new_page()
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.on("console", lambda message: self.heard.append(message.text))
        page.on("pageerror", lambda error: self.heard.append(str(error)))
        page.on("dialog", lambda dialog: self.heard.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: self.asked.append(request.url))
        # What is copied is kept, so that no clipboard is needed.
        page.add_init_script("navigator.clipboard.writeText = async (text) => { window.copied = text }")
        page.goto(file.as_uri() + fragment)
        page.wait_for_selector("body[data-ready]")
        return page


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with consumers.chromium() as context:
        yield Browser(context, tmp_path_factory.mktemp("report"))


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    chromium.heard.clear()
    chromium.asked.clear()
    yield chromium
    for page in chromium.context.pages[1:]:
        page.close()
    assert chromium.heard == []
    address = (chromium.folder / "report.html").as_uri()
    assert {url.partition("#")[0] for url in chromium.asked} <= {address, "data:,"}, "no request leaves"


@pytest.fixture
def cooked(tmp_path: Path) -> Trace:
    return load(kitchen().write(tmp_path / "kitchen.rec"))


def show(page: Any, view: str) -> Any:
    """A view, by its tab."""
    page.locator(f'#tabs a[data-view="{view}"]').click()
    section = page.locator(f"#view-{view}")
    section.wait_for(state="visible")
    assert page.locator(".view:visible").count() == 1
    return section


def frames(page: Any) -> None:
    """What was asked for has been drawn."""
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 200))))"
    )


def go(page: Any, fragment: str) -> None:
    """To another fragment, until the page has heard of it: which it does later, by an event."""
    page.evaluate(
        """fragment => new Promise(done => {
            addEventListener("hashchange", () => setTimeout(done), {once: true})
            location.hash = fragment
        })""",
        fragment,
    )


def copied(page: Any) -> str:
    text: str = page.evaluate("window.copied")
    return text


def test_summary(browser: Browser, cooked: Trace) -> None:
    page = browser.open(cooked)
    cards = dict(
        page.locator("#view-summary .card").evaluate_all(
            "cards => cards.map(c => [c.querySelector('dt').textContent, c.innerText])"
        )
    )
    figures = stats(cooked)
    assert (figures.tasks, figures.tasks_by_state["Completed"], figures.peak_concurrency) == (9, 7, 9)
    assert "\n9\n" in cards["tasks"]
    assert "at most 9 at once" in cards["tasks"]
    assert "77.8%" in cards["succeeded"]  # 7 of 9
    assert "11.1%" in cards["failed"]
    assert "1 failed, 1 cancelled" in cards["failed"]
    assert f"{figures.run_ns / 1e6:.1f} ms" in cards["running"]
    assert f"{len(cooked.events)}" in cards["events"]
    assert "nothing lost" in cards["events"]
    assert page.locator(".findings").count() == 0
    assert page.locator(".notice").count() == 0
    assert "app.py:33" in page.locator(".panel", has_text="Where it waited").inner_text()
    facts = page.locator(".panel", has_text="The recording").inner_text()
    assert cooked.meta.python in facts
    assert "2023-11-14 22:13:20 UTC" in facts


def test_times_are_said_as_in_findings(browser: Browser, cooked: Trace) -> None:
    times = [
        0,
        1,
        30,
        999,
        1_000,
        9_999,
        10_000,
        123_456,
        999_999,
        1_000_000,
        12_345_678,
        9_999_999_999,
        10**10,
        10**14,
    ]
    words = (ASSETS / "words.js").read_text(encoding="utf-8")
    said = browser.open(cooked).evaluate(f"(times) => {{ {words}; return times.map(Words.ms); }}", times)
    assert said == [phrases.ms(ns) for ns in times]
    assert said[:3] == ["0 ns", "1 ns", "30 ns"]


def test_findings_are_those_of_the_checks(browser: Browser, tmp_path: Path) -> None:
    trace = load(SAMPLES["contention"]().write(tmp_path / "a.rec"))
    found = checks.run(trace)
    assert found
    page = browser.open(trace)
    shown = page.locator(".findings li").all_inner_texts()
    assert len(shown) == len(found)
    for text, one in zip(shown, found, strict=True):
        assert text.startswith(f"{one.check} {one.text}")


def test_findings_have_their_place(browser: Browser, cooked: Trace) -> None:
    one = Finding(severity="error", check="Exception", text="order-6 failed.", place="app.py:30", task=8)
    page = browser.open(cooked, survey=Survey((one,), ()))
    assert page.locator(".findings li").inner_text() == "Exception order-6 failed. app.py:30 task 8 order-7 <&>"
    page.locator(".findings a").click()
    assert page.locator("#drawer h2").inner_text() == "task 8 order-7 <&>"


@pytest.fixture
def contended(tmp_path: Path) -> Trace:
    return load(SAMPLES["contention"]().write(tmp_path / "contention.rec"))


def test_ready_times_are_told(browser: Browser, contended: Trace) -> None:
    """When tasks could have run and did not, who woke them, and what they waited for."""
    page = browser.open(contended, "#view=timeline&t=0-160")
    frames(page)
    box = page.locator("#view-timeline canvas.chart").bounding_box()
    scale = (box["width"] - 210) / contended.meta.duration_ns

    def tip(ms: float, row: int) -> list[str]:
        page.mouse.move(box["x"] + 210 + ms * 1e6 * scale, box["y"] + HEAD + ROW * row + ROW / 2)
        text: str = page.locator("#tip").inner_text()
        return text.splitlines()

    def colours(ms: float, row: int) -> list[str]:
        """Of a bar there, the commonest first."""
        x, y = 210 + ms * 1e6 * scale, HEAD + ROW * row + 9
        script = """([x, y]) => {
            const canvas = document.querySelector("#view-timeline canvas.chart"), ratio = devicePixelRatio
            const part = new OffscreenCanvas(40, 5).getContext("2d")
            part.drawImage(canvas, -Math.round(x * ratio), -Math.round(y * ratio))
            const data = part.getImageData(0, 0, 40, 5).data, count = {}
            for (let i = 0; i < data.length; i += 4) {
                const key = "#" + [0, 1, 2].map(p => data[i + p].toString(16).padStart(2, "0")).join("")
                count[key] = (count[key] ?? 0) + 1
            }
            return Object.keys(count).sort((a, b) => count[b] - count[a])
        }"""
        found: list[str] = page.evaluate(script, [x, y])
        return found

    theme = page.evaluate(
        "Object.fromEntries(['ready', 'dot', 'wait', 'stripe'].map("
        "name => [name, getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim()]))"
    )
    assert [tip(100, row)[0] for row in range(4)] == [
        "task 1 main", "task 2 worker", "task 3 blocker", "task 4 idler",
    ]  # fmt: skip
    assert {"ready 151 ms", "woken by a timer", "its timer was due at 4.00 ms"} <= {*tip(100, 0)}
    assert colours(120, 0)[0] == theme["ready"]
    assert theme["dot"] in colours(120, 0)
    assert {"Lock 1 (made at app.py:11)", "ready 500 µs", "woken by task 1 (main)"} <= {*tip(100, 1)}
    assert colours(120, 1)[:2] == [theme["wait"], theme["stripe"]]
    assert {"ready 100 µs", "woken by I/O"} <= {*tip(3.5, 2)}
    assert "not started for 107 ms, ready all of it" in tip(100, 3)
    assert {"ready 2.00 ms", "woke itself: it only yielded"} <= {*tip(159, 3)}
    show(page, "tasks")
    frames(page)
    ready = "rows => rows.map(row => row.children[8].textContent)"
    assert page.locator("#view-tasks .rows .row").evaluate_all(ready) == [
        "151 ms", "1.50 ms", "2.10 ms", "109 ms",
    ]  # fmt: skip


def test_bounds_of_ready_times_are_said(browser: Browser, tmp_path: Path) -> None:
    """The kernel may have answered while the loop was busy; of the second wait nothing is known."""
    tape = Tape()
    reader, busy = tape.code("reader", 10), tape.code("busy", 20)
    at_reader, at_busy, future = tape.node(0, reader), tape.node(0, busy), tape.string("asyncio.Future")
    tape.meta += [("source", "wakes")]
    tape.put(ev.SPAWN, 0, coro=1, aux=reader)
    tape.put(ev.SPAWN, 0, coro=2, aux=busy)
    tape.put(ev.START, 0, coro=1, off=reader, node=at_reader, task=1, flags=ev.IS_TASK)
    tape.put(ev.SUSPEND, 1_000_000, coro=1, aux=future, off=2)
    tape.put(ev.START, 1_000_000, coro=2, off=busy, node=at_busy, task=2, flags=ev.IS_TASK)
    tape.put(ev.RETURN, 3_000_000, coro=2)
    tape.put(ev.SELECT, 3_100_000, **at(3_000_000))
    tape.put(ev.WAKE, 3_150_000, coro=1, flags=ev.BY_IO)
    tape.put(ev.RESUME, 3_200_000, coro=1, aux=1, node=at_reader, task=1)
    tape.put(ev.SUSPEND, 4_000_000, coro=1, aux=future, off=4)
    tape.put(ev.RESUME, 5_000_000, coro=1, aux=1, node=at_reader, task=1)
    tape.put(ev.RETURN, 6_000_000, coro=1)
    tape.end_ns = 6_000_000
    trace = load(tape.write(tmp_path / "a.rec"))
    page = browser.open(trace, "#view=timeline&t=0-6")
    frames(page)
    box = page.locator("#view-timeline canvas.chart").bounding_box()
    told = []
    for ms in (2, 4.5):
        page.mouse.move(box["x"] + 210 + ms * (box["width"] - 210) / 6, box["y"] + HEAD + ROW / 2)
        told += re.findall("ready.*", page.locator("#tip").inner_text())
    assert told == ["ready 100 µs–2.10 ms", "ready unknown"]
    same_events(page, trace)
    go(page, "#view=tasks&task=1")
    assert "ready\n100 µs–3.10 ms\nof the wait" in page.locator("#drawer").inner_text()


def test_who_holds_what(browser: Browser, contended: Trace) -> None:
    page = browser.open(contended, "#view=graph")
    section = page.locator("#view-graph")
    assert section.locator(".box.resource title").text_content() == "Lock 1\nmade at app.py:11"
    assert section.locator(".arrow:not(.spawn) title").all_text_contents() == [
        "1  main → 2  worker: await gathered",
        "1  main → Lock 1: hold ×1 155 ms",
        "2  worker → Lock 1: hold ×1 4.00 ms",
        "2  worker → Lock 1: want ×1 154 ms",
    ]
    go(page, "#view=graph&task=2")
    section.locator(".box.current").wait_for()
    assert {"await gathered", "hold ×1 155 ms", "want ×1 154 ms"} <= {
        title.partition(": ")[2] for title in section.locator(".arrow title").all_text_contents()
    }
    facts = page.locator("#drawer dl.facts").inner_text()
    assert "task 1 main ×1" in facts
    assert "Lock 1 (made at app.py:11) for 4.00 ms, taken at app.py:21" in facts


def same_events(page: Any, trace: Trace) -> None:
    """All events, as the page has put them together again, are those of events.csv."""
    show(page, "events").get_by_text("copy as CSV").click()
    mine = list(csv.DictReader(io.StringIO(copied(page), newline="")))
    theirs = list(csv.DictReader(io.StringIO(b"".join(FORMATS["csv:events"].write(trace)).decode(), newline="")))
    assert len(mine) == len(theirs) == len(trace.events)
    for a, b in zip(mine, theirs, strict=True):
        assert float(a.pop("timestamp_ms")) == float(b.pop("timestamp_ms"))
        a["details"] = a["details"].replace("␊", " ")  # a name's line end, which csv:events has as a space
        assert a == b


@pytest.mark.parametrize(
    "part", [{"since_ms": 3, "until_ms": 28}, {"task": "order-*"}, {"exclude": "site-packages/*"}], ids=str
)
def test_a_part_of_a_trace(part: dict[str, Any], browser: Browser, cooked: Trace) -> None:
    trace = cooked.filter(**part)
    page = browser.open(trace)
    assert page.locator(".notice").inner_text() == f"Only a part of the trace: {trace.meta.filter}"
    for view in VIEWS:
        show(page, view)
        frames(page)
    same_events(page, trace)


def test_tables_are_the_csv(browser: Browser, trace: Trace) -> None:
    """All events and all tasks, as the page has put them together again, are those of events.csv and tasks.csv."""
    page = browser.open(trace)
    same_events(page, trace)
    show(page, "tasks").get_by_text("copy as CSV").click()
    mine = list(csv.DictReader(io.StringIO(copied(page), newline="")))
    theirs = list(csv.DictReader(io.StringIO(b"".join(FORMATS["csv:tasks"].write(trace)).decode(), newline="")))
    for a, b in zip(mine, theirs, strict=True):
        efficiency, life = a.pop("efficiency"), float(b["duration_ms"])
        assert efficiency == "" if not life else float(efficiency) == pytest.approx(float(b["run_time_ms"]) / life)
        for key in (key for key in b.copy() if key.endswith("_ms")):
            assert float(a.pop(key) or -1) == float(b.pop(key) or -1)
        assert a == {key: clean(value) for key, value in b.items()}


def test_the_timeline_tells(browser: Browser, cooked: Trace) -> None:
    """Under the mouse, at the place where a task's bar must be: what it did, for how long, and where it stands."""
    page = browser.open(cooked, "#view=timeline")
    frames(page)
    chart = page.locator("#view-timeline canvas.chart")
    box = chart.bounding_box()
    scale = (box["width"] - 210) / cooked.meta.duration_ns

    def at(ns: int, row: int) -> str:
        page.mouse.move(box["x"] + 210 + ns * scale, box["y"] + HEAD + ROW * row + ROW / 2)
        page.locator("#tip").wait_for(state="visible")
        text: str = page.locator("#tip").inner_text()
        return text

    first = 1  # the first order, below main
    waits = at(5_000_000, first)
    assert "task 2 order-1" in waits
    assert "waited 7.00 ms for asyncio.Lock" in waits
    assert "ready unknown" in waits
    assert re.search(r"Kitchen.order\s+app.py:33\n\s*Pool.get\s+site-packages/pool/core.py:9", waits)
    assert "ran 2.00 ms" in at(10_000_000, first)
    assert "_GatheringFuture" in at(10_000_000, 0)
    page.mouse.click(box["x"] + 210 + 10_000_000 * scale, box["y"] + HEAD + ROW * 3.5)
    assert page.locator("#drawer h2").inner_text() == "task 4 order-3"
    frames(page)
    assert page.evaluate("location.hash") == "#view=timeline&task=4"


def many_lines() -> Tape:
    """Outer (app.py:11, then app.py:12) and middle (a library's) await inner, which suspends at one line."""
    tape = Tape()
    outer, inner = tape.code("outer", 10), tape.code("inner", 30)
    middle = tape.code("middle", 20, "/py/lib/asyncio/tasks.py")
    future = tape.string("asyncio.Future")
    at_outer = tape.node(0, outer)
    at_middle = tape.node(at_outer, middle)
    at_inner = tape.node(at_middle, inner)
    tape.put(ev.START, 0, coro=1, off=outer, node=at_outer, task=1, flags=ev.IS_TASK)
    clock = 0
    for turn in (1, 2):
        first, second = 2 * turn, 2 * turn + 1
        tape.put(ev.START, clock := clock + 10_000, coro=first, aux=1, off=middle, node=at_middle, task=1)
        tape.put(ev.START, clock := clock + 10_000, coro=second, aux=first, off=inner, node=at_inner, task=1)
        tape.put(ev.SUSPEND, clock := clock + 10_000, coro=second, aux=future, off=2)
        tape.put(ev.LINK, clock, coro=first, aux=second, off=2 * turn)
        tape.put(ev.LINK, clock, coro=1, aux=first, off=2 * turn)
        tape.put(ev.RESUME, clock := clock + 1_000_000, coro=1, aux=second, node=at_inner, task=1)
        tape.put(ev.RETURN, clock := clock + 10_000, coro=second, node=at_middle, task=1)
        tape.put(ev.RETURN, clock := clock + 10_000, coro=first, node=at_outer, task=1)
    tape.put(ev.RETURN, clock := clock + 10_000, coro=1)
    tape.end_ns = clock
    return tape


@pytest.mark.parametrize("exclude", ["", "stdlib"])
def test_a_stack_has_its_lines(exclude: str, browser: Browser, tmp_path: Path) -> None:
    """Outside of the await point, too, and where frames stood at several lines."""
    trace = load(many_lines().write(tmp_path / "a.rec"))
    trace = trace.filter(exclude=exclude) if exclude else trace
    page = browser.open(trace, "#view=timeline")
    frames(page)
    box = page.locator("#view-timeline canvas.chart").bounding_box()
    for turn, moment in enumerate((500_000, 1_600_000), 1):
        x = box["x"] + 210 + moment * (box["width"] - 210) / trace.meta.duration_ns
        page.mouse.move(x, box["y"] + HEAD + ROW / 2)
        page.locator("#tip").wait_for(state="visible")
        middle = [] if exclude else [f"middle <stdlib>/asyncio/tasks.py:{20 + turn}"]
        assert page.locator("#tip .frame").all_inner_texts() == [
            f"outer app.py:{10 + turn}",
            *middle,
            "inner app.py:31",
        ]
    section = show(page, "machines")
    assert section.locator(".machine .box text:first-of-type").all_text_contents() == [
        "start", "app.py:11", "app.py:12", "returned",
    ]  # fmt: skip


def test_moving_in_the_timeline(browser: Browser, cooked: Trace) -> None:
    page = browser.open(cooked, "#view=timeline")
    frames(page)
    page.locator("#view-timeline canvas.chart").focus()

    def shown() -> list[float]:
        part = page.evaluate("location.hash").partition("t=")[2]
        return [float(number) for number in part.split("-")] if part else [0, cooked.meta.duration_ns / 1e6]

    for key in "wwwd":
        page.keyboard.press(key)
    frames(page)
    whole = cooked.meta.duration_ns / 1e6
    first = shown()
    assert first[1] - first[0] == pytest.approx(whole * 0.7**3)
    assert first[0] == pytest.approx(whole * (1 - 0.7**3) / 2 + whole * 0.7**3 * 0.2)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("s")
    frames(page)
    assert shown()[1] - shown()[0] == pytest.approx(whole * 0.7**2)
    page.keyboard.press("0")
    frames(page)
    assert "t=" not in page.evaluate("location.hash")
    box = page.locator("#view-timeline canvas.chart").bounding_box()
    page.mouse.move(box["x"] + 210, box["y"] + 200)
    page.mouse.wheel(0, -400)
    frames(page)
    assert shown()[0] == pytest.approx(0, abs=0.01)
    assert shown()[1] < whole * 0.7
    page.locator("canvas.map").click(position={"x": 1430, "y": 20})
    frames(page)
    assert shown()[1] == pytest.approx(whole)
    page.keyboard.press("ArrowDown")
    page.locator("#view-timeline canvas.chart").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#drawer h2").inner_text() == "task 3 order-2"
    page.keyboard.press("Escape")
    assert not page.locator("#drawer").is_visible()


def test_an_empty_beginning_is_not_shown_first(browser: Browser, tmp_path: Path) -> None:
    """Where tasks lived for a small part of the recording, that part is what is seen; the map has all of it."""
    tape = Tape()
    work = tape.code("work", 10)
    tape.put(ev.SPAWN, 900_000_000, coro=1, aux=work)
    tape.put(ev.START, 900_010_000, coro=1, off=work, node=tape.node(0, work), task=1, flags=ev.IS_TASK)
    tape.put(ev.RETURN, 950_000_000, coro=1)
    tape.end_ns = 1_000_000_000
    page = browser.open(load(tape.write(tmp_path / "a.rec")), "#view=timeline")
    frames(page)
    assert page.locator("#view-timeline .tools output").inner_text() == "899 ms – 951 ms"
    assert page.evaluate("location.hash") == "#view=timeline"
    page.locator("canvas.map").dblclick(position={"x": 200, "y": 20})
    frames(page)
    assert page.evaluate("location.hash") == "#view=timeline&t=0-1000"


def test_the_flame_graph(browser: Browser, cooked: Trace) -> None:
    page = browser.open(cooked)
    section = show(page, "flame")
    frames(page)
    ran, waited = int(cooked.task_table.self_ns.sum()), int((cooked.awaits.end_ns - cooked.awaits.start_ns).sum())
    facts = section.locator(".side").inner_text()
    assert f"{(ran + waited) / 1e6:.0f} ms, 100.0% of all" in facts
    chart = section.locator("canvas.flame")
    chart.focus()
    page.keyboard.press("ArrowDown")
    assert section.locator(".side h3").inner_text() == "Kitchen.order"
    assert "8 tasks behind it" in section.locator(".side").inner_text()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert (
        section.locator(".side h3").inner_text() == 'cook;"hot"'
        or section.locator(".side h3").inner_text() == "Pool.get"
    )
    page.keyboard.press("Escape")
    section.locator("input").fill("sleep|Lock")
    section.locator("output", has_text="2 frames match, 77.6% of the time").wait_for()  # as in flamegraph.svg
    section.locator("input").fill("(")  # no regular expression: as it stands
    section.locator("output", has_text="0 frames match").wait_for()
    section.get_by_text("run", exact=True).first.click()
    assert f"{ran / 1e6:.1f} ms, 100.0% of all" in section.locator(".side").inner_text()
    section.locator("button", has_text="wait").click()
    section.get_by_text("bottom-up").click()
    frames(page)
    chart.focus()
    page.keyboard.press("ArrowDown")
    assert section.locator(".side h3").inner_text() == "waiting for asyncio.Lock at app.py:33"
    assert "84.0 ms" in section.locator(".side").inner_text()
    page.keyboard.press("ArrowDown")
    assert section.locator(".side h3").inner_text() == "Pool.get"
    section.get_by_text("copy stack").click()
    assert copied(page).splitlines()[-1].strip() == "waiting for asyncio.Lock at app.py:33"
    section.get_by_text("in the table").click()
    assert page.locator("#view-tasks output").inner_text() == "8 of 9 tasks"


def test_a_deep_recursion(browser: Browser, tmp_path: Path) -> None:
    """Frames beyond the screen are reached, and a tip doesn't outgrow it."""
    page = browser.open(load(SAMPLES["deep"]().write(tmp_path / "a.rec")), size=(1000, 500))
    section = show(page, "flame")
    frames(page)
    section.locator("canvas.flame").focus()
    for _ in range(41):
        page.keyboard.press("ArrowDown")
    assert section.locator(".side h3").inner_text() == "waiting for asyncio.Future at app.py:10"
    box = section.locator(".chartbox")
    assert box.evaluate("box => box.scrollTop + box.clientHeight >= box.scrollHeight - 4")
    show(page, "timeline")
    frames(page)
    chart = page.locator("#view-timeline canvas.chart").bounding_box()
    page.mouse.move(chart["x"] + 500, chart["y"] + HEAD + ROW / 2)
    assert "… 24 frames more …" in page.locator("#tip").inner_text()
    tip = page.locator("#tip").bounding_box()
    assert tip["y"] + tip["height"] <= 500


def test_the_table_of_tasks(browser: Browser, cooked: Trace) -> None:
    page = browser.open(cooked)
    section = show(page, "tasks")

    def names() -> list[str]:
        rows = "rows => rows.map(row => row.children[1].textContent)"
        found: list[str] = section.locator(".rows .row").evaluate_all(rows)
        return found

    frames(page)
    assert names() == [clean(name) for name in cooked.task_table.name]
    section.get_by_role("button", name="duration").click()
    frames(page)
    lives = cooked.task_table.end_ns - cooked.task_table.created_ns
    assert names() == [clean(cooked.task_table.name[row]) for row in np.argsort(-lives, kind="stable")]
    assert section.locator("[data-key=duration_ms]").get_attribute("aria-sort") == "descending"
    section.locator("select").first.select_option("Failed")
    frames(page)
    assert names() == [cooked.task_table.name[row] for row in cooked.task_table.error]
    assert "ValueError: no, “thanks”" in section.locator(".rows").inner_text()
    assert "at least 5.55 ms" in section.locator(".rows").inner_text()  # until its first poll; the rest isn't known
    section.locator("select").first.select_option("")
    section.locator("input").fill("заказ")
    section.locator("output", has_text="1 of 9 tasks").wait_for()
    frames(page)
    section.locator(".rows .row").click()
    assert page.locator("#drawer h2").inner_text() == "task 7 заказ 6"


def test_one_task(browser: Browser, cooked: Trace) -> None:
    page = browser.open(cooked, "#task=3")
    drawer = page.locator("#drawer")
    task = cooked.task(3)
    said = drawer.inner_text()
    assert f"{task.run_ns / 1e6:.2f} ms" in said
    assert f"{task.wait_ns / 1e6:.1f} ms" in said
    assert f"at least {task.ready_least_ns / 1e6:.2f} ms" in said
    drawer.get_by_text("copy tree").click()
    lines = copied(page).splitlines()
    nodes = [node for root in cooked.task_tree(3) for _, node in root.walk()]
    assert [line.strip().split("  ")[0] for line in lines if "calls" in line] == [node.function for node in nodes]
    assert lines[0].endswith(f"run {cooked.task(3).run_ns / 1e6:.6f} ms  wait {nodes[0].wait_ns / 1e6:.6f} ms")
    kinds = drawer.locator(".log b").all_inner_texts()
    assert kinds == [t.EVENT_KINDS[k] for k in cooked.events.kind[cooked.events.task == 3]]
    drawer.get_by_role("button", name="events", exact=True).click()
    page.locator("#view-events output", has_text=f"{len(kinds)} of").wait_for()
    frames(page)
    assert page.locator("#view-events .rows .row").count() == len(kinds)


def test_what_is_not_known(browser: Browser, tmp_path: Path) -> None:
    """At the detail "awaits" the page has no number in place of what isn't known, and says why."""
    trace = load(at_awaits(kitchen()).write(tmp_path / "a.rec"))
    page = browser.open(trace, "#task=3")
    page.locator("#drawer").get_by_text("copy tree").click()
    lines = [line for line in copied(page).splitlines() if "calls" in line]
    nodes = [node for root in trace.task_tree(3) for _, node in root.walk()]
    assert [line.strip().split("  ")[0] for line in lines] == [node.function for node in nodes]
    for line, node in zip(lines, nodes, strict=True):
        assert ("run –" in line) == (node.run_ns is None)
        assert ("calls –" in line) == (node.calls is None)
    assert {node.run_ns is None for node in nodes} == {node.calls is None for node in nodes} == {True, False}
    assert "awaits: how polls divide over coroutines is not known" in show(page, "summary").inner_text()
    assert "Kitchen.order not divided" in show(page, "summary").inner_text()
    assert "Not known: calls of coroutines were not recorded" in show(page, "machines").inner_text()


def test_where_a_task_stands(browser: Browser, tmp_path: Path) -> None:
    trace = load(SAMPLES["unfinished"]().write(tmp_path / "a.rec"))
    page = browser.open(trace, "#task=2")
    assert "Waiting" in page.locator("#drawer header").inner_text()
    page.locator("#drawer").get_by_text("copy stack").click()
    assert copied(page) == "task 2: waiter\n  waiter  app.py:23\nwaits for asyncio.Event, 0.015000 ms"
    assert (
        "its end was not seen" in page.locator("#view-summary .card").first.inner_text()
        or page.locator(".notice").count()
    )


def test_state_machines(browser: Browser, cooked: Trace) -> None:
    page = browser.open(cooked)
    section = show(page, "machines")
    section.locator(".kinds button", has_text="Kitchen.order").click()
    boxes = section.locator(".machine .box")
    titles = boxes.locator("text:first-of-type").all_text_contents()
    assert titles[:3] == ["start", "app.py:33", "app.py:37"]
    assert set(titles[3:]) == {"returned", "cancelled", "raised"}
    counts = section.locator(".machine .arrow[data-count]").evaluate_all("arrows => arrows.map(a => +a.dataset.count)")
    assert sorted(counts) == [1, 1, 6, 8, 8]
    assert boxes.nth(1).locator("text").all_text_contents()[1] == "waits for asyncio.Lock"
    assert "are not known" in section.locator(".drawing p").inner_text()  # as old recordings are
    awaited = boxes.nth(2)
    assert awaited.locator("text").all_text_contents()[1] == 'awaits cook;"hot"'
    awaited.press("Enter")  # and there it is
    assert section.locator(".drawing h3").inner_text().startswith('cook;"hot"')
    assert section.locator(".kinds [aria-current=true]").inner_text().startswith('cook;"hot"')


def test_where_it_never_waited_is_drawn(browser: Browser, tmp_path: Path) -> None:
    page = browser.open(load(never_waited().write(tmp_path / "a.rec")), "#view=machines")
    section = page.locator("#view-machines")
    for name, titles, dashed in (
        ("known", ["start", "app.py:11", "app.py:12", "app.py:13", "app.py:14", "open"], 3),
        ("old", ["start", "app.py:22", "open"], 0),
        ("bare", ["start", "app.py:32", "open"], 0),
    ):
        section.locator(".kinds button", has_text=name).click()
        assert section.locator(".machine .box text:first-of-type").all_text_contents() == titles
        assert section.locator(".machine .box.never", has_text="never waited here").count() == dashed
        said = section.locator(".drawing p").inner_text()
        assert ("Dashed: it never waited there" in said, "are not known" in said) == (name == "known", name == "old")
    go(page, "#task=4")
    page.locator("#drawer").get_by_text("state machine").click()
    assert section.locator(".drawing").inner_text() == "It never ran."


def test_a_loop_is_seen(browser: Browser, tmp_path: Path) -> None:
    trace = load(SAMPLES["deep"]().write(tmp_path / "a.rec"))
    page = browser.open(trace)
    section = show(page, "machines")
    assert section.locator(".arrow.back[data-count]").first.get_attribute("data-count") == "4"


def test_the_task_graph(browser: Browser, cooked: Trace, tmp_path: Path) -> None:
    page = browser.open(cooked)
    section = show(page, "graph")
    assert section.locator(".box").count() == 9
    assert section.locator(".arrow.spawn").count() == 8
    page = browser.open(load(SAMPLES["two_tasks"]().write(tmp_path / "b.rec")), "#view=graph&task=2")
    section = page.locator("#view-graph")
    assert section.locator(".box title").all_text_contents()[0].startswith("2  w;1")
    assert section.locator(".arrow.await title").text_content() == "1  main → 2  w;1: await ×1 50 ns"
    section.locator(".box", has_text="main").press("Enter")
    assert page.locator("#drawer h2").inner_text() == "task 1 main"


def test_the_event_log(browser: Browser, cooked: Trace) -> None:
    page = browser.open(cooked)
    section = show(page, "events")
    section.locator("select").select_option(label="InspectionPoint")
    section.locator("output", has_text=f"8 of {len(cooked.events)} events").wait_for()
    section.locator("input").first.fill("nothing of this")
    section.locator("output", has_text="0 of").wait_for()
    section.locator("input").first.fill("HOT")
    section.locator("output", has_text="8 of").wait_for()
    section.locator("input").nth(1).fill("4")
    section.locator("output", has_text="1 of").wait_for()
    frames(page)
    section.locator(".rows .row").click()
    assert page.locator("#view-timeline").is_visible()
    assert page.locator("#drawer h2").inner_text() == "task 4 order-3"
    frames(page)
    begin, end = map(float, page.evaluate("location.hash").partition("t=")[2].split("-"))
    (row,) = np.flatnonzero(cooked.points.task == 4)
    assert begin < cooked.points.ts_ns[row] / 1e6 < end


def test_a_fragment_restores_the_view(browser: Browser, cooked: Trace) -> None:
    page = browser.open(cooked, "#task=4&t=5-10")
    frames(page)
    assert page.locator("#view-timeline").is_visible()
    assert page.locator("#drawer h2").inner_text() == "task 4 order-3"
    assert page.locator("#view-timeline .tools output").inner_text() == "5.00 ms – 10.0 ms"
    assert page.evaluate("location.hash") == "#view=timeline&task=4&t=5-10"
    page.reload()
    page.wait_for_selector("body[data-ready]")
    frames(page)
    assert page.evaluate("location.hash") == "#view=timeline&task=4&t=5-10"
    go(page, "#view=graph&task=5")
    page.locator("#view-graph").wait_for(state="visible")
    assert page.locator("#drawer h2").inner_text() == "task 5 order-4"
    for odd in ("#task=999", "#view=nothing&t=a-b", "#t=-5", "#%zz"):
        page = browser.open(cooked, odd)
        assert page.locator(".view:visible").count() == 1


def test_a_new_fragment_is_not_written_over(browser: Browser, cooked: Trace) -> None:
    """Somebody sets a fragment when that of the last choice is about to be written: both stand before its event."""
    page = browser.open(cooked)
    page.evaluate("""() => {
        let write;
        const late = setTimeout;
        window.setTimeout = (call) => void (write = call);
        document.querySelector("#tabs a[data-view=tasks]").click();
        window.setTimeout = late;
        location.hash = "#view=graph&task=5";
        write();
    }""")
    page.locator("#drawer h2", has_text="task 5 order-4").wait_for()
    frames(page)
    assert page.evaluate("location.hash") == "#view=graph&task=5"


def test_several_processes_are_told_apart(browser: Browser, tmp_path: Path) -> None:
    """A line above the first task of each, in the table whose each is."""
    for pid in 7, 8:
        tape = two_tasks()
        tape.header["pid"] = pid
        tape.meta.append(("run", "r"))
        tape.write(tmp_path / f"{pid}.rec")
    trace = load(tmp_path)
    page = browser.open(trace, "#view=timeline")
    frames(page)
    edges = page.evaluate(
        """([head, row]) => {
            const canvas = document.querySelector("#view-timeline canvas.chart"), part = new OffscreenCanvas(1, 1)
            const context = part.getContext("2d", { willReadFrequently: true })
            return [0, 1, 2, 3].map(at => {
                context.drawImage(canvas, -2, -(head + at * row))
                return context.getImageData(0, 0, 1, 1).data[0]
            })
        }""",
        [HEAD, ROW],
    )
    line, no_line, *others = edges
    assert line != no_line
    assert others == [line, no_line]
    show(page, "tasks")
    frames(page)
    table = page.locator("#view-tasks .rows .row").evaluate_all("rows => rows.map(r => r.children[2].textContent)")
    assert table == ["7", "7", "8", "8"]
    show(page, "summary")
    assert "of the time of all processes" in page.locator("#view-summary .cards").inner_text()


def hostile() -> Tape:
    tape = Tape()
    code = tape.code(HOSTILE, 10, f"/app/{HOSTILE}.py")
    node, future = tape.node(0, code), tape.string(HOSTILE)
    tape.put(ev.SPAWN, 0, coro=1, aux=code, off=tape.site((code, 0)))
    tape.put(ev.START, 1_000, coro=1, off=code, node=node, task=1, flags=ev.IS_TASK)
    tape.put(ev.SPAWN, 2_000, coro=2, aux=code, off=tape.site((code, 2)), node=node, task=1, flags=ev.NAME_GIVEN)
    tape.text(ev.NAME, HOSTILE.encode(), 2_000, coro=2, node=node, task=1)
    tape.put(ev.SUSPEND, 3_000_000, coro=1, aux=future, off=4)
    tape.put(ev.START, 3_500_000, coro=2, off=code, node=node, task=2, flags=ev.IS_TASK)
    tape.text(ev.POINT, f"{HOSTILE}\0{HOSTILE}".encode(), 3_600_000, coro=2, node=node, task=2)
    tape.put(ev.RAISE, 4_000_000, coro=2, aux=future)
    tape.text(ev.MESSAGE, HOSTILE.encode(), 4_000_000, coro=2)
    tape.end_ns = 5_000_000
    return tape


def test_names_are_data(browser: Browser, tmp_path: Path) -> None:
    one = Finding.model_construct(severity=HOSTILE, check=HOSTILE, text=HOSTILE, place=HOSTILE, task=2, more=0)
    tape = hostile()
    tape.meta += [("argv", "python"), ("argv", HOSTILE)]
    page = browser.open(load(tape.write(tmp_path / "a.rec")), "#task=2", survey=Survey((one,), ()))
    assert HOSTILE in page.title()
    assert page.locator("#drawer h2").inner_text() == f"task 2 {HOSTILE}"
    for view in VIEWS:
        section = show(page, view)
        frames(page)
        for canvas in section.locator("canvas.chart").all():
            box = canvas.bounding_box()
            for y in (10, 76, 96):
                page.mouse.move(box["x"] + box["width"] / 2, box["y"] + y)
                page.mouse.move(box["x"] + box["width"] / 4, box["y"] + y)
        if view in ("summary", "tasks", "events", "graph"):
            assert HOSTILE in (section.text_content() or ""), view
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1


def test_tables_make_only_the_rows_in_sight(browser: Browser, tmp_path: Path) -> None:
    trace = many(tmp_path / "a.rec")
    page = browser.open(trace)
    for view, count in (("tasks", len(trace.task_table)), ("events", len(trace.events))):
        section = show(page, view)
        frames(page)
        scroller = section.locator(".scroller")
        assert scroller.get_attribute("aria-rowcount") == str(count + 1)
        assert 10 < section.locator(".rows .row").count() < 60
        scroller.focus()
        page.keyboard.press("End")
        frames(page)
        last = section.locator(".rows .row").last
        assert last.get_attribute("data-index") == str(count - 1)
        bottom, room = last.bounding_box(), scroller.bounding_box()
        assert bottom["y"] + bottom["height"] <= room["y"] + room["height"] + 1, "the last row can be seen"
        page.keyboard.press("Home")
        frames(page)
        assert section.locator(".rows .row").first.get_attribute("data-index") == "0"


def test_what_was_left_out_is_said(browser: Browser, tmp_path: Path) -> None:
    page = browser.open(many(tmp_path / "a.rec", 100), max_events=200)
    said = page.locator(".notice").inner_text()
    assert re.match(r"Left out: polls, awaits and events of \d+ tasks, the shortest-lived \(\d+ of the events\)", said)
    show(page, "timeline")
    frames(page)
    page = browser.open(many(tmp_path / "a.rec", 100), "#task=2", max_events=200)
    assert "not in this file" in page.locator("#drawer").inner_text()
    page = browser.open(load(SAMPLES["unfinished"]().write(tmp_path / "b.rec")), "#view=tasks", max_events=0)
    frames(page)
    assert page.locator("#view-tasks .rows .row", has_text="left out").count() == 2  # they stand somewhere


def test_nothing_to_show(browser: Browser, tmp_path: Path) -> None:
    page = browser.open(load(Tape().write(tmp_path / "a.rec")))
    assert "No tasks: no coroutine ran in this program." in page.locator(".notice").all_inner_texts()
    for view in VIEWS:
        show(page, view)
        frames(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(scheme: str, browser: Browser, cooked: Trace) -> None:
    page = browser.open(cooked, size=(390, 844))
    page.emulate_media(color_scheme=scheme)
    for view in VIEWS:
        section = show(page, view)
        frames(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, view
        assert section.bounding_box()["height"] > 600
        for chart in section.locator("canvas.chart").all():
            assert chart.bounding_box()["width"] >= 380
    go(page, "#task=3")
    page.locator("#drawer").wait_for(state="visible")
    box = page.locator("#drawer").bounding_box()
    assert (box["x"], box["width"]) == (0, 390)


def test_dark_and_light(browser: Browser, cooked: Trace) -> None:
    page = browser.open(cooked)
    back = "getComputedStyle(document.body).backgroundColor"
    seen = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        frames(page)
        seen.append(page.evaluate(back))
    page.locator("#theme").click()
    assert page.evaluate(back) == seen[0] != seen[1]
    page.emulate_media(color_scheme="light")
    frames(page)
    assert page.evaluate(back) == seen[0]
    page.locator("#theme").click()
    assert page.evaluate(back) == seen[1], "what was chosen stays"


def test_without_a_mouse(browser: Browser, cooked: Trace) -> None:
    """Numbers switch views; Tab reaches what there is; every control says what it is."""
    page = browser.open(cooked)
    for number, view in enumerate(VIEWS, 1):
        page.keyboard.press(str(number))
        assert page.locator(f"#view-{view}").is_visible()
        assert page.locator('#tabs [aria-current="page"]').get_attribute("data-view") == view
        nameless = (
            page.locator(f"#view-{view}")
            .locator("button, input, select, canvas, [tabindex='0']")
            .evaluate_all(
                "all => all.filter(e => !(e.textContent.trim() || e.getAttribute('aria-label'))).map(e => e.outerHTML)"
            )
        )
        assert nameless == []
    page.keyboard.press("4")
    page.locator("#view-tasks .scroller").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#drawer h2").inner_text() == "task 2 order-1"
    for landmark in ("header#top", "nav#tabs", "main", "aside#drawer"):
        assert page.locator(landmark).count() == 1


def test_printed(browser: Browser, cooked: Trace) -> None:
    """On paper are the summary and the tasks, whatever was in sight; and that, too."""
    page = browser.open(cooked)

    def pages() -> int:
        return len(re.findall(rb"/Type /Page\b", page.pdf()))

    def on_paper() -> list[str]:
        sections = page.locator("#view-summary .cards, #view-machines .machine, #paper table, #tabs, .tools")
        found: list[str] = sections.evaluate_all(
            "all => all.filter(e => e.checkVisibility()).map(e => e.closest('[id]').id)"
        )
        return found

    assert pages() <= 4
    page.emulate_media(media="print")
    assert on_paper() == ["view-summary", "paper"]
    assert page.locator("#paper tbody tr").count() == len(cooked.task_table)
    page.emulate_media(media="screen")
    show(page, "machines")
    page.emulate_media(media="print", color_scheme="dark")
    assert on_paper() == ["view-summary", "view-machines", "paper"]
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(28, 34, 39)", "paper is white"
    page.emulate_media(media="screen", color_scheme="light")
    page.emulate_media(color_scheme="dark")
    show(page, "timeline")
    frames(page)
    corner = """() => {
        const part = new OffscreenCanvas(1, 1).getContext("2d")
        part.drawImage(document.querySelector("#view-timeline canvas.chart"), -2, -2)
        return [...part.getImageData(0, 0, 1, 1).data]
    }"""
    dark = page.evaluate(corner)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(corner)[:3] == [255, 255, 255], "and so are the charts on it"
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    frames(page)
    assert page.evaluate(corner) == dark != [255, 255, 255, 255]


def test_the_printed_table_is_the_one_in_sight_and_has_a_bound(browser: Browser, tmp_path: Path) -> None:
    page = browser.open(many(tmp_path / "a.rec", 300), "#view=tasks")
    page.locator("#view-tasks [data-key=duration_ms] button").click()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    rows = page.locator("#paper tbody tr")
    assert rows.count() == 200
    assert rows.nth(1).locator("td").first.inner_text() == "301"  # the longest-lived but for main
    assert page.locator("#paper p").inner_text() == "101 more tasks are not printed: 200 rows at most are"


def test_the_options_are_refused_as_others_are(cooked: Trace) -> None:
    with pytest.raises(TypeError):
        written(cooked, max_tasks=1)
    left = report.blocks(written(cooked, max_events=0))["about"]["left"]
    assert left == {"tasks": 9, "events": len(cooked.events)}
