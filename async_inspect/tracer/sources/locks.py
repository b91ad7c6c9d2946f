"""Which lock, queue, stream … a task waits for, where that was made, and who holds it.

Conditions are held by their lock; of a ``CapacityLimiter`` it is not known who holds it: it lends to anything.
"""

_LOCKS = "/asyncio/locks.py"
_QUEUES = "/asyncio/queues.py"
_STREAMS = "/asyncio/streams.py"
_SUBPROCESS = "/asyncio/base_subprocess.py"
_ANYIO = "/anyio/_backends/_asyncio.py"
_TRIO_SYNC = "/trio/_sync.py"
# Their __init__ is attrs' making, in "files" that are called <attrs generated methods trio._sync.Event> and the like.
_OF_ATTRS = ("_sync.Event", "_sync._LockImpl", "_channel.MemorySendChannel", "_channel.MemoryReceiveChannel")

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
    *(("__init__", f"trio.{name}>", ("MADE",)) for name in _OF_ATTRS),
    *((f"{name}.__init__", _TRIO_SYNC, ("MADE",)) for name in ("Semaphore", "CapacityLimiter", "Condition")),
    ("Nursery.__init__", "/trio/_core/_run.py", ("MADE",)),
    *((f"{name}.__init__", _ANYIO, ("MADE",)) for name in ("Lock", "Semaphore", "CapacityLimiter", "TaskGroup")),
    *((f"{name}.acquire", _ANYIO, ("USE", "TAKE")) for name in ("Lock", "Semaphore")),
    *((f"{name}.acquire_nowait", _ANYIO, ("TAKE",)) for name in ("Lock", "Semaphore")),
    *((f"{name}.release", _ANYIO, ("GIVE",)) for name in ("Lock", "Semaphore")),
    *((name, _ANYIO, ("USE",)) for name in ("CapacityLimiter.acquire_on_behalf_of", "TaskGroup.__aexit__")),
    *((f"{name}.acquire", _TRIO_SYNC, ("USE", "TAKE")) for name in ("_LockImpl", "Semaphore")),
    *((f"{name}.acquire_nowait", _TRIO_SYNC, ("TAKE",)) for name in ("_LockImpl", "Semaphore")),
    *((f"{name}.release", _TRIO_SYNC, ("GIVE",)) for name in ("_LockImpl", "Semaphore")),
    ("Condition.wait", _TRIO_SYNC, ("USE", "TAKE")),
    *((name, _TRIO_SYNC, ("USE",)) for name in ("Event.wait", "CapacityLimiter.acquire_on_behalf_of")),
    *((name, "/trio/_channel.py", ("USE",)) for name in ("MemorySendChannel.send", "MemoryReceiveChannel.receive")),
    ("Nursery._nested_child_finished", "/trio/_core/_run.py", ("USE",)),
)
