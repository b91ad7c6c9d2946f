"""What a recording means.  ``load`` gives the Trace of one; ``Builder`` of one that still grows."""

from .build import Builder, load
from .stats import Stats, stats
from .trace import AwaitLine, Frame, Metadata, Task, Trace, TreeNode

__all__ = ["AwaitLine", "Builder", "Frame", "Metadata", "Stats", "Task", "Trace", "TreeNode", "load", "stats"]
