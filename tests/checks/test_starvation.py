"""What ``starvation`` asks of tasks' times ready, against a plain walk over them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from async_inspect.checks.starvation import _Delays, _Means

TASKS = 5
DELAY = st.tuples(st.integers(1, TASKS), st.integers(0, 20), st.integers(0, 9))  # task, end, length


@settings(deadline=None)
@given(st.lists(DELAY), st.sets(st.integers(1, TASKS)), st.integers(0, 20), st.integers(0, 20))
def test_means_within_a_window(rows: list[tuple[int, int, int]], asked: set[int], after: int, until: int) -> None:
    task, end, ns = (np.array([row[at] for row in rows], np.int64) for at in range(3))
    ready = sorted(asked & {row[0] for row in rows})
    until = max(after, until)
    found, means = _Means(_Delays(task, end, ns), TASKS).within(np.array(ready, np.int64), after, until)
    within = {one: [row[2] for row in rows if row[0] == one and after < row[1] <= until] for one in ready}
    expected = {one: sum(values) / len(values) for one, values in within.items() if values}
    assert dict(zip(found.tolist(), means.tolist(), strict=True)) == expected
