"""What functions of trio wait for: looked up in its sources, 0.35.

Knows: all of them suspend in one frame (``_async_yield``), so what waits is the function that asked for that.  A
checkpoint yields, whatever for: the lock that was free is not waited for.
"""

from typing import Final

from ...support.settings import Rule

TRIO: Final = "site-packages/trio/"
NOTHING_SAID: Final = ("",)  # by the frames inside
FD_READ: Final = "readable"
FD_WRITE: Final = "writable"
ANY_IO: Final = (FD_READ, FD_WRITE, "socket read", "socket write")


def _rule(file: str, functions: tuple[str, ...], reason: str, covers: tuple[str, ...] = NOTHING_SAID) -> Rule:
    return Rule(TRIO + file, functions, reason, covers)


RULES: Final = (
    _rule("_core/_traps.py", ("cancel_shielded_checkpoint",), "yield"),
    _rule("_core/_run.py", ("checkpoint", "checkpoint_if_cancelled"), "yield"),  # as whoever is cancelled does
    _rule("_core/_run.py", ("Nursery._nested_child_finished",), "nursery"),
    _rule("_core/_run.py", ("Nursery.start",), "task start", ("nursery",)),
    _rule("_core/_run.py", ("Runner.wait_all_tasks_blocked",), "idle"),
    _rule("_core/_parking_lot.py", ("ParkingLot.park",), "parking lot"),
    _rule("_core/_unbounded_queue.py", ("UnboundedQueue.get_batch", "UnboundedQueue.__anext__"), "queue get",
          ("parking lot",)),
    _rule("_timeouts.py", ("sleep_forever",), "cancellation"),
    _rule("_timeouts.py", ("sleep_until", "sleep"), "timer", ("cancellation",)),
    _rule("_core/_asyncgens.py", ("AsyncGenerators.finalize_remaining",), "shutdown"),
    # Primitives
    _rule("_sync.py", ("Event.wait",), "event"),
    _rule("_sync.py", ("_LockImpl.acquire",), "lock", ("parking lot",)),
    _rule("_sync.py", ("Semaphore.acquire",), "semaphore", ("parking lot",)),
    _rule("_sync.py", ("CapacityLimiter.acquire", "CapacityLimiter.acquire_on_behalf_of"), "capacity limiter",
          ("parking lot",)),
    _rule("_sync.py", ("Condition.wait",), "condition", ("parking lot",)),
    _rule("_channel.py", ("MemorySendChannel.send",), "channel send"),
    _rule("_channel.py", ("MemoryReceiveChannel.receive",), "channel receive"),
    _rule("_signals.py", ("SignalReceiver.__anext__",), "signal", ("parking lot",)),
    # Threads and processes
    _rule("_threads.py", ("to_thread_run_sync",), "thread"),
    _rule("_threads.py", ("wait_all_threads_completed",), "thread", ("event",)),
    _rule("_socket.py", ("getaddrinfo", "getnameinfo", "getprotobyname"), "DNS", ("thread",)),
    _rule("_subprocess_platform/waitid.py", ("_waitid_system_task",), "subprocess", ("thread",)),
    _rule("_subprocess.py", ("Process.wait",), "subprocess", (*ANY_IO, "event", "lock")),
    _rule("_subprocess.py", ("_open_process", "_run_process"), "subprocess", ("thread", "task start", "nursery")),
    # Sockets, pipes, streams
    _rule("_core/_io_epoll.py", ("EpollIOManager.wait_readable",), FD_READ),
    _rule("_core/_io_epoll.py", ("EpollIOManager.wait_writable",), FD_WRITE),
    _rule("_core/_io_kqueue.py", ("KqueueIOManager.wait_readable",), FD_READ),
    _rule("_core/_io_kqueue.py", ("KqueueIOManager.wait_writable",), FD_WRITE),
    _rule("_socket.py", ("_SocketType._nonblocking_helper",), "socket read", (FD_READ,)),
    _rule("_socket.py", ("_SocketType._nonblocking_helper", "_SocketType.wait_writable"), "socket write", (FD_WRITE,)),
    _rule("_socket.py", ("_SocketType.accept",), "socket accept", ("socket read",)),
    _rule("_socket.py", ("_SocketType.connect",), "socket connect", ("socket write", FD_WRITE)),
    _rule("_highlevel_socket.py", ("SocketStream.receive_some",), "stream read", ("socket read",)),
    _rule("_highlevel_socket.py", ("SocketStream.send_all", "SocketStream.wait_send_all_might_not_block"),
          "stream write", ("socket write",)),
    _rule("_unix_pipes.py", ("FdStream.receive_some",), "stream read", (FD_READ,)),
    _rule("_unix_pipes.py", ("FdStream.send_all", "FdStream.wait_send_all_might_not_block"), "stream write",
          (FD_WRITE,)),
    _rule("_ssl.py", ("SSLStream._do_handshake", "SSLStream.do_handshake"), "TLS handshake",
          ("stream read", "stream write", "lock")),
    _rule("_highlevel_open_tcp_stream.py", ("open_tcp_stream", "open_tcp_stream.<locals>.attempt_connect"), "connect",
          ("socket connect", "nursery", "event", "timer")),
    _rule("_highlevel_open_unix_stream.py", ("open_unix_socket",), "connect", ("socket connect",)),
    _rule("_highlevel_serve_listeners.py", ("serve_listeners",), "server", ("nursery", "task start")),
)  # fmt: skip
