"""Tasks whose root coroutine is a library's wrapper: they are about the coroutine that it awaits first.

Knows the wrappers.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from .. import tables as t

_WRAPPERS: Final = (("TaskHandle._run_coro", "-packages/anyio/_core/_tasks.py"),)  # on asyncio; older ones had none


def about(tasks: t.Tasks, functions: Sequence[t.Function], calls: t.Calls) -> t.Tasks:
    """These, of the functions that they are about: of their roots', where these are no wrappers or have not run."""
    wrapping = np.array([*map(wraps, functions), False])  # the last: of no function
    if not wrapping.any():
        return tasks
    inside = np.flatnonzero(calls.awaiter >= 0)
    outer = calls.awaiter[inside]
    inside = inside[wrapping[calls.function[outer]] & (calls.awaiter[outer] < 0) & (calls.task[inside] > 0)]
    task, first = np.unique(calls.task[inside], return_index=True)
    rows = task - 1
    wrapped = wrapping[tasks.function[rows]]
    function = tasks.function.copy()
    function[rows[wrapped]] = calls.function[inside[first[wrapped]]]
    return replace(tasks, function=function)


def wraps(function: t.Function) -> bool:
    """Whether this is such a wrapper."""
    return any(function.name == name and function.file.endswith(file) for name, file in _WRAPPERS)
