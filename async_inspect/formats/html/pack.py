"""Columns of integers, packed into one small stream, which ``assets/report/data.js`` unpacks.

Knows: how numbers become bytes.  Knows nothing of what they count, and nothing of HTML.

The stream is compressed (zlib).  Inside it, one block after the other: a line "name encoding width count\n", then the
block's bytes.  A block is "json" (width 0, count bytes of text) or numbers: every number's lowest byte, then every
number's next byte, and so on, ``width`` planes in all (deflate likes them better than numbers as they are, or than
varints).  "delta" says that each number is the difference to the one before; "signed" that numbers are zigzagged
(0, -1, 1, -2 … are 0, 1, 2, 3 …), which is done where one is negative.
"""

import json
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

type Numbers = npt.NDArray[Any]


def text(name: str, value: object) -> bytes:
    """A block that holds anything JSON can say."""
    data = json.dumps(value, separators=(",", ":")).encode("ascii")
    return f"{name} json 0 {len(data)}\n".encode() + data


def numbers(name: str, values: Numbers, delta: bool = False) -> bytes:
    """A column as a block.  ``delta``: as differences, which is smaller where neighbouring values are close."""
    found = values.astype(np.int64)
    encoding = "plain"
    if delta and len(found):
        found = np.diff(found, prepend=0)
        encoding = "delta"
    if len(found) and found.min() < 0:
        found = (found << 1) ^ (found >> 63)
        encoding += "-signed"
    most = int(found.max()) if len(found) else 0
    width = (most.bit_length() + 7) // 8
    planes = np.ascontiguousarray(found.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width].T)
    return f"{name} {encoding} {width} {len(found)}\n".encode() + planes.tobytes()


def packed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks as one compressed stream in base64, piece by piece."""
    packer, rest = zlib.compressobj(4), b""  # 6 takes twice as long for 1 to 3 %
    for piece in _pieces(blocks, packer):
        rest += piece
        whole = len(rest) // 3 * 3
        if whole:
            yield b64encode(rest[:whole])
            rest = rest[whole:]
    yield b64encode(rest)


def _pieces(blocks: Iterable[bytes], packer: Any) -> Iterator[bytes]:
    for block in blocks:
        for begin in range(0, len(block), 1 << 18):
            yield packer.compress(block[begin : begin + (1 << 18)])
    yield packer.flush()
