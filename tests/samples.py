"""Recordings made by hand that have something of everything: what the formats' goldens are made of.

Times are whole numbers that a reader can add up; nothing here depends on a machine.
"""

from collections.abc import Callable

from async_inspect import events as ev

from .levels import at_awaits
from .tape import Tape, at, two_tasks

US = 1_000
MS = 1_000_000


def kitchen() -> Tape:
    """``main`` gathers eight numbered orders, of 5 ms each and more: most end well, one fails, one is cancelled.

    An order runs 1 ms, waits for a lock, runs 2 ms with a library frame below it, sleeps, and is over.  Names hold
    what formats trip over: separators, quotes, newlines, other alphabets.
    """
    tape = Tape()
    main, order, cook = tape.code("main", 10), tape.code("Kitchen.order", 30), tape.code('cook;"hot"', 50)
    sleep = tape.code("sleep", 600, "/py/lib/asyncio/tasks.py")
    get = tape.code("Pool.get", 7, "/venv/site-packages/pool/core.py")
    at_main, at_order = tape.node(0, main), tape.node(0, order)
    at_cook = tape.node(at_order, cook)
    at_sleep, at_get = tape.node(at_cook, sleep), tape.node(at_order, get)
    future, lock, gathered = tape.string("asyncio.Future"), tape.string("asyncio.Lock"), tape.string("_GatheringFuture")
    error, cancelled = tape.string("ValueError"), tape.string("asyncio.exceptions.CancelledError")
    site = tape.site((main, 4))
    tape.put(ev.THREAD, coro=0, aux=4711)
    tape.put(ev.SPAWN, 0, coro=1, aux=main, off=tape.site((main, 0)))
    tape.put(ev.START, 100 * US, coro=1, off=main, node=at_main, task=1, flags=ev.IS_TASK)
    names = ["order-1", "order-2", "order-3", "order-4", 'a,"b"\nc;d', "заказ 6", "order-7 <&>", "order-8"]
    orders = list(range(2, 2 + len(names)))
    for number, name in zip(orders, names, strict=True):
        at = 100 * US + number * 50 * US
        tape.put(ev.SPAWN, at, coro=number, aux=order, off=site, node=at_main, task=1, flags=ev.NAME_GIVEN)
        tape.text(ev.NAME, name.encode(), at, coro=number, node=at_main, task=1)
    tape.put(ev.SUSPEND, MS, coro=1, aux=gathered, off=12)
    clock, inner = MS, {}
    for number in orders:  # 1 ms each, then they wait for the pool
        inner[number] = number + len(orders)
        tape.put(ev.START, clock, coro=number, off=order, node=at_order, task=number, flags=ev.IS_TASK)
        tape.put(ev.START, clock + 400 * US, coro=inner[number], aux=number, off=get, node=at_get, task=number)
        clock += MS
        tape.put(ev.SUSPEND, clock, coro=inner[number], aux=lock, off=4)
        tape.put(ev.LINK, clock, coro=number, aux=inner[number], off=6)
    for number in orders:  # 2 ms each, of which 500 µs in the library, then they sleep
        pan, nap = number + 2 * len(orders), number + 3 * len(orders)
        tape.put(ev.RESUME, clock, coro=number, aux=inner[number], node=at_get, task=number)
        tape.put(ev.RETURN, clock + 100 * US, coro=inner[number], node=at_order, task=number)
        tape.put(ev.START, clock + 300 * US, coro=pan, aux=number, off=cook, node=at_cook, task=number)
        tape.text(ev.POINT, b"pan\0hot", clock + 900 * US, coro=pan, node=at_cook, task=number)
        tape.put(ev.START, clock + 1500 * US, coro=nap, aux=pan, off=sleep, node=at_sleep, task=number)
        clock += 2 * MS
        tape.put(ev.SUSPEND, clock, coro=nap, aux=future, off=10)
        tape.put(ev.LINK, clock, coro=pan, aux=nap, off=8)
        tape.put(ev.LINK, clock, coro=number, aux=pan, off=14)
    clock += 3 * MS
    for number in orders:
        pan, nap = number + 2 * len(orders), number + 3 * len(orders)
        if number == 5:
            tape.put(ev.THROW, clock, coro=nap, aux=cancelled, node=at_sleep, task=number)
            tape.put(ev.RAISE, clock + 20 * US, coro=nap, aux=cancelled, node=at_cook, task=number)
            tape.put(ev.RAISE, clock + 30 * US, coro=pan, aux=cancelled, node=at_order, task=number)
            tape.put(ev.RAISE, clock + 50 * US, coro=number, aux=cancelled, flags=ev.CANCELLED)
        else:
            tape.put(ev.RESUME, clock, coro=number, aux=nap, node=at_sleep, task=number)
            tape.put(ev.RETURN, clock + 50 * US, coro=nap, node=at_cook, task=number)
            tape.put(ev.RETURN, clock + 80 * US, coro=pan, node=at_order, task=number)
            if number == 7:
                tape.put(ev.RAISE, clock + 100 * US, coro=number, aux=error)
                tape.text(ev.MESSAGE, "no, “thanks”".encode(), clock + 100 * US, coro=number)
            else:
                tape.put(ev.RETURN, clock + 100 * US, coro=number)
        clock += 110 * US
    tape.put(ev.RESUME, clock, coro=1, aux=1, node=at_main, task=1)
    tape.put(ev.RETURN, clock + 333_333, coro=1)
    tape.end_ns = clock + 400 * US
    return tape


def deep() -> Tape:
    """One task, whose forty coroutines of one recursive function suspend together, five times."""
    tape = Tape()
    descend, future = tape.code("descend", 5), tape.string("asyncio.Future")
    depth = 40
    nodes = [tape.node(0, descend)]
    for _ in range(depth - 1):
        nodes.append(tape.node(nodes[-1], descend))
    tape.put(ev.SPAWN, 0, coro=1, aux=descend)
    for level, node in enumerate(nodes):
        flags = 0 if level else ev.IS_TASK
        tape.put(ev.START, 10 + 7 * level, coro=level + 1, aux=level, off=descend, node=node, task=1, flags=flags)
    for n in range(5):
        at = 1_000 + n * 1_000_007
        tape.put(ev.SUSPEND, at, coro=depth, aux=future, off=10)
        if not n:
            for level in range(depth - 1, 0, -1):
                tape.put(ev.LINK, at, coro=level, aux=level + 1, off=4)
        tape.put(ev.RESUME, at + 900_001, coro=1, aux=depth, node=nodes[-1], task=1)
    at += 950_000
    for level in range(depth, 0, -1):
        rest = {"node": nodes[level - 2], "task": 1} if level > 1 else {}
        tape.put(ev.RETURN, at + (depth - level) * 11, coro=level, **rest)
    tape.end_ns = at + 1_000
    return tape


def unfinished() -> Tape:
    """Nobody saw its end: tasks blocked, pending and running on two threads, one older than the recording, one driven
    by hand, and one that awaits another."""
    tape = Tape()
    worker, waiter, byhand = tape.code("worker", 3), tape.code("waiter", 20), tape.code("by_hand", 40)
    at_worker, at_waiter, at_hand = tape.node(0, worker), tape.node(0, waiter), tape.node(0, byhand)
    event = tape.string("asyncio.Event")
    tape.put(ev.THREAD, coro=0, aux=4711)
    tape.put(ev.THREAD, coro=1, aux=4712)
    tape.put(ev.START, 5, coro=1, off=worker, node=at_worker, task=1, flags=ev.IS_TASK | ev.BEFORE)
    tape.put(ev.SPAWN, 20_000, coro=2, aux=waiter, off=tape.site((worker, 4)), node=at_worker, task=1)
    tape.put(ev.SPAWN, 25_000, coro=3, aux=waiter, off=tape.site((worker, 6)), node=at_worker, task=1)
    tape.put(ev.SUSPEND, 30_000, coro=1, aux=2, off=8, flags=ev.AWAITS_TASK)
    tape.put(ev.START, 35_000, coro=2, off=waiter, node=at_waiter, task=2, flags=ev.IS_TASK)
    tape.put(ev.START, 36_000, coro=4, off=byhand, node=at_hand, task=4, thread=1)
    tape.put(ev.SUSPEND, 46_000, coro=4, off=4, thread=1)
    tape.put(ev.SUSPEND, 55_000, coro=2, aux=event, off=6)
    tape.put(ev.RESUME, 66_000, coro=4, aux=4, node=at_hand, task=4, thread=1)
    tape.text(ev.POINT, b"still\0here", 70_000, coro=4, node=at_hand, task=4, thread=1)
    return tape


def contention() -> Tape:
    """``main`` takes a lock, a worker waits for it, and a third task blocks the loop for 150 ms meanwhile.

    ::  ms   0      1       2       3       4          154  155     156    157
        main  runs, has the lock, sleeps until 4 …………………………… runs, gives it back; it ends
        worker      runs    waits for the lock ………………………………………………………………… woken, runs, keeps it, ends
        blocker             runs    waits for I/O      (runs from 4 to 154)
        idler                                          made at 50; runs at 157, yields at 158
    """
    tape = Tape()
    tape.meta += [("source", "wakes"), ("source", "resources"), ("slow_poll_ms", "100")]
    names = ("main", "worker", "blocker", "idler")
    main, worker, blocker, idler = (tape.code(name, 10 * n) for n, name in enumerate(names, 1))
    sleep = tape.code("sleep", 600, "/py/lib/asyncio/tasks.py")
    acquire = tape.code("Lock.acquire", 90, "/py/lib/asyncio/locks.py")
    get = tape.code("BaseSelectorEventLoop.sock_recv", 400, "/py/lib/asyncio/selector_events.py")
    hashing = tape.code("digest", 70, "/w/app.py", ev.CODE_PLAIN)
    at_main, at_worker, at_blocker, at_idler = (tape.node(0, code) for code in (main, worker, blocker, idler))
    at_sleep, at_acquire, at_get = tape.node(at_main, sleep), tape.node(at_worker, acquire), tape.node(at_blocker, get)
    future, error = tape.string("asyncio.Future"), tape.string("ValueError")
    lock = tape.resource("asyncio.locks.Lock", tape.site((main, 2)))
    tape.put(ev.THREAD, coro=0, aux=4711)

    tape.put(ev.SPAWN, 0, coro=1, aux=main, off=tape.site((main, 0)))
    tape.put(ev.START, 0, coro=1, off=main, node=at_main, task=1, flags=ev.IS_TASK)
    for coro, code in ((2, worker), (3, blocker)):
        tape.put(ev.SPAWN, 0, coro=coro, aux=code, off=tape.site((main, 4)), node=at_main, task=1)
    tape.put(ev.EDGE, 0, coro=1, aux=2, node=at_main, task=1)
    tape.put(ev.TAKE, MS // 2, coro=1, aux=lock, off=tape.site((main, 6)), node=at_main, task=1)
    tape.put(ev.START, MS // 2, coro=11, aux=1, off=sleep, node=at_sleep, task=1)
    tape.put(ev.SUSPEND, MS, coro=11, aux=future, off=10)
    tape.put(ev.LINK, MS, coro=1, aux=11, off=8)
    tape.put(ev.TIMER, MS, coro=11, **at(4 * MS))

    tape.put(ev.START, MS, coro=2, off=worker, node=at_worker, task=2, flags=ev.IS_TASK)
    tape.put(ev.START, MS, coro=12, aux=2, off=acquire, node=at_acquire, task=2)
    tape.put(ev.SUSPEND, 2 * MS, coro=12, aux=future, off=4)
    tape.put(ev.LINK, 2 * MS, coro=2, aux=12, off=2)
    tape.put(ev.USE, 2 * MS, coro=12, aux=lock)

    tape.put(ev.START, 2 * MS, coro=3, off=blocker, node=at_blocker, task=3, flags=ev.IS_TASK)
    tape.put(ev.START, 2 * MS, coro=13, aux=3, off=get, node=at_get, task=3)
    tape.put(ev.SUSPEND, 3 * MS, coro=13, aux=future, off=6)
    tape.put(ev.LINK, 3 * MS, coro=3, aux=13, off=4)
    tape.put(ev.SELECT, 3_900 * US, **at(3 * MS), flags=ev.IDLE)
    tape.put(ev.WAKE, 3_950 * US, coro=3, flags=ev.BY_IO)
    running = {"node": at_blocker, "task": 3}
    tape.put(ev.RESUME, 4 * MS, coro=3, aux=13, node=at_get, task=3)
    tape.put(ev.RETURN, 4 * MS, coro=13, **running)
    tape.put(ev.SPAWN, 50 * MS, coro=4, aux=idler, off=tape.site((blocker, 8)), **running)
    tape.put(ev.STACK, 120 * MS, coro=3, off=tape.site((hashing, 2), (blocker, 10)), **running)
    tape.put(ev.RAISE, 154 * MS, coro=3, aux=error)

    tape.put(ev.WAKE, 155 * MS, coro=1, flags=ev.BY_TIMER, **at(4 * MS))
    tape.put(ev.RESUME, 155 * MS, coro=1, aux=11, node=at_sleep, task=1)
    tape.put(ev.RETURN, 155 * MS, coro=11, node=at_main, task=1)
    tape.put(ev.GIVE, 155_500 * US, coro=1, aux=lock, node=at_main, task=1)
    tape.put(ev.WAKE, 155_500 * US, coro=2, node=at_main, task=1)
    tape.put(ev.RETURN, 156 * MS, coro=1)
    tape.put(ev.RESUME, 156 * MS, coro=2, aux=12, node=at_acquire, task=2)
    tape.put(ev.TAKE, 156 * MS, coro=12, aux=lock, off=tape.site((acquire, 6), (worker, 2)), node=at_acquire, task=2)
    tape.put(ev.RETURN, 156_100 * US, coro=12, node=at_worker, task=2)
    tape.put(ev.RETURN, 157 * MS, coro=2)
    tape.put(ev.START, 157 * MS, coro=4, off=idler, node=at_idler, task=4, flags=ev.IS_TASK)
    tape.put(ev.SUSPEND, 158 * MS, coro=4, off=2)
    tape.put(ev.RUNTIME_WARNING, 159 * MS, coro=3, aux=error, flags=ev.NEVER_RETRIEVED)
    tape.put(ev.RUNTIME_WARNING, 159 * MS, aux=worker, off=tape.site((main, 12)), flags=ev.NEVER_AWAITED)
    tape.end_ns = 160 * MS
    return tape


SAMPLES: dict[str, Callable[[], Tape]] = {
    "two_tasks": two_tasks,
    "kitchen": kitchen,
    "deep": deep,
    "unfinished": unfinished,
    "contention": contention,
    "contention_at_awaits": lambda: at_awaits(contention()),
}
