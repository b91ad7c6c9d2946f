"""Traces to a trace: merged, or a part of one."""
