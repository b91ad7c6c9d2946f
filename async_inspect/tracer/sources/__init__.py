"""What is seen above coroutines, one module a runtime.  Adding one is a file and its line in SOURCES.

A source names *probes*: functions of the runtime whose calls tell the core something (``_core.pyi``, ``add_probe``).
Nothing is patched, and a runtime that the program never imports costs nothing.  Standard library only.
"""

from . import asyncio

SOURCES = (asyncio,)
