"""The reasons of other packages, as their clients wait for real servers, where the truth is known."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import pytest

from async_inspect import Trace
from async_inspect.model.reasons import SHIPPED, Rule, aiohttp, anyio, asyncpg, redis, stdlib, trio

from .. import servers
from . import cases

pytestmark = pytest.mark.xdist_group("libraries")  # their servers start once

# --- aiohttp ---------------------------------------------------------------------------------------------------------

AIOHTTP: cases.Cases = {
    "connect, response": {
        "first": """async with serving() as url, Session() as session:
        await session.get(url)  # here""",
    },
    "DNS, connect, response": {
        "by name": """async with serving() as url, Session() as session:
        await session.get(url.replace("127.0.0.1", "localhost"))  # here""",
    },
    "response": {
        "again": """async with serving() as url, Session() as session:
        await (await session.get(url)).read()
        await session.get(url)  # here""",
    },
    "connection pool, response": {
        "a pool of one": """async with serving(half) as url, Session(connector=of_one()) as session:
        first = await session.get(url); reading = asyncio.create_task(first.read())
        await session.get(url)  # here""",
    },
    "stream read": {
        "client": """async with serving(half) as url, Session() as session:
        answer = await session.get(url)
        await answer.read()  # here""",
        "server": """async def handler(request):
        await request.read()  # here
        return web.Response()
    async with serving(handler) as url, Session() as session:
        await session.post(url, data=slowly())""",
    },
    "stream write": {
        "server": """async def handler(request):
        answer = web.StreamResponse(); await answer.prepare(request)
        await answer.write(BIG)  # here
        return answer
    async with serving(handler) as url, Session() as session:
        await (await session.get(url)).read()""",
    },
    "stream read, thread": {
        "upload": """async def handler(request):
        await request.post()  # here
        return web.Response()
    async with serving(handler) as url, Session() as session:
        form = aiohttp.FormData(); form.add_field("file", slowly(), filename="file")
        await session.post(url, data=form)""",
    },
    "websocket read": {
        "client": """async with serving(echo) as url, Session() as session, session.ws_connect(url) as socket:
        await socket.send_str("x")
        await socket.receive()  # here""",
        "server": """async def handler(request):
        socket = web.WebSocketResponse(); await socket.prepare(request)
        async for message in socket:  # here
            pass
        return socket
    async with serving(handler) as url, Session() as session, session.ws_connect(url) as socket:
        await socket.send_str("x")""",
        "close": """async with serving(echo) as url, Session() as session, session.ws_connect(url) as socket:
        await socket.close()  # here""",
    },
}

AIOHTTP_PRELUDE = """
import concurrent.futures, contextlib, tempfile, time, aiohttp
from aiohttp import web

Session = aiohttp.ClientSession
BIG = bytes(1 << 23)

def of_one():
    return aiohttp.TCPConnector(limit=1)

class Threads(concurrent.futures.ThreadPoolExecutor):
    # Nothing is done before it is awaited.
    def submit(self, function, *args):
        return super().submit(lambda: (time.sleep(0.001), function(*args))[1])

async def hello(request):
    return web.Response(text="hello")

async def half(request):
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b"x")
    await asyncio.sleep(0.01)
    await answer.write(b"y")
    return answer

async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket

async def slowly():
    yield b"x"
    await asyncio.sleep(0.01)
    yield BIG

@contextlib.asynccontextmanager
async def serving(handler=hello):
    asyncio.get_running_loop().set_default_executor(Threads())
    app = web.Application(client_max_size=2 * len(BIG))
    app.router.add_route("*", "/", handler)
    runner = web.AppRunner(app, shutdown_timeout=9)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield "http://127.0.0.1:%d" % runner.addresses[0][1]
    await runner.cleanup()

async def case_tasks():
    # What aiohttp waits for in tasks of its own.
    async def slow(request):
        await asyncio.sleep(0.01)
        return web.FileResponse(__file__)
    async with serving(slow) as url, Session() as session:
        file = tempfile.TemporaryFile()  # closed by aiohttp, in a thread: a "with" would close it at the same time
        file.write(BIG)
        file.seek(0)
        await (await session.post(url, data=file, expect100=True)).read()
        asking = asyncio.create_task(session.get(url))
        await asyncio.sleep(0.005)
    asking.cancel()
"""

# --- asyncpg ---------------------------------------------------------------------------------------------------------

ASYNCPG: cases.Cases = {
    "postgres connect": {
        "one": "connection = await connect()  # here\n    await connection.close()",
        "a pool": "pool = await asyncpg.create_pool(**WHERE, min_size=2, max_size=2)  # here\n    await pool.close()",
    },
    "postgres query": {
        "execute": 'async with open() as db:\n        await db.execute("SELECT 1")  # here',
        "with arguments": 'async with open() as db:\n        await db.execute("SELECT $1::int", 1)  # here',
        "fetch": 'async with open() as db:\n        await db.fetch("SELECT pg_sleep(0.001)")  # here',
        "fetchval": 'async with open() as db:\n        await db.fetchval("SELECT 1")  # here',
        "executemany": 'async with open() as db:\n        await db.executemany("SELECT $1::int", [(1,), (2,)])  # here',
        "prepare": 'async with open() as db:\n        await db.prepare("SELECT 1")  # here',
        "prepared": """async with open() as db:
        statement = await db.prepare("SELECT 1")
        await statement.fetch()  # here""",
        "transaction": "async with open() as db:\n        async with db.transaction():  # here\n            pass",
        "cursor": """async with open() as db, db.transaction():
        async for row in db.cursor("SELECT generate_series(1, 99)"): pass  # here""",
        "cursor, by hand": """async with open() as db, db.transaction():
        cursor = await db.cursor("SELECT generate_series(1, 99)")
        await cursor.forward(2); await cursor.fetch(2)  # here""",
        "copy in": """async with open() as db:
        await db.execute("CREATE TEMPORARY TABLE t (a int, b text)")
        await db.copy_records_to_table("t", records=[(1, "x" * 1000)] * 10000)  # here""",
        "copy out": """async def sink(data): pass
    async with open() as db:
        await db.copy_from_query("SELECT generate_series(1, 9999)", output=sink)  # here""",
    },
    "postgres query, thread": {
        "copy to a file": """async with open() as db:
        await db.copy_from_query("SELECT generate_series(1, 9999)", output=io.BytesIO())  # here""",
        "copy from a file": """async with open() as db:
        await db.execute("CREATE TEMPORARY TABLE t (a text)")
        await db.copy_to_table("t", source=io.BytesIO(b"x\\n" * 9999))  # here""",
    },
    "postgres pool": {
        "acquire": """async with asyncpg.create_pool(**WHERE, min_size=1, max_size=1) as pool:
        start(work(pool)); await asyncio.sleep(0)
        db = await pool.acquire()  # here
        await pool.release(db)""",
        "release": """async with asyncpg.create_pool(**WHERE, min_size=1, max_size=1) as pool:
        db = await pool.acquire()
        await pool.release(db)  # here""",
    },
    "postgres pool, postgres query": {
        "fetch of a pool": """async with asyncpg.create_pool(**WHERE, min_size=1, max_size=1) as pool:
        await pool.fetch("SELECT 1")  # here""",
    },
    "postgres close": {
        "one": "db = await connect()\n    await db.close()  # here",
        "a pool": "pool = await asyncpg.create_pool(**WHERE, min_size=1)\n    await pool.close()  # here",
    },
}

ASYNCPG_PRELUDE = """
import contextlib, io, sys, asyncpg

WHERE = {"host": "127.0.0.1", "port": int(sys.argv[1]), "user": "me", "database": "postgres"}
keep = []

def connect():
    return asyncpg.connect(**WHERE)

def start(coroutine):
    keep.append(asyncio.ensure_future(coroutine))

@contextlib.asynccontextmanager
async def open():
    db = await connect()
    yield db
    await db.close()

async def work(pool):
    async with pool.acquire() as db:
        await db.execute("SELECT pg_sleep(0.01)")

async def case_tasks():
    # What asyncpg waits for in tasks of its own, and when nothing of the program's is there.
    async with open() as db:
        with contextlib.suppress(TimeoutError):
            await db.execute("SELECT pg_sleep(9)", timeout=0.01)
        await db.execute("SELECT 1")
    async with asyncpg.create_pool(**WHERE, min_size=1, max_size=1) as pool:
        await asyncio.gather(*(pool.fetch("SELECT 1") for _ in range(3)))
        start(work(pool))
        await asyncio.sleep(0.001)
"""

# --- redis-py --------------------------------------------------------------------------------------------------------

REDIS: cases.Cases = {
    "redis connect, redis command": {"first": "async with client() as db:\n        await db.ping()  # here"},
    "redis command": {
        "get": 'async with connected() as db:\n        await db.get("a")  # here',
        "blpop": 'async with connected() as db:\n        await db.blpop(["nothing"], 0.01)  # here',
        "big": 'async with connected() as db:\n        await db.set("big", bytes(1 << 24))  # here',
        "scan": "async with connected() as db:\n        async for key in db.scan_iter(): pass  # here",
        "RESP 2": 'async with connected(protocol=2) as db:\n        await db.get("a")  # here',
        "publish": 'async with connected() as db:\n        await db.publish("a", "b")  # here',
        "watch": """async with connected() as db, db.pipeline() as pipe:
        await pipe.watch("a"); await pipe.get("a")  # here""",
        "unlock": 'async with connected() as db:\n        lock = db.lock("a"); await lock.acquire()\n'
        "        await lock.release()  # here",
    },
    "redis command, redis pool": {
        "pipeline": """async with connected() as db, db.pipeline() as pipe:
        await pipe.set("a", 1).get("a").execute()  # here""",
        "a pool of one": """async with connected(redis.BlockingConnectionPool, max_connections=1) as db:
        start(db.blpop(["nothing"], 0.01)); await asyncio.sleep(0)
        await db.ping()  # here""",
        "one connection": """async with connected(single_connection_client=True) as db:
        start(db.blpop(["nothing"], 0.01)); await asyncio.sleep(0)
        await db.ping()  # here""",
    },
    "redis message": {
        "listen": """async with connected() as db, db.pubsub() as channel:
        await channel.subscribe("a"); later(lambda: start(db.publish("a", "b")))
        async for message in channel.listen():  # here
            if message["type"] == "message": break""",
        "get_message": """async with connected() as db, db.pubsub() as channel:
        await channel.subscribe("a")
        await channel.get_message(timeout=1)  # here""",
        "monitor": """async with connected() as db, db.monitor() as monitor:
        later(lambda: start(db.ping()))
        await monitor.next_command()  # here""",
    },
    "redis command, redis lock": {
        "lock": """async with connected() as db:
        lock = db.lock("b"); await lock.acquire(); later(lambda: start(lock.release()))
        async with db.lock("b", sleep=0.002):  # here
            pass""",
    },
    "redis close": {"aclose": "db = client(); await db.ping()\n    await db.aclose()  # here"},
}

REDIS_PRELUDE = """
import contextlib, sys
import redis.asyncio as redis

WHERE = {"host": "127.0.0.1", "port": int(sys.argv[1])}
keep = []

def client(pool=None, **options):
    if pool:
        return redis.Redis.from_pool(pool(**WHERE, **options))
    return redis.Redis(**WHERE, **options)

@contextlib.asynccontextmanager
async def connected(*pool, **options):
    async with client(*pool, **options) as db:
        await asyncio.gather(db.ping(), db.ping())  # so that nobody connects later
        yield db
        await asyncio.gather(*keep)
        keep.clear()

def later(function, *args):
    asyncio.get_running_loop().call_later(0.01, function, *args)

def start(coroutine):
    keep.append(asyncio.ensure_future(coroutine))

async def case_tasks():
    # Where nothing of the program's is there.
    async with client() as db:
        await asyncio.gather(db.get("a"), db.get("a"))
"""

CLUSTER: cases.Cases = {
    "redis command": {"get": 'async with redis.RedisCluster(**WHERE) as db:\n        await db.get("a")  # here'},
    "gather": {
        "pipeline": """async with redis.RedisCluster(**WHERE) as db:
        await db.pipeline().get("a").execute()  # here""",
    },
    "redis close": {
        "aclose": """db = await redis.RedisCluster(**WHERE)
    await db.aclose()  # here"""
    },
}

# A cluster of one, which has its slots at once; and answers before it is sure that there are no others.
ALONE = ("--cluster-enabled", "yes", "--cluster-allow-reads-when-down", "yes")
CLUSTER_PRELUDE = """
import sys
import redis.asyncio as redis

WHERE = {"host": "127.0.0.1", "port": int(sys.argv[1])}

async def case_first():
    async with redis.Redis(**WHERE) as db:
        await db.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
"""

# ---------------------------------------------------------------------------------------------------------------------

# --- what several of them need ---------------------------------------------------------------------------------------

FULL = """
def full():
    "Two ends of a socket, the first of which takes no more."
    a, b = socket.socketpair()
    a.setblocking(False)
    try:
        while True:
            a.send(bytes(1 << 16))
    except BlockingIOError:
        return a, b
"""

# --- trio ------------------------------------------------------------------------------------------------------------

TRIO: cases.Cases = {
    "yield": {
        "sleep(0)": "await trio.sleep(0)  # here",
        "what is free": "await trio.Lock().acquire()  # here",
    },
    "timer": {"sleep": "await trio.sleep(0.01)  # here"},
    "cancellation": {"sleep_forever": "with trio.move_on_after(0.01):\n        await trio.sleep_forever()  # here"},
    "nursery": {
        "its end": "async with trio.open_nursery() as nursery:  # here\n        nursery.start_soon(trio.sleep, 0.01)"
    },
    "task start": {
        "start": """async def starts(task_status):
        await trio.sleep(0.01)
        task_status.started()
    async with trio.open_nursery() as nursery:
        await nursery.start(starts)  # here"""
    },
    "idle": {"wait_all_tasks_blocked": "await trio.testing.wait_all_tasks_blocked()  # here"},
    "parking lot": {
        "of one's own": "with trio.move_on_after(0.01):\n        await trio.lowlevel.ParkingLot().park()  # here"
    },
    "event": {"Event": "with trio.move_on_after(0.01):\n        await trio.Event().wait()  # here"},
    "lock": {
        "Lock": """lock = trio.Lock()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold, lock)
        await trio.testing.wait_all_tasks_blocked()
        await lock.acquire()  # here"""
    },
    "semaphore": {"Semaphore": "with trio.move_on_after(0.01):\n        await trio.Semaphore(0).acquire()  # here"},
    "capacity limiter": {
        "CapacityLimiter": """limiter = trio.CapacityLimiter(1)
    limiter.acquire_on_behalf_of_nowait("me")
    with trio.move_on_after(0.01):
        await limiter.acquire()  # here"""
    },
    "condition, yield": {
        "Condition": """condition = trio.Condition()
    await condition.acquire()
    with trio.move_on_after(0.01):
        await condition.wait()  # here"""
    },
    "channel send": {
        "send": """channel, other = trio.open_memory_channel(0)
    with trio.move_on_after(0.01):
        await channel.send(1)  # here"""
    },
    "channel receive": {
        "receive": """other, channel = trio.open_memory_channel(0)
    with trio.move_on_after(0.01):
        await channel.receive()  # here"""
    },
    "queue get": {
        "UnboundedQueue": """queue = unbounded()
    with trio.move_on_after(0.01):
        await queue.get_batch()  # here"""
    },
    "signal": {
        "open_signal_receiver": """with trio.open_signal_receiver(signal.SIGUSR1) as signals, trio.move_on_after(0.01):
        await anext(signals)  # here"""
    },
    "yield, thread": {
        "to_thread": "await trio.to_thread.run_sync(time.sleep, 0.01)  # here",
        "a file": "file = await trio.open_file(__file__)  # here",
    },
    "yield, DNS": {"getaddrinfo": "await trio.socket.getaddrinfo('localhost', 80)  # here"},
    "yield, subprocess": {"run_process": "await trio.run_process([sys.executable, '-c', ''])  # here"},
    "readable": {
        "wait_readable": """a, b = socket.socketpair()
    with a, b, trio.move_on_after(0.01):
        await trio.lowlevel.wait_readable(a)  # here"""
    },
    "writable": {
        "wait_writable": """a, b = full()
    with a, b, trio.move_on_after(0.01):
        await trio.lowlevel.wait_writable(a)  # here"""
    },
    "socket read": {
        "recv": """a, b = trio.socket.socketpair()
    with a, b, trio.move_on_after(0.01):
        await a.recv(1)  # here"""
    },
    "socket write": {
        "send": """a, b = full()
    with trio.socket.from_stdlib_socket(a) as a, b, trio.move_on_after(0.01):
        await a.send(b"x")  # here"""
    },
    "socket accept": {
        "accept": """(listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    with trio.move_on_after(0.01):
        await listener.socket.accept()  # here"""
    },
    "stream read": {
        "SocketStream": """a, b = trio.socket.socketpair()
    with a, b, trio.move_on_after(0.01):
        await trio.SocketStream(a).receive_some()  # here""",
    },
    "socket connect": {
        "connect": """with socket.create_server(("127.0.0.1", 0)) as server, trio.socket.socket() as client:
        await client.connect(server.getsockname())  # here"""
    },
    "stream read, yield": {
        "FdStream": """a, b = os.pipe()
    async with trio.lowlevel.FdStream(a) as stream:
        with trio.move_on_after(0.01):
            await stream.receive_some()  # here
    os.close(b)""",
    },
    "stream write": {
        "SocketStream": """a, b = full()
    with trio.socket.from_stdlib_socket(a) as a, b, trio.move_on_after(0.01):
        await trio.SocketStream(a).send_all(b"x")  # here"""
    },
    "yield, TLS handshake": {
        "SSLStream": """a, b = trio.socket.socketpair()
    stream = trio.SSLStream(trio.SocketStream(a), ssl.create_default_context(), server_hostname="x")
    with b, trio.move_on_after(0.01):
        await stream.do_handshake()  # here"""
    },
    "yield, server": {
        "serve_tcp": """with trio.move_on_after(0.01):
        await trio.serve_tcp(trio.aclose_forcefully, 0, host="127.0.0.1")  # here"""
    },
}

TRIO_PRELUDE = (
    FULL
    + """
import os, signal, socket, ssl, sys, time, warnings, trio, trio.testing

asyncio.run = lambda made: trio.run(lambda: made)

async def hold(lock):
    async with lock:
        await trio.sleep(0.01)

def unbounded():
    with warnings.catch_warnings(action="ignore"):
        return trio.lowlevel.UnboundedQueue()

async def case_connect():
    # What trio waits for in tasks of its own.
    with socket.create_server(("127.0.0.1", 0)) as server:
        await trio.open_tcp_stream(*server.getsockname())
"""
)


# --- anyio, on asyncio -----------------------------------------------------------------------------------------------

ANYIO: cases.Cases = {
    "yield": {
        "sleep(0)": "await anyio.sleep(0)  # here",
        "what is free": "await anyio.Lock().acquire()  # here",
    },
    "timer": {"sleep": "await anyio.sleep(0.01)  # here"},
    "task group": {
        "its end": """async with anyio.create_task_group() as group:  # here
        group.start_soon(anyio.sleep, 0.01)""",
    },
    "task start": {
        "start": """async def serve(task_status):
        await anyio.sleep(0.01)
        task_status.started()
    async with anyio.create_task_group() as group:
        await group.start(serve)  # here""",
    },
    "event": {"Event": "with anyio.move_on_after(0.01):\n        await anyio.Event().wait()  # here"},
    "lock": {
        "Lock": """lock = anyio.Lock()
    async with anyio.create_task_group() as group:
        group.start_soon(holds, lock)
        await anyio.sleep(0.005)
        await lock.acquire()  # here"""
    },
    "semaphore": {"Semaphore": "with anyio.move_on_after(0.01):\n        await anyio.Semaphore(0).acquire()  # here"},
    "capacity limiter": {
        "CapacityLimiter": """limiter = anyio.CapacityLimiter(1)
    limiter.acquire_on_behalf_of_nowait("somebody")
    with anyio.move_on_after(0.01):
        await limiter.acquire()  # here"""
    },
    "yield, condition": {
        "Condition": """condition = anyio.Condition()
    with anyio.move_on_after(0.01):
        async with condition:
            await condition.wait()  # here"""
    },
    "yield, channel receive": {
        "receive": """send, receive = anyio.create_memory_object_stream(0)
    with anyio.move_on_after(0.01), send, receive:
        await receive.receive()  # here"""
    },
    "yield, channel send": {
        "send": """send, receive = anyio.create_memory_object_stream(0)
    with anyio.move_on_after(0.01), send, receive:
        await send.send(1)  # here"""
    },
    "yield, signal": {
        "receiver": """with anyio.open_signal_receiver(signal.SIGUSR1) as received:
        later(os.kill, os.getpid(), signal.SIGUSR1)
        async for _ in received:  # here
            break"""
    },
    "yield, thread": {"to_thread": "await anyio.to_thread.run_sync(time.sleep, 0.01)  # here"},
    "socket read": {
        "TCP": """async with pair() as (one, other):
        later(other.send, b"x")
        await one.receive()  # here"""
    },
    "yield, socket read": {
        "UDP": """async with await anyio.create_udp_socket(local_host="127.0.0.1") as one:
        with anyio.move_on_after(0.01):
            await one.receive()  # here""",
        "unix": """async with unix_pair() as (one, other):
        later(other.send, b"x")
        await one.receive()  # here""",
    },
    "yield, socket write": {
        "TCP": """async with pair() as (one, other):
        with anyio.move_on_after(0.02):
            while True:
                await one.send(bytes(1 << 20))  # here""",
        "unix": """async with unix_pair() as (one, other):
        with anyio.move_on_after(0.02):
            await one.send(bytes(1 << 22))  # here""",
    },
    "yield, socket accept": {
        "unix": """async with await anyio.create_unix_listener(place()) as listener:
        with anyio.move_on_after(0.01):
            await listener.accept()  # here""",
    },
    "readable": {
        "wait_readable": """a, b = socket.socketpair()
    later(b.send, b"x")
    await anyio.wait_readable(a)  # here
    a.close(); b.close()"""
    },
    "writable": {
        "wait_writable": """a, b = full()
    with anyio.move_on_after(0.01):
        await anyio.wait_writable(a)  # here
    a.close(); b.close()"""
    },
    "yield, socket connect": {
        "unix": """with crowded() as path:
        with anyio.move_on_after(0.02):
            await anyio.connect_unix(path)  # here""",
    },
}

ANYIO_PRELUDE = (
    FULL
    + """
import os, signal, socket, tempfile, time
from contextlib import asynccontextmanager, contextmanager
import anyio, anyio.to_thread

def later(function, *args):
    def call():
        result = function(*args)
        if hasattr(result, "send"):
            keep.append(asyncio.ensure_future(result))
    asyncio.get_running_loop().call_later(0.01, call)

keep = []

async def holds(lock):
    async with lock:
        await anyio.sleep(0.02)

def place():
    return os.path.join(tempfile.mkdtemp(), "socket")

@asynccontextmanager
async def pair():
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with await anyio.connect_tcp("127.0.0.1", port) as one:
            async with await listener.listeners[0].accept() as other:
                yield one, other

@asynccontextmanager
async def unix_pair():
    path = place()
    async with await anyio.create_unix_listener(path) as listener:
        async with await anyio.connect_unix(path) as one:
            async with await listener.accept() as other:
                yield one, other

@contextmanager
def crowded():
    "A listener whose queue is full: a connect must wait."
    with socket.socket(socket.AF_UNIX) as listener:
        path = place()
        listener.bind(path)
        listener.listen(0)
        others = []
        while True:
            other = socket.socket(socket.AF_UNIX)
            other.setblocking(False)
            others.append(other)
            try:
                other.connect(path)
            except BlockingIOError:
                break
        yield path
        for other in others:
            other.close()
"""
)


class Library(NamedTuple):
    rules: tuple[Rule, ...]
    prelude: str
    cases: cases.Cases
    tasks: dict[str, set[str]]  # root function → reasons, at least
    server: Callable[[], AbstractContextManager[int]]  # its port


LIBRARIES = {
    "aiohttp": Library(
        aiohttp.RULES,
        AIOHTTP_PRELUDE,
        AIOHTTP,
        {
            "RequestHandler.start": {"next request"},
            "RequestHandler._handle_request": {"thread"},
            "RequestHandler.shutdown": {"server"},
            "ClientRequest.write_bytes": {"thread", "response"},
        },
        lambda: nullcontext(0),  # its own
    ),
    "anyio": Library(
        anyio.RULES,
        ANYIO_PRELUDE,
        ANYIO,
        {"holds": {"timer"}},  # and not the wrapper in which it runs
        lambda: nullcontext(0),
    ),
    "asyncpg": Library(
        asyncpg.RULES,
        ASYNCPG_PRELUDE,
        ASYNCPG,
        {
            "Pool.fetch": {"postgres pool", "postgres query"},
            "Connection._cancel": {"postgres cancel"},
            "PoolConnectionHolder.release": {"postgres query"},
        },
        servers.postgres,
    ),
    "redis": Library(
        redis.RULES,
        REDIS_PRELUDE,
        REDIS,
        {"Redis.execute_command": {"redis connect", "redis command"}},
        servers.redis,
    ),
    "redis cluster": Library(
        redis.RULES,
        CLUSTER_PRELUDE,
        CLUSTER,
        {"ClusterNode.execute_pipeline": {"redis command"}},
        lambda: servers.redis(*ALONE),
    ),
    "trio": Library(
        trio.RULES,
        TRIO_PRELUDE,
        TRIO,
        {
            "Runner.init": {"nursery", "shutdown"},
            "open_tcp_stream.<locals>.attempt_connect": {"connect"},
        },
        lambda: nullcontext(0),
    ),
}


@pytest.fixture(scope="module", params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    """The name of a library that the target has."""
    name: str = request.param
    cases.coroutines(name.partition(" ")[0])
    return name


@pytest.fixture(scope="module")
def trace(library: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trace]:
    """All its cases in one program, against its server."""
    of = LIBRARIES[library]
    with of.server() as port:
        yield cases.record(tmp_path_factory.mktemp(library), of.prelude, of.cases, str(port))


def test_reasons(library: str, trace: Trace) -> None:
    of = LIBRARIES[library]
    found = cases.found(trace, of.prelude, of.cases)
    assert found == {(reason, what): cases.said(reason) for reason, what in cases.names(of.cases)}


def test_of_tasks(library: str, trace: Trace) -> None:
    why = cases.of_tasks(trace)
    expected = LIBRARIES[library].tasks
    assert {name: found & why[name] for name, found in expected.items()} == expected
    assert {name: found for name, found in why.items() if "" in found} == {}, "nothing is unknown in these programs"


def test_every_library_and_every_reason_has_a_case() -> None:
    assert {of.rules for of in LIBRARIES.values()} == {module.RULES for module in SHIPPED if module is not stdlib}
    for rules in {of.rules for of in LIBRARIES.values()}:
        tried = [of for of in LIBRARIES.values() if of.rules == rules]
        of_tasks = {reason for of in tried for some in of.tasks.values() for reason in some}
        assert {rule.reason for rule in rules} <= cases.every(*(of.cases for of in tried)) | of_tasks


# Functions that only other releases have, or other ways to build them.
OTHERS = {"FlowControlDataQueue.read"}


def test_the_functions_are_there(library: str) -> None:
    for rule in LIBRARIES[library].rules:
        _, package, file = rule.file.split("/", 2)
        there = cases.coroutines(package)[0][file]
        assert set(rule.functions) - there <= OTHERS, rule
