"""A frame of the live view as an SVG, for the README: RECORDING, a moment of it in ms, a view, the file to write."""

import argparse
import re
from pathlib import Path

from rich import _export_format
from rich.console import Console

from async_inspect.model.live import LiveSnapshot
from async_inspect.recording.reader import open_recording
from async_inspect.tui.draw import THEMES, Screenful
from async_inspect.tui.follow import Follower
from async_inspect.tui.frame import Around, compose
from async_inspect.tui.state import VIEWS, State

WIDTH, HEIGHT = 120, 22
# The reader's own monospaced font: a picture that loads others is none.
FORMAT = re.sub(r" *@font-face \{\{.*?\}\}\n|<!--.*?-->\n?", "", _export_format.CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/screenshot.py", description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("moment", type=int)
    parser.add_argument("view", choices=VIEWS)
    parser.add_argument("file", type=Path)
    parser.add_argument("--state", default="", help="more of the state, as Python: sorts=(3, 0, 0, 0, 0, 0)")
    chosen = parser.parse_args()
    with open_recording(chosen.recording) as found:
        slots, base = found.records, found.header.start_ns
    follower = Follower(found.path)
    moment = base + chosen.moment * 1_000_000
    follower.live.feed(slots[: int((slots["ts"] * (slots["kind"] >= 16)).searchsorted(moment))])
    follower.recording.header = follower.recording.header._replace(end_ns=0)
    state = State(view=chosen.view, **eval(f"dict({chosen.state})"))
    title = " ".join(follower.recording.meta.get("argv", ())[1:])
    lines, _ = compose(state, LiveSnapshot(follower.live, moment), Around(title=title), WIDTH, HEIGHT)
    console = Console(record=True, width=WIDTH, file=open("/dev/null", "w"), theme=THEMES[False])  # noqa: SIM115
    console.print(Screenful(lines, WIDTH), end="")
    chosen.file.write_text(console.export_svg(title="async-inspect", code_format=FORMAT), encoding="utf-8")


if __name__ == "__main__":
    main()
