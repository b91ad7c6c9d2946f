"""What follows from declarations: the C core's headers, from ``events.py`` and ``tracer/actions.py``; from
``model/fields.py`` what report.html shows of a task, and a table of docs.

Knows how constants and fields look in C and JavaScript.  Knows no meaning of any.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from async_inspect import events as ev
from async_inspect.model import fields
from async_inspect.tracer import actions

ROOT: Final = Path(__file__).resolve().parent.parent
CORE: Final = ROOT / "async_inspect" / "tracer" / "core"
PAGE: Final = ROOT / "docs" / "exports.md"
DECLARED: Final = ROOT / "async_inspect" / "formats" / "assets" / "report" / "declared.js"
BEGIN, END = "<!-- fields -->\n", "<!-- end -->"
WRITTEN: Final = "/* Written by scripts/generate from {}: change that. */"
TYPES: Final = {"Q": "uint64_t", "I": "uint32_t", "H": "uint16_t", "B": "uint8_t"}  # as the module struct has them
OTHER_NAMES: Final = {"RESUME": "RESUMED", "CALL": "CALLED"}  # that CPython's headers take


def vocabulary() -> str:
    """core/vocabulary.h"""
    numbers = {name: value for name, value in vars(ev).items() if name.isupper() and isinstance(value, int)}
    offsets = {name: name.removesuffix("_OFFSET").lower() for name in numbers if name.endswith("_OFFSET")}
    placed = {name: field for name, field in offsets.items() if field in ev.HEADER_FIELDS}
    parts = [
        WRITTEN.format("async_inspect/events.py"),
        "typedef struct { uint64_t low, high; } Slot;",
        _struct("Header", ev.HEADER_FORMAT, ev.HEADER_FIELDS),
        _enum(f"{OTHER_NAMES.get(name, name)} = {value}" for name, value in numbers.items()),
        _enum(f"FORM_{form.upper()}" for form in ev.FORMS),
        "static inline int form_of(int kind)\n{\n    switch (kind) {",
        *(
            f"    case {OTHER_NAMES.get(name := ev.KIND_NAMES[kind], name)}:\n        return FORM_{form.upper()};"
            for kind, form in ev.SHORT_FORMS.items()
        ),
        "    default:\n        return FORM_EVENT;\n    }\n}",
        '_Static_assert(sizeof(Slot) == SLOT_SIZE, "a slot");',
        *(f'_Static_assert(offsetof(Header, {field}) == {name}, "{field}");' for name, field in placed.items()),
    ]
    return "\n".join(parts) + "\n"


def probe_actions() -> str:
    """core/actions.h"""
    sums = {
        name: [f"P_{action}" for action, bit in actions.ACTIONS.items() if bit & getattr(actions, name)]
        for name in ("COLD_AT_START", "COLD_AT_RETURN", "AT_SUSPENSION", "ROLES", "STEPS", "WATCHED")
    }
    watched = sums.pop("WATCHED")
    parts = [
        WRITTEN.format("async_inspect/tracer/actions.py"),
        _enum(f"P_{name} = {_bit(bit.bit_length() - 1)}" for name, bit in actions.ACTIONS.items()),
        _enum([f"P_WATCHED = {watched[0]}", *(f"{name} = {' | '.join(members)}" for name, members in sums.items())]),
    ]
    return "\n".join([*parts, *map(_done, ("AT_START", "AT_RETURN"))]) + "\n"


def _done(when: str) -> str:
    """A table of Probes, as a macro."""
    names = {bit: f"P_{name}" for name, bit in actions.ACTIONS.items()} | {
        getattr(actions, name): name for name in ("COLD_AT_START", "COLD_AT_RETURN")
    }
    rows = (f"    {{{names[bit]}, {name}, {flags}}}," for bit, name, flags in getattr(actions, when))
    return " \\\n".join([f"#define DONE_{when}", *rows])


def _bit(number: int) -> str:
    return f"1{'LL' * (number > 30)} << {number}"  # beyond an int's, as GNU C has it


def exports() -> str:
    """docs/exports.md, with the table of what exports say of a task."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    rows = [f"| `{field.key}` | {field.about}{'' if field.csv else ' (*json*)'} |\n" for field in fields.TASK]
    return "".join([before, BEGIN, "| key | |\n|---|---|\n", *rows, END, rest.partition(END)[2]])


def declared() -> str:
    """report/declared.js"""
    rows = [
        {"key": field.key, "kind": field.kind, "column": field.column} | page._asdict() for field, page in fields.PAGE
    ]
    lines = [
        "  { " + ", ".join(f"{name}: {json.dumps(value)}" for name, value in row.items() if value) + " },"
        for row in rows
    ]
    head = "// The columns about a task, for the page.\n" + WRITTEN.format("async_inspect/model/fields.py")
    return "\n".join([head, "const Declared = [", *lines, "];\n"])


FILES: Final = {CORE / "vocabulary.h": vocabulary, CORE / "actions.h": probe_actions, PAGE: exports, DECLARED: declared}


def _struct(name: str, format: str, fields: Iterable[str]) -> str:
    lines = [f"    {_declared(code, field)}" for code, field in zip(_codes(format), fields, strict=True)]
    return "\n".join(["typedef struct {", *lines, f"}} {name};"])


def _declared(code: str, field: str) -> str:
    return f"char {field}[{code[:-1]}];" if code.endswith("s") else f"{TYPES[code]} {field};"


def _codes(format: str) -> Iterator[str]:
    yield from re.findall(r"\d+s|[A-Z]", format)


def _enum(items: Iterable[str]) -> str:
    return "enum {\n" + _filled(items) + "\n};"


def _filled(items: Iterable[str]) -> str:
    text = ", ".join(item.replace(" ", "\0") for item in items)
    lines = textwrap.wrap(text, 112, break_long_words=False, break_on_hyphens=False)
    return textwrap.indent("\n".join(lines).replace("\0", " "), "    ")


if __name__ == "__main__":
    for path, text in FILES.items():
        path.write_text(text(), encoding="utf-8")
