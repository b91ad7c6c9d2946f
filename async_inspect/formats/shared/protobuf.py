"""Protocol Buffers' wire format, written: fields as bytes, to be joined into messages.

Knows: varints, tags, and the wire types that our formats use (0: varint, 1: 64 bits, 2: length-delimited).  Knows
nothing of any message: what the fields mean is in ``pprof.py`` and ``perfetto.py``.

A message is the concatenation of its fields, so a file of millions of messages is written one message at a time, each
a ``length_delimited`` field of the file's own message.  The format:
https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterable

_BITS, _FEW = 14, 1 << 14  # so many bits are written at once
_LAST = [bytes([v]) if v < 128 else bytes([v & 127 | 128, v >> 7]) for v in range(_FEW)]  # nothing follows
_MORE = [bytes([v & 127 | 128, v >> 7 | 128]) for v in range(_FEW)]
_MASK = (1 << 64) - 1


def varint(value: int) -> bytes:
    """A number of at most 64 bits; a negative one as two's complement, as ``int64`` has it."""
    if 0 <= value < _FEW:
        return _LAST[value]
    value &= _MASK
    out = b""
    while value >> _BITS:
        out += _MORE[value & _FEW - 1]
        value >>= _BITS
    return out + _LAST[value]


def zigzag(value: int) -> bytes:
    """A ``sint64``: small whether negative or not."""
    return varint(value << 1 ^ value >> 63)


def tag(field: int, wire: int) -> bytes:
    """The tag before a field's value; fields are below 2,048."""
    return _LAST[field << 3 | wire]


def number(field: int, value: int) -> bytes:
    """An integer, enum or bool field."""
    return tag(field, 0) + varint(value)


def length_delimited(field: int, value: bytes) -> bytes:
    """A ``bytes`` field, or a message within a message."""
    return tag(field, 2) + varint(len(value)) + value


def text(field: int, value: str) -> bytes:
    """A ``string`` field; what isn't Unicode (a lone surrogate) is replaced."""
    return length_delimited(field, value.encode("utf-8", "replace"))


def double(field: int, value: float) -> bytes:
    """A ``double`` field."""
    return tag(field, 1) + struct.pack("<d", value)


def packed(field: int, values: Iterable[int]) -> bytes:
    """A ``repeated`` field of numbers, in one piece; nothing where there are none."""
    body = b"".join(map(varint, values))
    return length_delimited(field, body) if body else b""
