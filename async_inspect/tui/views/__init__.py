"""The registry of views.  A new one is a module here with a function ``draw``, its line in VIEWS, and its name in
``state.VIEWS``.
"""

from collections.abc import Callable

from ..draw import Page
from . import awaits, findings, loop, task, tasks, tree
from .scene import Scene

# By name: the title, and what draws the body.
VIEWS: dict[str, tuple[str, Callable[[Scene], Page]]] = {
    "tasks": ("Tasks", tasks.draw),
    "task": ("Task", task.draw),
    "tree": ("Tree", tree.draw),
    "awaits": ("Awaits", awaits.draw),
    "loop": ("Loop", loop.draw),
    "findings": ("Findings", findings.draw),
}

__all__ = ["VIEWS", "Scene"]
