"""Row numbers: evenly spread samples, membership, and columns that stay as they are."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_Array = TypeVar("_Array", bound=NDArray[Any])


def read_only(array: _Array) -> _Array:
    """The same array, which nobody can change: `array -= 1` raises a ValueError."""
    array.setflags(write=False)
    return array


def spread_rows(count: int, limit: int) -> NDArray[np.int64]:
    """At most `limit` of `count` rows, evenly spread over all, in ascending order."""
    # Steps are at least 1, so rows do not repeat. `np.unique` would import masked arrays, 5 ms.
    return np.linspace(0, count - 1, min(count, limit)).astype(np.int64)


def is_among(numbers: NDArray[Any], ascending: NDArray[Any]) -> NDArray[np.bool_]:
    """A mask of the numbers that are in `ascending`; `np.isin` would sort `ascending` again."""
    if not len(ascending):
        return np.zeros(numbers.shape, np.bool_)
    positions = np.searchsorted(ascending, numbers)
    return np.asarray(ascending[np.minimum(positions, len(ascending) - 1)] == numbers)
