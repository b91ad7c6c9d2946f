"""Grouping and looking back, against the obvious ways."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from async_inspect.model.grouping import LastBefore, distinct_of, first_rows, group, last_rows, order_of, sums

WIDE = st.one_of(st.integers(0, 5), st.integers(0, 1 << 40))


@settings(deadline=None)
@given(st.lists(st.tuples(WIDE, WIDE, WIDE)))
def test_group(rows: list[tuple[int, int, int]]) -> None:
    columns = [np.array([row[i] for row in rows], np.int64) for i in range(3)]
    distinct, which = group(*columns)
    found = list(zip(*(column.tolist() for column in distinct), strict=True))
    assert found == sorted(set(rows))
    assert [found[i] for i in which.tolist()] == rows
    assert sums(which, np.ones(len(rows)), len(found)).tolist() == [rows.count(row) for row in found]


@settings(deadline=None)
@given(st.lists(WIDE), st.sampled_from([0, 5, 1 << 62]))
def test_order(values: list[int], wide: int) -> None:
    column = np.array([*values, *[wide] * (wide > 0)], np.int64)
    assert order_of(column).tolist() == sorted(range(len(column)), key=column.tolist().__getitem__)
    distinct, which = distinct_of(column)
    assert distinct.tolist() == sorted(set(column.tolist()))
    assert distinct[which].tolist() == column.tolist()


@given(st.lists(st.integers(0, 4)))
def test_first_and_last(ids: list[int]) -> None:
    first, last = (of(np.array(ids, np.uint32), 5).tolist() for of in (first_rows, last_rows))
    assert first == [ids.index(one) if one in ids else -1 for one in range(5)]
    assert last == [len(ids) - 1 - ids[::-1].index(one) if one in ids else -1 for one in range(5)]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 20))),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 20))),
)
def test_last_before(rows: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    look = LastBefore(np.array([who for who, _ in rows], int), np.array([when for _, when in rows], int), 5)
    found = look(np.array([who for who, _ in asked], int), np.array([when for _, when in asked], int)).tolist()
    for (who, when), row in zip(asked, found, strict=True):
        mine = [then for someone, then in rows if someone == who and then <= when]
        assert (row < 0) == (not mine)
        if mine:
            assert rows[row] == (who, max(mine))
