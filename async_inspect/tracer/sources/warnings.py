"""Coroutines never awaited, exceptions never retrieved, tasks destroyed while pending: what the runtime finds itself.

Not seen: what a loop whose own methods are not Python (uvloop) says to its exception handler.
"""

PROBES = (
    ("_warn_unawaited_coroutine", "warnings.py", ("NEVER",)),  # _py_warnings.py from 3.14 on
    ("BaseEventLoop.call_exception_handler", "/asyncio/base_events.py", ("HANDLER",)),
)
