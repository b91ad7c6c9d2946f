"""The environment variables: all that the launcher and a traced program ever say to each other.

Knows their names.  A program's children inherit them, and with them the recorder.
"""

DIR = "ASYNC_INSPECT_DIR"  # the folder for recordings; without it nothing is recorded
MAX_SIZE = "ASYNC_INSPECT_MAX_SIZE"  # the bound of one recording, in bytes
CORES = "ASYNC_INSPECT_CORES"  # where built C cores lie, less the "-<SOABI>" at the end of each one's folder
CORE_HINT = "ASYNC_INSPECT_CORE_HINT"  # why the launcher has no C core for this Python

# These two are for people.
CORE = "ASYNC_INSPECT_CORE"  # "c" or "python": which core must record
DISABLE = "ASYNC_INSPECT_DISABLE"  # "1": every door is a no-op
