"""The checks over a recording as it is now, in a process of its own: (text, style) lines as JSON.

The one seam between the view and ``async_inspect.checks``, whose ``run(trace)`` returns the findings.
"""

import importlib
import json
import sys

from ..model import load


def lines(recording: str) -> list[tuple[str, str]]:
    """What the checks say, worst first as they come."""
    try:
        checks = importlib.import_module("async_inspect.checks")
    except ModuleNotFoundError:
        return [("there are no checks yet", "dim")]
    found = [(str(finding), "warn") for finding in checks.run(load(recording))]
    return found or [("nothing was found", "good")]


if __name__ == "__main__":
    print(json.dumps(lines(sys.argv[1])))
