"""The checks over a recording as it is now, in a process of its own: (text, style) lines as JSON.

The one seam between the view and ``async_inspect.checks``.
"""

import json
import sys

from .. import internal, load
from ..errors import UserError

STYLES = {"error": "bad", "warning": "warn", "hint": "dim"}


def lines(recording: str) -> list[tuple[str, str]]:
    """What the checks say, the worst first, each with what was seen."""
    found = []
    survey = load(recording).survey
    for one in survey.findings:
        place = f"  {one.place}" if one.place and one.place not in one.text else ""
        found.append((f"{one.severity} {one.check}: {one.text}{place}", STYLES[one.severity]))
        found += [(f"    {line}", "dim") for line in one.evidence]
        if one.more:
            found.append((f"    … and {one.more:,} more like it", "dim"))
    found += [(line, STYLES["error"]) for line in survey.failed]
    return found or [("nothing was found", "good")]


if __name__ == "__main__":
    try:
        sys.exit(internal.guarded(lambda: print(json.dumps(lines(sys.argv[1]))), "the checks failed"))
    except UserError as error:
        sys.exit(error.message)
