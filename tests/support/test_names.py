"""What of a name is shown, letter by letter, and how JSON holds it."""

import json

import pytest

from async_inspect.support import names


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain é 漢 👩", "plain é 漢 👩"),
        ("\x1b]0;x\x07", "␛]0;x␇"),
        ("\0\n\r\t\x7f", "␀␊␍␉␡"),
        ("\x9b\x85", "��"),
        ("a\u202eb\u2066c\u200f", "a�b�c�"),
        ("\u200b\ufeff\xad", "���"),
        ("\udcff\ud83d", "��"),
        ("a\xa0b\u3000c", "a b c"),
        ("\u2028\u2029\ue000\uffff", "����"),
    ],
)
def test_clean(name: str, shown: str) -> None:
    assert names.clean(name) == shown
    assert names.clean(shown) == shown
    assert len(shown) == len(name), "letter by letter"


def test_every_character() -> None:
    every = "".join(map(chr, range(0x11000)))
    assert names.clean(every).isprintable()


def test_long_ones() -> None:
    assert names.shown("x" * names.MOST) == "x" * names.MOST
    assert names.shown("x" * (names.MOST + 1)) == "x" * (names.MOST - 1) + "…"


def test_json() -> None:
    said = names.to_json({"a\u202e": ["\udcff", ("é", 1, None, 1.5, True)], "b": "👩"})
    assert said.isascii()
    assert json.loads(said) == {"a\u202e": ["\ufffd", ["é", 1, None, 1.5, True]], "b": "👩"}


def test_what_an_encoding_lacks() -> None:
    text = "… → × µ “q” ␛[0m ␡ заказ \udcff �"
    assert text.encode("ascii", names.LEGIBLE) == (
        rb"... -> x u " + rb'"q" \x1b[0m \x7f \u0437\u0430\u043a\u0430\u0437 \udcff ?'
    )
    assert "µ→".encode("latin-1", names.LEGIBLE) == b"\xb5->"
