"""What sources may ask a core to tell of a function (``_core.pyi``, ACTIONS): the twin's numbers for it, bit by bit.

Knows the names.  Knows nothing of what becomes of them (``pycore/probes.py``, ``core/probes.c``).
"""

ACTIONS = {
    name: 1 << bit
    for bit, name in enumerate((
        "SPAWN", "GROUP", "SOON", "READY", "RUN", "SIGNAL", "TIMER", "SELECT", "MADE", "GIVE", "USE", "TAKE", "MANY",
        "SHIELD", "NEVER", "HANDLER", "POST", "TASK", "PUT", "LOOP", "EXPIRE", "IO", "LEAVE", "JOB", "UNTIL",
        "CHILDREN", "MOVE", "ALONE", "PROCESS", "MEMBER", "SCOPE",
    ))
}  # fmt: skip
(
    SPAWN, GROUP, SOON, READY, RUN, SIGNAL, TIMER, SELECT, MADE, GIVE, USE, TAKE, MANY, SHIELD, NEVER, HANDLER, POST,
    TASK, PUT, LOOP, EXPIRE, IO, LEAVE, JOB, UNTIL, CHILDREN, MOVE, ALONE, PROCESS, MEMBER, SCOPE,
) = ACTIONS.values()  # fmt: skip
WATCHED = ALONE  # a coroutine's code that has our local events, where that bit has no meaning

AT_START = (
    SPAWN | READY | TIMER | SELECT | MADE | GIVE | NEVER | HANDLER | POST | PUT | LEAVE | JOB | MOVE
)  # fmt: skip
AT_RETURN = SOON | SELECT | SHIELD | MANY | TASK | TAKE | PROCESS | MEMBER
TOLD = USE | MANY | UNTIL | CHILDREN  # of coroutines, once they suspend
ROLES = TOLD | TAKE  # of coroutines
STEPS = RUN | SIGNAL | LOOP | EXPIRE | IO | JOB  # their frames say on whose behalf something happens
