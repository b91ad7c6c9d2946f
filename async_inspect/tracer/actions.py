"""The actions that a source may request for calls of a function, one bit each.  Declared here alone.

Knows their names, which local variables of the function each reads, by the names given here, and what of either core
does them.  Knows nothing of how (``pycore/probes.py`` and beside it, ``core/``; for both, ``cold.py``).
``core/actions.h`` is written from this (scripts/generate).
"""

SPAWN = 1 << 0  # ``coro`` is being made a task; ``name`` (or ``kwargs``) may name it
GROUP = 1 << 1  # … in a task group ``self``, whose owner waits for it
SOON = 1 << 2  # when it returns: ``callback`` is among what the loop runs next, as the handle that is returned
READY = 1 << 3  # the selector (called by ``…_process_events``) or a signal has ``handle`` run
RUN = 1 << 4  # its frames run a handle, ``self``
SIGNAL = 1 << 5  # its frames handle a signal
TIMER = 1 << 6  # ``callback`` is to be called at ``when`` with ``args``, on the clock of loop ``self``
SELECT = 1 << 7  # the selector is asked, for at most ``timeout``; it answers when this returns
MADE = 1 << 8  # ``self``, which tasks may wait for, is made
GIVE = 1 << 9  # ``self`` is given back by whoever holds it
USE = 1 << 10  # a coroutine function: whoever is suspended in it waits for ``self``
TAKE = 1 << 11  # a coroutine function: if it returns, its task holds ``self``, or its ``_lock`` if it has one; another
#                 function: if it returns
MANY = 1 << 12  # waits for all tasks in ``todo``, or ``fs``: a coroutine function once it suspends, a generator once it
#                 yields, another once it returns
SHIELD = 1 << 13  # the future that it returns stands for ``inner``
NEVER = 1 << 14  # ``coro`` was never awaited
HANDLER = 1 << 15  # an exception handler: ``context`` says what happened
POST = 1 << 16  # with SOON: … and may be there before that, as another thread runs the loop
TASK = 1 << 17  # when it returns: a coroutine was made the task that is returned (of trio's); GROUP: in ``nursery``
PUT = 1 << 18  # ``task`` (of trio's) is put among what runs next
LOOP = 1 << 19  # its frames are trio's loop
EXPIRE = 1 << 20  # its frames wake those who waited until ``deadline``
IO = 1 << 21  # its frames wake those for whom the selector answered
LEAVE = 1 << 22  # ``sync_fn`` with ``args`` is left for trio to call
JOB = 1 << 23  # … and is called: ``job`` are these two
UNTIL = 1 << 24  # a coroutine function: whoever is suspended in it waits until ``deadline``
CHILDREN = 1 << 25  # a coroutine function: whoever is suspended in it waits for all in ``self._children``
MOVE = 1 << 26  # all in ``self._old_nursery`` goes over to ``self._new_nursery``, whose owner waits for it
ALONE = 1 << 27  # with SELECT: only where trio is no other loop's guest
PROCESS = 1 << 28  # when it returns, a process was started, of which ``unrecorded.py`` is told
MEMBER = 1 << 29  # when it returns: ``task`` is in the group ``self``, whose ``cancel_scope._host_task`` waits for it
SCOPE = 1 << 30  # its frames cancel ``origin``, or ``self``; with MADE: ``self``, which may be cancelled so, is made

ACTIONS = {name: bit for name, bit in list(globals().items()) if name.isupper()}

# Rare by nature, and done in Python for both cores (``cold.py``): when the function is called, or has returned.
COLD_AT_START = NEVER | HANDLER | MOVE
COLD_AT_RETURN = PROCESS | MEMBER
AT_SUSPENSION = USE | MANY | UNTIL | CHILDREN  # done for coroutines, once they suspend
ROLES = AT_SUSPENSION | TAKE  # of coroutines
STEPS = RUN | SIGNAL | LOOP | EXPIRE | IO | JOB  # their frames say on whose behalf something happens
WATCHED = ALONE  # a coroutine's code that has our local events, where that bit has no meaning

# Of a function that is no coroutine's the first action of each list is done, when it is called and when it returns: by
# what is called so in both cores; only of code that has these flags.
_GENERATOR = 0x20  # CO_GENERATOR
AT_START = (
    (SPAWN, "spawn", 0),
    (READY, "ready", 0),
    (TIMER, "timer", 0),
    (SELECT, "ask_selector", 0),
    (MADE, "made", 0),
    (GIVE, "give", 0),
    (POST, "post", 0),
    (PUT, "put_next", 0),
    (LEAVE, "leave", 0),
    (JOB, "job", 0),
    (MANY, "begins", _GENERATOR),
    (COLD_AT_START, "cold_start", 0),
)
AT_RETURN = (
    (SPAWN, "spawned", 0),
    (SOON, "soon", 0),
    (SELECT, "selector_answers", 0),
    (SHIELD, "shield", 0),
    (TASK, "new_trio_task", 0),
    (TAKE, "taken", 0),
    (MANY, "ends", _GENERATOR),
    (MANY, "wait_for_many", 0),
    (COLD_AT_RETURN, "cold_return", 0),
)
