"""Lines of text on the terminal: names as data, whatever the terminal, the locale or the encoding.

Knows nothing of rich, so that a command which prints a line or two need not import it.
"""

import sys

from ..support.names import LEGIBLE, clean


def prepare() -> None:
    """Have stdout and stderr take any text: what their encoding lacks is written legibly."""
    for stream in sys.stdout, sys.stderr:
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=LEGIBLE)


def say(line: str) -> None:
    """A line of text, with names in it, to stdout."""
    print(clean(line))
