"""flamegraph.svg: what flamegraph.pl draws of the same folded file, and what a browser makes of it."""

import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from async_inspect.formats import FORMATS
from async_inspect.model import Trace, load

from .. import consumers
from ..samples import SAMPLES
from ..tape import Tape
from ..tools import run

SVG = "{http://www.w3.org/2000/svg}"
BRACKETS = str.maketrans("<>", "()")
OTHERWISE = {"weight": "wait", "tasks": "each", "frames": "function"}


def drawn(svg: str) -> Counter[tuple[str, float]]:
    """The frames of an SVG: their titles and widths."""
    found: Counter[tuple[str, float]] = Counter()
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        title, rect = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        if title is not None and rect is not None:
            found[title.text or "", float(rect.attrib["width"])] += 1
    return found


def agree(ours: str, theirs: str) -> None:
    """The same titles, as often, and widths that differ by rounding only; flamegraph.pl has no angle brackets."""
    mine_as_theirs = ((title.translate(BRACKETS), width) for title, width in drawn(ours).elements())
    for mine, other in zip(sorted(mine_as_theirs), sorted(drawn(theirs).elements()), strict=True):
        assert mine[0] == other[0]
        assert mine[1] == pytest.approx(other[1], abs=0.16)  # theirs are made of two edges, each rounded to 0.1


def written(trace: Trace, format: str, **options: Any) -> bytes:
    return b"".join(FORMATS[format].write(trace, **options))


@pytest.mark.parametrize("name", ["kitchen", "deep", "unfinished"])
@pytest.mark.parametrize("options", [{}, OTHERWISE], ids=["plain", "otherwise"])
def test_as_flamegraph_pl_has_it(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    trace = load(SAMPLES[name]().write(tmp_path / "a.rec"))
    (tmp_path / "a.txt").write_bytes(written(trace, "folded", **options))
    theirs = run([*consumers.flamegraph(), "--countname", "us", "a.txt"], cwd=tmp_path)
    assert (theirs.status, theirs.stderr) == (0, "")
    ours = written(trace, "svg", **options).decode()
    assert len(drawn(ours)) > 3
    agree(ours, theirs.stdout)


def test_nothing_to_draw(tmp_path: Path) -> None:
    text = written(load(Tape().write(tmp_path / "a.rec")), "svg").decode()
    assert drawn(text) == Counter()
    assert "No stack took any time" in text


def test_colours_say_what_ran_and_what_waited(tmp_path: Path) -> None:
    trace = load(SAMPLES["kitchen"]().write(tmp_path / "a.rec"))

    def colours(**options: Any) -> set[str]:
        groups = ET.fromstring(written(trace, "svg", **options)).iter(f"{SVG}g")
        return {rect.attrib["class"] for g in groups if g.get("class") == "f" for rect in g.findall(f"{SVG}rect")}

    assert colours(weight="run") == {"k0"}
    assert colours(weight="wait") == {"k4"}
    assert colours() > {"k4"}


def widths(page: Any) -> dict[str, float]:
    """What is to be seen: frames by the beginning of their titles."""
    return dict(
        page.evaluate(
            """() => [...document.querySelectorAll(".f")]
                .map(g => [g.querySelector("title").textContent.split(" (")[0], g.getBoundingClientRect().width])
                .filter(([, width]) => width > 0)"""
        )
    )


def test_in_a_browser(tmp_path: Path) -> None:
    """Clicks zoom, the reset undoes it, the search finds, the mouse tells; no script fails and nothing is fetched."""
    trace = load(SAMPLES["kitchen"]().write(tmp_path / "a.rec"))
    (tmp_path / "a.svg").write_bytes(written(trace, "svg"))
    heard: list[str] = []
    asked: list[str] = []
    with consumers.chromium() as browser:
        page = browser.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "a.svg").as_uri())
        before = widths(page)
        assert before["all"] == pytest.approx(1180, abs=1)

        page.locator(".f", has_text="Pool.get").locator("rect").click()
        zoomed = widths(page)
        assert set(zoomed) == {"all", "Kitchen.order", "Pool.get", "waiting for asyncio.Lock at app.py:33"}
        assert zoomed["Pool.get"] == pytest.approx(1180, abs=1)
        ratio = before["waiting for asyncio.Lock at app.py:33"] / before["Pool.get"]
        assert zoomed["waiting for asyncio.Lock at app.py:33"] == pytest.approx(1180 * ratio, abs=1)
        page.locator("#reset").click()
        assert widths(page) == before

        page.locator("#search").fill("sleep|Lock")
        assert page.locator(".hit").count() == 2
        # sleep with its waiting is 87,450 of 220,943 µs, the Lock's waiting 84,000
        assert page.locator("#matched").text_content() == "2 frames match, 77.60% of the time"
        page.locator("#search").fill("(")  # no regular expression: as it stands
        assert page.locator(".hit").count() > 2
        page.keyboard.press("Escape")
        assert page.locator(".hit").count() == 0

        page.locator(".f", has_text="Pool.get").locator("rect").hover()
        told = page.locator("#details").text_content() or ""
        assert "Pool.get (site-packages/pool/core.py:7): 89.6 ms, 40.55% of all; ran 5.6 ms, waited 84 ms" in told

        back = set()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            back.add(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
        assert len(back) == 2
    assert heard == []
    assert asked == [(tmp_path / "a.svg").as_uri()]


def test_readable_without_script(tmp_path: Path) -> None:
    trace = load(SAMPLES["kitchen"]().write(tmp_path / "a.rec"))
    text = written(trace, "svg").decode()
    (tmp_path / "a.svg").write_text(text.partition("<script>")[0] + "</svg>", encoding="utf-8")
    with consumers.chromium() as browser:
        page = browser.new_page()
        page.goto((tmp_path / "a.svg").as_uri())
        assert len(widths(page)) == len(drawn(text))
        assert not page.locator("#search").is_visible()
        assert page.locator(".f text", has_text="Pool.get").is_visible()
