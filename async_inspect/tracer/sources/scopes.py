"""Which cancel scope or timeout a wait ended for, and where that was made.

Known of waits that it cancels itself: what it has a task cancel in turn (the task that it awaits, a gather) is not.
"""

_ANYIO = "/anyio/_backends/_asyncio.py"
_TRIO = "/trio/_core/_run.py"

PROBES = (
    ("Timeout.__init__", "/asyncio/timeouts.py", ("MADE", "SCOPE")),
    ("Timeout._on_timeout", "/asyncio/timeouts.py", ("SCOPE",)),
    ("TaskGroup.__init__", "/asyncio/taskgroups.py", ("MADE", "SCOPE")),
    ("TaskGroup._abort", "/asyncio/taskgroups.py", ("SCOPE",)),
    ("CancelScope.__init__", _ANYIO, ("MADE", "SCOPE")),
    ("CancelScope._deliver_cancellation", _ANYIO, ("SCOPE",)),
    ("__init__", "trio._core._run.CancelScope>", ("MADE", "SCOPE")),  # of attrs' making
    ("CancelScope._cancel", _TRIO, ("SCOPE",)),
)
