"""Tasks whose root coroutine is a library's wrapper: they are about the coroutine that it awaits first.

Knows the wrappers.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from .. import tables as t

_WRAPPERS: Final = (("TaskHandle._run_coro", "-packages/anyio/_core/_tasks.py"),)  # on asyncio; older ones had none


def about(tasks: t.Tasks, functions: Sequence[t.Function], calls: t.Calls, stacks: "Stacks") -> t.Tasks:
    """These, of the functions that they are about: of their roots', where these are no wrappers or have not run, or
    where it isn't known, as what they awaited never waited and its call was not heard."""
    wrapping = np.array([*map(wraps, functions), False])  # the last: of no function
    if not wrapping.any():
        return tasks
    inside = np.flatnonzero(calls.awaiter >= 0)
    outer = calls.awaiter[inside]
    inside = inside[wrapping[calls.function[outer]] & (calls.awaiter[outer] < 0) & (calls.task[inside] > 0)]
    waited = np.flatnonzero(stacks.chains.inner[stacks.stack] >= 0)
    second = stacks.chains.location[stacks.chains.inner[stacks.stack[waited]]]
    task, first = np.unique(np.concatenate([calls.task[inside], stacks.task[waited]]), return_index=True)
    awaited = np.concatenate([calls.function[inside], stacks.locations.function[second]])
    rows = task - 1
    wrapped = wrapping[tasks.function[rows]]
    function = tasks.function.copy()
    function[rows[wrapped]] = awaited[first[wrapped]]
    return replace(tasks, function=function)


class Stacks(NamedTuple):
    """By suspension, its task and the chain from its root; and what these refer to."""

    task: t.Small
    stack: t.Small
    chains: t.Chains
    locations: t.Locations


def wraps(function: t.Function) -> bool:
    """Whether this is such a wrapper."""
    return any(function.name == name and function.file.endswith(file) for name, file in _WRAPPERS)
