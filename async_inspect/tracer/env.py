"""The environment variables by which the launcher configures the recorder in a traced program.

Knows their names.  A program's children inherit them, and with them the recorder.
"""

DIR = "ASYNC_INSPECT_DIR"  # the folder for recordings; without it nothing is recorded
MAX_SIZE = "ASYNC_INSPECT_MAX_SIZE"  # the bound of one recording, in bytes
WITHOUT = "ASYNC_INSPECT_WITHOUT"  # names of sources (``sources/``) that are off, with commas between
SLOW_POLL_MS = "ASYNC_INSPECT_SLOW_POLL_MS"  # from what length on the watchdog looks at a poll; 0: never
RUN = "ASYNC_INSPECT_RUN"  # the id of the run; children have the same
CALLEES = "ASYNC_INSPECT_CALLEES"  # "1": record each call that a coroutine's own code makes
DETAIL = "ASYNC_INSPECT_DETAIL"  # how much is recorded: "calls" or "awaits"
TAGS = "ASYNC_INSPECT_TAGS"  # names of context variables whose text is recorded, with commas between
CORES = "ASYNC_INSPECT_CORES"  # where built C cores lie, less the "-<SOABI>" at the end of each one's folder
CORE_HINT = "ASYNC_INSPECT_CORE_HINT"  # why the launcher has no C core for this Python
ONLY = "ASYNC_INSPECT_ONLY"  # the pid of the one process that is recorded; without it every one is
FOLLOW_ENV = "ASYNC_INSPECT_FOLLOW_ENV"  # "1": an environment that a program makes up for a child gets these variables
NO_ARGV = "ASYNC_INSPECT_NO_ARGV"  # "1": command lines are not recorded
DOOR = "ASYNC_INSPECT_DOOR"  # for ``preload.c``: the file that starts the recorder

# These two are set by users.
CORE = "ASYNC_INSPECT_CORE"  # "c" or "python": which core must record
DISABLE = "ASYNC_INSPECT_DISABLE"  # "1": every door is a no-op

OURS = (
    DIR,
    MAX_SIZE,
    WITHOUT,
    SLOW_POLL_MS,
    CALLEES,
    DETAIL,
    TAGS,
    RUN,
    CORES,
    CORE_HINT,
    ONLY,
    FOLLOW_ENV,
    NO_ARGV,
    DOOR,
)
