"""Lines of text on the terminal: names as data, whatever the terminal, the locale or the encoding.

Knows nothing of rich, so that a command which prints a line or two need not import it.
"""

import os
import sys

from ..support.names import LEGIBLE, clean


def prepare() -> None:
    """Have stdout and stderr take any text: what their encoding lacks is written legibly."""
    for stream in sys.stdout, sys.stderr:
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=LEGIBLE)


def say(line: str) -> None:
    """A line of text, with names in it, to stdout.  BrokenPipeError: its reader is gone."""
    print(clean(line))


def say_all(text: str) -> None:
    """A whole text to stdout, or as much of it as its reader takes (``| head -1``)."""
    try:
        print(text)
        if sys.stdout is not None:  # we were started without
            sys.stdout.flush()
    except BrokenPipeError:
        silence()


def silence() -> None:
    """From now on stdout goes nowhere: its reader has what it wanted, and the interpreter would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
