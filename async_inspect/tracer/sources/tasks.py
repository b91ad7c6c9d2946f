"""Which coroutines become tasks, made by whom and where.

``create_task`` of the loop sees every way to make a task (``run``, ``gather``, ``TaskGroup``, ``ensure_future``).  The
others are for loops whose own methods are not Python (uvloop); elsewhere they are seen first, and count once.  trio has
one function that makes tasks.
"""

PROBES = (
    ("BaseEventLoop.create_task", "/asyncio/base_events.py", ("SPAWN",)),
    ("create_task", "/asyncio/tasks.py", ("SPAWN",)),
    ("TaskGroup.create_task", "/asyncio/taskgroups.py", ("SPAWN",)),
    ("Runner.spawn_impl", "/trio/_core/_run.py", ("TASK",)),
)
