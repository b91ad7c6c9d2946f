"""Durations as a distribution: count, total, exact percentiles."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..entities import Frozen
from ..grouping import exact_sum


class Distribution(Frozen):
    """Some durations, in ns; all 0 where there are none."""

    count: int
    total_ns: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    max_ns: int
    at_least: int = 0  # how many of them are lower bounds: they went on where the recording is broken off


def spread(ns: npt.NDArray[Any], lasting: npt.NDArray[np.bool_] | None = None) -> Distribution:
    """The distribution of these durations.  ``lasting``: which of them are lower bounds (``unfinished.py``)."""
    if not len(ns):
        return Distribution(count=0, total_ns=0, p50_ns=0, p90_ns=0, p99_ns=0, max_ns=0)
    p50, p90, p99, most = percentiles(ns, 50, 90, 99, 100)
    longer = 0 if lasting is None else int(lasting.sum())
    return Distribution(
        count=len(ns), total_ns=exact_sum(ns), p50_ns=p50, p90_ns=p90, p99_ns=p99, max_ns=most, at_least=longer
    )


def percentiles(ns: npt.NDArray[Any], *percents: int) -> list[int]:
    """For each of ``percents`` the smallest value that at least so many percent don't exceed.  Not numpy's, which uses
    floats."""
    ranks = [max(-(-percent * len(ns) // 100) - 1, 0) for percent in percents]
    found: list[int] = np.partition(ns, ranks)[ranks].tolist()
    return found
