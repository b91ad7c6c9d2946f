"""What recordings mean.  ``load`` gives the Trace of a run, or of one recording; ``Builder`` of one that grows."""

from .build import Builder
from .merge import merge
from .reading import load
from .stats import Stats, stats
from .trace import AwaitLine, Frame, Metadata, Process, Task, Trace, TreeNode

__all__ = [
    "AwaitLine", "Builder", "Frame", "Metadata", "Process", "Stats", "Task", "Trace", "TreeNode", "load", "merge",
    "stats",
]  # fmt: skip
