"""Which lock, queue, stream … a task waits for, where that was made, and who holds it.

Conditions are held by their lock.
"""

_LOCKS = "/asyncio/locks.py"
_QUEUES = "/asyncio/queues.py"
_STREAMS = "/asyncio/streams.py"
_SUBPROCESS = "/asyncio/base_subprocess.py"

PROBES = (
    *((f"{name}.__init__", _LOCKS, ("MADE",)) for name in ("Lock", "Event", "Condition", "Semaphore", "Barrier")),
    ("Queue.__init__", _QUEUES, ("MADE",)),
    ("StreamReader.__init__", _STREAMS, ("MADE",)),
    ("BaseSubprocessTransport.__init__", _SUBPROCESS, ("MADE",)),
    *((f"{name}.acquire", _LOCKS, ("USE", "TAKE")) for name in ("Lock", "Semaphore")),
    *((f"{name}.release", _LOCKS, ("GIVE",)) for name in ("Lock", "Semaphore")),
    *((name, _LOCKS, ("USE",)) for name in ("Event.wait", "Condition.wait", "Barrier._block", "Barrier._wait")),
    *((f"Queue.{name}", _QUEUES, ("USE",)) for name in ("get", "put", "join")),
    ("StreamReader._wait_for_data", _STREAMS, ("USE",)),
    ("BaseSubprocessTransport._wait", _SUBPROCESS, ("USE",)),
)
