"""Real systems through their usual clients, and hosts that switch stacks: traced they say what they say bare, each
await stands on its line, and nothing in the recording contradicts itself."""

import re
import sys
from pathlib import Path

import pytest

from async_inspect.model import Trace
from async_inspect.model.invariants import violations

from . import servers
from .tools import Attach, run

pytestmark = pytest.mark.meaning


def same(
    attach: Attach,
    core: str,
    folder: Path,
    text: str,
    *arguments: str,
    options: tuple[str, ...] = (),
    sane: bool = True,
) -> Trace:
    """The trace of a program that says the same with and without us."""
    program = folder / "program.py"
    program.write_text(text, encoding="utf-8")
    bare = run([sys.executable, program, *arguments], cwd=folder)
    traced = attach(program, *arguments, core=core, options=["--quiet", "-f", "folded", *options])
    assert (traced.status, traced.stdout, traced.stderr) == (bare.status, bare.stdout, bare.stderr)
    assert (bare.status, bare.stderr) == (0, "")
    assert violations(traced.trace) == [] or not sane
    return traced.trace


def lines_of(trace: Trace, task: str) -> dict[int, set[str]]:
    """The lines of the program on which tasks of this name waited, and why."""
    found: dict[int, set[str]] = {}
    for row in range(len(trace.awaits)):
        one = trace.await_at(row)
        file, _, line = (one.await_point or "").rpartition(":")
        if trace.task(one.task).name == task and file == "program.py":
            found.setdefault(int(line), set()).add(one.reason or "")
    return found


def line(text: str, mark: str) -> int:
    (found,) = [number for number, one in enumerate(text.split("\n"), 1) if one.endswith(f"# {mark}")]
    return found


SQLALCHEMY = """
import asyncio, sys
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

async def user(make, name):
    async with make() as session:  # closes
        session.add(Item(name=name))
        await session.commit()  # commits
        found = await session.execute(select(Item).where(Item.name == name))  # asks
        return [item.name for item in found.scalars()]

async def main():
    engine = create_async_engine(sys.argv[1])
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    make = async_sessionmaker(engine)
    tasks = [asyncio.create_task(user(make, f"item {n}"), name="user") for n in range(5)]
    print(await asyncio.gather(*tasks))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
    await engine.dispose()

asyncio.run(main())
"""


def test_sqlalchemy_on_postgres(core: str, attach: Attach, tmp_path: Path) -> None:
    """Every await of its ORM runs in a greenlet, below which the driver waits."""
    with servers.postgres() as port:
        url = f"postgresql+asyncpg://me@127.0.0.1:{port}/postgres"
        trace = same(attach, core, tmp_path, SQLALCHEMY, url)
    found = lines_of(trace, "user")
    assert found.keys() == {line(SQLALCHEMY, mark) for mark in ("closes", "commits", "asks")}
    assert "postgres query" in found[line(SQLALCHEMY, "asks")]
    _goes_through(trace, "AsyncSession.execute", "greenlet_spawn", "AsyncAdapt_asyncpg_cursor._prepare_and_execute")


def test_sqlalchemy_on_sqlite(core: str, attach: Attach, tmp_path: Path) -> None:
    """In a file: of a database in memory there is one connection, and one user's end would roll back another's item."""
    trace = same(attach, core, tmp_path, SQLALCHEMY, f"sqlite+aiosqlite:///{tmp_path}/items.db")
    assert lines_of(trace, "user").keys() == {line(SQLALCHEMY, mark) for mark in ("closes", "commits", "asks")}
    _goes_through(trace, "AsyncSession.execute", "greenlet_spawn", "AsyncAdapt_dbapi_cursor._execute_async")


def _goes_through(trace: Trace, *functions: str) -> None:
    """That a suspension has these frames, each awaited by the one before, with none between."""
    chains = {tuple(frame.function.name for frame in trace.chain(row)) for row in range(len(trace.awaits))}
    n = len(functions)
    assert any(functions == chain[at : at + n] for chain in chains for at in range(len(chain)))


GEVENT = """
import gevent.monkey
gevent.monkey.patch_all()
import gevent, gevent.queue, socket, threading, time

def ask(port, n):
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"%d" % n)
        return client.recv(9)

def serve(listener):
    for _ in range(5):
        peer, _ = listener.accept()
        gevent.spawn(lambda peer=peer: (time.sleep(0.001), peer.sendall(b"got " + peer.recv(9)), peer.close()))

with socket.create_server(("127.0.0.1", 0)) as listener:
    server = gevent.spawn(serve, listener)
    asked = [gevent.spawn(ask, listener.getsockname()[1], n) for n in range(5)]
    gevent.joinall([server, *asked])
    print([one.value for one in asked])

async def deeper(n):
    if n:
        await deeper(n - 1)
    else:
        gevent.sleep(0.001)  # switches away in the middle of a coroutine
    return n

def drive(n):
    try:
        deeper(n).send(None)
    except StopIteration as stop:
        return stop.value

driven = [gevent.spawn(drive, n) for n in range(1, 4)]
gevent.joinall(driven)
print([one.value for one in driven])
"""


def test_gevent_is_not_harmed(core: str, attach: Attach, tmp_path: Path) -> None:
    """That coroutines switch stacks while they run is not seen: what they did meanwhile is not looked at here."""
    same(attach, core, tmp_path, GEVENT, sane=False)


FASTAPI = """
import asyncio, contextvars, uuid
import httpx, uvicorn
from fastapi import FastAPI

request_id = contextvars.ContextVar("request_id")
app = FastAPI()

async def query():
    await asyncio.sleep(0.01)  # query

@app.middleware("http")
async def named(request, call_next):
    request_id.set(int(request.query_params["id"]))
    return await call_next(request)

@app.get("/")
async def answer(id: int):
    await query()
    return {"id": id}

async def main():
    config = uvicorn.Config(app, port=0, log_level="critical", loop="asyncio", http="h11")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(), name="serves")
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answers = await asyncio.gather(*(client.get("/", params={"id": n}) for n in range(8)))
    print(sorted(one.json()["id"] for one in answers))
    server.should_exit = True
    await serving

asyncio.run(main())
"""


def test_requests_of_fastapi_are_told_apart(core: str, attach: Attach, tmp_path: Path) -> None:
    trace = same(attach, core, tmp_path, FASTAPI, options=("--tag", "request_id"))
    requests = [task for task in trace.tasks if task.kind_name == "RequestResponseCycle.run_asgi"]
    assert sorted(task.tags for task in requests) == [(f"request_id={n}",) for n in range(8)]
    one = trace.filter(task="tag+:request_id=5")
    assert {task.kind_name for task in one.tasks} >= {"RequestResponseCycle.run_asgi"}
    waits = [row for row in range(len(one.awaits)) if (one.await_at(row).await_point or "").startswith("program.py")]
    query = [row for row in waits if one.await_at(row).await_point == f"program.py:{line(FASTAPI, 'query')}"]
    assert len(query) == 1
    assert violations(one) == []


WEBSOCKETS = """
import asyncio
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

async def echo(socket):
    async for message in socket:  # reads
        await socket.send(message)

async def client(port, n):
    async with connect(f"ws://127.0.0.1:{port}") as socket:
        await socket.send(str(n))
        return await socket.recv()  # answer

async def main():
    async with serve(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        print(await asyncio.gather(*(client(port, n) for n in range(5))))

asyncio.run(main())
"""


def test_websockets(core: str, attach: Attach, tmp_path: Path) -> None:
    trace = same(attach, core, tmp_path, WEBSOCKETS)
    assert line(WEBSOCKETS, "answer") in lines_of(trace, "client")
    assert sum(task.name == "client" for task in trace.tasks) == 5


ANYIO = """
import sys, anyio

async def waits(event):
    await event.wait()  # waits

async def reads(stream):
    async with stream:
        print(await stream.receive())  # reads

async def late(scope):
    try:
        await anyio.sleep_forever()
    except BaseException as exc:
        print(type(exc).__name__ in ("Cancelled", "CancelledError"))
        raise

async def main():
    event = anyio.Event()
    send, receive = anyio.create_memory_object_stream[int](0)
    async with anyio.create_task_group() as group, send:  # group
        group.start_soon(waits, event, name="waits")
        group.start_soon(reads, receive, name="reads")
        await anyio.sleep(0.01)  # sleeps
        event.set()
        await send.send(7)  # sends
    with anyio.move_on_after(0.01) as scope:  # scope
        async with anyio.create_task_group() as group:
            group.start_soon(late, scope, name="late")
    print(await anyio.to_thread.run_sync(lambda: 1))  # thread

anyio.run(main, backend=sys.argv[1])
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(backend: str, core: str, attach: Attach, tmp_path: Path) -> None:
    trace = same(attach, core, tmp_path, ANYIO, backend)
    by_name = {task.name: task for task in trace.tasks}
    main = next(task for task in trace.tasks if line(ANYIO, "sleeps") in lines_of(trace, task.name))
    states = {name: (by_name[name].parent, by_name[name].state) for name in ("waits", "reads", "late")}
    assert states == {
        "waits": (main.id, "Completed"),
        "reads": (main.id, "Completed"),
        "late": (main.id, "Cancelled"),
    }
    assert lines_of(trace, "waits") == {line(ANYIO, "waits"): {"event"}}
    assert {name: by_name[name].kind_name for name in states} == {"waits": "waits", "reads": "reads", "late": "late"}
    assert {name for name, task in by_name.items() if main.id in task.awaiters} == {"waits", "reads", "late"}
    whole = [trace.await_at(row) for row in range(len(trace.awaits))]
    at = f"program.py:{line(ANYIO, 'group')}"
    reason, kind = {"asyncio": ("task group", "TaskGroup"), "trio": ("nursery", "Nursery")}[backend]
    which = {one.resource or "" for one in whole if one.await_point == at and one.reason == reason}
    assert [re.sub(r" \d+", "", one) for one in which] == [f"{kind} (made at {at})"]
    scope = f"CancelScope (made at program.py:{line(ANYIO, 'scope')})"
    assert [one.cancelled_by for one in whole if one.task == by_name["late"].id][-1] == scope
    ours = {one.cancelled_by for one in whole if one.task in (main.id, by_name["waits"].id, by_name["reads"].id)}
    # What only sleeps is not cut short; who waits in a nursery waits on.
    assert ours == ({None, scope} if backend == "asyncio" else {None})
