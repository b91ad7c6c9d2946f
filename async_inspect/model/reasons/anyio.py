"""What functions of anyio wait for on asyncio: looked up in its sources, 4.16.  On trio its own say it.

Knows: its events are asyncio's, so what waits is whose event it is.  A checkpoint yields, whatever for: the lock that
was free is not waited for.
"""

from typing import Final

from ...support.settings import Rule

ANYIO: Final = "site-packages/anyio/"
BACKEND: Final = "_backends/_asyncio.py"
EVENT: Final = ("event",)


def _rule(file: str, functions: tuple[str, ...], reason: str, covers: tuple[str, ...] = ()) -> Rule:
    return Rule(ANYIO + file, functions, reason, covers)


RULES: Final = (
    _rule(BACKEND, ("TaskGroup.__aexit__",), "task group", ("wait",)),  # by asyncio.wait in old ones
    _rule(BACKEND, ("TaskGroup.start",), "task start"),
    _rule(BACKEND, ("Lock.acquire",), "lock"),
    _rule(BACKEND, ("Semaphore.acquire",), "semaphore"),
    _rule(BACKEND, ("CapacityLimiter.acquire_on_behalf_of",), "capacity limiter", EVENT),
    _rule("_core/_synchronization.py", ("Condition.wait",), "condition", EVENT),
    _rule("streams/memory.py", ("MemoryObjectReceiveStream.receive",), "channel receive", EVENT),
    _rule("streams/memory.py", ("MemoryObjectSendStream.send",), "channel send", EVENT),
    _rule(BACKEND, ("_SignalReceiver.__anext__",), "signal"),
    _rule(BACKEND, ("AsyncIOBackend.run_sync_in_worker_thread",), "thread"),
    # Sockets
    _rule(BACKEND, ("SocketStream.receive", "UDPSocket.receive", "ConnectedUDPSocket.receive"), "socket read", EVENT),
    _rule(BACKEND, ("SocketStream.send", "UDPSocket.send", "ConnectedUDPSocket.send"), "socket write", EVENT),
    _rule(BACKEND, ("UNIXSocketStream.receive", "UNIXSocketStream.receive_fds", "UNIXDatagramSocket.receive",
                    "ConnectedUNIXDatagramSocket.receive"), "socket read"),
    _rule(BACKEND, ("UNIXSocketStream.send", "UNIXSocketStream.send_fds", "UNIXDatagramSocket.send",
                    "ConnectedUNIXDatagramSocket.send"), "socket write"),
    _rule(BACKEND, ("UNIXSocketListener.accept",), "socket accept"),
    _rule(BACKEND, ("AsyncIOBackend.connect_unix", "AsyncIOBackend.create_unix_datagram_socket"), "socket connect"),
    _rule(BACKEND, ("AsyncIOBackend.wait_readable",), "readable"),
    _rule(BACKEND, ("AsyncIOBackend.wait_writable",), "writable"),
)  # fmt: skip
