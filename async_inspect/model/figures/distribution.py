"""How long some things took: their sum, and the values that parts of them don't exceed."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..entities import Frozen
from ..grouping import exact_sum


class Distribution(Frozen):
    """How long some things took: the value that a part of them doesn't exceed.  All ns; 0 where there are none."""

    count: int
    total_ns: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    max_ns: int
    at_least: int = 0  # so many of them went on when the recording was not known any further: they took longer


def spread(ns: npt.NDArray[Any], lasting: npt.NDArray[np.bool_] | None = None) -> Distribution:
    """Of whole numbers, exactly.  ``lasting``: which of them went on (``unfinished.py``)."""
    if not len(ns):
        return Distribution(count=0, total_ns=0, p50_ns=0, p90_ns=0, p99_ns=0, max_ns=0)
    p50, p90, p99, most = percentiles(ns, 50, 90, 99, 100)
    longer = 0 if lasting is None else int(lasting.sum())
    return Distribution(
        count=len(ns), total_ns=exact_sum(ns), p50_ns=p50, p90_ns=p90, p99_ns=p99, max_ns=most, at_least=longer
    )


def percentiles(ns: npt.NDArray[Any], *percents: int) -> list[int]:
    """The values that so many percent of these (at least one) don't exceed.  Not numpy's: that goes by floats."""
    ranks = [max(-(-percent * len(ns) // 100) - 1, 0) for percent in percents]
    found: list[int] = np.partition(ns, ranks)[ranks].tolist()
    return found
