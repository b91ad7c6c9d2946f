"""Waking idle event loops of another process as they wake themselves: by a byte into their self-pipe socket.

Knows how to find it: it is one of a socket pair, both ends are in the process, and an epoll watches one of them.
asyncio and uvloop both take a NUL byte for a mere wake-up.  Where it can't be found nothing is woken.
"""

import contextlib
import ctypes
import os
import re
import socket
import struct
from pathlib import Path

_PIDFD_GETFD = 438
_SOCK_DIAG, _BY_FAMILY, _DUMP, _DONE, _ERROR = 4, 20, 0x301, 3, 2
_SHOW_PEER, _PEER = 4, 2

_libc = ctypes.CDLL(None, use_errno=True)


def loops(pid: int) -> None:
    """Wake the event loops of this process."""
    with contextlib.suppress(OSError):
        ends, watched = _sockets(pid), _watched(pid)
        by_inode = {inode: fd for fd, inode in ends.items()}
        peers = _peers()
        holder = os.pidfd_open(pid)
        try:
            for fd in watched & ends.keys():
                other = by_inode.get(peers.get(ends[fd], -1))
                if other is not None and other not in watched:
                    _send(holder, other)
        finally:
            os.close(holder)


def _send(holder: int, fd: int) -> None:
    copy = _libc.syscall(_PIDFD_GETFD, holder, fd, 0)
    if copy >= 0:
        with contextlib.suppress(OSError), socket.socket(fileno=copy) as end:
            end.send(b"\0", socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def _sockets(pid: int) -> dict[int, int]:
    """Its sockets: inode by descriptor."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            match = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
            if match:
                found[int(fd)] = int(match[1])
    return found


def _watched(pid: int) -> set[int]:
    """The descriptors that its epolls watch."""
    found: set[int] = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/fd/{fd}") == "anon_inode:[eventpoll]":
                text = Path(f"/proc/{pid}/fdinfo/{fd}").read_text(encoding="ascii")
                found |= {int(number) for number in re.findall(r"^tfd:\s*(\d+)", text, re.MULTILINE)}
    return found


def _peers() -> dict[int, int]:
    """For each unix socket of our network namespace, its peer: inode to inode."""
    peers: dict[int, int] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, 2**32 - 1, 0, _SHOW_PEER, 2**32 - 1, 2**32 - 1)
        kernel.send(struct.pack("=IHHII", 16 + len(request), _BY_FAMILY, _DUMP, 1, 0) + request)
        while True:
            data, at = kernel.recv(1 << 16), 0
            while at < len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind in {_DONE, _ERROR}:
                    return peers
                inode = struct.unpack_from("=I", data, at + 20)[0]
                attribute = at + 32
                while attribute < at + length:
                    size, name = struct.unpack_from("=HH", data, attribute)
                    if name == _PEER:
                        peers[inode] = struct.unpack_from("=I", data, attribute + 4)[0]
                    attribute += (size + 3) & ~3
                at += (length + 3) & ~3
