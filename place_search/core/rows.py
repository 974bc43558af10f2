"""Numbers of rows and places: some that stand for all, and which are among others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def spread_rows(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of `count` rows, evenly spread over all, in ascending order."""
    # No step is below 1, so each row is there once. `np.unique` imports masked arrays, 5 ms.
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def is_among(numbers: NDArray[Any], ascending: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of these numbers are among those. `np.isin` would sort ten million of them again."""
    if not len(ascending):
        return np.zeros(numbers.shape, np.bool_)
    at = np.searchsorted(ascending, numbers)
    return np.asarray(ascending[np.minimum(at, len(ascending) - 1)] == numbers)
