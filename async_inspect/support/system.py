"""What some operating systems lack, as one line to the user.

Knows how to ask for it: by what ``os`` and ``signal`` have, never by the system's name.
"""

import os
import signal
import sys

from ..errors import UserError


def spare_threads() -> None:
    """Let numpy make no threads as it is imported: they are no use to us, and where memory is short they end us."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def require(what: str, *functions: str) -> None:
    """UserError where ``os`` has not all of these, which ``what`` rests on."""
    for name in functions:
        if not hasattr(os, name):
            raise UserError(f"{what} cannot be had on this system ({sys.platform}): it has no os.{name}")


def signals(*names: str) -> tuple[signal.Signals, ...]:
    """Those of these that there are."""
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))
