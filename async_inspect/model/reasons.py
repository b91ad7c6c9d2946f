"""Why a task waited, where the frames between its await point and the leaf say so; else not known, never a guess.

Knows: which coroutine functions of the standard library (looked up in CPython's sources, 3.12 to 3.15) and of some
other packages wait for what (``RULES``).  A rule holds for whatever its function awaits itself, but for tasks: these
say so.  The innermost rule of a chain counts, but for the few functions that are made of other waits and say better
what for (``covers``).  *Which* lock it was is not known here (``resources.py``).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from . import tables as t
from .trace import Trace

UNKNOWN: Final = ""
TASK: Final = "task"
GATHER: Final = "gather"
YIELD: Final = "yield"


ASYNCIO: Final = "<stdlib>/asyncio/"
AIOHTTP: Final = "site-packages/aiohttp/"


class Rule(NamedTuple):
    """Functions of one file that wait for one thing."""

    file: str  # as exports print it
    functions: tuple[str, ...]  # qualified names
    reason: str
    covers: tuple[str, ...] = ()  # reasons of inner frames that this one says better


RULES = (
    Rule(ASYNCIO + "tasks.py", ("sleep",), "timer"),
    Rule(ASYNCIO + "tasks.py", ("__sleep0",), YIELD),
    Rule(ASYNCIO + "tasks.py", ("_wait",), "wait"),
    Rule(
        ASYNCIO + "tasks.py",
        ("as_completed.<locals>._wait_for_one", "_AsCompletedIterator._wait_for_one"),
        "as_completed",
        ("queue get",),
    ),
    Rule(ASYNCIO + "tasks.py", ("_cancel_and_wait",), "wait"),
    Rule(ASYNCIO + "taskgroups.py", ("TaskGroup.__aexit__", "TaskGroup._aexit"), "task group"),
    Rule(ASYNCIO + "locks.py", ("Lock.acquire",), "lock"),
    Rule(ASYNCIO + "locks.py", ("Event.wait",), "event"),
    Rule(ASYNCIO + "locks.py", ("Condition.wait",), "condition"),
    Rule(ASYNCIO + "locks.py", ("Semaphore.acquire",), "semaphore"),
    Rule(ASYNCIO + "locks.py", ("Barrier._block", "Barrier._wait"), "barrier", ("condition",)),
    Rule(ASYNCIO + "queues.py", ("Queue.get",), "queue get"),
    Rule(ASYNCIO + "queues.py", ("Queue.put",), "queue put"),
    Rule(ASYNCIO + "queues.py", ("Queue.join",), "queue join", ("event",)),
    Rule(ASYNCIO + "threads.py", ("to_thread",), "thread"),
    Rule(ASYNCIO + "base_events.py", ("BaseEventLoop.getaddrinfo", "BaseEventLoop.getnameinfo"), "DNS"),
    Rule(ASYNCIO + "base_events.py", ("BaseEventLoop._create_connection_transport",), "connect"),
    Rule(ASYNCIO + "base_events.py", ("Server.serve_forever", "Server.wait_closed"), "server"),
    Rule(ASYNCIO + "base_events.py", ("BaseEventLoop.shutdown_default_executor",), "thread"),
    Rule(ASYNCIO + "selector_events.py", ("BaseSelectorEventLoop._accept_connection2",), "connect"),
    Rule(ASYNCIO + "selector_events.py", ("BaseSelectorEventLoop.sock_accept",), "socket accept"),
    Rule(ASYNCIO + "selector_events.py", ("BaseSelectorEventLoop.sock_connect",), "socket connect"),
    Rule(
        ASYNCIO + "selector_events.py",
        tuple(f"BaseSelectorEventLoop.sock_{name}" for name in ("recv", "recv_into", "recvfrom", "recvfrom_into")),
        "socket read",
    ),
    Rule(
        ASYNCIO + "selector_events.py",
        ("BaseSelectorEventLoop.sock_sendall", "BaseSelectorEventLoop.sock_sendto"),
        "socket write",
    ),
    Rule(ASYNCIO + "streams.py", ("StreamReader._wait_for_data",), "stream read"),
    Rule(ASYNCIO + "streams.py", ("FlowControlMixin._drain_helper",), "stream write"),
    Rule(ASYNCIO + "streams.py", ("StreamWriter.wait_closed",), "stream close"),
    Rule(ASYNCIO + "base_subprocess.py", ("BaseSubprocessTransport._wait",), "subprocess"),
    # aiohttp 3
    Rule(AIOHTTP + "streams.py", ("StreamReader._wait", "DataQueue.read"), "stream read"),
    Rule(AIOHTTP + "base_protocol.py", ("BaseProtocol._drain_helper",), "stream write"),
    Rule(AIOHTTP + "web_protocol.py", ("RequestHandler.start",), "next request"),
    Rule(AIOHTTP + "connector.py", ("BaseConnector._wait_for_available_connection",), "connection pool"),
)


def reasons(trace: Trace) -> list[str]:
    """Why each row of ``trace.awaits`` waited: a reason of RULES, ``task``, ``gather`` or ``yield``; "" not known."""
    words, codes = coded(trace)
    return [words[code] for code in codes.tolist()]


def coded(trace: Trace) -> tuple[tuple[str, ...], t.Small]:
    """The same as codes: (words, row of ``words`` by await)."""
    words: list[str] = [UNKNOWN, TASK, GATHER, YIELD]
    words += sorted({rule.reason for rule in RULES} - set(words))
    code = {word: i for i, word in enumerate(words)}
    by_chain = np.array([code[reason] for reason in _of_chains(trace)] + [0], np.int32)  # the last: of no chain
    awaits = trace.awaits
    found = np.where(awaits.awaited_task > 0, code[TASK], by_chain[awaits.chain])
    gathering = [row for row, name in enumerate(trace.strings) if name == "asyncio.tasks._GatheringFuture"]
    for known, reason in (
        (np.isin(awaits.awaited, gathering), GATHER),
        ((awaits.awaited < 0) & (awaits.awaited_task == 0), YIELD),
    ):
        found = np.where((found == 0) & known, code[reason], found)
    return tuple(words), found.astype(np.int32)


def _of_chains(trace: Trace) -> list[str]:
    rules = _by_function(trace.functions)
    inner, function = trace.chains.inner.tolist(), trace.locations.function[trace.chains.location].tolist()
    known: dict[int, str] = {-1: UNKNOWN}
    for outermost in range(len(inner)):
        path, row = [], outermost
        while row not in known:
            path.append(row)
            row = inner[row]
        reason = known[row]
        for row in reversed(path):
            rule = rules.get(function[row])
            if rule is not None and (not reason or reason in rule.covers):
                reason = rule.reason
            known[row] = reason
    return [known[row] for row in range(len(inner))]


def covering(functions: Sequence[t.Function]) -> t.Bools:
    """By function: whether it says better what it waits for than what it awaits."""
    rules = _by_function(functions)
    return np.array([row in rules and bool(rules[row].covers) for row in range(len(functions))], np.bool_)


def _by_function(functions: Sequence[t.Function]) -> dict[int, Rule]:
    rules = {(rule.file, name): rule for rule in RULES for name in rule.functions}
    return {row: rules[f.file, f.name] for row, f in enumerate(functions) if (f.file, f.name) in rules}
