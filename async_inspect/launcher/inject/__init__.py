"""Into a process that runs already: what it is, how a line of Python gets to run in it, how that leaves again.

Linux only, ctypes only: no debugger is needed.  Begin with ``session``.
"""
