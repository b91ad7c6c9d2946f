"""docs/trust.md: its tables are where the results of ``scripts/trust`` are kept.

A run replaces the rows of what it ran and leaves the others, so each says for itself when and on what it was seen.
Knows how the tables look, not where results come from.

    python -m scripts.trust_page FILE      takes all rows of another such page over
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from .trust_suites import PROJECTS_ON, SUITES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "trust.md"
BEGIN, END = "<!-- results -->\n", "<!-- end -->"
SAME = "the same"
BETWEEN = " · "
SHOWN = 5  # names in a cell; more of them unfold


class Run(NamedTuple):
    """One suite on one Python under one core.

    ``bare`` and ``recorded`` are counts (``Counts.text``), or a word where there are none.
    """

    suite: str
    version: str
    python: str
    core: str
    bare: str
    recorded: str
    remarks: str
    on: str


class Difference(NamedTuple):
    """A test that ended otherwise in one of the runs; in a page all that did so for one reason, with BETWEEN them."""

    suite: str
    python: str
    core: str
    test: str
    bare: str
    recorded: str
    why: str


class Counts(NamedTuple):
    """How many tests ended how."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0

    @property
    def text(self) -> str:
        return " / ".join(f"{number:,}" for number in self)

    @classmethod
    def read(cls, text: str) -> Self | None:
        numbers = text.replace(",", "").split(" / ")
        return cls(*map(int, numbers)) if len(numbers) == 4 and all(map(str.isdigit, numbers)) else None

    def __add__(self, other: object) -> "Counts":
        assert isinstance(other, Counts)
        return Counts(*(one + two for one, two in zip(self, other, strict=True)))


RUNS = ("suite", "version", "Python", "core", "bare", "recorded", "remarks", "on")
DIFFERENCES = ("suite", "Python", "core", "tests", "bare", "recorded", "why")
TOTALS = ("suites", "Python", "core", "how many", "bare", "recorded", "tests that differ")


@dataclass
class Page:
    """What stands in the tables."""

    runs: list[Run] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    def put(self, run: Run, differences: Iterable[Difference]) -> None:
        """Take the place of what was known of this suite there."""

        # Another patch release of a Python replaces the one before; that it couldn't run there has no core.
        def gone(one: Run | Difference) -> bool:
            there = (one.suite, _minor(one.python)) == (run.suite, _minor(run.python))
            return there and (one.core in {run.core, ""} or not run.core)

        self.runs = [one for one in self.runs if not gone(one)] + [run]
        self.differences = [one for one in self.differences if not gone(one)]
        alike: dict[tuple[str, str, str], list[str]] = {}
        for one in differences:
            if one[:3] == (run.suite, run.python, run.core):
                alike.setdefault(one[4:], []).append(one.test.removeprefix(f"test.{run.suite}."))
        for (bare, recorded, why), names in alike.items():
            tests = BETWEEN.join(sorted(names))
            self.differences.append(Difference(run.suite, run.python, run.core, tests, bare, recorded, why))

    def render(self) -> str:
        """The part of the page between its marks."""
        runs = sorted(self.runs, key=_order)
        parts = [
            "Counts are passed / failed / errors / skipped.\n",
            _table(TOTALS, self._totals()),
            "\n## Tests that differ\n",
            _table(DIFFERENCES, sorted(self.differences)) if self.differences else "None.\n",
            "\n## Each suite\n",
            _table(RUNS, runs),
            "\n## Not run so far\n",
            *self._missing(),
        ]
        return "\n".join(parts)

    def _missing(self) -> Iterable[str]:
        for python in sorted({run.python for run in self.runs}):
            there = {run.suite for run in self.runs if run.python == python}
            here = [suite for suite in SUITES if not suite.version or python.startswith(PROJECTS_ON)]
            missing = [f"`{suite.name}`" for suite in here if suite.name not in there]
            if missing:
                yield f"- {python}: {', '.join(missing)}"
        yield ""

    def _totals(self) -> Iterable[tuple[str, ...]]:
        groups: dict[tuple[bool, str, str], list[Run]] = {}
        for run in self.runs:
            groups.setdefault((run.version != "", run.python, run.core), []).append(run)
        for (others, python, core), runs in sorted(groups.items()):
            bare = [Counts.read(run.bare) for run in runs]
            ran = [run for run, counts in zip(runs, bare, strict=True) if counts]
            recorded = [Counts.read(run.bare if run.recorded == SAME else run.recorded) for run in ran]
            if not ran:
                continue
            names = {run.suite for run in ran}
            there = [one for one in self.differences if one.suite in names and one[1:3] == (python, core)]
            differ = sum(len(one.test.split(BETWEEN)) for one in there)
            yield (
                "other projects'" if others else "CPython's",
                python,
                core,
                str(len(ran)),
                sum(filter(None, bare), Counts()).text,
                sum(filter(None, recorded), Counts()).text,
                str(differ),
            )


def read(path: Path) -> Page:
    """What stands in a page.

    :raises ValueError: a row isn't of the form that ``render`` gives it.
    """
    page = Page()
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    width = 0
    for line in text.partition(BEGIN)[2].partition(END)[0].splitlines():
        cells = tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        if cells in {RUNS, DIFFERENCES, TOTALS}:
            header, width = cells, len(cells)
        elif not cells or set(cells) == {"---"} or header == TOTALS:
            continue
        elif len(cells) != width:
            raise ValueError(f"{path}: {line}")
        elif header == RUNS:
            page.runs.append(Run(*cells))
        else:
            suite, python, core, test, *rest = cells
            page.differences.append(Difference(suite, python, core, _unfolded(test), *rest))
    return page


def write(page: Page, path: Path) -> None:
    """Put it between the marks of a file, which is made if it isn't there."""
    text = path.read_text(encoding="utf-8") if path.exists() else f"# Results\n\n{BEGIN}{END}\n"
    before, _, rest = text.partition(BEGIN)
    path.write_text(f"{before}{BEGIN}{page.render()}{END}{rest.partition(END)[2]}", encoding="utf-8")


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    if header == DIFFERENCES:
        lines[2:] = [(*row[:3], _folded(row[3]), *row[4:]) for row in lines[2:]]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _folded(tests: str) -> str:
    shown, many = f"`{tests}`".replace(BETWEEN, f"`{BETWEEN}`"), tests.count(BETWEEN) + 1
    return f"<details><summary>{many} tests</summary>{shown}</details>" if many > SHOWN else shown


def _unfolded(cell: str) -> str:
    return re.sub("`|</?details>|<summary>.*</summary>", "", cell)


def _order(run: Run) -> tuple[object, ...]:
    return (run.version != "", *run)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


if __name__ == "__main__":
    kept = read(PAGE)
    taken = read(Path(sys.argv[1]))
    for run in taken.runs:
        kept.put(run, taken.differences)
    write(kept, PAGE)
