"""Each reason on a program in which the truth is known."""

from pathlib import Path

import pytest

from async_inspect.model.reasons import RULES, reasons

from ..tools import ROOT, Attach

CASES = {
    "timer": "await asyncio.sleep(0.001)  # here",
    "yield": "await asyncio.sleep(0)  # here",
    "task": "await asyncio.create_task(soon())  # here",
    "gather": "await asyncio.gather(soon(), soon())  # here",
    "wait": "await asyncio.wait([asyncio.create_task(soon())])  # here",
    "as_completed": "for done in asyncio.as_completed([soon()]): await done  # here",
    "task group": "async with asyncio.TaskGroup() as group:  # here\n        group.create_task(soon())",
    "lock": "lock = asyncio.Lock(); await lock.acquire(); later(lock.release)\n    await lock.acquire()  # here",
    "event": "event = asyncio.Event(); later(event.set)\n    await event.wait()  # here",
    "condition": """condition = asyncio.Condition()
    async def notify():
        async with condition: condition.notify()
    keep.append(asyncio.create_task(notify()))
    async with condition:
        await condition.wait()  # here""",
    "semaphore": "s = asyncio.Semaphore(1); await s.acquire(); later(s.release)\n    await s.acquire()  # here",
    "barrier": """barrier = asyncio.Barrier(2)
    keep.append(asyncio.create_task(join(barrier)))
    await barrier.wait()  # here""",
    "queue get": "queue = asyncio.Queue(); later(queue.put_nowait, 1)\n    await queue.get()  # here",
    "queue put": "q = asyncio.Queue(1); await q.put(1); later(q.get_nowait)\n    await q.put(2)  # here",
    "queue join": "q = asyncio.Queue(); await q.put(1); later(q.task_done)\n    await q.join()  # here",
    "thread": "await asyncio.to_thread(int)  # here",
    "DNS": "await asyncio.get_running_loop().getaddrinfo('localhost', 1)  # here",
    "socket read": """a, b = pair(); later(b.send, b'x')
    await asyncio.get_running_loop().sock_recv(a, 1)  # here""",
    "socket write": """a, b = pair(); later(drain, b)
    await asyncio.get_running_loop().sock_sendall(a, bytes(1 << 22))  # here""",
    "socket accept": """listener = socket.create_server(('127.0.0.1', 0)); listener.setblocking(False)
    later(lambda: keep.append(socket.create_connection(listener.getsockname())))
    await asyncio.get_running_loop().sock_accept(listener)  # here""",
    "stream read": """a, b = pair(); reader, writer = await asyncio.open_connection(sock=a)
    later(b.send, b'x')
    await reader.read(1)  # here
    writer.close()""",
    "stream write": """a, b = pair(); reader, writer = await asyncio.open_connection(sock=a)
    writer.write(bytes(1 << 22)); later(drain, b)
    await writer.drain()  # here
    writer.close()""",
    "subprocess": """process = await asyncio.create_subprocess_exec('true')
    await process.wait()  # here""",
    "": "future = asyncio.get_running_loop().create_future(); later(future.set_result, 1)\n    await future  # here",
}

PROGRAM = """import asyncio, socket

keep = []

async def soon():
    await asyncio.sleep(0)

async def join(barrier):
    await barrier.wait()

def later(function, *args):
    asyncio.get_running_loop().call_later(0.001, function, *args)

def pair():
    both = socket.socketpair()
    for one in both: one.setblocking(False)
    keep.extend(both)
    return both

def drain(sock):
    try:
        while sock.recv(1 << 20): pass
    except BlockingIOError:
        later(drain, sock)
    except OSError:
        pass

async def main():
    {body}

asyncio.run(main())
"""

# Ends of other cases, and what only an outside host or another loop shows.
BY_OTHERS = {"connect", "server", "socket connect", "stream close", "connection pool", "next request"}


def test_every_reason_has_its_case() -> None:
    assert {rule.reason for rule in RULES} | {"task", "gather", ""} == set(CASES) | BY_OTHERS


@pytest.mark.parametrize("reason", CASES)
def test_reason(reason: str, core: str, attach: Attach, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(body=CASES[reason]), encoding="utf-8")
    here = next(n for n, line in enumerate(program.read_text(encoding="utf-8").split("\n"), 1) if "# here" in line)
    traced = attach(program, core=core, options=["--quiet", "-f", "folded"])
    assert (traced.status, traced.stderr) == (0, "")
    trace = traced.trace
    found = {
        why
        for why, location in zip(reasons(trace), trace.awaits.location.tolist(), strict=True)
        if trace.place(location) == f"program.py:{here}"
    }
    assert found == {reason}


def test_reasons_of_aiohttp(attach: Attach) -> None:
    pytest.importorskip("aiohttp")
    trace = attach(ROOT / "fixtures" / "aiohttp_demo.py", "--requests", "16", options=["--quiet", "-f", "folded"]).trace
    why: dict[str, set[str]] = {}
    for reason, location in zip(reasons(trace), trace.awaits.leaf_location.tolist(), strict=True):
        why.setdefault(trace.frame(location).function.name, set()).add(reason)
    assert why["StreamReader._wait"] == {"stream read"}
    assert why["RequestHandler.start"] == {"next request", "task"}
    assert why["sleep"] == {"timer"}
