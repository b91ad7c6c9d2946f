"""The tasks as a tree: by parent, or by awaiter."""

from collections import defaultdict

from ...model.live import LiveSnapshot
from ..draw import Page, window
from .scene import Scene, one_line

OPEN_TO = 2  # levels that are unfolded to begin with
MOST = 20_000  # lines


def draw(scene: Scene) -> Page:
    """The body."""
    state, seen = scene.state, scene.seen
    children = by_await(seen) if state.by_await else by_parent(seen)
    lines = flat(children, frozenset(seen.row(key) for key in state.toggled))
    page = max(scene.height - 1, 1)
    cursor = min(state.cursor, max(len(lines) - 1, 0))
    here = window(cursor, len(lines), page)
    how = "who awaits whom" if state.by_await else "by parent"
    drawn = [[(f"{how}", "head"), ("  w changes that, ← → folds", "dim")]]
    for at, (row, depth, mark) in enumerate(lines[here], here.start):
        own = len(children[row]) if row in children else 0
        line = [(f"{'  ' * min(depth, 20)}{mark} ", "key"), *one_line(seen, row)]
        if own:
            line.insert(1, (f"({own}) ", "dim"))
        drawn.append([(text, "chosen") for text, _ in line] if at == cursor else line)
    if not lines:
        drawn.append([("  nobody awaits anybody" if state.by_await else "  no tasks yet", "dim")])
    return Page(drawn, len(lines), page, seen.key(lines[cursor][0]) if lines else 0)


def by_parent(seen: LiveSnapshot) -> dict[int, list[int]]:
    """The children of each task; those of 0 are the roots."""
    rows = seen.rows.tolist()
    there = set(rows)
    found: dict[int, list[int]] = defaultdict(list)
    for row, parent in zip(rows, seen.parent(seen.rows).tolist(), strict=True):
        found[parent if parent in there else 0].append(row)
    return found


def by_await(seen: LiveSnapshot) -> dict[int, list[int]]:
    """The tasks that each task awaits; below 0 those that no task awaits.  Of a cycle of tasks, the first."""
    who, others = (side.tolist() for side in seen.edges)
    found: dict[int, list[int]] = defaultdict(list)
    for row, other in zip(who, others, strict=True):
        found[row].append(other)
    found[0] = sorted(set(who) - set(others))
    reached = _reached(found, found[0])
    for row in sorted(set(who)):
        if row not in reached:
            found[0].append(row)
            reached |= _reached(found, [row])
    return found


def _reached(children: dict[int, list[int]], roots: list[int]) -> set[int]:
    reached, todo = set(roots), list(roots)
    while todo:
        for row in children.get(todo.pop(), ()):
            if row not in reached:
                reached.add(row)
                todo.append(row)
    return reached


def flat(children: dict[int, list[int]], toggled: frozenset[int]) -> list[tuple[int, int, str]]:
    """(task, depth, mark) line by line; a task is unfolded once only, and a cycle ends where it closes."""
    lines: list[tuple[int, int, str]] = []
    done: set[int] = set()
    todo = [(row, 0) for row in reversed(children.get(0, ()))]
    while todo and len(lines) < MOST:
        row, depth = todo.pop()
        below = children.get(row, ())
        opened = bool(below) and (depth < OPEN_TO) != (row in toggled)
        again = row in done
        lines.append((row, depth, "↻" if again and below else "▾" if opened else "▸" if below else "·"))
        if opened and not again:
            todo += [(other, depth + 1) for other in reversed(below)]
        done.add(row)
    return lines
