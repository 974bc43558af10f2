"""Rows that stand for all."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from place_search.core.rows import spread_rows


@given(st.integers(0, 100_000), st.integers(0, 1000))
def test_spread_rows_reach_from_end_to_end_and_are_there_once(count: int, most: int) -> None:
    rows = spread_rows(count, most)
    assert len(rows) == min(count, most)
    assert (np.diff(rows) > 0).all()
    if len(rows) > 1:
        assert (rows[0], rows[-1]) == (0, count - 1)
