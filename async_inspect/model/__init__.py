"""What recordings mean.  ``load`` gives the Trace of a run, or of one recording, ``Builder`` its data."""

from .building.builder import Builder
from .entities import AwaitLine, Frame, Metadata, Process, Task, TreeNode
from .figures.stats import Stats, stats
from .trace import Trace, load, load_run
from .transform.merge import merge

__all__ = [
    "AwaitLine", "Builder", "Frame", "Metadata", "Process", "Stats", "Task", "Trace", "TreeNode", "load",
    "load_run", "merge", "stats",
]  # fmt: skip
