"""One word for one thing: what people read, and the names in the code, keep to docs/semantics.md."""

import re
import tokenize
from collections.abc import Iterable
from pathlib import Path

from .tools import ROOT

# What shows states to people. A task that awaits is Waiting there; "blocked" is said of loops alone.
SHOWN = [*(ROOT / "tests/golden").glob("tui/*"), *(ROOT / "tests/golden").glob("pictures/*"), ROOT / "docs/live.svg"]
# Words that have another one in docs/semantics.md: cycle, (runtime) warning.
OTHERS = re.compile(r"\b(circles?|troubles?)\b", re.IGNORECASE)
# Names that say nothing to who has not written them.
DIALECT = re.compile(
    r"_*(asked|asleep|beside|circle|meet|met|nobody|people|said|settle|told|trouble|whom)s?_*", re.IGNORECASE
)
ALLOWED = {"ASKED"}  # choose.py: why a core records


def files(*patterns: str) -> Iterable[Path]:
    return (path for pattern in patterns for path in sorted(ROOT.glob(pattern)))


def test_a_task_that_awaits_is_waiting_where_people_read_it() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in SHOWN}
    assert len(texts) > 5
    assert any("Waiting" in text for text in texts.values())
    assert [path.name for path, text in texts.items() if "Blocked" in text] == []


def test_one_word_for_one_thing() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files(
            "README.md", "docs/*.md", "async_inspect/**/*.py", "async_inspect/**/*.js", "async_inspect/**/*.c"
        )
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if OTHERS.search(line)
    ]
    assert found == []


def test_names_are_in_plain_english() -> None:
    found = set()
    for path in files("async_inspect/**/*.py", "async_inspect/**/*.pyi"):
        with tokenize.open(path) as file:
            for token in tokenize.generate_tokens(file.readline):
                if token.type == tokenize.NAME and DIALECT.fullmatch(token.string) and token.string not in ALLOWED:
                    found.add(f"{path.relative_to(ROOT)}: {token.string}")
    assert sorted(found) == []
