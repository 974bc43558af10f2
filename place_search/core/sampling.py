"""Rows that stand for all."""

import numpy as np
from numpy.typing import NDArray


def spread_rows(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of `count` rows, evenly spread over all, in ascending order."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
