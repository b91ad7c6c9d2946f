"""What is written from declarations says what they say."""

from pathlib import Path

import pytest

from scripts.generate import FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == FILES[path](), "run scripts/generate"
