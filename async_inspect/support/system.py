"""What some operating systems lack, as one line to the user.

Knows how to ask for it: by what ``os`` and ``signal`` have, never by the system's name.
"""

import os
import signal
import sys

from ..errors import UserError


def spare_threads() -> None:
    """Let numpy start no threads when it is imported: we don't use them, and they fail where memory is short."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def require(what: str, *functions: str) -> None:
    """UserError where ``os`` lacks one of these functions, which ``what`` needs."""
    for name in functions:
        if not hasattr(os, name):
            raise UserError(f"{what} cannot be had on this system ({sys.platform}): it has no os.{name}")


def signals(*names: str) -> tuple[signal.Signals, ...]:
    """Those of these signals that this system has."""
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))
