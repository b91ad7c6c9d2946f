"""Views as text, at fixed sizes; and what they say of a program whose every moment is known."""

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from async_inspect import events as ev
from async_inspect.model.live import LiveModel, LiveSnapshot
from async_inspect.model.tables import STATES
from async_inspect.tui.draw import THEMES, chart, fit, number, span
from async_inspect.tui.follow import Follower
from async_inspect.tui.frame import Around, compose
from async_inspect.tui.state import VIEWS, State, update
from async_inspect.tui.terminal import render

from ..levels import at_awaits
from ..tape import Tape

SIZES = [(80, 24), (200, 60), (40, 8)]
MS = 1_000_000


def tape() -> Tape:
    """Task 1 (main) made 2 (reader, waits for a future), 3 (writer, awaits task 2), 4 (broken, which failed)."""
    made = Tape()
    codes = [made.code(name, line) for line, name in ((10, "main"), (20, "read"), (30, "write"), (40, "fail"))]
    nodes = [made.node(0, code) for code in codes]
    future, error = made.string("asyncio.Future"), made.string("ValueError")
    site = made.site((codes[0], 4))
    made.put(ev.THREAD, coro=0, aux=4711)
    made.put(ev.START, 0, coro=1, off=codes[0], node=nodes[0], task=1, flags=ev.IS_TASK)
    for coro, name in ((2, b"reader"), (3, b"writer"), (4, b"bro\x1b[31mken")):
        made.put(ev.SPAWN, coro * MS, coro=coro, aux=codes[coro - 1], node=nodes[0], task=1, off=site, flags=1)
        made.text(ev.NAME, name, coro * MS, coro=coro, node=nodes[0], task=1)
    made.put(ev.SUSPEND, 5 * MS, coro=1, aux=future, off=4)
    made.put(ev.START, 6 * MS, coro=2, off=codes[1], node=nodes[1], task=2, flags=ev.IS_TASK)
    made.put(ev.SUSPEND, 8 * MS, coro=2, aux=future, off=2)
    made.put(ev.START, 8 * MS, coro=3, off=codes[2], node=nodes[2], task=3, flags=ev.IS_TASK)
    made.put(ev.SUSPEND, 9 * MS, coro=3, aux=2, off=6, flags=ev.AWAITS_TASK)
    made.put(ev.START, 9 * MS, coro=4, off=codes[3], node=nodes[3], task=4, flags=ev.IS_TASK)
    made.put(ev.RAISE, 130 * MS, coro=4, aux=error)
    made.text(ev.MESSAGE, b"no, thanks", 130 * MS, coro=4)
    return made


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[LiveSnapshot]:
    follower = Follower(tape().write(tmp_path / "a.rec"))
    follower.step()
    yield LiveSnapshot(follower.live, follower.live.end + 1000 * MS)
    follower.close()


def screen(
    state: State, seen: LiveSnapshot, width: int = 80, height: int = 24, around: Around | None = None
) -> list[str]:
    """The lines of a terminal of this size."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, theme=THEMES[state.light])
    lines, _ = compose(state, seen, around or Around(title="app.py"), width, height)
    return [Text.from_ansi(line).plain for line in render(console, lines, width)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("help_", [False, True], ids=["", "help"])
def test_every_view_fits(view: str, size: tuple[int, int], help_: bool, seen: LiveSnapshot) -> None:
    output = [f"line {n} \x1b]0;" + "x" * 300 for n in range(50)]
    around = Around(title="app.py " * 50, status="ended: exit status 1", message="", behind=9_000_000, output=output)
    lines = screen(State(view=view, task=2, help=help_), seen, *size, around)
    assert len(lines) == size[1]
    for line in lines:
        assert cell_len(line.rstrip()) <= size[0], line
        assert "\x1b" not in line


@pytest.mark.parametrize("view", VIEWS)
def test_every_line(view: str, seen: LiveSnapshot, golden: Callable[[str, str], None]) -> None:
    lines = screen(State(view=view, task=3), seen, 100, 30)
    golden(f"tui/{view}.txt", "".join(f"{line.rstrip()}\n" for line in lines))


def test_tasks(seen: LiveSnapshot) -> None:
    text = screen(State(), seen)
    rows = {words[1]: words for words in (line.split() for line in text) if len(words) > 8 and words[0].isdecimal()}
    # id name mark await since age polls run wait ready parent
    assert rows["main"] == ["1", "main", "●", "app.py:12", "1.1s", "1.1s", "1", "5.0ms", "1.1s", "0ns", "·"]
    assert rows["reader"] == ["2", "reader", "●", "app.py:21", "1.1s", "1.1s", "1", "2.0ms", "1.1s", "4.0ms", "1"]
    assert rows["writer"] == ["3", "writer", "●", "app.py:33", "1.1s", "1.1s", "1", "1.0ms", "1.1s", "5.0ms", "1"]
    broken = next(line for line in text if "✗" in line and "bro" in line)
    assert "ValueError: no" in broken


@pytest.mark.parametrize(
    ("state", "ids"),
    [
        (State(), ["1", "2", "3", "4"]),
        (State(reversed=frozenset({"tasks"})), ["4", "3", "2", "1"]),
        (State(sorts=(1, 0, 0, 0, 0, 0)), ["4", "1", "2", "3"]),  # by name
        (State(sorts=(6, 0, 0, 0, 0, 0)), ["4", "1", "2", "3"]),  # by run
        (State(text="WRI"), ["3"]),
        (State(text="app.py:12"), ["1"]),
        (State(only=6), ["4"]),
        (State(only=1), ["1", "2", "3"]),
        (State(text="nobody"), []),
    ],
)
def test_order_and_filters(state: State, ids: list[str], seen: LiveSnapshot) -> None:
    found = [line.split()[0] for line in screen(state, seen)[5:20] if line.split()[:1] and line.split()[0].isdecimal()]
    assert found == ids


def test_one_task(seen: LiveSnapshot) -> None:
    text = "\n".join(screen(State(view="task", task=3), seen))
    for part in (
        "task 3 writer",
        "Waiting for 1.1s",
        "write app.py:33",
        "→ task 2 (reader)",
        "it awaits",
        "its parent",
    ):
        assert part in text
    assert "ValueError: no, thanks" in "\n".join(screen(State(view="task", task=4), seen))
    text = "\n".join(screen(State(view="task", task=1), seen, 80, 40))
    assert "its children  3" in text
    assert text.count("● 2 reader") == 1


def test_tree(seen: LiveSnapshot) -> None:
    text = [line.rstrip() for line in screen(State(view="tree"), seen)]
    assert text[4].startswith("▾ (3) ● 1 main")
    assert text[5].startswith("  · ● 2 reader")
    folded = [line.rstrip() for line in screen(State(view="tree", toggled=frozenset({1})), seen)]
    assert folded[4].startswith("▸ (3) ● 1 main")
    assert folded[5] == ""
    text = [line.rstrip() for line in screen(State(view="tree", by_await=True), seen)]
    assert text[4].startswith("▾ (1) ● 3 writer")
    assert text[5].startswith("  · ● 2 reader")


def test_awaits_and_loop(seen: LiveSnapshot) -> None:
    text = screen(State(view="awaits"), seen)
    assert next(line for line in text if "app.py:12" in line).split()[:2] == ["1.1s", "1"]
    assert next(line for line in text if line.rstrip().endswith("app.py:40")).split()[:2] == ["121ms", "1"]
    text = screen(State(view="loop"), seen)
    longest = next(line for line in text if "121ms" in line and "its start" in line)
    assert "its end" in longest


def test_where_it_ran_at_awaits(tmp_path: Path) -> None:
    """A root's time is that of its polls, with all that it awaits, and the heading says so."""
    follower = Follower(at_awaits(tape()).write(tmp_path / "a.rec"))
    follower.step()
    text = screen(State(view="awaits"), LiveSnapshot(follower.live, follower.live.end + 1000 * MS), width=120)
    follower.close()
    ran = text[next(at for at, line in enumerate(text) if line.startswith("where it ran")) :]
    assert "of tasks, with all they await: --detail awaits" in ran[0]
    assert next(line for line in ran if line.rstrip().endswith("app.py:40")).split()[:3] == ["121ms", "1", "121ms"]


def test_reset_counts_anew(seen: LiveSnapshot) -> None:
    seen.live.reset(seen.now - 100 * MS)
    text = screen(State(view="awaits"), seen)
    assert next(line for line in text if "app.py:12" in line).split()[:2] == ["100ms", "1"]
    assert not [line for line in text if "121ms" in line]


def test_names_do_not_reach_the_terminal(seen: LiveSnapshot) -> None:
    text = "\n".join(screen(State(), seen, 200, 60))
    assert "bro␛[31mken" in text


def test_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [10**15]
    monkeypatch.setattr("time.monotonic_ns", lambda: clock[0])
    follower = Follower(tape().write(tmp_path / "a.rec"), replay=True)
    counts = []
    for _ in range(5):
        clock[0] += 2 * MS
        follower.step(speed=1)
        counts.append(follower.live.count - 1)
    assert counts == [2, 4, 4, 4, 4]
    polls = follower.live.tasks["polls"][:5].sum()
    follower.stand_still()
    clock[0] += 50 * MS
    follower.stand_still()
    follower.step(speed=100)
    assert follower.live.tasks["polls"][:5].sum() == polls, "a pause costs no time of the replay"
    clock[0] += 2 * MS
    follower.step(speed=100)
    assert follower.now == follower.live.end
    assert not follower.running
    follower.close()


def test_replay_shows_its_own_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not the end, which the header of a recording that ended in good order tells at once."""
    clock = [10**15]
    monkeypatch.setattr("time.monotonic_ns", lambda: clock[0])
    whole = tape()
    whole.end_ns = 1000 * MS
    follower = Follower(whole.write(tmp_path / "a.rec"), replay=True)
    shown = []
    for passed in (2, 2, 496, 400, 400, 400):
        clock[0] += passed * MS
        follower.step()
        shown.append(LiveSnapshot(follower.live, follower.now).elapsed_ns // MS)
    assert shown == [2, 4, 500, 900, 1000, 1000], "a last part in which nothing happens is shown, too, and no more"
    follower.close()


def test_paused_views_can_be_walked(seen: LiveSnapshot) -> None:
    state = State(paused=True)
    _, facts = compose(state, seen, Around(), 80, 24)
    state = update(update(state, "down", facts), "enter", facts)
    assert state.view == "task"
    assert "PAUSED" in screen(state, seen)[0]


def test_those_that_ended_before(tmp_path: Path) -> None:
    """They are counted, and a task that is kept no more says so."""
    follower = Follower(tape().write(tmp_path / "a.rec"))
    follower.live = LiveModel(follower.recording, kept=0, every=1)
    follower.step()
    follower.live.reset(follower.live.end)  # its poll is none of the longest any more
    follower.live.forget()
    seen = LiveSnapshot(follower.live, follower.live.end)
    assert "3 tasks and 1 that ended before" in "\n".join(screen(State(), seen))
    assert "3 tasks, 1 ended" in screen(State(), seen)[1]
    for task, text in (4, "This task has ended"), (3, "task 3 writer"), (0, "Choose a task"):
        assert text in "\n".join(screen(State(view="task", task=task), seen))
    follower.close()


# --- how things look -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0ns"), (999, "999ns"), (1_000, "1.0µs"), (9_949, "9.9µs"), (9_960, "10µs"), (999_499, "999µs"),
        (999_500, "1.0ms"), (123 * MS, "123ms"), (999.6 * MS, "1.0s"), (99.9e9, "99.9s"), (100e9, "1.7m"),
        (3600e9, "60.0m"), (7200e9, "2.0h"), (86400e9 * 30, "30d"),
    ],
)  # fmt: skip
def test_span(ns: float, text: str) -> None:
    assert span(ns) == text
    assert len(text) <= 5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (99_999, "99999"),
        (100_000, "100k"),
        (999_400, "999k"),
        (1_250_000, "1.2M"),
        (123e6, "123M"),
        (5e9, "5.0G"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text
    assert len(text) <= 5


def test_fit() -> None:
    assert fit("abc", 5) == "abc  "
    assert fit("abc", 5, ">") == "  abc"
    assert fit("abcdef", 4) == "abc…"
    assert fit("a/b/app.py:12", 8, "/") == "…p.py:12"
    assert cell_len(fit("漢字漢字", 5)) == 5
    assert cell_len(fit("漢字漢字", 5, "/")) == 5


def test_chart() -> None:
    assert chart([0, 1, 8], 1, 8) == [" ▁█"]
    assert chart([0, 8, 16], 2, 16) == ["  █", " ██"]
    assert chart([], 1) == [""]
    assert chart([0, 0.001], 1, 8) == [" ▁"]


def test_every_style_is_in_both_themes() -> None:
    assert {*THEMES[False].styles} == {*THEMES[True].styles}
    assert replace(State(), light=True).light


def test_a_finding_is_read_whole(seen: LiveSnapshot) -> None:
    from async_inspect.tui.views.findings import draw
    from async_inspect.tui.views.scene import Scene

    said = "error deadlock: " + "task 2 (first) waits for what task 3 (second) holds, " * 4
    scene = Scene(State(view="findings"), seen, 60, 20, [[(said, "bad")], [("    behind them waits 1 more", "dim")]])
    lines = ["".join(text for text, _ in line) for line in draw(scene).lines]
    assert len(lines) > 3 and max(map(len, lines)) <= 60
    assert " ".join(" ".join(lines[:-1]).split()) == said.strip()
    assert lines[-1] == "    behind them waits 1 more"


@pytest.mark.parametrize("status", ["", "ended: exit status 1"])
def test_how_long_it_goes_is_said_beside_a_long_title(status: str, seen: LiveSnapshot) -> None:
    around = Around(title="/a/folder/" * 20 + "app.py --port 8000", status=status)
    assert f"…  {span(seen.elapsed_ns)} " in screen(State(), seen, around=around)[0] + " "


@pytest.mark.parametrize("damaged", [False, True])
def test_a_damaged_recording_is_said_to_be(damaged: bool, tmp_path: Path) -> None:
    """On every view, for a person to see beside the figures."""
    made = tape()
    if damaged:
        made.put(60, 131 * MS)  # a record of no kind that there is
    follower = Follower(made.write(tmp_path / "a.rec"))
    follower.step()
    found = LiveSnapshot(follower.live, follower.now)
    for view in VIEWS:
        first = screen(State(view=view), found)[0]
        assert ("DAMAGED: no figure is exact" in first) == damaged
        assert cell_len(first) <= 80
    follower.close()


def test_a_recording_that_reached_its_bound_stands_still(tmp_path: Path) -> None:
    """Its program runs on, and what it does is not known."""
    made = Tape(pid=os.getpid())
    work = made.code("work", 3)
    made.put(ev.SPAWN, 0, coro=1, aux=work)
    made.put(ev.START, 10, coro=1, off=work, node=made.node(0, work), task=1, flags=ev.IS_TASK)
    made.put(ev.SELECT, 90_000_000, thread=1)
    made.header["lost"] = 5
    follower = Follower(made.write(tmp_path / "a.rec"))
    for _ in range(2):
        follower.step()
        found = LiveSnapshot(follower.live, follower.now)
        assert follower.running
        assert found.elapsed_ns == 90_000_000
        assert [STATES[state] for state in found.state(found.rows).tolist()] == ["Unknown"]
        assert "BOUND REACHED: no more is known" in screen(State(), found)[0]
    follower.close()
