"""What recordings mean.  ``load`` gives the Trace of a run, or of one recording; ``Builder``
the data of one that grows."""

from .build import Builder
from .merge import merge
from .stats import Stats, stats
from .things import AwaitLine, Frame, Metadata, Process, Task, TreeNode
from .trace import Trace, load, load_run

__all__ = [
    "AwaitLine", "Builder", "Frame", "Metadata", "Process", "Stats", "Task", "Trace", "TreeNode", "load",
    "load_run", "merge", "stats",
]  # fmt: skip
