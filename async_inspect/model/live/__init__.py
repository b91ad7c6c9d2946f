"""The live model: the figures of a Trace while the recording grows, updated at the cost of the new records only."""

from .snapshot import LiveSnapshot, StackLine
from .state import LiveModel

__all__ = ["LiveModel", "LiveSnapshot", "StackLine"]
