"""Files of version 1, of async-inspect 0.1: each slot is a record, whole; the tail is no ring.

Knows only in what they differ from those of today (``unpacking.py``).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from .. import events as ev
from .slots import LONGEST_TEXT, RECORD_SIZE, SLOT, TEXT_BYTES, Raw, Slots


class Version1:
    """As ``Unpacking``, with nothing to unpack."""

    slot_size: Final = RECORD_SIZE
    damaged: Final = 0

    def tail(self, data: Raw, _size: int, first: int, base: int) -> Raw:
        """The slots of a tail, which begins with number ``base``, from ``first`` on."""
        return data[max(first - base, 0) :]

    def whole(self, raw: Raw) -> int:
        """How many of these slots come before a text that is not complete."""
        slots = raw.reshape(-1).view(SLOT)
        kinds = slots["kind"]
        begin = max(len(kinds) - LONGEST_TEXT, 0)
        others = np.flatnonzero(kinds[begin:] != ev.TEXT)
        owner = begin + int(others[-1]) if len(others) else -1
        if owner < 0 or kinds[owner] not in ev.HAS_TEXT:
            return len(slots)
        needed = -(-int(slots["off"][owner]) // TEXT_BYTES)
        return owner if len(slots) - 1 - owner < needed <= LONGEST_TEXT else len(slots)

    def unpack(self, raw: Raw, _first: int) -> Iterator[Slots]:
        """The records of these slots."""
        yield raw.reshape(-1).view(SLOT)
