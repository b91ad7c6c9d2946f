"""What is written from declarations says what they say."""

import pytest

from scripts.generate import CORE, FILES


@pytest.mark.parametrize("name", FILES)
def test_it_is_up_to_date(name: str) -> None:
    assert (CORE / name).read_text(encoding="utf-8") == FILES[name](), "run scripts/generate"
