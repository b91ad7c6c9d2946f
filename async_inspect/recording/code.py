"""Code objects as a recording holds them, and how their offsets become lines.

Knows: the location table of CPython 3.11 and later (its ``InternalDocs/code_objects.md``).  Knows nothing of paths as
people see them (``model/paths.py``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_LAST_LINE = (1 << 31) - 1
_LONGEST_VARINT = 36  # bits; more is damage
_ONE_LINE, _NO_COLUMNS, _LONG, _NONE = 10, 13, 14, 15  # below: short forms


class Position(NamedTuple):
    """Where in the source an instruction is; columns are UTF-8 bytes from 0.  None: not known."""

    line: int | None = None
    end_line: int | None = None
    column: int | None = None
    end_column: int | None = None


@dataclass(frozen=True)
class Code:
    """A code object: ``file`` as its ``co_filename``, ``name`` its ``co_qualname``."""

    file: str
    name: str
    line: int
    kind: int  # events.CODE_*
    table: bytes
    awaits: bytes | None = None  # the offsets of its await points, u32 each; None: not known

    @cached_property
    def _positions(self) -> tuple[npt.NDArray[np.int64], tuple[Position, ...]]:
        """Where each entry of the table ends (a bytecode offset), and its position."""
        ends, positions = [], []
        offset = 0
        for size, position in decode_table(self.table, self.line):
            offset += size
            ends.append(offset)
            positions.append(position)
        return np.array(ends, np.int64), tuple(positions)

    @cached_property
    def _lines(self) -> npt.NDArray[np.int64]:
        return np.array([p.line or 0 for p in self._positions[1]] + [0], np.int64)

    def position(self, offset: int) -> Position:
        """The position of a bytecode offset; one of Nones where the table doesn't reach."""
        ends, positions = self._positions
        index = int(np.searchsorted(ends, offset, side="right"))
        return positions[index] if index < len(positions) else Position()

    def lines(self, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The lines of many bytecode offsets, same shape; 0 where not known."""
        return self._lines[np.searchsorted(self._positions[0], offsets, side="right")]

    @property
    def await_lines(self) -> tuple[int, ...] | None:
        """The lines on which it awaits, each once, in their order; None: not known."""
        if self.awaits is None:
            return None
        offsets = np.frombuffer(self.awaits, "<u4", len(self.awaits) // 4).astype(np.int64)
        return tuple(sorted({*self.lines(offsets).tolist()} - {0}))


def decode_table(table: bytes, first_line: int) -> list[tuple[int, Position]]:
    """A ``co_linetable`` as one (bytes of bytecode, position) per entry.  A truncated last entry is left out; an
    impossible line counts as not known."""
    found: list[tuple[int, Position]] = []
    line = first_line
    rest = iter(table)
    for head in rest:
        code, size = head >> 3 & 15, 2 * ((head & 7) + 1)
        try:
            if code == _NONE:
                position = Position()
            elif code == _LONG:
                line += _signed(_varint(rest))
                end = line + _varint(rest)
                column, end_column = _varint(rest), _varint(rest)
                position = Position(line, end, column - 1 if column else None, end_column - 1 if end_column else None)
            elif code == _NO_COLUMNS:
                line += _signed(_varint(rest))
                position = Position(line, line)
            elif code >= _ONE_LINE:
                line += code - _ONE_LINE
                position = Position(line, line, next(rest), next(rest))
            else:
                columns = next(rest)
                column = code * 8 + (columns >> 4)
                position = Position(line, line, column, column + (columns & 15))
        except StopIteration:
            break
        possible = position.line is None or 0 <= position.line <= (position.end_line or position.line) <= _LAST_LINE
        found.append((size, position if possible else Position()))
    return found


def _varint(rest: Iterator[int]) -> int:
    byte, shift = next(rest), 0
    value = byte & 63
    while byte & 64 and shift < _LONGEST_VARINT:
        byte = next(rest)
        shift += 6
        value |= (byte & 63) << shift
    return value


def _signed(value: int) -> int:
    return -(value >> 1) if value & 1 else value >> 1
