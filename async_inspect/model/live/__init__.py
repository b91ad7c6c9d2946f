"""The live model: the figures of a Trace while the recording grows, updated at the cost of the new records only."""

from .snapshot import LiveSnapshot, StackLine
from .state import Live

__all__ = ["Live", "LiveSnapshot", "StackLine"]
