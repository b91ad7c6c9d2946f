"""Since when a task that was woken could have run: ``kernels/wakes.py``, chunk by chunk.

Only the newest ``REMEMBERED`` callbacks are kept: what one leads to comes soon after it.
"""

import numpy as np

from ... import events as ev
from ..building.scan import Columns
from ..grouping import Ints, LastBefore
from ..kernels.wakes import CALLED, origins, runnable_since

REMEMBERED = 1 << 18


class ReadySince:
    """Wake-ups and the callbacks that lead to them."""

    def __init__(self) -> None:
        self._ids = np.zeros(REMEMBERED, np.uint32)  # of callbacks, at id % REMEMBERED
        self._since = np.full(REMEMBERED, CALLED)
        self._answered: dict[int, int] = {}  # by thread: when its selector answered last

    def feed(self, found: dict[str, Columns]) -> Ints:
        """By wake of the chunk, since when its task is ready."""
        selects, soons, wakes = found["selects"], found["soons"], found["wakes"]
        threads = np.array([*self._answered], np.int64)
        answered = np.concatenate([np.array([*self._answered.values()], np.int64), selects["ts"]])
        answer = LastBefore(
            np.concatenate([threads, selects["thread"]]),
            np.concatenate([np.full(len(threads), -1), selects["pos"]]),
        )
        self._answered.update(zip(selects["thread"].tolist(), selects["ts"].tolist(), strict=True))

        parts = (soons, wakes)
        named = np.unique(np.concatenate([one["aux"][one["flags"] == ev.BY_CALLBACK] for one in parts]))
        before = named[self._ids[named % REMEMBERED] == named]  # of former chunks: what they began with is known
        callbacks = np.concatenate([before, soons["coro"]])
        flags = np.concatenate([np.full(len(before), ev.BY_CODE, np.uint8), *(one["flags"] for one in parts)])
        aux = np.concatenate([before, *(one["aux"] for one in parts)])
        runnable = (runnable_since(one, answer, answered) for one in parts)
        since = np.concatenate([self._since[before % REMEMBERED], *runnable, [CALLED]])  # the last: not known
        since = since[origins(callbacks, flags, aux)]
        at, size = soons["coro"] % REMEMBERED, len(callbacks)
        self._ids[at], self._since[at] = soons["coro"], since[len(before) : size]
        ready: Ints = np.minimum(since[size:], wakes["ts"])
        return ready
