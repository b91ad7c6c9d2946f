"""What functions of the standard library wait for: looked up in CPython's sources, 3.12 to 3.15.

Knows: which of them suspend in a frame of their own, or are made of other waits.  Those that only hand on what they
were given (``wait_for``, ``timeout``, ``shield``) say nothing themselves.
"""

from typing import Final

from ...support.settings import Rule

ASYNCIO: Final = "<stdlib>/asyncio/"


def _loop(*names: str) -> tuple[str, ...]:
    return tuple(f"BaseEventLoop.{name}" for name in names)


def _sockets(*names: str) -> tuple[str, ...]:
    return tuple(f"BaseSelectorEventLoop.{name}" for name in names)


RULES: Final = (
    Rule(ASYNCIO + "tasks.py", ("sleep",), "timer"),
    Rule(ASYNCIO + "tasks.py", ("__sleep0",), "yield"),
    Rule(ASYNCIO + "tasks.py", ("_wait", "_cancel_and_wait"), "wait"),
    Rule(
        ASYNCIO + "tasks.py",
        ("as_completed.<locals>._wait_for_one", "_AsCompletedIterator._wait_for_one"),
        "as_completed",
        ("queue get",),
    ),
    Rule(ASYNCIO + "taskgroups.py", ("TaskGroup.__aexit__", "TaskGroup._aexit"), "task group"),
    Rule(ASYNCIO + "locks.py", ("Lock.acquire",), "lock"),
    Rule(ASYNCIO + "locks.py", ("Event.wait",), "event"),
    Rule(ASYNCIO + "locks.py", ("Condition.wait",), "condition"),
    Rule(ASYNCIO + "locks.py", ("Semaphore.acquire",), "semaphore"),
    Rule(
        ASYNCIO + "locks.py",
        ("Barrier._block", "Barrier._wait", "Barrier.wait", "Barrier.reset", "Barrier.abort"),
        "barrier",
        ("condition", "lock"),
    ),
    Rule(ASYNCIO + "queues.py", ("Queue.get",), "queue get"),
    Rule(ASYNCIO + "queues.py", ("Queue.put",), "queue put"),
    Rule(ASYNCIO + "queues.py", ("Queue.join",), "queue join", ("event",)),
    # Threads: these are awaited in the frame that asks for one.
    Rule(ASYNCIO + "threads.py", ("to_thread",), "thread"),
    Rule(
        ASYNCIO + "base_events.py",
        _loop("shutdown_default_executor", "_sock_sendfile_fallback", "_sendfile_fallback"),
        "thread",
    ),
    Rule(ASYNCIO + "base_events.py", _loop("getaddrinfo", "getnameinfo"), "DNS"),
    Rule(ASYNCIO + "base_events.py", _loop("create_server"), "DNS"),  # of its hosts, all at once
    Rule(ASYNCIO + "selector_events.py", _sockets("sock_connect"), "socket connect"),
    Rule(ASYNCIO + "staggered.py", ("staggered_race",), "wait"),
    Rule(
        ASYNCIO + "base_events.py",
        _loop("create_connection", "_connect_sock", "_create_connection_transport")
        + _loop("create_datagram_endpoint", "connect_read_pipe", "connect_write_pipe"),
        "connect",
        ("socket connect", "wait"),
    ),
    Rule(
        ASYNCIO + "unix_events.py",
        ("_UnixSelectorEventLoop.create_unix_connection",),
        "connect",
        ("socket connect",),
    ),
    Rule(ASYNCIO + "selector_events.py", _sockets("_accept_connection2"), "connect"),
    Rule(ASYNCIO + "base_events.py", _loop("start_tls"), "TLS handshake"),
    Rule(ASYNCIO + "base_events.py", ("Server.serve_forever", "Server.wait_closed"), "server"),
    Rule(ASYNCIO + "selector_events.py", _sockets("sock_accept"), "socket accept"),
    Rule(
        ASYNCIO + "selector_events.py",
        _sockets("sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into"),
        "socket read",
    ),
    Rule(ASYNCIO + "selector_events.py", _sockets("sock_sendall", "sock_sendto"), "socket write"),
    Rule(ASYNCIO + "unix_events.py", ("_UnixSelectorEventLoop._sock_sendfile_native",), "socket write"),
    Rule(ASYNCIO + "streams.py", ("StreamReader._wait_for_data",), "stream read"),
    Rule(ASYNCIO + "streams.py", ("FlowControlMixin._drain_helper",), "stream write"),
    Rule(ASYNCIO + "base_events.py", ("_SendfileFallbackProtocol.drain",), "stream write"),
    Rule(ASYNCIO + "selector_events.py", _sockets("_sendfile_native"), "stream write", ("socket write",)),
    Rule(ASYNCIO + "streams.py", ("StreamWriter.wait_closed",), "stream close"),
    Rule(ASYNCIO + "base_subprocess.py", ("BaseSubprocessTransport._wait",), "subprocess"),
    Rule(ASYNCIO + "unix_events.py", ("_UnixSelectorEventLoop._make_subprocess_transport",), "subprocess"),
    Rule(
        ASYNCIO + "subprocess.py",
        ("Process.communicate", "Process._read_stream", "Process._feed_stdin"),
        "subprocess",
        ("stream read", "stream write"),
    ),
    Rule(ASYNCIO + "base_subprocess.py", ("BaseSubprocessTransport._connect_pipes",), "subprocess", ("connect",)),
)
