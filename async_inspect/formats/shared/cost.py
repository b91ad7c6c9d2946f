"""What a format would write, told from the numbers of rows before anything is written.

Knows how costs add up.  What a row of which table takes is declared beside each format's writer.
"""

from typing import NamedTuple


class Cost(NamedTuple):
    """Of a file: about so much, within a factor of two or three."""

    bytes: float = 0
    us: float = 0  # of CPU


def cost(*parts: tuple[int, float, float]) -> Cost:
    """``parts``: (how many rows, bytes a row, µs a row)."""
    return Cost(sum(rows * size for rows, size, _ in parts), sum(rows * us for rows, _, us in parts))


def total(costs: list[Cost]) -> Cost:
    """Of several files."""
    return Cost(sum(one.bytes for one in costs), sum(one.us for one in costs))
