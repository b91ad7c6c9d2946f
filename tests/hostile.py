"""Names that would do something if anybody took them for more than names, and a recording that is full of them."""

from async_inspect import events as ev

from .tape import Tape

NAMES: dict[str, bytes] = {
    "title": b"\x1b]0;owned\x07",
    "clipboard": b"\x1b]52;c;b3duZWQ=\x1b\\",
    "colours": b"\x1b[2J\x1b[31mred\x1b[0m",
    "c1": "\x9b31m\x9d0;owned\x9c".encode(),
    "controls": b"bell\x07 back\x08 feed\x0c delete\x7f",
    "lines": b"one\ntwo\r\nthree\tfour\rFIVE",
    "other lines": "one\u2028two\u2029three\x85four".encode(),
    "order": "a\u202egpj.exe\u202c \u2066b\u2069 \u200fc".encode(),
    "no width": "pay\u200bpal\u2060\ufeff\u00ad".encode(),
    "markup": b"[bold]b[/b] [/] [link=http://x]y[/link]",
    "html": b"</title></script><script>document.title='owned'</script><img src=x onerror=\"owned=1\">",
    "template": b"{{data}} {{script}} {{style}} {{title}} ${owned} {0} %s",
    "formula": b"=cmd|' /C calc'!A0",
    "formulas": b"@SUM(1)+1",
    "minus": b"-1+1",
    "apostrophe": b"'=1",
    "xml": "]]> <!-- &amp; &bad; \x0b \ufffe \uffff".encode(),
    "separators": b"a;b,c\"d' e\\u202e\\x1b[31m",
    "letters": "заказ 👩‍💻 é e\u0301".encode(),
    "no text": b"\xff\xfe\xc3( \xed\xb2\x80",
    "long": b"x" * 1_000_000,
}


def tape() -> Tape:
    """``main`` has one task for each name, called so, in a function and a file called so, which waits for something of
    a type called so, and goes on waiting, or fails with an exception that says so; each leaves a point and a
    tag, and one of them blocks the loop.
    """
    made = Tape()
    made.meta += [("argv", _escaped(name)) for name in ("--password", *map(_text, NAMES.values())) if len(name) < 1000]
    main = made.code("main", 10)
    at_main = made.node(0, main)
    site = made.site((main, 4))
    made.put(ev.THREAD, coro=0, aux=4711)
    made.put(ev.SPAWN, 0, coro=1, aux=main, off=made.site((main, 0)))
    made.put(ev.START, 10, coro=1, off=main, node=at_main, task=1, flags=ev.IS_TASK)
    clock, codes = 1_000_000, []
    for number, name in enumerate(NAMES.values(), 2):
        codes.append(_code(made, _short(name)))
        made.put(ev.SPAWN, clock, coro=number, aux=codes[-1], off=site, node=at_main, task=1, flags=ev.NAME_GIVEN)
        made.text(ev.NAME, name, clock, coro=number, node=at_main, task=1)
    made.put(ev.SUSPEND, clock, coro=1, aux=_string(made, b"asyncio.Future"), off=12)
    for number, name in enumerate(NAMES.values(), 2):
        short, node = _short(name), made.node(0, codes[number - 2])
        clock += 1_000
        made.put(ev.START, clock, coro=number, off=codes[number - 2], node=node, task=number, flags=ev.IS_TASK)
        made.text(ev.POINT, short + b"\0" + name, clock + 10, coro=number, node=node, task=number)
        made.text(ev.TAG, b"request\0" + short, clock + 20, coro=number, node=node, task=number)
        kind = _string(made, short)
        clock += 300_000_000 if name == NAMES["markup"] else 2_000_000
        made.put(ev.SUSPEND, clock, coro=number, aux=kind, off=6)
        if number % 2:
            clock += 1_000_000
            made.put(ev.RESUME, clock, coro=number, aux=number, node=node, task=number)
            made.put(ev.RAISE, clock + 500, coro=number, aux=kind)
            made.text(ev.MESSAGE, name, clock + 500, coro=number)
    made.end_ns = clock + 2000
    return made


def _short(name: bytes) -> bytes:
    return name[:200]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _escaped(value: str) -> str:
    for char, escape in ("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"):
        value = value.replace(char, escape)
    return value


def _code(made: Tape, name: bytes) -> int:
    """``Tape.code`` for bytes that need not be text."""
    made._ids["code"] += 1
    number = made._ids["code"]
    table = bytes([0x80 | 13 << 3, 0]) + bytes([0x80 | 13 << 3, 2]) * 20
    file = b"/w/" + name.replace(b"/", b"|") + b".py"
    made.text(ev.CODE, b"\0".join((file, name, table)), coro=number, aux=20, flags=ev.CODE_COROUTINE)
    return number


def _string(made: Tape, text: bytes) -> int:
    made._ids["string"] += 1
    made.text(ev.STRING, text, coro=made._ids["string"])
    return made._ids["string"]
