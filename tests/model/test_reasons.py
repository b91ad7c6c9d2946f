"""Each reason of the standard library on a program in which the truth is known, on both cores and every Python."""

from pathlib import Path

import pytest

from async_inspect.model.reasons import stdlib

from ..tools import Attach
from . import cases

pytestmark = [pytest.mark.e2e, pytest.mark.meaning, pytest.mark.xdist_group("reasons")]  # of programs that run once

CASES: cases.Cases = {
    "timer": {
        "sleep": "await asyncio.sleep(0.001)  # here",
        "in timeout": "async with asyncio.timeout(9):\n        await asyncio.sleep(0.001)  # here",
        "in wait_for": "await asyncio.wait_for(asyncio.sleep(0.001), 9)  # here",
    },
    "yield": {"sleep(0)": "await asyncio.sleep(0)  # here"},
    "task": {
        "itself": "await asyncio.create_task(soon())  # here",
        "in wait_for": "await asyncio.wait_for(asyncio.create_task(soon()), 9)  # here",
    },
    "gather": {"gather": "await asyncio.gather(soon(), soon())  # here"},
    "wait": {
        "wait": "await asyncio.wait([asyncio.create_task(soon())])  # here",
        "wait_for, too late": """try:
        await asyncio.wait_for(soon(), 0)  # here
    except TimeoutError:
        pass""",
    },
    "as_completed": {"as_completed": "for done in asyncio.as_completed([soon()]): await done  # here"},
    "task group": {"group": "async with asyncio.TaskGroup() as group:  # here\n        group.create_task(soon())"},
    "lock": {
        "acquire": "lock = asyncio.Lock(); await lock.acquire(); later(lock.release)\n    await lock.acquire()  # here",
        "async with": """lock = asyncio.Lock(); await lock.acquire(); later(lock.release)
    async with lock:  # here
        pass""",
        "in wait_for": """lock = asyncio.Lock(); await lock.acquire(); later(lock.release)
    await asyncio.wait_for(lock.acquire(), 9)  # here""",
        "of a condition": """condition = asyncio.Condition(); await condition.acquire(); later(condition.release)
    await condition.acquire()  # here""",
    },
    "event": {
        "event": "event = asyncio.Event(); later(event.set)\n    await event.wait()  # here",
        "set by a signal": """event = asyncio.Event(); loop = LOOP()
    loop.add_signal_handler(signal.SIGUSR1, event.set); later(signal.raise_signal, signal.SIGUSR1)
    await event.wait()  # here""",
    },
    "condition": {
        "wait": """condition = asyncio.Condition(); later(start, notify(condition))
    async with condition:
        await condition.wait()  # here""",
        "wait_for": """condition = asyncio.Condition(); later(start, notify(condition)); yes = iter([False, True])
    async with condition:
        await condition.wait_for(lambda: next(yes))  # here""",
    },
    "condition, lock": {
        "which is held still": """condition = asyncio.Condition(); later(start, notify(condition, hold=True))
    async with condition:
        await condition.wait()  # here""",
    },
    "semaphore": {
        "semaphore": "s = asyncio.Semaphore(1); await s.acquire(); later(s.release)\n    await s.acquire()  # here",
        "bounded": """s = asyncio.BoundedSemaphore(1); await s.acquire(); later(s.release)
    await s.acquire()  # here""",
    },
    "barrier": {
        "wait": "barrier = asyncio.Barrier(2); later(start, barrier.wait())\n    await barrier.wait()  # here",
        "async with": """barrier = asyncio.Barrier(2); later(start, barrier.wait())
    async with barrier:  # here
        pass""",
    },
    "queue get": {
        "fifo": "queue = asyncio.Queue(); later(queue.put_nowait, 1)\n    await queue.get()  # here",
        "lifo": "queue = asyncio.LifoQueue(); later(queue.put_nowait, 1)\n    await queue.get()  # here",
        "priority": "queue = asyncio.PriorityQueue(); later(queue.put_nowait, 1)\n    await queue.get()  # here",
    },
    "queue put": {"fifo": "q = asyncio.Queue(1); await q.put(1); later(q.get_nowait)\n    await q.put(2)  # here"},
    "queue join": {"fifo": "q = asyncio.Queue(); await q.put(1); later(q.task_done)\n    await q.join()  # here"},
    "thread": {
        "to_thread": "busy()\n    await asyncio.to_thread(int)  # here",
        "shutdown": "busy()\n    await LOOP().shutdown_default_executor()  # here",
    },
    "DNS": {
        "getaddrinfo": "busy()\n    await LOOP().getaddrinfo('localhost', 1)  # here",
        "getnameinfo": "busy()\n    await LOOP().getnameinfo(('127.0.0.1', 1))  # here",
    },
    "DNS, yield": {"start_server": "(await asyncio.start_server(print, '127.0.0.1', 0)).close()  # here"},
    "socket read": {
        "sock_recv": """a, b = pair(); later(b.send, b'x')
    await LOOP().sock_recv(a, 1)  # here""",
        "sock_recv_into": """a, b = pair(); later(b.send, b'x')
    await LOOP().sock_recv_into(a, bytearray(1))  # here""",
        "sock_recvfrom": """a, b = pair(); later(b.send, b'x')
    await LOOP().sock_recvfrom(a, 1)  # here""",
        "sock_recvfrom_into": """a, b = pair(); later(b.send, b'x')
    await LOOP().sock_recvfrom_into(a, bytearray(1))  # here""",
    },
    "socket write": {
        "sock_sendall": """a, b = pair(); later(drain, b)
    await LOOP().sock_sendall(a, BIG)  # here""",
        "sock_sendto": """a, b = datagrams(); later(drain, b)
    await LOOP().sock_sendto(a, b'x', "datagrams")  # here""",
        "sock_sendfile": """a, b = pair(); later(drain, b)
    with big_file() as file:
        await LOOP().sock_sendfile(a, file)  # here""",
    },
    "socket write, thread": {
        "sock_sendfile, no file": """a, b = pair(); later(drain, b); busy()
    await LOOP().sock_sendfile(a, io.BytesIO(BIG))  # here""",
    },
    "socket accept": {
        "sock_accept": """listener = listening(); later(lambda: keep_(socket.create_connection(listener.getsockname())))
    await LOOP().sock_accept(listener)  # here""",
    },
    "socket connect": {
        "sock_connect": """listener = listening(); a = keep_(socket.socket()); a.setblocking(False)
    await LOOP().sock_connect(a, listener.getsockname())  # here""",
    },
    "connect": {
        "open_connection": """host, port = listening().getsockname()
    reader, writer = await asyncio.open_connection(host, port)  # here
    writer.close()""",
        "open_unix_connection": """one = keep_(socket.socket(socket.AF_UNIX)); one.bind("listener"); one.listen()
    reader, writer = await asyncio.open_unix_connection("listener")  # here
    writer.close()""",
        "create_datagram_endpoint": """loop = LOOP()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ('127.0.0.1', 0))  # here
    transport.close()""",
        "connect_read_pipe": """r, w = os.pipe(); os.close(w)
    transport, _ = await LOOP().connect_read_pipe(asyncio.Protocol, open(r, 'rb'))  # here
    transport.close()""",
        "connect_write_pipe": """r, w = os.pipe(); os.close(r)
    transport, _ = await LOOP().connect_write_pipe(asyncio.Protocol, open(w, 'wb'))  # here
    transport.close()""",
    },
    "DNS, connect": {
        "open_connection": """where = 'localhost', listening().getsockname()[1]; busy()
    reader, writer = await asyncio.open_connection(*where)  # here
    writer.close()""",
        "happy eyeballs": """where = 'localhost', listening().getsockname()[1]; busy()
    reader, writer = await asyncio.open_connection(*where, happy_eyeballs_delay=9)  # here
    writer.close()""",
    },
    "TLS handshake": {
        "start_tls": """a, b = pair(); reader, writer = await asyncio.open_connection(sock=a); later(b.close)
    try:
        await writer.start_tls(ssl.create_default_context(), server_hostname='x')  # here
    except OSError:
        writer.transport.abort()""",
    },
    "server": {
        "serve_forever": """server = await asyncio.start_server(print, '127.0.0.1', 0); later(server.close)
    try:
        await server.serve_forever()  # here
    except asyncio.CancelledError:
        pass""",
        "wait_closed": """async def serve(reader, writer):
        await reader.read(); writer.close()
    server = await asyncio.start_server(serve, '127.0.0.1', 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b'x'); await asyncio.sleep(0.01); server.close(); later(writer.close)
    await server.wait_closed()  # here""",
    },
    "stream read": {
        "read": "reader, b = await stream(); later(b.send, b'x')\n    await reader.read(1)  # here",
        "readline": "reader, b = await stream(); later(b.send, b'x\\n')\n    await reader.readline()  # here",
        "readuntil": "reader, b = await stream(); later(b.send, b'x.')\n    await reader.readuntil(b'.')  # here",
        "readexactly": "reader, b = await stream(); later(b.send, b'xy')\n    await reader.readexactly(2)  # here",
        "async for": """reader, b = await stream(); later(b.send, b'x\\n'); later(b.shutdown, socket.SHUT_WR)
    async for line in reader: pass  # here""",
        "of a subprocess": """process = await asyncio.create_subprocess_exec('echo', stdout=-1)
    await process.stdout.read()  # here
    await process.wait()""",
    },
    "stream write": {
        "drain": """a, b = pair(); reader, writer = await asyncio.open_connection(sock=a)
    writer.write(BIG); later(drain, b)
    await writer.drain()  # here
    writer.close()""",
        "sendfile": """a, b = pair(); reader, writer = await asyncio.open_connection(sock=a); later(drain, b)
    with big_file() as file:
        await LOOP().sendfile(writer.transport, file)  # here
    writer.close()""",
    },
    "stream write, thread": {
        "sendfile, no file": """a, b = pair(); reader, writer = await asyncio.open_connection(sock=a)
    when(lambda: drains(writer.transport.get_protocol()), drain, b); busy()
    await LOOP().sendfile(writer.transport, io.BytesIO(BIG))  # here
    writer.close()""",
    },
    "stream close": {
        "wait_closed": """a, b = pair(); reader, writer = await asyncio.open_connection(sock=a); writer.close()
    await writer.wait_closed()  # here""",
    },
    "subprocess": {
        "start": "process = await asyncio.create_subprocess_exec('true')  # here\n    await process.wait()",
        "wait": "process = await asyncio.create_subprocess_exec('cat', stdin=-1); later(process.stdin.close)\n"
        "    await process.wait()  # here",
        "communicate": """process = await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1)
    await process.communicate(b'x')  # here""",
    },
    # Nothing on the way says what a bare Future is for.
    "": {
        "future": "await future()  # here",
        "in wait_for": "await asyncio.wait_for(future(), 9)  # here",
        "shield": "await asyncio.shield(soon())  # here",
        "a thread": "busy()\n    await LOOP().run_in_executor(None, int)  # here",
        "a process": """with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as pool:
        await LOOP().run_in_executor(pool, int)  # here""",
    },
}

PRELUDE = """
import concurrent.futures, io, multiprocessing, os, signal, socket, ssl, tempfile, threading

LOOP = asyncio.get_running_loop
BIG = bytes(1 << 22)
keep = []

def keep_(thing):
    keep.append(thing)
    return thing

async def soon():
    await asyncio.sleep(0)

def start(coroutine):
    keep_(asyncio.ensure_future(coroutine))

def later(function, *args):
    LOOP().call_later(0.001, function, *args)

def when(condition, function, *args):
    if condition():
        function(*args)
    else:
        later(when, condition, function, *args)

def busy():
    # What is asked of a thread from now on waits for its turn: it cannot be done before it is awaited.
    done = threading.Event()
    LOOP().set_default_executor(concurrent.futures.ThreadPoolExecutor(1))
    keep_(LOOP().run_in_executor(None, done.wait))
    later(done.set)

def drains(protocol):
    # Whether somebody awaits that there is room; by then sendfile has put its own protocol here.
    future = getattr(protocol, "_write_ready_fut", None)
    return future is not None and future._callbacks

def future():
    made = LOOP().create_future()
    later(made.set_result, 1)
    return made

async def notify(condition, hold=False):
    async with condition:
        condition.notify()
        if hold:
            await asyncio.sleep(0.001)

def pair():
    both = socket.socketpair()
    for one in both: keep_(one).setblocking(False)
    return both

def datagrams():
    a, b = (keep_(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) for _ in range(2))
    for one in (a, b): one.setblocking(False)
    b.bind("datagrams")
    try:
        while a.sendto(bytes(4096), "datagrams"): pass
    except BlockingIOError:
        return a, b

async def stream():
    a, b = pair()
    reader, writer = await asyncio.open_connection(sock=a)
    keep_(writer)
    return reader, b

def listening():
    listener = keep_(socket.create_server(('127.0.0.1', 0)))
    listener.setblocking(False)
    return listener

def big_file():
    file = tempfile.TemporaryFile()
    file.write(BIG)
    file.seek(0)
    return file

def drain(sock):
    try:
        while sock.recv(1 << 20): pass
    except BlockingIOError:
        later(drain, sock)
    except OSError:
        pass
"""

# Tasks in which nothing is the program's own: all their frames count.
WHOLE = """
import asyncio

async def main():
    queue, barrier = asyncio.Queue(), asyncio.Barrier(2)
    queue.put_nowait(1)
    asyncio.get_running_loop().call_later(0.01, queue.task_done)
    await asyncio.gather(queue.join(), barrier.wait(), barrier.wait(), asyncio.Lock().acquire())
    process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    await process.communicate(b"x")

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def found(core: str, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], set[str]]:
    """By case the reasons that were found; all cases run in one program."""
    trace = cases.record(tmp_path_factory.mktemp("reasons"), PRELUDE, CASES, core=core)
    return cases.found(trace, PRELUDE, CASES)


@pytest.mark.parametrize(("reason", "what"), cases.names(CASES))
def test_reason(reason: str, what: str, found: dict[tuple[str, str], set[str]]) -> None:
    assert found[reason, what] == cases.said(reason)


def test_where_nothing_is_the_programs_own(core: str, attach: Attach, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(WHOLE, encoding="utf-8")
    traced = attach("program.py", core=core, options=["--quiet", "-f", "folded"])
    assert (traced.status, traced.stderr) == (0, "")
    why = cases.of_tasks(traced.trace)
    assert (why["Queue.join"], why["Barrier.wait"]) == ({"queue join"}, {"barrier"})
    assert (why["Process._read_stream"], why["BaseSubprocessTransport._connect_pipes"]) == ({"subprocess"},) * 2


def test_every_reason_has_a_case() -> None:
    assert {rule.reason for rule in stdlib.RULES} <= cases.every(CASES)


# Functions that only some versions have: first and last.
ONLY = {
    "as_completed.<locals>._wait_for_one": ((3, 12), (3, 12)),
    "_AsCompletedIterator._wait_for_one": ((3, 13), (3, 99)),
    "TaskGroup._aexit": ((3, 14), (3, 99)),
}
BACKPORTED = {("TaskGroup._aexit", (3, 13))}  # not in the first releases of that version


def test_the_functions_are_there() -> None:
    """In this Python's standard library, as coroutines; so that one that is renamed is noticed."""
    there, version = cases.coroutines("asyncio")
    for rule in stdlib.RULES:
        for name in rule.functions:
            first, last = ONLY.get(name, (version, version))
            if (name, version) in BACKPORTED:
                continue
            named = name in there[rule.file.removeprefix(stdlib.ASYNCIO)]
            assert named == (first <= version <= last), f"{rule.file} {name}"
