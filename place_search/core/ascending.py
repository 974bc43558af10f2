"""Numbers in ascending order, as the ids of places are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_among(numbers: NDArray[Any], ascending: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of these numbers are among those. `np.isin` would sort ten million of them again."""
    if not len(ascending):
        return np.zeros(numbers.shape, np.bool_)
    at = np.searchsorted(ascending, numbers)
    return np.asarray(ascending[np.minimum(at, len(ascending) - 1)] == numbers)
