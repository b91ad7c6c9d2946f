"""report.html taken apart again, as ``assets/report/data.js`` does it, and as text that can be compared."""

import base64
import json
import re
import zlib
from typing import Any

import numpy as np

DATA = re.compile(rb'<script type="text/plain" id="data">([^<]*)</script>')


def blocks(page: bytes) -> dict[str, Any]:
    """The blocks by name: columns as arrays, texts as what JSON says."""
    (packed,) = DATA.findall(page)
    data, found, at = zlib.decompress(base64.b64decode(packed, validate=True)), {}, 0
    while at < len(data):
        end = data.index(b"\n", at)
        name, encoding, width, count = data[at:end].decode().split(" ")
        size = int(count) * (int(width) if encoding != "json" else 1)
        block = data[end + 1 : end + 1 + size]
        assert len(block) == size
        found[name] = json.loads(block) if encoding == "json" else _column(block, encoding, int(count))
        at = end + 1 + size
    return found


def _column(block: bytes, encoding: str, count: int) -> Any:
    values = np.zeros(count, np.int64)
    for shift, begin in enumerate(range(0, len(block), count)) if count else ():
        values |= np.frombuffer(block[begin : begin + count], np.uint8).astype(np.int64) << (8 * shift)
    if encoding.endswith("signed"):
        values = (values >> 1) ^ -(values & 1)
    return np.cumsum(values) if encoding.startswith("delta") else values


def text(page: bytes) -> str:
    """All of the data, a line a block; what the page is made of beside it is the same for every trace."""
    lines = []
    for name, value in blocks(page).items():
        said = value.tolist() if isinstance(value, np.ndarray) else value
        lines.append(f"{name}: {json.dumps(said, ensure_ascii=False)}\n")
    return "".join(lines)
