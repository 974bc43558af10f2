"""Photos that are in an index twice, byte for byte."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Duplicate(NamedTuple):
    """A place whose photo has the same content as that of an earlier place."""

    name: str
    same_as: str


def duplicates_in(
    place_ids: NDArray[np.int64],
    names: NDArray[Any],
    content: NDArray[np.uint8],
    *,
    since: int = 0,
) -> list[Duplicate]:
    """The places from the id `since` on whose photo an earlier place has too.

    The columns are by ascending id: (N,) ids, (N,) UTF-8 names, (N, 32) sha256.
    """
    _, group, sizes = np.unique(_heads(content), return_inverse=True, return_counts=True)
    first: dict[bytes, int] = {}
    duplicates = []
    for row in np.flatnonzero(sizes[group] > 1).tolist():
        earlier = first.setdefault(content[row].tobytes(), row)
        if earlier != row and place_ids[row] >= since:
            duplicates.append(Duplicate(names[row].decode(), names[earlier].decode()))
    return duplicates


def rows_with_equal_heads(
    content: NDArray[np.uint8], sought: NDArray[np.uint8]
) -> NDArray[np.intp]:
    """The rows of (N, 32) hashes that begin like one of the `sought` hashes."""
    sought_heads = np.unique(_heads(sought))
    heads = _heads(content)
    nearest = np.searchsorted(sought_heads, heads).clip(max=len(sought_heads) - 1)
    return np.flatnonzero(sought_heads[nearest] == heads)


def _heads(content: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The first 8 bytes of each hash."""
    heads: NDArray[np.uint64] = np.ascontiguousarray(content[:, :8]).view(np.uint64)[:, 0]
    return heads
