"""Addresses of exported functions, out of an ELF file.

Knows the two tables that stripped files have too (.dynsym and its strings), and what machine a file is for.
"""

import struct
from collections.abc import Collection

MACHINES = {(2, 62): "x86-64", (2, 183): "aarch64", (1, 3): "x86, 32 bits", (1, 40): "ARM, 32 bits"}
_EXECUTABLE = 2  # e_type of a file that is mapped where it says
_DYNSYM = 11  # sh_type
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")


def machine(start: bytes) -> str:
    """What machine a file is for, by its first bytes."""
    if len(start) < 20 or not start.startswith(b"\x7fELF"):
        return "no ELF file"
    number = struct.unpack_from("<H", start, 18)[0]
    return MACHINES.get((start[4], number), f"ELF machine {number}")


def symbols(path: str, base: int, wanted: Collection[str]) -> dict[str, int]:
    """Name → address in a process that has this file at ``base``; what isn't there, or not readable, is left out."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        return dict(_symbols(data, base, {name.encode(): name for name in wanted}))
    except (OSError, struct.error, ValueError):
        return {}


def _sections(data: bytes) -> list[tuple[int, ...]]:
    if machine(data[:20]) not in {"x86-64", "aarch64"}:
        raise ValueError("not an ELF file of 64 bits")
    at = struct.unpack_from("<Q", data, 40)[0]
    size, count = struct.unpack_from("<HH", data, 58)
    return [_SECTION.unpack_from(data, at + i * size) for i in range(count)]


def _symbols(data: bytes, base: int, wanted: dict[bytes, str]) -> list[tuple[str, int]]:
    if struct.unpack_from("<H", data, 16)[0] == _EXECUTABLE:
        base = 0
    found = []
    sections = _sections(data)
    for one in sections:
        if one[1] != _DYNSYM:
            continue
        texts = sections[one[6]][4]
        for name, _, _, index, value, _ in _SYMBOL.iter_unpack(data[one[4] : one[4] + one[5]]):
            if index and value:
                text = data[texts + name : data.index(b"\0", texts + name)]
                if text in wanted:
                    found.append((wanted[text], base + value))
    return found
