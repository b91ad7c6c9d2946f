"""Which tasks a task awaits by way of what gathers them; who is awaited directly, the suspension itself says.

``gather`` is known by what it has its awaiter wait for.  ``as_completed`` is a generator on 3.12 and an object from
3.13 on.  Who opened a nursery of trio's
waits for all that is in it when its block ends, and for what is made there later.
"""

PROBES = (
    ("TaskGroup.create_task", "/asyncio/taskgroups.py", ("GROUP",)),
    ("_wait", "/asyncio/tasks.py", ("MANY",)),
    ("as_completed", "/asyncio/tasks.py", ("MANY",)),
    ("_AsCompletedIterator.__init__", "/asyncio/tasks.py", ("MANY",)),
    ("shield", "/asyncio/tasks.py", ("SHIELD",)),
    ("TaskGroup._spawn", "/anyio/_backends/_asyncio.py", ("MEMBER",)),
    ("Runner.spawn_impl", "/trio/_core/_run.py", ("GROUP",)),
    ("Nursery._nested_child_finished", "/trio/_core/_run.py", ("CHILDREN",)),
    ("_TaskStatus.started", "/trio/_core/_run.py", ("MOVE",)),
)
