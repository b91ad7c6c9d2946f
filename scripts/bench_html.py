"""What report.html costs: its size, how long it takes to open, and a frame of the timeline while it is moved.

Programs of sleeping tasks are recorded, and their reports opened in headless Chromium with nothing but loopback
resolvable.  A frame is the time from one to the next while every frame brings a turn of the wheel or a pixel of
dragging, so it is never less than the display's 16.7 ms.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import async_inspect
from tests import consumers

PROGRAM = """
import asyncio, random, sys
tasks, rounds, at_once = map(int, sys.argv[1:])
random.seed(0)
async def fetch(lock):
    for _ in range(rounds):
        async with lock:
            await asyncio.sleep(random.random() / 500)
async def main():
    lock = asyncio.Semaphore(at_once)
    for begin in range(0, tasks, 500):
        await asyncio.gather(*(asyncio.create_task(fetch(lock), name=f"fetch {n}") for n in range(begin, begin + 500)))
asyncio.run(main())
"""

# Moves for so many frames; the length of each.
FRAMES = """async ([selector, move, count]) => {
  const canvas = document.querySelector(selector), box = canvas.getBoundingClientRect();
  const x = box.x + box.width * 0.6, y = box.y + box.height * 0.6;
  const at = { bubbles: true, cancelable: true, pointerId: 1, clientX: x, clientY: y };
  const next = () => new Promise(requestAnimationFrame), found = [];
  canvas.setPointerCapture = () => {};
  if (move === "pan") canvas.dispatchEvent(new PointerEvent("pointerdown", at));
  await next();
  let before = await next();
  for (let i = 0; i < count; i++) {
    const side = Math.floor(i / 15) % 2 ? -1 : 1;
    const moved = x - 9 * (side > 0 ? i % 15 : 15 - i % 15);
    if (move === "zoom") canvas.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: 100 * side }));
    else canvas.dispatchEvent(new PointerEvent("pointermove", { ...at, clientX: moved }));
    const now = await next();
    found.push(now - before);
    before = now;
  }
  canvas.dispatchEvent(new PointerEvent("pointercancel", at));
  return found;
}"""


class Case(NamedTuple):
    title: str
    tasks: int
    rounds: int
    at_once: int


CASES = {
    "bars": Case("100,000 bars", 2_000, 13, 400),
    "million": Case("a million events", 10_000, 13, 400),
}


def recorded(case: Case, folder: Path) -> async_inspect.Trace:
    program = folder / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, "-m", "async_inspect", "attach", "--quiet", "-f", "folded", "-o", str(folder / "out")]
    arguments = [str(number) for number in case[1:]]
    subprocess.run([*command, str(program), *arguments], check=True)
    return async_inspect.load(next((folder / "out" / "recording").glob("*.rec")))


def opened(page: Any, address: str) -> float:
    """Milliseconds from the address to a page that answers."""
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("body[data-ready]", timeout=120_000)
    ms: float = page.evaluate("performance.getEntriesByName('ready')[0].startTime")
    return ms


def frames(page: Any, move: str) -> str:
    """Median, and what 19 of 20 frames don't exceed."""
    found = page.evaluate(FRAMES, ["#view-timeline canvas.chart", move, 60])
    return f"{statistics.median(found):.0f}, {statistics.quantiles(found, n=20)[-1]:.0f}"


def rows(cases: list[Case]) -> Iterator[list[str]]:
    with consumers.chromium() as browser:
        page = browser.new_page()
        page.set_viewport_size({"width": 1440, "height": 900})
        for case in cases:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                trace = recorded(case, folder)
                begin = time.perf_counter()
                trace.export("html", folder / "report.html")
                took = time.perf_counter() - begin
                size = (folder / "report.html").stat().st_size
                address = (folder / "report.html").as_uri()
                ready = statistics.median(opened(page, address) for _ in range(3))
                moved = []
                part = f"{trace.meta.duration_ns / 4e6}-{trace.meta.duration_ns / 4e6 * 3}"
                for packed in (False, True):
                    opened(page, f"{address}#view=timeline&t={part}")
                    if packed:
                        page.get_by_text("packed").click()
                        page.get_by_text("fit rows").click()
                    page.wait_for_timeout(1_000)
                    moved += [frames(page, "zoom"), frames(page, "pan")]
                bars = len(trace.polls) + len(trace.awaits)
                counts = f"{len(trace.events):,} events, {bars:,} bars"
                yield [case.title, counts, f"{took:.1f} s", f"{size / 1e6:.2f} MB", f"{ready / 1000:.2f} s", *moved]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench_html", description=__doc__)
    parser.add_argument("--case", choices=CASES, help="only this one")
    chosen = parser.parse_args()
    head = ["trace", "of", "written in", "size", "opens in", *(f"{move}, {view}: frame ms, p95"
            for view in ("by parent", "packed, all rows") for move in ("zoom", "pan"))]  # fmt: skip
    for cells in (head, ["---"] * len(head)):
        print(f"| {' | '.join(cells)} |")
    for row in rows([CASES[chosen.case]] if chosen.case else list(CASES.values())):
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
