"""What is seen above coroutines, one module a question.  Adding one is a file and its line in SOURCES.

A source names *probes*, (qualified name, end of the file's path, actions): functions of a runtime whose calls tell the
core something (``actions.py``).  Nothing is patched, and a runtime that the program never imports costs
nothing.  Each can be switched off by its name.  Standard library only.
"""

from . import edges, locks, scopes, tasks, wakes, warnings

SOURCES = {
    "tasks": tasks,  # which coroutines become tasks, made by whom and where
    "wakes": wakes,  # who makes a suspended task ready, and when
    "edges": edges,  # which tasks a task awaits by way of what gathers them
    "locks": locks,  # which lock, queue … a task waits for, and who holds it
    "scopes": scopes,  # which cancel scope or timeout a wait ended for
    "warnings": warnings,  # coroutines never awaited, exceptions never retrieved, tasks destroyed while pending
}
