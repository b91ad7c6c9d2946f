"""What a recording means so far, while it grows: the same figures as the Trace's, at the cost of what is new only."""

from .snapshot import LiveSnapshot, StackLine
from .state import Live

__all__ = ["Live", "LiveSnapshot", "StackLine"]
